"""Parallel run: the old system's bills of a month against ours, by home and item.

Pure comparison; what is ours is read with one query, drafts included, so that a month can be
compared before anything is issued. Only money counts as a difference; area, price, quantity
and days, where the old system states them, say why.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.adjustment_tables import BillVoid
from billing.bills import Bill, BillLine, LineKind
from billing.imports.parsing import Faults, read_book
from billing.imports.reasons import Fault, Reason
from billing.imports.sheets import OldBillRow
from billing.imports.template import write_table
from billing.imports.wording import words
from billing.imports.workbook import Sheet
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.period import Period
from billing.pricing import parse_basis
from billing.pricing.basis import MeteredBasis, PeriodicBasis, TieredBasis
from billing.pricing.prices import plain
from billing.pricing.usage import quantity_of
from billing.property import Unit
from billing.tariffs import ChargeItem

ONE_FEN = Money(1)

Place = tuple[str, str]
"""Room and item code."""


class Why(LabelEnum):
    """Why two systems charge a home differently."""

    MISSING_HERE = "missing_here", "本系统没有"
    MISSING_THERE = "missing_there", "旧系统没有"
    ROUNDING = "rounding", "尾差不超过1分"
    AREA = "area", "面积不同"
    PRICE = "price", "单价不同"
    QUANTITY = "quantity", "用量不同"
    DAYS = "days", "天数不同"
    AMOUNT = "amount", "金额不同"


@dataclass(slots=True)
class Charged:
    """What one system charges a home for an item: an amount, and what it says it is made of.

    Lines of several subjects add up; what differs between them is listed.
    """

    amount: Money = ZERO
    areas: set[Fraction] = field(default_factory=set)
    prices: set[Fraction] = field(default_factory=set)
    quantities: list[Fraction] = field(default_factory=list)
    days: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Only what is known."""
        known: dict[str, Any] = {"amount_fen": self.amount.fen}
        for name, numbers in (("areas", self.areas), ("prices", self.prices)):
            if numbers:
                known[name] = [_shown(number) for number in sorted(numbers)]
        if self.quantities:
            known["quantity"] = _shown(sum(self.quantities, Fraction()))
        if self.days:
            known["days"] = sum(self.days)
        return known


@dataclass(frozen=True, slots=True)
class Difference:
    """One home and item on which the systems differ."""

    room: str
    item: str
    why: tuple[Why, ...]
    theirs: Charged | None
    ours: Charged | None

    @property
    def difference(self) -> Money:
        """Ours less theirs."""
        theirs = self.theirs.amount if self.theirs else ZERO
        return (self.ours.amount if self.ours else ZERO) - theirs

    def as_json(self) -> dict[str, Any]:
        """The shape of `mingzhang import compare`."""
        return {
            "room": self.room,
            "item": self.item,
            "reasons": [why.value for why in self.why],
            "difference_fen": self.difference.fen,
            "theirs": self.theirs and self.theirs.as_json(),
            "ours": self.ours and self.ours.as_json(),
        }


@dataclass(slots=True)
class Total:
    """One item over all homes; `equal` homes have the same amount in both systems."""

    theirs: Money = ZERO
    ours: Money = ZERO
    equal: int = 0
    different: int = 0

    def as_json(self) -> dict[str, int]:
        """The shape of `mingzhang import compare`."""
        return {
            "theirs_fen": self.theirs.fen,
            "ours_fen": self.ours.fen,
            "difference_fen": (self.ours - self.theirs).fen,
            "equal": self.equal,
            "different": self.different,
        }


