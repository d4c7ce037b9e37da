"""试算: what a proposed price would come to, beside the present one. Writes nothing.

Both are priced from the same days, areas and readings, by the code that prices bills, whether the
period is billed already or not. Discounts and agreed prices count as they would.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.account_reading import AccountFacts, read_accounts
from billing.bill_run import UNITS_PER_CHUNK
from billing.charges import Charge, DraftLine, Verdict, charge_accounts
from billing.errors import InvalidInput
from billing.item_plans import Charging, ItemPlan, plan_items
from billing.money import ZERO, Money
from billing.period import DateRange, Period
from billing.pricing import (
    MeteredPrice,
    Per,
    Price,
    TariffVersion,
    TieredPrice,
    explain,
    parse_basis,
)
from billing.pricing.basis import MeteredBasis, TieredBasis
from billing.property import Unit
from billing.tariffs import ChargeItem
from billing.usage_reading import MeterFacts

MUCH_PERCENT = 30
"""A change of more than this part of what it was is told of, as a price's own is."""
LISTED_MAX = 50

BILLED_USAGE = text(
    """
    SELECT line.subject_id, min(line.period_from) AS first, max(line.period_to) AS until,
           max(line.source_id) AS reading_id,
           (array_agg(line.basis ORDER BY line.period_from))[1] AS basis
    FROM bill_line line
    JOIN bill ON bill.community_id = line.community_id AND bill.id = line.bill_id
     AND bill.period = :period
    WHERE line.community_id = :community_id AND line.item_id = :item_id
      AND line.kind = 'charge' AND line.subject_id = ANY(:subjects)
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = line.community_id AND void.bill_id = line.bill_id)
    GROUP BY line.subject_id
    """
)


@dataclass(frozen=True, slots=True)
class TrialLine:
    """A line as it would be: money, days and the sentence."""

    start: date
    end: date
    amount: Money
    explanation: str


@dataclass(frozen=True, slots=True)
class HomeTrial:
    """What one home, with its parking spaces, would pay for the item in the period.

    `left_out` says why nothing is charged, by the subject's code.
    """

    now: list[TrialLine]
    then: list[TrialLine]
    left_out: list[tuple[str, str]]

    @property
    def total_now(self) -> Money:
        """With the present price."""
        return sum((line.amount for line in self.now), ZERO)

    @property
    def total_then(self) -> Money:
        """With the proposed one."""
        return sum((line.amount for line in self.then), ZERO)


@dataclass(slots=True)
class CommunityTrial:
    """What all homes together would pay; `much` of them change by more than `MUCH_PERCENT`."""

    homes: int = 0
    much: int = 0
    left_out: int = 0
    now: Money = ZERO
    then: Money = ZERO
    most: list[tuple[int, Money, Money]] = field(default_factory=list)

    def add(self, unit_id: int, now: Money, then: Money) -> None:
        """Count a home."""
        self.homes += 1
        self.now += now
        self.then += then
        if abs(then.fen - now.fen) * 100 > now.fen * MUCH_PERCENT:
            self.much += 1
            self.most.append((unit_id, now, then))
            if len(self.most) > 20 * LISTED_MAX:
                self.cut()

    def cut(self) -> None:
        """Keep the homes that change most."""
        self.most.sort(key=lambda one: (-abs(one[2].fen - one[1].fen), one[0]))
        del self.most[LISTED_MAX:]


def try_home(
    session: Session, unit: Unit, item: ChargeItem, price: Price, period: Period
) -> HomeTrial:
    """Line by line what a home would pay for the item in the period, now and with another price.

    Raises:
        InvalidInput: the item is not charged by a price.
    """
    plans = _plans(session, item, price, period)
    facts = read_accounts(session, unit.community_id, plans[:1], after=unit.id - 1, limit=1)
    now, then = _charges(session, unit.community_id, facts, plans, period)
    return HomeTrial(
        now=[_line(line) for charge in now for line in charge.lines],
        then=[_line(line) for charge in then for line in charge.lines],
        left_out=[
            (charge.subject.code, charge.reason)
            for charge in then
            if charge.verdict is not Verdict.CREATED
        ],
    )


