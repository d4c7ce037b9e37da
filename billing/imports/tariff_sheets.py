"""Charge items and the versions of their tariffs, written as columns."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sqlalchemy import exists, select

from billing.bills import BillLine
from billing.imports.cells import read_number
from billing.imports.known import Desk, KnownItem
from billing.imports.reasons import Reason, Unreadable
from billing.imports.sheets import ItemRow, TariffRow
from billing.imports.writing import Tally
from billing.pricing import (
    Price,
    PricingError,
    PricingMethod,
    Proration,
    TariffWarning,
    parse_price,
    price_to_json,
    tariff_warnings,
)
from billing.pricing.prices import plain
from billing.property import SubjectKind
from billing.tariffs import SUPPLIERS_FEES, ChargeItem, Tariff

_TIER = re.compile(r"([^:]*):([^:]+)(?::([^:]+))?")


def plan_items(rows: list[ItemRow], desk: Desk) -> Tally:
    """Charge items by code. Once billed, what is charged and how often does not change."""
    tally = Tally()
    known = {row["code"]: row for row in desk.known.rows(ChargeItem)} if rows else {}
    billed = desk.known.billed_items() if known else set()
    for row in rows:
        before = known.get(row.code)
        item_id = before["id"] if before else desk.ids.new(ChargeItem)
        # What the console's default is; an item may have been told otherwise there.
        pass_through = before["pass_through"] if before else row.fee in SUPPLIERS_FEES
        wanted = {
            "community_id": desk.community_id,
            "id": item_id,
            "code": row.code,
            "name": row.name,
            "fee": row.fee,
            "pass_through": pass_through,
            "subject_kind": row.subject_kind,
            "cycle_months": row.cycle.months,
            "active_from": row.active_from,
            "active_to": row.active_to,
        }
        ascend = desk.dates_ascend(row, row.active_from, row.active_to, "active_to")
        if before is not None and before["id"] in billed and _refuse_fixed(row, before, desk):
            continue
        if not ascend:
            continue
        desk.known.items[row.code] = KnownItem(
            item_id, row.code, row.name, row.subject_kind, pass_through
        )
        tally.count(is_new=before is None, changed=desk.changes.merge(ChargeItem, wanted, before))
    return tally


def _refuse_fixed(row: ItemRow, before: Mapping[str, Any], desk: Desk) -> bool:
    """Whether the row changes what bills were made of; each such column is a fault."""
    pairs = {
        "fee": (before["fee"].label, row.fee.label),
        "subject_kind": (before["subject_kind"].label, row.subject_kind.label),
        "cycle": (before["cycle_months"], row.cycle.months),
    }
    differing = [name for name, (was, wanted) in pairs.items() if was != wanted]
    for name in differing:
        desk.faults.add(row, name, Reason.BILLED, known=pairs[name][0])
    return bool(differing)


def plan_tariffs(rows: list[TariffRow], desk: Desk) -> Tally:
    """Versions by item and first day. A version that priced a line is never edited, and an item
    that shares costs has none.
    """
    tally = Tally()
    known = (
        {(row["item_id"], row["effective_from"]): row for row in desk.known.rows(Tariff)}
        if rows
        else {}
    )
    used = _used_tariffs(desk) if known else set()
    for row in rows:
        item = desk.item(row, row.item)
        price = read_price(row, desk)
        if item is None or price is None or not _suits(row, item, desk):
            continue
        if row.method is PricingMethod.TIERED:
            desk.known.tiered_items.add(item.id)
        desk.known.priced_items.add(item.id)
        _warn(row, tariff_warnings(price), desk)
        before = known.get((item.id, row.effective_from))
        if before is not None and _is_same(before, price, row.document):
            tally.count(is_new=False, changed=False)
            continue
        if item.id in desk.known.shared_items:
            desk.faults.add(row, "item", Reason.HAS_COSTS)
            continue
        if before is not None and before["id"] in used:
            shown = row.effective_from.isoformat()
            desk.faults.add(row, "effective_from", Reason.BILLED, known=shown)
            continue
        wanted = {
            "community_id": desk.community_id,
            "id": before["id"] if before else desk.ids.new(Tariff),
            "item_id": item.id,
            "effective_from": row.effective_from,
            "price": price_to_json(price),
            "basis_document": row.document,
            "created_at": before["created_at"] if before else desk.now,
        }
        tally.count(is_new=before is None, changed=desk.changes.merge(Tariff, wanted, before))
    return tally


def _used_tariffs(desk: Desk) -> set[int]:
    lines = exists().where(
        BillLine.community_id == Tariff.community_id, BillLine.tariff_id == Tariff.id
    )
    query = select(Tariff.id).where(Tariff.community_id == desk.community_id, lines)
    return set(desk.session.scalars(query))


def _is_same(before: Mapping[str, Any], price: Price, document: str) -> bool:
    return parse_price(before["price"]) == price and before["basis_document"] == document


def _suits(row: TariffRow, item: KnownItem, desk: Desk) -> bool:
    if row.method is PricingMethod.AREA and item.subject_kind is SubjectKind.PARKING:
        desk.faults.add(row, "method", Reason.NO_AREA)
        return False
    return True


def _warn(row: TariffRow, found: list[TariffWarning], desk: Desk) -> None:
    for warning in found:
        desk.warnings.add(
            row,
            "tiers",
            Reason.TOTAL_FALLS,
            at=plain(warning.at),
            before=warning.up_to_there.yuan,
            after=warning.beyond.yuan,
        )


NEEDED: dict[PricingMethod, tuple[str, ...]] = {
    PricingMethod.FLAT: ("unit_price", "per"),
    PricingMethod.AREA: ("unit_price", "per"),
    PricingMethod.METERED: ("unit_price",),
    PricingMethod.TIERED: ("mode", "tiers"),
}
ALLOWED: dict[PricingMethod, tuple[str, ...]] = {
    PricingMethod.FLAT: ("proration",),
    PricingMethod.AREA: ("proration",),
    PricingMethod.METERED: (),
    PricingMethod.TIERED: ("normal_days",),
}
PRICE_COLUMNS = ("unit_price", "per", "proration", "mode", "tiers", "normal_days")


def read_price(row: TariffRow, desk: Desk) -> Price | None:
    """The price of a row, or None and its faults: columns its method needs or does not know."""
    given = {name for name in PRICE_COLUMNS if getattr(row, name) is not None}
    missing = set(NEEDED[row.method]) - given
    spare = given - set(NEEDED[row.method]) - set(ALLOWED[row.method])
    for name in sorted(missing):
        desk.faults.add(row, name, Reason.REQUIRED)
    for name in sorted(spare):
        desk.faults.add(row, name, Reason.NOT_APPLICABLE)
    if missing or spare:
        return None
    try:
        return parse_price(_price_json(row))
    except Unreadable as error:
        desk.faults.cell(row.sheet, row.row, "tiers", error.sentence)
    except PricingError as error:
        desk.faults.add(row, "method", Reason.PRICE_REFUSED, shown=str(error))
    return None


def _price_json(row: TariffRow) -> dict[str, Any]:
    price: dict[str, Any] = {"method": row.method.value}
    if row.unit_price is not None:
        price["unit_price"] = plain(row.unit_price)
    if row.per is not None:
        price |= {
            "per": row.per.value,
            "proration": (row.proration or Proration.CALENDAR_MONTH).value,
        }
    if row.tiers is not None and row.mode is not None:
        price |= {"mode": row.mode.value, "tiers": read_tiers(row.tiers)}
    if row.normal_days is not None:
        price["normal_days"] = plain(row.normal_days)
    return price


def read_tiers(text: str) -> list[dict[str, str | None]]:
    """Tiers written `180:5.00;:7.00`: bound, price and, if any, flat; the last without a bound.

    Raises:
        Unreadable: not such a list, or its bounds do not ascend to an open end.

    >>> read_tiers("180:5.00;:7.00")[1]
    {'up_to': None, 'unit_price': '7.00', 'flat': '0'}
    """
    tiers: list[dict[str, str | None]] = []
    for part in text.strip("; ").replace(" ", "").split(";"):
        match = _TIER.fullmatch(part)
        if match is None:
            raise Unreadable(Reason.TIERS_UNREADABLE)
        bound, price, flat = match.groups()
        tiers.append(
            {
                "up_to": plain(read_number(bound)) if bound else None,
                "unit_price": plain(read_number(price)),
                "flat": plain(read_number(flat)) if flat else "0",
            }
        )
    bounds = [tier["up_to"] for tier in tiers]
    if bounds[-1] is not None or None in bounds[:-1]:
        raise Unreadable(Reason.TIERS_LAST_OPEN)
    known = [read_number(bound) for bound in bounds if bound is not None]
    if any(upper <= lower for lower, upper in pairwise(known)):
        raise Unreadable(Reason.TIERS_DESCEND)
    return tiers