@dataclass(slots=True)
class Comparison:
    """Every difference and the totals by item; with `faults` nothing was compared."""

    differences: list[Difference] = field(default_factory=list)
    totals: dict[str, Total] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The shape of `mingzhang import compare`."""
        return {
            "ok": not self.faults,
            "differences": [one.as_json() for one in self.differences],
            "totals": {item: total.as_json() for item, total in sorted(self.totals.items())},
            "errors": [fault.as_json() for fault in self.faults],
        }


def compare_workbook(
    session: Session, community_id: int, period: Period, sheets: Sequence[Sheet]
) -> Comparison:
    """Compare the sheet of old bills with our bills of the period. Writes nothing."""
    faults = Faults()
    own = [sheet for sheet in sheets if sheet.name.strip() == OldBillRow.sheet.label]
    rows = read_book(own, faults).of(OldBillRow)
    rooms = set(session.scalars(select(Unit.room).where(Unit.community_id == community_id)))
    items = set(
        session.scalars(select(ChargeItem.code).where(ChargeItem.community_id == community_id))
    )
    for row in rows:
        if row.room not in rooms:
            faults.add(row, "room", Reason.UNKNOWN, shown=row.room)
        if row.item not in items:
            faults.add(row, "item", Reason.UNKNOWN, shown=row.item)
    if faults:
        return Comparison(faults=faults.found)
    return compare(_theirs(rows), our_charges(session, community_id, period))


def compare(theirs: Mapping[Place, Charged], ours: Mapping[Place, Charged]) -> Comparison:
    """Every difference, by room and item, and the totals. Pure."""
    result = Comparison()
    totals: dict[str, Total] = defaultdict(Total)
    for room, item in sorted(theirs.keys() | ours.keys()):
        there, here = theirs.get((room, item)), ours.get((room, item))
        total = totals[item]
        total.theirs += there.amount if there else ZERO
        total.ours += here.amount if here else ZERO
        why = reasons(there, here)
        if why:
            total.different += 1
            result.differences.append(Difference(room, item, why, there, here))
        else:
            total.equal += 1
    result.totals = dict(totals)
    return result


def reasons(theirs: Charged | None, ours: Charged | None) -> tuple[Why, ...]:
    """Why the amounts differ; empty where they do not, or where nothing is charged at all."""
    if theirs is None or ours is None:
        one = theirs or ours
        if one is None or one.amount == ZERO:
            return ()
        return (Why.MISSING_HERE,) if ours is None else (Why.MISSING_THERE,)
    gap = ours.amount - theirs.amount
    if gap == ZERO:
        return ()
    if -ONE_FEN <= gap <= ONE_FEN:
        return (Why.ROUNDING,)
    found = []
    if theirs.areas and theirs.areas != ours.areas:
        found.append(Why.AREA)
    if theirs.prices and theirs.prices != ours.prices:
        found.append(Why.PRICE)
    if theirs.quantities and sum(theirs.quantities) != sum(ours.quantities):
        found.append(Why.QUANTITY)
    if theirs.days and sum(theirs.days) != sum(ours.days):
        found.append(Why.DAYS)
    return tuple(found) or (Why.AMOUNT,)


def _theirs(rows: Iterable[OldBillRow]) -> dict[Place, Charged]:
    found: dict[Place, Charged] = defaultdict(Charged)
    for row in rows:
        charged = found[row.room, row.item]
        charged.amount += row.amount
        _add(charged.areas, row.area)
        _add(charged.prices, row.unit_price)
        if row.quantity is not None:
            charged.quantities.append(Fraction(row.quantity))
        if row.days is not None:
            charged.days.append(row.days)
    return dict(found)


def _add(numbers: set[Fraction], number: Decimal | None) -> None:
    if number is not None:
        numbers.add(Fraction(number))


def our_charges(session: Session, community_id: int, period: Period) -> dict[Place, Charged]:
    """What our bills of a period charge, drafts included and void ones left out."""
    query = (
        select(
            Unit.room,
            ChargeItem.code,
            BillLine.kind,
            BillLine.amount,
            BillLine.period_from,
            BillLine.period_to,
            BillLine.basis,
        )
        .join(Bill, (Bill.community_id == BillLine.community_id) & (Bill.id == BillLine.bill_id))
        .join(Unit, (Unit.community_id == Bill.community_id) & (Unit.id == Bill.unit_id))
        .join(
            ChargeItem,
            (ChargeItem.community_id == BillLine.community_id)
            & (ChargeItem.id == BillLine.item_id),
        )
        .outerjoin(
            BillVoid, (BillVoid.community_id == Bill.community_id) & (BillVoid.bill_id == Bill.id)
        )
        .where(
            Bill.community_id == community_id,
            Bill.period == period,
            BillLine.kind.in_((LineKind.CHARGE, LineKind.DISCOUNT)),
            BillVoid.bill_id.is_(None),
        )
    )
    found: dict[Place, Charged] = defaultdict(Charged)
    for row in session.execute(query.execution_options(yield_per=2000)):
        charged = found[row.room, row.code]
        charged.amount += row.amount
        if row.kind is LineKind.CHARGE:
            charged.days.append((row.period_to - row.period_from).days)
            _read_basis(charged, row.basis)
    return dict(found)


def _read_basis(charged: Charged, stored: object) -> None:
    match parse_basis(stored):
        case PeriodicBasis() as basis:
            charged.prices.add(Fraction(basis.unit_price))
            _add(charged.areas, basis.area_m2)
        case MeteredBasis() as basis:
            charged.prices.add(Fraction(basis.unit_price))
            charged.quantities.append(quantity_of(basis.usage) * basis.share.fraction)
        case TieredBasis() as basis:
            charged.quantities.append(quantity_of(basis.usage) * basis.share.fraction)
        case _:
            pass  # a share of a cost has neither a price nor an area of the home's own


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write the differences and totals as a workbook.

    Raises:
        InvalidInput: the file exists or cannot be written.
    """
    title = words()["differences"]
    rows: list[tuple[Any, ...]] = [
        (
            one.room,
            one.item,
            one.theirs.amount.yuan if one.theirs else "",
            one.ours.amount.yuan if one.ours else "",
            one.difference.yuan,
            "、".join(why.label for why in one.why),
            _details(one.theirs),
            _details(one.ours),
        )
        for one in comparison.differences
    ]
    totals: list[tuple[Any, ...]] = [
        (item, total.theirs.yuan, total.ours.yuan, (total.ours - total.theirs).yuan)
        for item, total in sorted(comparison.totals.items())
    ]
    write_table(
        path,
        {
            title["title"]: (title["headings"], rows),
            title["totals"]: (title["total_headings"], totals),
        },
    )


def _details(charged: Charged | None) -> str:
    if charged is None:
        return ""
    named = words()["differences"]["details"]
    stated = charged.as_json()
    parts = []
    for name, label in named.items():
        if name in stated:
            value = stated[name]
            parts.append(f"{label} {' / '.join(value) if isinstance(value, list) else value}")
    return "；".join(parts)


def _shown(number: Fraction) -> str:
    """A plain decimal, or a fraction where there is none."""
    for places in range(13):
        if (scaled := number * 10**places).denominator == 1:
            return plain(Decimal(scaled.numerator).scaleb(-places))
    return f"{number.numerator}/{number.denominator}"
