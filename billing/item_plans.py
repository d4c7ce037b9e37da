"""What a period calls for: charge items with their cycle, the versions of their prices, and the
costs to be shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import orjson
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from billing.period import DateRange, Period, add_months
from billing.pricing import (
    AreaPrice,
    MeteredPrice,
    Per,
    PricedLine,
    Reading,
    Subject,
    TariffVersion,
    TieredPrice,
    Usage,
    parse_price,
    price_period,
    priced_line,
    usage_to_json,
)
from billing.property import SubjectKind
from billing.shared_costs import SharedCost
from billing.shared_plans import SharedPlan, SharedPlans, list_shared_costs
from billing.tariffs import ChargeItem, FeeKind, Tariff


class Charging(Enum):
    """How an item's quantity is found."""

    PERIODIC = "periodic"
    ONCE = "once"
    METERED = "metered"
    SHARED = "shared"


class PlannedLine(NamedTuple):
    """A priced line, the version it was priced with (None for a share of a cost), and its basis as
    it is stored.
    """

    priced: PricedLine
    tariff_id: int | None
    basis_json: str


Case = tuple[DateRange, Decimal | None, Decimal | None]
USAGES_KEPT_MAX = 20_000
"""Priced quantities that are remembered; so memory stays the same however many homes there are."""
UsageCase = tuple[DateRange, Decimal, Decimal, Decimal | None]


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """A charge item with its cycle that contains the period, and its priced versions."""

    item_id: int
    item_code: str
    subject_kind: SubjectKind
    active_from: date
    active_to: date | None
    how: Charging
    span: DateRange
    versions: tuple[TariffVersion, ...]
    tariff_ids: tuple[int, ...]
    shared: SharedPlans
    cases: dict[Case, list[PlannedLine]] = field(default_factory=dict)
    """What was priced before: pricing is pure, and a community has few floor plans."""
    usages: dict[UsageCase, list[PlannedLine]] = field(default_factory=dict)
    """The same for quantities used."""

    @property
    def yearly_tiers(self) -> bool:
        """Whether a version's tiers are laid over the usage of the calendar year."""
        return any(
            isinstance(version.price, TieredPrice) and version.price.year_to_date is not None
            for version in self.versions
        )

    @property
    def begins(self) -> date:
        """The day the first version of the price takes effect."""
        return self.versions[0].effective_from if self.versions else date.max

    def begins_after(self, day: date) -> bool:
        """Whether no version is in force on the day."""
        return self.begins > day

    def price_share(self, shared: SharedPlan, subject_id: int) -> list[PlannedLine]:
        """A subject's share of a cost that was shared out, as a line."""
        shares = shared.shares or {}
        return [_planned(priced_line(shares[subject_id], shared.span, 0), None)]

    def price(
        self, span: DateRange, area_m2: Decimal | None, agreed: Decimal | None
    ) -> list[PlannedLine]:
        """Lines of a subject for these days of the cycle.

        Args:
            agreed: the owner's own unit price.

        Raises:
            PricingError: the price needs something the subject does not have.
        """
        by_area = any(isinstance(version.price, AreaPrice) for version in self.versions)
        case = (span, area_m2 if by_area else None, agreed)
        if case not in self.cases:
            lines = price_period(
                self.versions,
                span,
                Subject(area_m2=area_m2, unit_price=agreed),
                billing_period=self.span,
            )
            self.cases[case] = [self._planned(line) for line in lines]
        return self.cases[case]

    def price_usage(
        self, span: DateRange, reading: Usage, used_this_year: Decimal, agreed: Decimal | None
    ) -> list[PlannedLine]:
        """Lines of what was used between two readings.

        Args:
            span: from the earlier reading's day to the later one's.
            used_this_year: units used in the calendar year before the span, for yearly tiers.

        Raises:
            PricingError: the readings contradict each other, or no version is in force.
        """
        if not isinstance(reading, Reading):
            lines = self._price_usage(span, reading, used_this_year, agreed)
            return [self._planned(line) for line in lines]
        # A line's amount depends on the quantity alone; its basis also names the readings.
        case = (span, reading.quantity, used_this_year, agreed)
        if len(self.usages) > USAGES_KEPT_MAX:
            self.usages.clear()
        if case not in self.usages:
            lines = self._price_usage(span, reading, used_this_year, agreed)
            self.usages[case] = [self._planned(line) for line in lines]
        named = usage_to_json(reading)
        return [
            PlannedLine(line.priced, line.tariff_id, basis_json(line.priced.basis | named))
            for line in self.usages[case]
        ]

    def _price_usage(
        self, span: DateRange, reading: Usage, used_this_year: Decimal, agreed: Decimal | None
    ) -> list[PricedLine]:
        versions = self.versions
        if self.yearly_tiers:
            versions = tuple(_since_new_year(version, used_this_year) for version in versions)
        return price_period(versions, span, Subject(unit_price=agreed), usage=reading)

    def _planned(self, line: PricedLine) -> PlannedLine:
        return _planned(line, self.tariff_ids[line.version_index])


def basis_json(basis: dict[str, Any]) -> str:
    """A basis as it is stored."""
    return orjson.dumps(basis).decode()


def _planned(line: PricedLine, tariff_id: int | None) -> PlannedLine:
    return PlannedLine(line, tariff_id, basis_json(line.basis))


def _since_new_year(version: TariffVersion, used: Decimal) -> TariffVersion:
    price = version.price
    if isinstance(price, TieredPrice) and price.year_to_date is not None:
        return replace(version, price=replace(price, year_to_date=used))
    return version


def plan_items(session: Session, community_id: int, period: Period) -> list[ItemPlan]:
    """Charge items in the order of their ids, with their cycles of the period and versions.

    Late fees are not among them: a run adds those of overdue bills by itself.
    """
    items = session.scalars(
        select(ChargeItem)
        .where(ChargeItem.community_id == community_id, ChargeItem.fee != FeeKind.LATE_FEE)
        .order_by(ChargeItem.id)
    ).all()
    return [_plan(session, item, period) for item in items]


def _plan(session: Session, item: ChargeItem, period: Period) -> ItemPlan:
    months_begun = (period.start.month - 1) % item.cycle_months
    begin = add_months(period.start, -months_begun)
    tariffs = session.scalars(
        select(Tariff)
        .where(Tariff.community_id == item.community_id, Tariff.item_id == item.id)
        .order_by(Tariff.effective_from)
    ).all()
    versions = tuple(
        TariffVersion(tariff.effective_from, parse_price(tariff.price)) for tariff in tariffs
    )
    return ItemPlan(
        item_id=item.id,
        item_code=item.code,
        subject_kind=item.subject_kind,
        active_from=item.active_from,
        active_to=item.active_to,
        how=_charging(session, item, versions, period),
        span=DateRange(begin, add_months(begin, item.cycle_months)),
        versions=versions,
        tariff_ids=tuple(tariff.id for tariff in tariffs),
        shared=SharedPlans(list_shared_costs(session, item, period)),
    )


def _charging(
    session: Session, item: ChargeItem, versions: Sequence[TariffVersion], period: Period
) -> Charging:
    cost_of_item = exists().where(
        SharedCost.community_id == item.community_id, SharedCost.item_id == item.id
    )
    if session.scalar(select(cost_of_item)):
        return Charging.SHARED
    begun = [version for version in versions if version.effective_from < period.end]
    price = begun[-1].price if begun else None
    if isinstance(price, MeteredPrice | TieredPrice):
        return Charging.METERED
    return Charging.ONCE if price is not None and price.per is Per.ONCE else Charging.PERIODIC
