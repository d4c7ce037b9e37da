"""Keeping the roll-ups small, and filling them where the triggers do not see what is written."""

from sqlalchemy import text
from sqlalchemy.orm import Session

ROLL_UP_RUN = text(
    """
    SELECT roll_up_chunk(community_id, run_id, no) FROM bill_run_chunk
    WHERE community_id = :community_id AND run_id = :run_id AND state = 'issued'
    """
)

FOLD_COLLECTION = text(
    """
    WITH gone AS (
        DELETE FROM collection_move WHERE community_id = :community_id AND NOT is_folded
        RETURNING *
    )
    INSERT INTO collection_move (community_id, period, due_on, building_id, item_id, moved_on, due,
                                 paid, is_folded)
    SELECT community_id, period, due_on, building_id, item_id, moved_on, sum(due), sum(paid), true
    FROM gone GROUP BY 1, 2, 3, 4, 5, 6
    HAVING sum(due) <> 0 OR sum(paid) <> 0
    """
)

FOLD_OWED = text(
    """
    WITH gone AS (
        DELETE FROM owed_move WHERE community_id = :community_id AND bill_id IN (
            SELECT bill_id FROM owed_move
            WHERE community_id = :community_id AND NOT is_folded
        )
        RETURNING *
    )
    INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount, is_folded)
    SELECT community_id, bill_id, unit_id, due_on, sum(amount), true
    FROM gone GROUP BY 1, 2, 3, 4
    HAVING sum(amount) <> 0
    """
)


def roll_up_run(session: Session, community_id: int, run_id: int) -> None:
    """Roll up a run whose chunks were written as issued, before its lines (opening balances). Once
    only: a second call would count it twice.
    """
    session.execute(ROLL_UP_RUN, {"community_id": community_id, "run_id": run_id})


def fold(session: Session, community_id: int) -> None:
    """Merge the movements of a community since the last time; changes no sum. Safe to call twice
    and while others write: what they add meanwhile is merged the next time.
    """
    for statement in (FOLD_COLLECTION, FOLD_OWED):
        session.execute(statement, {"community_id": community_id})


def rebuild(session: Session, community_id: int) -> None:
    """Make the roll-ups anew from the raw rows. Whoever changes the books waits meanwhile. Safe to
    call twice.
    """
    session.execute(text("SELECT rebuild_roll_ups(:community_id)"), {"community_id": community_id})
    fold(session, community_id)
