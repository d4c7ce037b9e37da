"""The sheets of an import workbook: one class per sheet, one field per column.

A field says how its column is read; its Chinese heading is in `templates/imports/sheets.json`.
Spans are half-open here and written with their last day in the sheet, as people do.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, ClassVar, get_type_hints

from billing.imports.cells import (
    YesNo,
    read_area,
    read_code,
    read_day,
    read_document,
    read_last_day,
    read_money,
    read_name,
    read_number,
    read_payment,
    read_percent,
    read_phone,
    read_positive,
    read_room,
    read_subject,
    read_text,
    whole,
)
from billing.imports.columns import Column, Cycle, SheetKind, chosen, optional
from billing.money import Money
from billing.people import ResidentRole
from billing.pricing import ApportionBy, DiscountReason, Per, PricingMethod, Proration, TierMode
from billing.property import SubjectKind
from billing.tariffs import FeeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that was read; `row` is its number in the sheet."""

    sheet: ClassVar[SheetKind]
    key: ClassVar[tuple[str, ...]]
    """Fields that no two rows of the sheet share; none where rows may repeat."""

    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityRow(Row):
    """A community and who collects for it."""

    sheet = SheetKind.COMMUNITIES
    key = ("code",)
    code: Annotated[str, Column(read_name)]
    name: Annotated[str, Column(read_text)]
    company: Annotated[str, Column(read_text)]
    service_phone: Annotated[str, Column(read_text)]
    merchant: Annotated[str, Column(read_name)]
    mchid: Annotated[str | None, optional(read_name)]
    merchant_name: Annotated[str | None, optional(read_text)]
    billing_day: Annotated[int, Column(whole(1, 28))]
    due_day: Annotated[int, Column(whole(1, 31))]
    due_month_offset: Annotated[int, optional(whole(0, 12), 0)]
    publishes_itself: Annotated[YesNo, chosen(YesNo, required=False, absent=YesNo.YES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingRow(Row):
    """A building."""

    sheet = SheetKind.BUILDINGS
    key = ("code",)
    code: Annotated[str, Column(read_name)]
    name: Annotated[str, Column(read_text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntranceRow(Row):
    """A stair of a building."""

    sheet = SheetKind.ENTRANCES
    key = ("building", "code")
    building: Annotated[str, Column(read_name)]
    code: Annotated[str, Column(read_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow(Row):
    """A home or shop; building and entrance are parts of its room number."""

    sheet = SheetKind.UNITS
    key = ("room",)
    room: Annotated[str, Column(read_room)]
    kind: Annotated[
        SubjectKind,
        chosen(
            SubjectKind,
            (SubjectKind.HOME, SubjectKind.SHOP),
            required=False,
            absent=SubjectKind.HOME,
        ),
    ]
    floor: Annotated[int, Column(whole(-9, 200))]
    area: Annotated[Decimal, Column(read_area)]
    billable_from: Annotated[date, Column(read_day)]
    billable_to: Annotated[date | None, optional(read_last_day)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRow(Row):
    """A parking space, billed to the account of a home."""

    sheet = SheetKind.SPACES
    key = ("code",)
    code: Annotated[str, Column(read_subject)]
    area: Annotated[str, Column(read_name)]
    plate: Annotated[str | None, optional(read_name)]
    room: Annotated[str, Column(read_room)]
    billable_from: Annotated[date, Column(read_day)]
    billable_to: Annotated[date | None, optional(read_last_day)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow(Row):
    """Who owned or lived in a home, from when to when."""

    sheet = SheetKind.PEOPLE
    key = ("room", "name", "role", "from_on")
    room: Annotated[str, Column(read_room)]
    name: Annotated[str, Column(read_text)]
    phone: Annotated[str | None, optional(read_phone)]
    role: Annotated[ResidentRole, chosen(ResidentRole)]
    from_on: Annotated[date, Column(read_day)]
    to_on: Annotated[date | None, optional(read_last_day)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow(Row):
    """A charge item."""

    sheet = SheetKind.ITEMS
    key = ("code",)
    code: Annotated[str, Column(read_code)]
    name: Annotated[str, Column(read_text)]
    fee: Annotated[FeeKind, chosen(FeeKind)]
    subject_kind: Annotated[SubjectKind, chosen(SubjectKind)]
    cycle: Annotated[Cycle, chosen(Cycle)]
    active_from: Annotated[date, Column(read_day)]
    active_to: Annotated[date | None, optional(read_last_day)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffRow(Row):
    """A version of an item's price, as columns."""

    sheet = SheetKind.TARIFFS
    key = ("item", "effective_from")
    item: Annotated[str, Column(read_code)]
    effective_from: Annotated[date, Column(read_day)]
    method: Annotated[PricingMethod, chosen(PricingMethod)]
    unit_price: Annotated[Decimal | None, optional(read_number)]
    per: Annotated[Per | None, chosen(Per, required=False)]
    proration: Annotated[Proration | None, chosen(Proration, required=False)]
    mode: Annotated[TierMode | None, chosen(TierMode, required=False)]
    tiers: Annotated[str | None, optional(read_name)]
    normal_days: Annotated[Decimal | None, optional(read_positive)]
    document: Annotated[str, Column(read_text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRow(Row):
    """A discount granted."""

    sheet = SheetKind.DISCOUNTS
    key = ("item", "subject", "reason", "from_on")
    item: Annotated[str, Column(read_code)]
    subject: Annotated[str, Column(read_subject)]
    reason: Annotated[DiscountReason, chosen(DiscountReason)]
    percent: Annotated[Decimal | None, optional(read_percent)]
    amount: Annotated[Money | None, optional(read_money)]
    from_on: Annotated[date, Column(read_day)]
    to_on: Annotated[date | None, optional(read_last_day)]
    approved_by: Annotated[str, Column(read_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedPriceRow(Row):
    """A unit price agreed with one owner."""

    sheet = SheetKind.AGREED_PRICES
    key = ("item", "subject", "from_on")
    item: Annotated[str, Column(read_code)]
    subject: Annotated[str, Column(read_subject)]
    unit_price: Annotated[Decimal, Column(read_number)]
    from_on: Annotated[date, Column(read_day)]
    to_on: Annotated[date | None, optional(read_last_day)]
    approved_by: Annotated[str, Column(read_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRow(Row):
    """A meter of a home, shop or space."""

    sheet = SheetKind.METERS
    key = ("code",)
    code: Annotated[str, Column(read_name)]
    item: Annotated[str, Column(read_code)]
    subject: Annotated[str, Column(read_subject)]
    multiplier: Annotated[Decimal, optional(read_positive, Decimal(1))]
    rolls_over_at: Annotated[Decimal | None, optional(read_positive)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRow(Row):
    """What a meter showed on a day."""

    sheet = SheetKind.READINGS
    key = ("meter", "read_on")
    meter: Annotated[str, Column(read_name)]
    read_on: Annotated[date, Column(read_day)]
    value: Annotated[Decimal, Column(read_number)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementRow(Row):
    """A meter that was replaced."""

    sheet = SheetKind.REPLACEMENTS
    key = ("meter", "replaced_on")
    meter: Annotated[str, Column(read_name)]
    replaced_on: Annotated[date, Column(read_day)]
    old_final: Annotated[Decimal, Column(read_number)]
    new_initial: Annotated[Decimal, Column(read_number)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCostRow(Row):
    """A cost to be shared."""

    sheet = SheetKind.SHARED_COSTS
    key = ("item", "building", "entrance", "from_on", "to_on")
    item: Annotated[str, Column(read_code)]
    building: Annotated[str | None, optional(read_name)]
    entrance: Annotated[str | None, optional(read_name)]
    from_on: Annotated[date, Column(read_day)]
    to_on: Annotated[date, Column(read_last_day)]
    amount: Annotated[Money | None, optional(read_money)]
    quantity: Annotated[Decimal | None, optional(read_number)]
    unit_price: Annotated[Decimal | None, optional(read_number)]
    apportion_by: Annotated[ApportionBy, chosen(ApportionBy)]
    usage_item: Annotated[str | None, optional(read_code)]
    cap: Annotated[Money | None, optional(read_money)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningRow(Row):
    """What a home owed before the books were opened; `space` where a parking space is meant."""

    sheet = SheetKind.OPENINGS
    key = ("room", "space", "item", "from_on", "to_on")
    room: Annotated[str, Column(read_room)]
    space: Annotated[str | None, optional(read_subject)]
    item: Annotated[str, Column(read_code)]
    from_on: Annotated[date, Column(read_day)]
    to_on: Annotated[date, Column(read_last_day)]
    amount: Annotated[Money, Column(read_payment)]
    due_on: Annotated[date, Column(read_day)]
    document: Annotated[str | None, optional(read_document)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow(Row):
    """A payment of the time before."""

    sheet = SheetKind.PAYMENTS
    key = ("receipt_no",)
    receipt_no: Annotated[str, Column(read_name)]
    room: Annotated[str, Column(read_room)]
    paid_on: Annotated[date, Column(read_day)]
    amount: Annotated[Money, Column(read_payment)]
    channel: Annotated[str, Column(read_text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentRow(Row):
    """What a home had paid in advance when the books were opened."""

    sheet = SheetKind.PREPAYMENTS
    key = ("room",)
    room: Annotated[str, Column(read_room)]
    amount: Annotated[Money, Column(read_payment)]
    on: Annotated[date, Column(read_day)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBillRow(Row):
    """A line of the old system's bills of one month; only compared, never written."""

    sheet = SheetKind.OLD_BILLS
    key = ()
    room: Annotated[str, Column(read_room)]
    item: Annotated[str, Column(read_code)]
    amount: Annotated[Money, Column(read_money)]
    quantity: Annotated[Decimal | None, optional(read_number)]
    unit_price: Annotated[Decimal | None, optional(read_number)]
    area: Annotated[Decimal | None, optional(read_number)]
    days: Annotated[int | None, optional(whole(0, 366))]


ROWS: dict[SheetKind, type[Row]] = {
    kind.sheet: kind
    for kind in (
        CommunityRow,
        BuildingRow,
        EntranceRow,
        UnitRow,
        SpaceRow,
        PersonRow,
        ItemRow,
        TariffRow,
        DiscountRow,
        AgreedPriceRow,
        MeterRow,
        ReadingRow,
        ReplacementRow,
        SharedCostRow,
        OpeningRow,
        PaymentRow,
        PrepaymentRow,
        OldBillRow,
    )
}
"""The class of each sheet's rows, in the order in which they refer to each other."""


@cache
def columns_of(kind: SheetKind) -> dict[str, Column]:
    """Key → column of a sheet, in the order of the template."""
    hints = get_type_hints(ROWS[kind], include_extras=True)
    return {name: column for name in hints for column in getattr(hints[name], "__metadata__", ())}
