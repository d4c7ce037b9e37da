"""Keeping the roll-ups small, and filling them where the triggers do not see what is written."""

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Subquery,
    and_,
    cast,
    func,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session

from billing.bills import Bill
from billing.db import MoneyColumn
from billing.money import ZERO
from billing.reports.rollup_tables import OwedMove

FOLDING = 20261126
"""First key of the advisory lock under which one session at a time folds a community."""

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


def owed_bills(community_id: int) -> Subquery:
    """Bills with something owed on them, or paid too much: `bill_id`, `unit_id`, `due_on`, `owed`.

    A folded bill is one row as it stands; only those that changed since are summed, so that a
    hundred thousand debts are read and not grouped.
    """
    changed = (
        select(OwedMove.bill_id)
        .where(OwedMove.community_id == community_id, ~OwedMove.is_folded)
        .cte("changed")
    )
    whole = [OwedMove.bill_id, OwedMove.unit_id, OwedMove.due_on]
    mine = OwedMove.community_id == community_id
    is_changed = OwedMove.bill_id.in_(select(changed.c.bill_id))
    total = func.sum(OwedMove.amount)
    return union_all(
        select(*whole, OwedMove.amount.label("owed")).where(mine, OwedMove.is_folded, ~is_changed),
        select(*whole, type_coerce(cast(total, BigInteger), MoneyColumn()))
        .where(mine, is_changed)
        .group_by(*whole)
        .having(total != ZERO),
    ).subquery("owed_bill")


def is_owed(community_id: int) -> ColumnElement[bool]:
    """Condition on `Bill`: something is owed on it. The same as being in `owed_bills` with more
    than nothing, for lists that stop after a page: it is looked at bill by bill.
    """
    moved = select(OwedMove.bill_id).where(OwedMove.community_id == community_id)
    may_owe = moved.where(or_(~OwedMove.is_folded, OwedMove.amount > ZERO))
    settled = (
        moved.where(OwedMove.bill_id.in_(moved.where(~OwedMove.is_folded)))
        .group_by(OwedMove.bill_id)
        .having(func.sum(OwedMove.amount) <= ZERO)
    )
    return and_(Bill.id.in_(may_owe), ~Bill.id.in_(settled))


def roll_up_run(session: Session, community_id: int, run_id: int) -> None:
    """Roll up a run whose chunks were written as issued, before its lines (opening balances). Once
    only: a second call would count it twice.
    """
    session.execute(ROLL_UP_RUN, {"community_id": community_id, "run_id": run_id})


def fold(session: Session, community_id: int) -> None:
    """Merge the movements of a community since the last time; changes no sum. Safe to call twice
    and while others write: what they add meanwhile is merged the next time. One at a time, or each
    might leave a bill a row of its own.
    """
    session.execute(
        select(func.pg_advisory_xact_lock(cast(FOLDING, Integer), cast(community_id, Integer)))
    )
    for statement in (FOLD_COLLECTION, FOLD_OWED):
        session.execute(statement, {"community_id": community_id})


def rebuild(session: Session, community_id: int) -> None:
    """Make the roll-ups anew from the raw rows. Whoever changes the books waits meanwhile. Safe to
    call twice.
    """
    session.execute(text("SELECT rebuild_roll_ups(:community_id)"), {"community_id": community_id})
    fold(session, community_id)
