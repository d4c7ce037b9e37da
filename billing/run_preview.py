"""What staff look at before they publish: totals, what is left out and why, and outliers."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.account_reading import read_accounts
from billing.bill_run import UNITS_PER_CHUNK
from billing.charges import Charge, Verdict, charge_accounts
from billing.item_plans import plan_items
from billing.money import Money
from billing.period import Period, add_months

OUTLIER_RATIO = Decimal(2)
"""How many times more, or less, than the subject's usual amount is worth a look."""
OUTLIER_MIN = Money(2000)
"""Differences below this are not worth a look."""
LISTED_MAX = 500
"""Subjects named per reason, and outliers named; all are counted."""

DRAFT = """
    bill JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'draft'
    WHERE bill.community_id = :community_id AND bill.period = :period
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
"""

ITEM_TOTALS = text(
    f"""
    WITH drafted AS (SELECT bill.community_id, bill.id FROM {DRAFT})
    SELECT item.code, item.name, line.kind, count(*) AS lines, sum(line.amount) AS amount
    FROM drafted
    JOIN bill_line line ON line.community_id = drafted.community_id AND line.bill_id = drafted.id
    JOIN charge_item item ON item.community_id = line.community_id AND item.id = line.item_id
    GROUP BY item.id, item.code, item.name, line.kind ORDER BY item.id, line.kind
    """  # noqa: S608  # constant text
)

BUILDING_TOTALS = text(
    f"""
    WITH drafted AS (SELECT bill.* FROM {DRAFT})
    SELECT building.code, count(*) AS bills, sum(drafted.amount) AS amount
    FROM drafted
    JOIN unit ON unit.community_id = drafted.community_id AND unit.id = drafted.unit_id
    JOIN building ON building.community_id = unit.community_id AND building.id = unit.building_id
    GROUP BY building.id, building.code ORDER BY building.id
    """  # noqa: S608  # constant text
)

OUTLIERS = text(
    f"""
    WITH drafted AS (
        SELECT bill.community_id, bill.id, bill.unit_id FROM {DRAFT}
    ),
    fresh AS (
        SELECT drafted.id AS bill_id, drafted.unit_id, line.subject_id, line.item_id,
               sum(line.amount) AS amount
        FROM drafted
        JOIN bill_line line ON line.community_id = drafted.community_id
         AND line.bill_id = drafted.id AND line.kind = 'charge'
        GROUP BY 1, 2, 3, 4
    ),
    judged AS (
        SELECT fresh.*, usual.amount AS usual
        FROM fresh
        CROSS JOIN LATERAL (
            SELECT CAST(avg(month.amount) AS bigint) AS amount
            FROM (
                SELECT sum(line.amount) AS amount
                FROM bill_line line
                JOIN bill ON bill.community_id = line.community_id AND bill.id = line.bill_id
                 AND bill.period < :period AND bill.period >= :since
                WHERE line.community_id = :community_id AND line.subject_id = fresh.subject_id
                  AND line.item_id = fresh.item_id AND line.kind = 'charge'
                  AND line.period_from >= :earliest
                  AND NOT EXISTS (SELECT FROM bill_void void
                                  WHERE void.community_id = line.community_id
                                    AND void.bill_id = line.bill_id)
                GROUP BY bill.period
            ) month
        ) usual
        WHERE usual.amount IS NOT NULL
    )
    SELECT judged.bill_id, unit.room, subject.code AS subject, item.code AS item,
           item.name AS item_name, judged.amount, judged.usual, count(*) OVER () AS found
    FROM judged
    JOIN unit ON unit.community_id = :community_id AND unit.id = judged.unit_id
    JOIN subject ON subject.community_id = :community_id AND subject.id = judged.subject_id
    JOIN charge_item item ON item.community_id = :community_id AND item.id = judged.item_id
    WHERE (judged.amount > judged.usual * :ratio OR judged.amount * :ratio < judged.usual)
      AND abs(judged.amount - judged.usual) >= :least
    ORDER BY abs(judged.amount - judged.usual) DESC, judged.bill_id, item.id
    LIMIT :limit
    """  # noqa: S608  # constant text
)


@dataclass(slots=True)
class LeftOut:
    """Charges of one reason that are not drafted: all counted, the first ones named."""

    verdict: Verdict
    charges: int = 0
    items: Counter[str] = field(default_factory=Counter)
    subjects: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunPreview:
    """The drafts of a period, before they are published. Money in fen, per item in the order of
    the items; `left_out` by reason.
    """

    by_item: list[dict[str, Any]]
    by_building: list[dict[str, Any]]
    left_out: dict[str, LeftOut]
    outliers_found: int
    outliers: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Machine-readable."""
        return {
            "by_item": self.by_item,
            "by_building": self.by_building,
            "left_out": {
                reason: {
                    "verdict": left.verdict.value,
                    "charges": left.charges,
                    "items": dict(left.items),
                    "subjects": left.subjects,
                }
                for reason, left in sorted(self.left_out.items())
            },
            "outliers_found": self.outliers_found,
            "outliers": self.outliers,
        }


def preview_run(session: Session, community_id: int, period: Period) -> RunPreview:
    """What publishing the period's drafts would issue, and what it would not.

    What is left out is worked out anew, so a reason vanishes once its cause is mended. An outlier
    differs from the mean of the same subject's and item's bills of the last twelve months by more
    than `OUTLIER_RATIO` times and by at least `OUTLIER_MIN`. Changes nothing.
    """
    drafts = {"community_id": community_id, "period": str(period)}
    year_ago = add_months(period.start, -12)
    outliers = session.execute(
        OUTLIERS,
        drafts
        | {
            "since": str(Period.of(year_ago)),
            "earliest": add_months(year_ago, -12),
            "ratio": OUTLIER_RATIO,
            "least": OUTLIER_MIN.fen,
            "limit": LISTED_MAX,
        },
    ).all()
    return RunPreview(
        by_item=[
            {**row, "amount": int(row["amount"])}
            for row in session.execute(ITEM_TOTALS, drafts).mappings()
        ],
        by_building=[
            {**row, "amount": int(row["amount"])}
            for row in session.execute(BUILDING_TOTALS, drafts).mappings()
        ],
        left_out=_left_out(session, community_id, period),
        outliers_found=outliers[0].found if outliers else 0,
        outliers=[
            {
                "bill_id": row.bill_id,
                "room": row.room,
                "subject": row.subject,
                "item": row.item,
                "item_name": row.item_name,
                "amount_fen": int(row.amount),
                "usual_fen": row.usual,
            }
            for row in outliers
        ],
    )


def _left_out(session: Session, community_id: int, period: Period) -> dict[str, LeftOut]:
    plans = plan_items(session, community_id, period)
    left_out: dict[str, LeftOut] = {}
    after: int | None = 0
    while after is not None:
        facts = read_accounts(session, community_id, plans, after=after, limit=UNITS_PER_CHUNK)
        for charge in charge_accounts(facts, plans, period):
            if charge.verdict in (Verdict.SKIPPED, Verdict.PARKED):
                _name(left_out, charge)
        after = facts.last_account
    return left_out


def _name(left_out: dict[str, LeftOut], charge: Charge) -> None:
    left = left_out.setdefault(charge.reason, LeftOut(charge.verdict))
    left.charges += 1
    left.items[charge.item_code] += 1
    if len(left.subjects) < LISTED_MAX:
        left.subjects.append(charge.subject.code)
