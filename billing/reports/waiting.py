"""What waits for somebody of the staff, counted."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

UNHAPPY_DAYS = 7
"""So long a bad rating waits for somebody to call."""

WAITING = text(
    """
    SELECT
      (SELECT count(*) FROM adjustment
       WHERE community_id = :community_id AND state = 'requested') AS adjustments,
      (SELECT count(*) FROM refund
       WHERE community_id = :community_id AND state = 'requested') AS refunds,
      (SELECT count(*) FROM binding
       WHERE community_id = :community_id AND state = 'requested') AS bindings,
      (SELECT count(*) FROM ticket
       WHERE community_id = :community_id AND state = 'open') AS tickets,
      (SELECT count(*) FROM bank_row WHERE community_id = :community_id
         AND state IN ('waiting', 'ambiguous', 'unknown')) AS unmatched,
      (SELECT count(*) FROM discrepancy
       WHERE (community_id = :community_id OR community_id IS NULL)
         AND closed_at IS NULL) AS discrepancies,
      (SELECT count(*) FROM alert
       WHERE (community_id = :community_id OR community_id IS NULL) AND closed_at IS NULL
         AND coalesce(snoozed_until, :today) <= :today) AS alerts,
      (SELECT count(*) FROM rating
       WHERE community_id = :community_id AND score = 'bad'
         AND rated_on > :today - :unhappy_days) AS unhappy
    """
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many of each: requests not decided, tickets not answered, money in the bank in no home's
    account, open discrepancies and alerts that are not asleep, both with those of no community, bad
    ratings of the last `UNHAPPY_DAYS` days.
    """

    adjustments: int
    refunds: int
    bindings: int
    tickets: int
    unmatched: int
    discrepancies: int
    alerts: int
    unhappy: int


def count_waiting(session: Session, community_id: int, today: date) -> Waiting:
    """What waits in a community now."""
    row = session.execute(
        WAITING, {"community_id": community_id, "today": today, "unhappy_days": UNHAPPY_DAYS}
    ).one()
    return Waiting(**row._mapping)
