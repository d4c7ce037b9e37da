"""Which rungs of the ladder make people pay: those told compared with those who were not.

Of the bills open on a rung's day, some were told of by a message that was sent, and some were not,
because nobody is bound, or reminders are off. What the first pay more often on that day or the next
is what the rung adds. Who is bound may be readier to pay anyway, so the figure is an upper one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.labels import LabelEnum
from notify.holidays import read_holidays
from notify.ladder import Rung
from notify.ladder_tables import RungCount
from notify.ladders import get_ladder

Z_95 = 1.96
WIDTH_MAX = 0.05
"""A difference known no better than this half width is not called nil."""

LOOKS_BACK_DAYS = 190
"""The nightly count begins there: half a year and a little."""

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
    stood AS MATERIALIZED (
        SELECT run_id, chunk_no, code, day, bill.id, bill.amount AS due
        FROM standing JOIN bill USING (run_id, chunk_no)
        WHERE bill.community_id = :community AND NOT EXISTS (
            SELECT FROM bill_void void
            WHERE void.community_id = bill.community_id AND void.bill_id = bill.id
        )
    ),
    changed AS (
        SELECT change.bill_id, sum(change.amount) AS amount FROM adjustment change
        WHERE change.community_id = :community AND change.state = 'approved'
          AND change.bill_id IN (SELECT id FROM stood)
        GROUP BY 1
    ),
    part AS MATERIALIZED (
        SELECT bill_id, effective_on, amount FROM payment_allocation
        WHERE community_id = :community AND bill_id IN (SELECT id FROM stood)
    ),
    received AS (
        SELECT stood.id, code, coalesce(sum(part.amount) FILTER (WHERE effective_on < day), 0)
                   AS before,
               coalesce(bool_or(part.amount > 0 AND effective_on >= day
                                AND effective_on < day + 2), false) AS is_paid
        FROM stood LEFT JOIN part ON part.bill_id = stood.id
        GROUP BY 1, 2
    ),
    told AS (
        SELECT DISTINCT notice.ref_id AS id, split_part(notice.fact_key, ':', 3) AS code
        FROM notice
        JOIN message ON message.community_id = notice.community_id
         AND message.id = notice.message_id AND message.state IN ('sent', 'delivered')
        WHERE notice.community_id = :community AND notice.kind IN ('due_soon', 'overdue')
          AND notice.ref_id IN (SELECT id FROM stood)
    ),
    seen AS (
        SELECT run_id, chunk_no, code, day, received.is_paid, told.id IS NOT NULL AS is_told
        FROM stood JOIN received USING (id, code)
        LEFT JOIN changed ON changed.bill_id = stood.id
        LEFT JOIN told USING (id, code)
        WHERE stood.due + coalesce(changed.amount, 0) > received.before
    )
    SELECT run_id, chunk_no, code, day, count(*) FILTER (WHERE is_told) AS told,
           count(*) FILTER (WHERE is_told AND is_paid) AS told_paid,
           count(*) FILTER (WHERE NOT is_told) AS untold,
           count(*) FILTER (WHERE NOT is_told AND is_paid) AS untold_paid
    FROM seen GROUP BY 1, 2, 3, 4
    """
)
"""Set by set: a bill stands on several rungs, and there are very many."""

COUNTS = ("told", "told_paid", "untold", "untold_paid")

AT_ONCE = 40
"""Rungs of chunks in a statement: so many times 2,000 bills."""


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


def list_rung_effects(session: Session, community_id: int, since: date) -> list[RungEffect]:
    """Every rung that bills of a community stood on since it climbs its ladder, in the order they
    are climbed, as the nights have counted them.

    Args:
        since: first day of rungs looked at; the last is `SETTLED_DAYS` before the last night.
    """
    climbed = get_ladder(session, community_id).since
    order = func.min(RungCount.day - BillRunChunk.due_on)
    query = (
        select(RungCount.code, *(func.sum(getattr(RungCount, name)) for name in COUNTS))
        .join(
            BillRunChunk,
            and_(
                BillRunChunk.community_id == RungCount.community_id,
                BillRunChunk.run_id == RungCount.run_id,
                BillRunChunk.no == RungCount.chunk_no,
            ),
        )
        .where(
            RungCount.community_id == community_id,
            RungCount.day >= (since if climbed is None else max(since, climbed)),
        )
        .group_by(RungCount.code)
        .order_by(order)
    )
    effects = [RungEffect(code, *map(int, counts)) for code, *counts in session.execute(query)]
    return [one for one in effects if one.told or one.untold]


def count_rungs(session: Session, community_id: int, today: date) -> int:
    """Count the next rungs of the last half year whose days are over, `AT_ONCE` of them at most;
    calling it again counts further. Returns how many were counted: 0 when none is left.
    """
    since, until = today - timedelta(days=LOOKS_BACK_DAYS), today - timedelta(days=SETTLED_DAYS)
    counted = _counted(session, community_id, since)
    missing = [
        (chunk, rung)
        for chunk, rung in _standing(session, community_id, since, until)
        if (chunk.run_id, chunk.no, rung.code) not in counted
    ][:AT_ONCE]
    found = {
        (row.run_id, row.chunk_no, row.code): row for row in _count(session, community_id, missing)
    }
    rows = [
        {
            "community_id": community_id,
            "run_id": chunk.run_id,
            "chunk_no": chunk.no,
            "code": rung.code,
            "day": rung.on,
            **_counts(found.get((chunk.run_id, chunk.no, rung.code))),
        }
        for chunk, rung in missing
    ]
    if rows:
        session.execute(insert(RungCount).on_conflict_do_nothing(), rows)
    return len(missing)


def _counted(session: Session, community_id: int, since: date) -> set[tuple[int, int, str]]:
    rows = session.execute(
        select(RungCount.run_id, RungCount.chunk_no, RungCount.code).where(
            RungCount.community_id == community_id, RungCount.day >= since
        )
    )
    return {(run_id, chunk_no, code) for run_id, chunk_no, code in rows}


def _counts(row: Row[Any] | None) -> dict[str, int]:
    return {name: getattr(row, name, 0) for name in COUNTS}


def _count(
    session: Session, community_id: int, standing: Sequence[tuple[BillRunChunk, Rung]]
) -> Sequence[Row[Any]]:
    return session.execute(
        EFFECTS,
        {
            "community": community_id,
            "runs": [chunk.run_id for chunk, _ in standing],
            "chunks": [chunk.no for chunk, _ in standing],
            "codes": [rung.code for _, rung in standing],
            "days": [rung.on for _, rung in standing],
        },
    ).all()


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
