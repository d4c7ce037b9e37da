"""Which bills of a community a report is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.period import Period
from billing.tariffs import FeeKind


@dataclass(frozen=True, slots=True)
class Scope:
    """Bills of one community; what is left empty leaves nothing out.

    Attributes:
        first, last: periods, both included.
        buildings: their codes, the first part of room numbers.
        entrance: building and entrance code.
        fees: only lines of these.
    """

    community_id: int
    first: Period | None = None
    last: Period | None = None
    buildings: tuple[str, ...] = ()
    entrance: tuple[str, str] | None = None
    fees: tuple[FeeKind, ...] = ()

    def parameters(self) -> Mapping[str, Any]:
        """For a statement with `SCOPED_LINES`."""
        buildings = (self.entrance[0],) if self.entrance else self.buildings
        return {
            "community_id": self.community_id,
            "first": str(self.first) if self.first else None,
            "last": str(self.last) if self.last else None,
            "buildings": list(buildings) or None,
            "entrance": self.entrance[1] if self.entrance else None,
            "fees": [fee.value for fee in self.fees] or None,
        }


SCOPED_LINES = """
    SELECT bill.unit_id, unit.room, building.code AS building,
           concat_ws('-', building.code, entrance.code) AS entrance, item.fee,
           bill.id AS bill_id, bill.period, line.id AS line_id, chunk.due_on,
           line.amount + coalesce((
               SELECT sum(change.amount) FROM adjustment change
               WHERE change.community_id = line.community_id AND change.bill_line_id = line.id
                 AND change.state = 'approved' AND change.effective_on <= :as_of
           ), 0) AS due,
           coalesce((
               SELECT sum(part.amount) FROM payment_allocation part
               WHERE part.community_id = line.community_id AND part.bill_line_id = line.id
                 AND part.effective_on <= :as_of
           ), 0) AS paid
    FROM bill
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
     AND chunk.state = 'issued' AND chunk.issued_on <= :as_of
    JOIN unit ON unit.community_id = bill.community_id AND unit.id = bill.unit_id
    JOIN building ON building.community_id = unit.community_id AND building.id = unit.building_id
    LEFT JOIN entrance ON entrance.community_id = unit.community_id
     AND entrance.id = unit.entrance_id
    JOIN bill_line line ON line.community_id = bill.community_id AND line.bill_id = bill.id
    JOIN charge_item item ON item.community_id = line.community_id AND item.id = line.item_id
    WHERE bill.community_id = :community_id
      AND (CAST(:first AS text) IS NULL OR bill.period >= :first)
      AND (CAST(:last AS text) IS NULL OR bill.period <= :last)
      AND (CAST(:buildings AS text[]) IS NULL OR building.code = ANY(CAST(:buildings AS text[])))
      AND (CAST(:entrance AS text) IS NULL OR entrance.code = :entrance)
      AND (CAST(:fees AS text[]) IS NULL OR item.fee = ANY(CAST(:fees AS text[])))
      AND NOT EXISTS (SELECT 1 FROM bill_void void
                      WHERE void.community_id = bill.community_id AND void.bill_id = bill.id
                        AND CAST(void.voided_at AT TIME ZONE 'Asia/Shanghai' AS date) <= :as_of)
"""
"""Lines of bills as they stood at the end of `:as_of`: issued and not void by then; `due` with the
discounts, waivers and corrections that counted by then, `paid` with the money that had come by
then.
"""

UNPAID_BILLS = """
    SELECT bill.id
    FROM bill
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.due_on < :as_of
    LEFT JOIN (
        SELECT bill_id, sum(amount) AS amount FROM payment_allocation
        WHERE community_id = :community_id AND effective_on <= :as_of GROUP BY bill_id
    ) paid ON paid.bill_id = bill.id
    LEFT JOIN (
        SELECT bill_id, sum(amount) AS amount FROM adjustment
        WHERE community_id = :community_id AND state = 'approved' AND effective_on <= :as_of
        GROUP BY bill_id
    ) changed ON changed.bill_id = bill.id
    WHERE bill.community_id = :community_id
      AND bill.amount + coalesce(changed.amount, 0) > coalesce(paid.amount, 0)
"""
"""Bills due before `:as_of` that were not paid up by its end: few of many, found in one pass, so
that `SCOPED_LINES` looks at the lines of these alone.
"""

LATE_LINES = f"{SCOPED_LINES} AND bill.id IN ({UNPAID_BILLS})"
"""`SCOPED_LINES` of bills that are past their due date and not paid up."""
