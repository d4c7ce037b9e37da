"""Costs to be shared."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from billing.bills import BillLine, LineKind
from billing.imports.known import Desk
from billing.imports.reasons import Reason
from billing.imports.sheets import SharedCostRow
from billing.imports.writing import Tally
from billing.pricing import ApportionBy
from billing.shared_costs import SharedCost


def plan_shared_costs(rows: list[SharedCostRow], desk: Desk) -> Tally:
    """Shared costs by item, place and days. One that lines were made from is never edited; none is
    of an item with a price of its own, and no two of one item are for the same days and homes.
    """
    tally = Tally()
    known = {_key(row): row for row in desk.known.rows(SharedCost)} if rows else {}
    shared = _shared_out(desk) if known else set()
    taken: dict[int, list[tuple[Mapping[str, Any], int]]] = defaultdict(list)
    for cost in known.values():
        taken[cost["item_id"]].append((cost, 0))
    for row in rows:
        place = _place(row, desk)
        item = desk.item(row, row.item)
        usage_item = desk.item(row, row.usage_item, "usage_item") if row.usage_item else None
        if not _is_sound(row, desk) or place is None or item is None:
            continue
        before = known.get((item.id, *place, row.from_on, row.to_on))
        wanted = {
            "community_id": desk.community_id,
            "id": before["id"] if before else desk.ids.new(SharedCost),
            "item_id": item.id,
            "building_id": place[0],
            "entrance_id": place[1],
            "from_on": row.from_on,
            "to_on": row.to_on,
            "amount": row.amount,
            "quantity": row.quantity,
            "unit_price": row.unit_price,
            "apportion_by": row.apportion_by,
            "usage_item_id": usage_item.id if usage_item else None,
            "cap": row.cap,
            "recorded_at": before["recorded_at"] if before else desk.now,
        }
        if before != wanted:
            if before is not None and before["id"] in shared:
                desk.faults.add(row, "item", Reason.BILLED, known=row.from_on)
                continue
            if item.id in desk.known.priced_items:
                desk.faults.add(row, "item", Reason.HAS_PRICE)
                continue
            if _refuse_overlap(row, wanted, taken[item.id], desk):
                continue
            taken[item.id].append((wanted, row.row))
        tally.count(is_new=before is None, changed=desk.changes.merge(SharedCost, wanted, before))
    return tally


def _key(cost: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the same cost has in common whenever it is imported."""
    names = ("item_id", "building_id", "entrance_id", "from_on", "to_on")
    return tuple(cost[name] for name in names)


def _refuse_overlap(
    row: SharedCostRow,
    wanted: Mapping[str, Any],
    taken: list[tuple[Mapping[str, Any], int]],
    desk: Desk,
) -> bool:
    """Whether another cost of the item has a day and a home of the row's, which is a fault.

    Each cost comes with the row it stands in; 0 for the database's.
    """
    for cost, other in taken:
        if cost["id"] != wanted["id"] and _overlap(cost, wanted):
            reason = Reason.OVERLAPS if other else Reason.OVERLAPS_BOOKED
            desk.faults.add(row, "from_on", reason, other=other)
            return True
    return False


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Scopes overlap when one holds the other; what the wider one does not name is None."""
    return (
        one["from_on"] < other["to_on"]
        and other["from_on"] < one["to_on"]
        and all(
            None in (one[name], other[name]) or one[name] == other[name]
            for name in ("building_id", "entrance_id")
        )
    )


def _shared_out(desk: Desk) -> set[int]:
    """Costs that lines were made from: lines without a tariff name their cost as their source."""
    query = (
        select(BillLine.source_id)
        .where(
            BillLine.community_id == desk.community_id,
            BillLine.kind == LineKind.CHARGE,
            BillLine.tariff_id.is_(None),
            BillLine.source_id > 0,
        )
        .distinct()
    )
    return set(desk.session.scalars(query))


def _place(row: SharedCostRow, desk: Desk) -> tuple[int | None, int | None] | None:
    """Building and entrance whose homes share the cost, None for all; or None and a fault."""
    if row.building is None:
        if row.entrance is None:
            return None, None
        desk.faults.add(row, "building", Reason.REQUIRED)
        return None
    building_id = desk.known.buildings.get(row.building)
    if building_id is None:
        desk.faults.add(row, "building", Reason.UNKNOWN, shown=row.building)
        return None
    if row.entrance is None:
        return building_id, None
    entrance_id = desk.known.entrances.get((building_id, row.entrance))
    if entrance_id is None:
        desk.faults.add(row, "entrance", Reason.UNKNOWN, shown=row.entrance)
        return None
    return building_id, entrance_id


def _is_sound(row: SharedCostRow, desk: Desk) -> bool:
    faults_before = len(desk.faults.found)
    desk.dates_ascend(row, row.from_on, row.to_on, "to_on")
    by_usage = row.quantity is not None and row.unit_price is not None
    half = (row.quantity is None) != (row.unit_price is None)
    if half or by_usage == (row.amount is not None):
        desk.faults.add(row, "amount", Reason.AMOUNT_OR_USAGE)
    needs_item = row.apportion_by is ApportionBy.USAGE
    if needs_item and row.usage_item is None:
        desk.faults.add(row, "usage_item", Reason.REQUIRED)
    if not needs_item and row.usage_item is not None:
        desk.faults.add(row, "usage_item", Reason.NOT_APPLICABLE)
    return len(desk.faults.found) == faults_before
