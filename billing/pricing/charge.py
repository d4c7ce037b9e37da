"""Price a span of days under the versions of a tariff: one line per version, rounded once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import dropwhile

from billing.period import DateRange
from billing.pricing.basis import (
    Basis,
    Duration,
    MeteredBasis,
    PeriodicBasis,
    TieredBasis,
    TimeUnit,
)
from billing.pricing.fields import PricingError
from billing.pricing.line import PricedLine, priced_line
from billing.pricing.prices import (
    AreaPrice,
    FlatPrice,
    MeteredPrice,
    Per,
    Price,
    TariffVersion,
    TieredPrice,
)
from billing.pricing.proration import (
    Part,
    Proration,
    calendar_months,
    fixed_30_months,
    touched_months,
)
from billing.pricing.tariff_checks import refuse_overlap
from billing.pricing.usage import Usage


@dataclass(frozen=True, slots=True)
class Subject:
    """What is charged, as far as prices depend on it.

    `unit_price` is agreed with this owner: it takes the place of the unit price of every version.
    """

    area_m2: Decimal | None = None
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """One charge: what the versions share."""

    span: DateRange
    subject: Subject
    usage: Usage | None
    billing_period: DateRange | None


@dataclass(frozen=True, slots=True)
class _Segment:
    """The days of the span under one version."""

    index: int
    price: Price
    days: DateRange


def price_period(
    versions: Sequence[TariffVersion],
    span: DateRange,
    subject: Subject | None = None,
    *,
    usage: Usage | None = None,
    billing_period: DateRange | None = None,
) -> list[PricedLine]:
    """Price a span; pure. Versions of equal price never change the exact total.

    Args:
        versions: in any order; the one in force on a day is the latest that has begun.
        usage: of the whole span; versions share it by days.
        billing_period: contains the span; what one unit price pays for under `actual_period`.

    Returns:
        One line per version in force, in the order of time; a line of 0.00 is valid. A price for a
        single charge counts only if it is in force on the first day.

    Raises:
        PricingError: a day without a version, two versions of one day, or an input a price needs
            and did not get.

    >>> from datetime import date
    >>> area = AreaPrice(Decimal("2.00"), Per.MONTH)
    >>> versions = [
    ...     TariffVersion(date(2026, 1, 1), area),
    ...     TariffVersion(date(2026, 11, 16), replace(area, unit_price=Decimal("2.30"))),
    ... ]
    >>> november = DateRange(date(2026, 11, 1), date(2026, 12, 1))
    >>> lines = price_period(versions, november, Subject(area_m2=Decimal(100)))
    >>> [(line.amount.yuan, line.start.day, line.version_index) for line in lines]
    [('100.00', 1, 0), ('115.00', 16, 1)]
    """
    if billing_period is not None and not billing_period.covers(span):
        raise PricingError("billing_period", "does not contain the dates")
    case = _Case(span, subject or Subject(), usage, billing_period)
    segments = _charge_once(_segments(versions, span), span)
    return [priced_line(_basis(segment, case), segment.days, segment.index) for segment in segments]


def _segments(versions: Sequence[TariffVersion], span: DateRange) -> list[_Segment]:
    order = sorted(range(len(versions)), key=lambda at: versions[at].effective_from)
    begins = [versions[at].effective_from for at in order]
    refuse_overlap(versions)
    if not begins or begins[0] > span.start:
        raise PricingError("versions", f"no version is in force on {span.start}")
    ends = [*begins[1:], span.end]  # the last version has no end
    segments = []
    for at, begin, end in zip(order, begins, ends, strict=True):
        start, stop = max(begin, span.start), min(end, span.end)
        if start < stop:
            segments.append(_Segment(at, versions[at].price, DateRange(start, stop)))
    return segments


def _charge_once(segments: list[_Segment], span: DateRange) -> list[_Segment]:
    """Charge a single price on the first day only, for as long as no periodic price follows."""
    first, *later = segments
    if _is_once(first):
        following = next(dropwhile(_is_once, later), None)
        end = span.end if following is None else following.days.start
        first = replace(first, days=DateRange(span.start, end))
    return [first, *(segment for segment in later if not _is_once(segment))]


def _is_once(segment: _Segment) -> bool:
    price = segment.price
    return isinstance(price, FlatPrice | AreaPrice) and price.per is Per.ONCE


def _basis(segment: _Segment, case: _Case) -> Basis:
    price, listed = _agreed(segment.price, case.subject.unit_price)
    share = Part(segment.days.days, case.span.days) if segment.days != case.span else Part(1)
    match price:
        case FlatPrice():
            duration = _duration(price, segment.days, case)
            return PeriodicBasis(price.unit_price, price.per, duration, listed_price=listed)
        case AreaPrice():
            area = case.subject.area_m2
            if area is None:
                raise PricingError("subject.area_m2", "missing")
            duration = _duration(price, segment.days, case)
            return PeriodicBasis(price.unit_price, price.per, duration, area, listed)
        case MeteredPrice():
            return MeteredBasis(price.unit_price, _usage(case, "reading"), share, listed)
        case TieredPrice():
            return TieredBasis(price, _usage(case, "quantity"), case.span.days, share)


def _agreed(price: Price, unit_price: Decimal | None) -> tuple[Price, Decimal | None]:
    """The price with the subject's own unit price, if any, and the listed one it replaces."""
    if unit_price is None:
        return price, None
    if isinstance(price, TieredPrice):
        raise PricingError("subject.unit_price", "a tiered price has no single unit price")
    return replace(price, unit_price=unit_price), price.unit_price


def _usage(case: _Case, field: str) -> Usage:
    if case.usage is None:
        raise PricingError(field, "missing")
    return case.usage


def _duration(price: FlatPrice | AreaPrice, days: DateRange, case: _Case) -> Duration | None:
    """How long the price is charged, by `per` and `proration`."""
    if price.per is Per.ONCE:
        return None
    if price.per is Per.DAY:
        return Duration(TimeUnit.DAYS, (Part(days.days),))
    match price.proration:
        case Proration.CALENDAR_MONTH:
            return Duration(TimeUnit.MONTHS, calendar_months(days))
        case Proration.FIXED_30:
            return Duration(TimeUnit.MONTHS, fixed_30_months(days))
        case Proration.NONE:
            return Duration(TimeUnit.MONTHS, touched_months(days, case.span))
        case Proration.ACTUAL_PERIOD:
            if case.billing_period is None:
                raise PricingError("billing_period", "missing")
            return Duration(TimeUnit.PERIODS, (Part(days.days, case.billing_period.days),))
