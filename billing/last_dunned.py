"""When bills were last demanded, and how: what keeps a debt from lapsing (Civil Code 188, 195)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.dunning_tables import DunningWay

LAST_DUNNED = text(
    """
    WITH demand AS (
        SELECT part.bill_id, CAST(made.way AS text) AS way, CAST(NULL AS text) AS transport,
               coalesce(served.day, made.made_on) AS day,
               made.way <> 'letter' OR served.day IS NOT NULL AS has_reached
        FROM dunning_bill part
        JOIN dunning made ON made.community_id = part.community_id AND made.id = part.dunning_id
        LEFT JOIN LATERAL (
            SELECT max(service.served_on) AS day FROM letter_service service
            WHERE service.community_id = made.community_id AND service.dunning_id = made.id
        ) served ON true
        WHERE part.community_id = :community_id AND part.bill_id = ANY(:bill_ids)
        UNION ALL
        -- Reminders are kept by the outbox, which sends them: its rows are read, not its code.
        SELECT notice.ref_id, 'message', CAST(message.transport AS text),
               CAST(message.first_sent_at AT TIME ZONE 'Asia/Shanghai' AS date),
               message.state = 'delivered' OR EXISTS (
                   SELECT FROM message_open open
                   WHERE open.community_id = message.community_id AND open.message_id = message.id)
        FROM notice
        JOIN message ON message.community_id = notice.community_id
         AND message.id = notice.message_id AND message.first_sent_at IS NOT NULL
        WHERE notice.community_id = :community_id AND notice.kind = 'overdue'
          AND notice.ref_id = ANY(:bill_ids)
    )
    SELECT DISTINCT ON (bill_id, has_reached) bill_id, way, transport, day, has_reached
    FROM demand ORDER BY bill_id, has_reached, day DESC, way
    """
)
"""For each bill the last demand that certainly reached somebody, and the last other one."""


@dataclass(frozen=True, slots=True)
class LastDemand:
    """A demand for a bill.

    Attributes:
        transport: of a message, by its code in the outbox.
        on: day of Beijing; of a letter that was delivered the day of that.
    """

    way: DunningWay
    transport: str | None
    on: date


@dataclass(frozen=True, slots=True)
class LastDunned:
    """When a bill was last demanded.

    Attributes:
        reached: the last demand that is known to have reached the debtor: a message reported as
            delivered or opened, a letter with its delivery, a call, a visit. It begins the three
            years anew.
        other: the last one of which that is not known.
    """

    reached: LastDemand | None = None
    other: LastDemand | None = None


def last_dunned(
    session: Session, community_id: int, bill_ids: Collection[int]
) -> dict[int, LastDunned]:
    """Bill id → when and how it was last demanded; bills nobody demanded are left out.

    Civil Code 195: what counts is the demand that reached the debtor. One statement, however many
    bills.
    """
    found: dict[int, dict[str, LastDemand]] = {}
    rows = session.execute(
        LAST_DUNNED, {"community_id": community_id, "bill_ids": list(set(bill_ids))}
    )
    for row in rows:
        demand = LastDemand(DunningWay(row.way), row.transport, row.day)
        found.setdefault(row.bill_id, {})["reached" if row.has_reached else "other"] = demand
    return {bill_id: LastDunned(**demands) for bill_id, demands in found.items()}
