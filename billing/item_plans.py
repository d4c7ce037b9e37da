"""What a period calls for: charge items with their cycle and the versions of their prices."""

import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.money import Money
from billing.period import DateRange, Period, add_months
from billing.pricing import AreaPrice, Subject, TariffVersion, parse_price, price_period
from billing.tariffs import ChargeItem, Tariff


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A priced line, ready to be written."""

    amount: Money
    start: date
    end: date
    tariff_id: int
    basis_json: str


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """A charge item with its cycle that contains the period, and its priced versions."""

    item: ChargeItem
    span: DateRange
    versions: tuple[TariffVersion, ...]
    tariff_ids: tuple[int, ...]
    cases: dict[tuple[DateRange, Decimal | None], list[PlannedLine]] = field(default_factory=dict)
    """What was priced before: pricing is pure, and a community has few floor plans."""

    def price(self, span: DateRange, area_m2: Decimal | None) -> list[PlannedLine]:
        """Lines of a subject for these days of the cycle.

        Raises:
            PricingError: the price needs something the subject does not have.
        """
        by_area = any(isinstance(version.price, AreaPrice) for version in self.versions)
        case = (span, area_m2 if by_area else None)
        if case not in self.cases:
            self.cases[case] = [
                PlannedLine(
                    line.amount,
                    line.start,
                    line.end,
                    self.tariff_ids[line.version_index],
                    json.dumps(line.basis, ensure_ascii=False),
                )
                for line in price_period(
                    self.versions, span, Subject(area_m2=area_m2), billing_period=self.span
                )
            ]
        return self.cases[case]


def plan_items(session: Session, community_id: int, period: Period) -> list[ItemPlan]:
    """Charge items in the order of their ids, with their cycles of the period and versions."""
    items = session.scalars(
        select(ChargeItem).where(ChargeItem.community_id == community_id).order_by(ChargeItem.id)
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
    return ItemPlan(
        item=item,
        span=DateRange(begin, add_months(begin, item.cycle_months)),
        versions=tuple(
            TariffVersion(tariff.effective_from, parse_price(tariff.price)) for tariff in tariffs
        ),
        tariff_ids=tuple(tariff.id for tariff in tariffs),
    )
