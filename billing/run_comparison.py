"""The drafts of a month beside what was issued for the month before: by item, and by home."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.errors import Conflict
from billing.money import Money
from billing.period import Period
from billing.run_preview import DRAFT

RISES_LISTED = 50
"""Homes named as the largest rises, and as bills of nothing; all are counted."""

TOTALS = text(f"SELECT count(*) AS bills, coalesce(sum(bill.amount), 0) AS amount FROM {DRAFT}")  # noqa: S608
CHUNKS = text(f"SELECT DISTINCT chunk.run_id, chunk.no FROM {DRAFT} ORDER BY 1, 2")  # noqa: S608

_BEFORE = """
    bill JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
    JOIN bill_run run ON run.community_id = bill.community_id AND run.id = bill.run_id
     AND run.kind = 'regular'
    WHERE bill.community_id = :community_id AND bill.period = :before
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
"""

BY_ITEM = text(
    f"""
    WITH now AS (
        SELECT line.item_id, count(*) AS lines, sum(line.amount) AS amount
        FROM bill_line line
        JOIN (SELECT bill.community_id, bill.id FROM {DRAFT}) drafted
          ON drafted.community_id = line.community_id AND drafted.id = line.bill_id
        GROUP BY line.item_id
    ),
    before AS (
        SELECT line.item_id, count(*) AS lines, sum(line.amount) AS amount
        FROM bill_line line
        JOIN (SELECT bill.community_id, bill.id FROM {_BEFORE}) issued
          ON issued.community_id = line.community_id AND issued.id = line.bill_id
        GROUP BY line.item_id
    )
    SELECT item.name, coalesce(now.lines, 0) AS lines, coalesce(now.amount, 0) AS amount,
           coalesce(before.lines, 0) AS lines_before, coalesce(before.amount, 0) AS amount_before
    FROM charge_item item
    LEFT JOIN now ON now.item_id = item.id
    LEFT JOIN before ON before.item_id = item.id
    WHERE item.community_id = :community_id AND (now.item_id IS NOT NULL
                                                 OR before.item_id IS NOT NULL)
    ORDER BY item.id
    """  # noqa: S608  # constant text
)

RISES = text(
    f"""
    WITH drafted AS (SELECT bill.id, bill.unit_id, bill.amount FROM {DRAFT}),
    before AS (SELECT bill.unit_id, sum(bill.amount) AS amount FROM {_BEFORE} GROUP BY bill.unit_id)
    SELECT drafted.id AS bill_id, unit.room, drafted.amount,
           CAST(before.amount AS bigint) AS amount_before
    FROM drafted
    JOIN before ON before.unit_id = drafted.unit_id
    JOIN unit ON unit.community_id = :community_id AND unit.id = drafted.unit_id
    WHERE drafted.amount > before.amount
    ORDER BY drafted.amount - before.amount DESC, drafted.id
    LIMIT :limit
    """  # noqa: S608  # constant text
)

ZERO_BILLS = text(
    f"""
    WITH drafted AS (SELECT bill.id, bill.unit_id FROM {DRAFT} AND bill.amount = 0)
    SELECT drafted.id AS bill_id, unit.room, count(*) OVER () AS found
    FROM drafted JOIN unit ON unit.community_id = :community_id AND unit.id = drafted.unit_id
    ORDER BY drafted.id LIMIT :limit
    """  # noqa: S608  # constant text
)


@dataclass(frozen=True, slots=True)
class DraftTotals:
    """What publishing would issue now."""

    bills: int
    amount: Money


def draft_totals(session: Session, community_id: int, period: Period) -> DraftTotals:
    """Bills of the period that are drafted and not issued."""
    row = session.execute(TOTALS, {"community_id": community_id, "period": str(period)}).one()
    return DraftTotals(row.bills, Money(int(row.amount)))


def confirm_drafts(
    session: Session, community_id: int, period: Period, *, seen: DraftTotals
) -> list[tuple[int, int]]:
    """The chunks (run and number) somebody confirms by the totals he saw.

    Raises:
        Conflict: there is nothing to publish, or the drafts are not what he saw.
    """
    now = draft_totals(session, community_id, period)
    if not now.bills:
        raise Conflict(f"no drafts of {period} are left to publish")
    if now != seen:
        raise Conflict(
            f"you saw {seen.bills} bills of {seen.amount.yuan} yuan, but meanwhile it is"
            f" {now.bills} bills of {now.amount.yuan} yuan; look again"
        )
    rows = session.execute(CHUNKS, {"community_id": community_id, "period": str(period)})
    return [(run_id, no) for run_id, no in rows]


def compare_drafts(session: Session, community_id: int, period: Period) -> dict[str, Any]:
    """The drafts of a period beside the bills issued for the month before. Changes nothing.

    Returns:
        `items`: lines and fen of each item now and before; `rises`: homes whose bill grew most, the
        largest first; `zero`: bills of nothing, the first of them named, and `zero_found`, all.
        Money in fen, as JSON takes it.
    """
    given = {
        "community_id": community_id,
        "period": str(period),
        "before": str(period.previous()),
        "limit": RISES_LISTED,
    }
    zero = session.execute(ZERO_BILLS, given).all()
    return {
        "items": [
            {
                "name": row.name,
                "lines": row.lines,
                "fen": int(row.amount),
                "lines_before": row.lines_before,
                "fen_before": int(row.amount_before),
            }
            for row in session.execute(BY_ITEM, given)
        ],
        "rises": [
            {
                "bill": row.bill_id,
                "room": row.room,
                "fen": int(row.amount),
                "fen_before": row.amount_before,
            }
            for row in session.execute(RISES, given)
        ],
        "zero_found": zero[0].found if zero else 0,
        "zero": [{"bill": row.bill_id, "room": row.room} for row in zero],
    }
