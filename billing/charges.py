"""What one subject is to be charged for one item: a difference, with a reason where nothing is.

Pure: works on what `account_reading` read and `item_plans` planned.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from enum import Enum
from typing import NamedTuple

from billing.account_reading import AccountFacts, BilledLine, Granted, SubjectFacts
from billing.adjustment_tables import AfterVoid
from billing.bills import LineKind
from billing.item_plans import Charging, ItemPlan, PlannedLine, basis_json
from billing.period import DateRange, Period
from billing.pricing import PricingError, price_discounts
from billing.shared_plans import SharedPlan
from billing.usage_reading import Key


class Verdict(Enum):
    """What became of a charge the period calls for."""

    CREATED = "created"
    EXISTING = "existing"
    SKIPPED = "skipped"
    PARKED = "parked"


class DraftLine(NamedTuple):
    """A line about to be written; amounts in fen."""

    subject_id: int
    item_id: int
    tariff_id: int | None
    kind: LineKind
    start: date
    end: date
    source_id: int
    redo: int
    fen: int
    basis_json: str


class Charge(NamedTuple):
    """A charge the period calls for, and what became of it. `reason` says why nothing is drafted;
    `lines` are those drafted.
    """

    subject: SubjectFacts
    item_code: str
    verdict: Verdict
    reason: str = ""
    lines: Sequence[DraftLine] = ()


def charge_accounts(
    facts: AccountFacts, plans: Sequence[ItemPlan], period: Period
) -> Iterator[Charge]:
    """Every charge the period calls for, in the order of accounts, subjects and items.

    A failing charge is parked with its reason; the others go on.
    """
    month = DateRange(period.start, period.end)
    for subject in facts.subjects:
        for plan in plans:
            if plan.subject_kind is subject.kind:
                yield from _charge(subject, plan, month, facts)


def _charge(
    subject: SubjectFacts, plan: ItemPlan, month: DateRange, facts: AccountFacts
) -> Iterator[Charge]:
    key = (subject.id, plan.item_id)
    try:
        match plan.how:
            case Charging.SHARED:
                yield from _shares(subject, plan, month, facts, key)
            case Charging.METERED:
                yield _usage(subject, plan, facts, key)
            case Charging.ONCE | Charging.PERIODIC:
                charge = _span(subject, plan, month, facts, key)
                if charge is not None:
                    yield charge
    except PricingError as error:
        yield Charge(subject, plan.item_code, Verdict.PARKED, str(error))


def _span(
    subject: SubjectFacts, plan: ItemPlan, month: DateRange, facts: AccountFacts, key: Key
) -> Charge | None:
    """The days of the plan's cycle, less those billed. A charge belongs to the month of its first
    day; later months of a cycle call only for what begins then, a first price too.
    """
    span = charged_days(subject, plan, plan.span)
    if span is not None and plan.how is Charging.ONCE:
        first = max(subject.billable_from, plan.active_from, plan.begins)
        if not month.start <= first < span.end:
            return None  # it was charged when it began, or it has not begun
        span = DateRange(first, span.end)
    elif span is not None and month.start <= plan.begins < month.end:
        # Nothing is charged for the days before the first price.
        first = max(span.start, plan.begins)
        span = DateRange(first, span.end) if first < span.end else span
    if span is None or not month.start <= span.start < month.end:
        begins = plan.span.start == month.start and plan.how is not Charging.ONCE
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "not_billable") if begins else None
    billed = [
        line
        for line in facts.billed.get(key, ())
        if line.start < span.end and line.end > span.start
    ]
    standing = [line for line in billed if line.void is not AfterVoid.REDO]
    billed_days = sum(
        (min(line.end, span.end) - max(line.start, span.start)).days for line in standing
    )
    if standing and all(line.void is AfterVoid.EXCLUDE for line in standing):
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "excluded")
    if billed_days == span.days:
        return Charge(subject, plan.item_code, Verdict.EXISTING)
    if billed_days:
        # What the other days cost depends on those billed: somebody has to decide.
        return Charge(subject, plan.item_code, Verdict.PARKED, "partly_billed")
    if plan.begins_after(span.start):
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "no_tariff")
    agreed = [one for one in facts.agreed.get(key, ()) if _reaches(one.start, one.end, span)]
    if any(one.start > span.start or (one.end or date.max) < span.end for one in agreed):
        return Charge(
            subject, plan.item_code, Verdict.PARKED, "agreed_price_changes_within_the_period"
        )
    lines = plan.price(span, subject.area_m2, agreed[0].unit_price if agreed else None)
    return _created(subject, plan, lines, span, 0, _next_redo(billed), facts)


def _usage(subject: SubjectFacts, plan: ItemPlan, facts: AccountFacts, key: Key) -> Charge:
    """What was used since the last charged reading; a reading is charged once."""
    meter = facts.meters.get(key)
    # On the first of a month the month before is charged, also of who has left since.
    days = plan.span if meter is None or meter.days is None else meter.days
    if charged_days(subject, plan, days) is None:
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "not_billable")
    if meter is None:
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "no_meter")
    if meter.skipped is not None:
        return Charge(subject, plan.item_code, Verdict.SKIPPED, meter.skipped)
    if meter.parked is not None:
        return Charge(subject, plan.item_code, Verdict.PARKED, meter.parked)
    if meter.days is None or meter.reading is None:
        return Charge(subject, plan.item_code, Verdict.EXISTING)
    if plan.begins_after(meter.days.start):
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "no_tariff")
    agreed = [one for one in facts.agreed.get(key, ()) if _reaches(one.start, one.end, meter.days)]
    if any(one.start > days.start or (one.end or date.max) < days.end for one in agreed):
        return Charge(
            subject, plan.item_code, Verdict.PARKED, "agreed_price_changes_within_the_period"
        )
    unit_price = agreed[0].unit_price if agreed else None
    lines = plan.price_usage(meter.days, meter.reading, meter.used_this_year, unit_price)
    return _created(subject, plan, lines, meter.days, meter.closing_id, meter.redo, facts)


def _shares(
    subject: SubjectFacts, plan: ItemPlan, month: DateRange, facts: AccountFacts, key: Key
) -> Iterator[Charge]:
    """Shares of the costs the subject is in the scope of."""
    nothing = True
    for shared in plan.shared.reaching(subject.building_id, subject.entrance_id):
        charge = _share(subject, plan, shared, month, facts, key)
        if charge is not None:
            nothing = False
            yield charge
    if nothing:
        yield Charge(subject, plan.item_code, Verdict.SKIPPED, "no_cost")


def _share(
    subject: SubjectFacts,
    plan: ItemPlan,
    shared: SharedPlan,
    month: DateRange,
    facts: AccountFacts,
    key: Key,
) -> Charge | None:
    """One share. A cost of an earlier cycle that is charged already is no more called for."""
    lines = [line for line in facts.billed.get(key, ()) if line.source_id == shared.cost_id]
    standing = [line for line in lines if line.void is not AfterVoid.REDO]
    if standing and shared.span.start < month.start:
        return None
    if standing:
        excluded = all(line.void is AfterVoid.EXCLUDE for line in standing)
        verdict = Verdict.SKIPPED if excluded else Verdict.EXISTING
        return Charge(subject, plan.item_code, verdict, "excluded" if excluded else "")
    if shared.refusal is not None:
        return Charge(subject, plan.item_code, Verdict.PARKED, shared.refusal)
    if shared.shares is None or subject.id not in shared.shares:
        return Charge(subject, plan.item_code, Verdict.SKIPPED, "not_billable")
    share = plan.price_share(shared, subject.id)
    return _created(subject, plan, share, shared.span, shared.cost_id, _next_redo(lines), facts)


def charged_days(subject: SubjectFacts, plan: ItemPlan, span: DateRange) -> DateRange | None:
    """The days of the span on which both the item and the subject are charged."""
    start = max(span.start, subject.billable_from, plan.active_from)
    ends = [span.end, subject.billable_to, plan.active_to]
    end = min(day for day in ends if day is not None)
    return DateRange(start, end) if start < end else None


def _next_redo(lines: Sequence[BilledLine]) -> int:
    return max((line.redo + 1 for line in lines), default=0)


def _reaches(start: date, end: date | None, days: DateRange) -> bool:
    return start < days.end and (end is None or end > days.start)


def _created(
    subject: SubjectFacts,
    plan: ItemPlan,
    lines: Sequence[PlannedLine],
    span: DateRange,
    source_id: int,
    redo: int,
    facts: AccountFacts,
) -> Charge:
    """The priced lines with their discounts, as lines to be written."""
    drafts = [
        DraftLine(
            subject.id,
            plan.item_id,
            line.tariff_id,
            LineKind.CHARGE,
            line.priced.start,
            line.priced.end,
            source_id,
            redo,
            line.priced.amount.fen,
            line.basis_json,
        )
        for line in lines
    ]
    granted = facts.granted.get((subject.id, plan.item_id))
    if granted:
        drafts += _discounts(subject, plan, lines, span, redo, granted)
    return Charge(subject, plan.item_code, Verdict.CREATED, lines=drafts)


def _discounts(
    subject: SubjectFacts,
    plan: ItemPlan,
    lines: Sequence[PlannedLine],
    span: DateRange,
    redo: int,
    granted: Sequence[Granted],
) -> list[DraftLine]:
    versions = {line.priced.version_index: line.tariff_id for line in lines}
    found = price_discounts(
        [line.priced for line in lines], [one.discount for one in granted], span
    )
    return [
        DraftLine(
            subject.id,
            plan.item_id,
            versions.get(off.version_index),
            LineKind.DISCOUNT,
            off.start,
            off.end,
            granted[off.discount_index or 0].grant_id,
            redo,
            off.amount.fen,
            basis_json(off.basis),
        )
        for off in found
    ]