def try_community(
    session: Session,
    item: ChargeItem,
    price: Price,
    period: Period,
    advance: Callable[[int], None] = lambda _: None,
) -> CommunityTrial:
    """What all homes would pay for the item in the period, now and with another price.

    Args:
        advance: told of progress, in homes.

    Raises:
        InvalidInput: the item is not charged by a price.
    """
    plans = _plans(session, item, price, period)
    trial, after = CommunityTrial(), 0
    while True:
        facts = read_accounts(
            session, item.community_id, plans[:1], after=after, limit=UNITS_PER_CHUNK
        )
        if facts.last_account is None:
            break
        after = facts.last_account
        for unit_id, now, then in _per_home(session, item.community_id, facts, plans, period):
            if now is None or then is None:
                trial.left_out += 1
            else:
                trial.add(unit_id, now, then)
        advance(len({subject.unit_id for subject in facts.subjects}))
    trial.cut()
    return trial


def _plans(
    session: Session, item: ChargeItem, price: Price, period: Period
) -> tuple[ItemPlan, ItemPlan]:
    """The item as it is, and with the proposed price from ever."""
    found = next(
        plan for plan in plan_items(session, item.community_id, period) if plan.item_id == item.id
    )
    if found.how is Charging.SHARED:
        raise InvalidInput("item", f"{item.code} shares costs and has no price; add another item")
    proposed = replace(
        found,
        versions=(TariffVersion(date.min, price),),
        tariff_ids=(0,),
        how=_how(price),
        cases={},
        usages={},
    )
    return found, proposed


def _how(price: Price) -> Charging:
    if isinstance(price, MeteredPrice | TieredPrice):
        return Charging.METERED
    return Charging.ONCE if price.per is Per.ONCE else Charging.PERIODIC


def _per_home(
    session: Session,
    community_id: int,
    facts: AccountFacts,
    plans: tuple[ItemPlan, ItemPlan],
    period: Period,
) -> Iterator[tuple[int, Money | None, Money | None]]:
    now, then = _charges(session, community_id, facts, plans, period)
    # By subject: a price that has not begun may call for a charge in another month.
    paid = {charge.subject.id: _sum(charge) for charge in now}
    sums: dict[int, tuple[Money, Money]] = {}
    for after in then:
        if after.verdict is not Verdict.CREATED:
            continue
        unit_id = after.subject.unit_id
        was, becomes = sums.get(unit_id, (ZERO, ZERO))
        sums[unit_id] = (was + paid.get(after.subject.id, ZERO), becomes + _sum(after))
    for unit_id in {charge.subject.unit_id for charge in then}:
        yield unit_id, *sums.get(unit_id, (None, None))


def _charges(
    session: Session,
    community_id: int,
    facts: AccountFacts,
    plans: tuple[ItemPlan, ItemPlan],
    period: Period,
) -> tuple[list[Charge], list[Charge]]:
    """Every charge of the item, priced both ways from the same facts."""
    present, proposed = plans
    facts.billed.clear()
    if proposed.how is Charging.METERED:
        _reopen_meters(session, community_id, facts, proposed, period)
    then = list(charge_accounts(facts, [proposed], period))
    if not present.versions:
        none = [Charge(one.subject, one.item_code, Verdict.SKIPPED, "no_tariff") for one in then]
        return none, then
    return list(charge_accounts(facts, [present], period)), then


def _reopen_meters(
    session: Session, community_id: int, facts: AccountFacts, plan: ItemPlan, period: Period
) -> None:
    """Take what was used in a period that is billed from its lines: its readings are closed."""
    given = {
        "community_id": community_id,
        "item_id": plan.item_id,
        "period": str(period),
        "subjects": [subject.id for subject in facts.subjects],
    }
    for row in session.execute(BILLED_USAGE, given):
        basis = parse_basis(row.basis)
        if isinstance(basis, MeteredBasis | TieredBasis):
            used = basis.price.year_to_date if isinstance(basis, TieredBasis) else None
            facts.meters[row.subject_id, plan.item_id] = MeterFacts(
                row.reading_id,
                DateRange(row.first, row.until),
                basis.usage,
                0,
                used_this_year=used or Decimal(0),
            )


def _sum(charge: Charge) -> Money:
    return Money(sum(line.fen for line in charge.lines))


def _line(line: DraftLine) -> TrialLine:
    basis = orjson.loads(line.basis_json)
    return TrialLine(line.start, line.end, Money(line.fen), explain(basis))
