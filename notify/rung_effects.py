"""Which rungs of the ladder make people pay: those told compared with those who were not.

Of the bills open on a rung's day, some were told of by a message that was sent, and some were not,
because nobody is bound, or reminders are off. What the first pay more often on that day or the next
is what the rung adds. Who is bound may be readier to pay anyway, so the figure is an upper one.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.labels import LabelEnum
from notify.holidays import read_holidays
from notify.ladder import Rung
from notify.ladders import get_ladder

Z_95 = 1.96
WIDTH_MAX = 0.05
"""A difference known no better than this half width is not called nil."""

SETTLED_DAYS = 3
"""Rungs of the last days are left out: what was paid may not be booked."""

EFFECTS = text(
    """
    WITH standing AS (
        SELECT * FROM unnest(
            CAST(:runs AS bigint[]), CAST(:chunks AS bigint[]), CAST(:codes AS text[]),
            CAST(:days AS date[])
        ) AS standing (run_id, chunk_no, code, day)
    ),
    open AS (
        SELECT bill.id, code, day FROM standing
        JOIN bill USING (run_id, chunk_no)
        WHERE bill.community_id = :community AND NOT EXISTS (
            SELECT FROM bill_void void
            WHERE void.community_id = bill.community_id AND void.bill_id = bill.id
        ) AND bill.amount + (
            SELECT coalesce(sum(change.amount), 0) FROM adjustment change
            WHERE change.community_id = bill.community_id AND change.bill_id = bill.id
              AND change.state = 'approved'
        ) > (
            SELECT coalesce(sum(part.amount), 0) FROM payment_allocation part
            WHERE part.community_id = bill.community_id AND part.bill_id = bill.id
              AND part.effective_on < day
        )
    ),
    seen AS (
        SELECT code, EXISTS (
            SELECT FROM notice JOIN message ON message.community_id = notice.community_id
             AND message.id = notice.message_id AND message.state IN ('sent', 'delivered')
            WHERE notice.community_id = :community AND notice.kind IN ('due_soon', 'overdue')
              AND notice.fact_key = 'bill:' || open.id || ':' || code
              AND notice.follower_id IN (
                SELECT follower_id FROM binding JOIN bill
                  ON bill.community_id = binding.community_id AND bill.unit_id = binding.unit_id
                WHERE bill.community_id = :community AND bill.id = open.id)
        ) AS is_told, EXISTS (
            SELECT FROM payment_allocation part
            WHERE part.community_id = :community AND part.bill_id = open.id AND part.amount > 0
              AND part.effective_on >= day AND part.effective_on < day + 2
        ) AS is_paid
        FROM open
    )
    SELECT code, count(*) FILTER (WHERE is_told) AS told,
           count(*) FILTER (WHERE is_told AND is_paid) AS told_paid,
           count(*) FILTER (WHERE NOT is_told) AS untold,
           count(*) FILTER (WHERE NOT is_told AND is_paid) AS untold_paid
    FROM seen GROUP BY code
    """
)
"""The followers are named so that the unique key of notices is used."""


class Effect(LabelEnum):
    """What a rung adds."""

    ADDS = "adds", "有效"
    NIL = "nil", "未见增加缴费"
    UNCLEAR = "unclear", "样本不足"


@dataclass(frozen=True, slots=True)
class RungEffect:
    """Bills on one rung: how many were told of or not, and paid on that day or the next."""

    code: str
    told: int
    told_paid: int
    untold: int
    untold_paid: int

    @property
    def added(self) -> float | None:
        """Share of bills paid more when told; None without both kinds."""
        if not self.told or not self.untold:
            return None
        return self.told_paid / self.told - self.untold_paid / self.untold

    @property
    def effect(self) -> Effect:
        """Whether the rung adds payments, with 95 % certainty."""
        if self.added is None:
            return Effect.UNCLEAR
        half = Z_95 * math.sqrt(
            _variance(self.told_paid, self.told) + _variance(self.untold_paid, self.untold)
        )
        if self.added > half:
            return Effect.ADDS
        return Effect.NIL if half <= WIDTH_MAX else Effect.UNCLEAR


def _variance(paid: int, bills: int) -> float:
    rate = (paid + 1) / (bills + 2)  # as if one more had paid and one more had not: never zero
    return rate * (1 - rate) / bills


def list_rung_effects(
    session: Session, community_id: int, since: date, today: date
) -> list[RungEffect]:
    """Every rung that bills of a community stood on since it climbs its ladder, in the order they
    are climbed.

    Args:
        since: first day of rungs looked at; the last is `SETTLED_DAYS` before today.
    """
    standing = _standing(session, community_id, since, today - timedelta(days=SETTLED_DAYS))
    rows = session.execute(
        EFFECTS,
        {
            "community": community_id,
            "runs": [chunk.run_id for chunk, _ in standing],
            "chunks": [chunk.no for chunk, _ in standing],
            "codes": [rung.code for _, rung in standing],
            "days": [rung.on for _, rung in standing],
        },
    )
    order = {rung.code: rung.on - (chunk.due_on or rung.on) for chunk, rung in standing}
    effects = [RungEffect(**row._mapping) for row in rows]
    return sorted(effects, key=lambda one: order[one.code])


def _standing(
    session: Session, community_id: int, since: date, until: date
) -> list[tuple[BillRunChunk, Rung]]:
    ladder, holidays = get_ladder(session, community_id), read_holidays(session)
    chunks = session.scalars(
        select(BillRunChunk).where(
            BillRunChunk.community_id == community_id, BillRunChunk.state == ChunkState.ISSUED
        )
    )
    return [
        (chunk, rung)
        for chunk in chunks
        if chunk.due_on is not None and chunk.issued_on is not None
        for rung in ladder.rungs(chunk.due_on, until, holidays)
        if rung.on >= since and rung.on > chunk.issued_on
    ]
