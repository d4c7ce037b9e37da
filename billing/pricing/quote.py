"""Trial calculation (试算): one JSON request → one JSON answer. The shapes are in README.md."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from billing.errors import InvalidInput
from billing.money import ZERO, Money, split
from billing.period import DateRange, due_on
from billing.pricing.apportion import ApportionBy, apportion, pool_amount, read_pool, uncollected
from billing.pricing.charge import Subject, price_period
from billing.pricing.discounts import DISCOUNT, Discount, parse_discount, price_discounts
from billing.pricing.explain import explain, explain_basis
from billing.pricing.fields import Fields, PricingError, read_number, read_range
from billing.pricing.late_fee import DailyRate, LateFeeTerms, PrincipalPayment, price_late_fee
from billing.pricing.line import PricedLine
from billing.pricing.prices import TariffVersion, parse_price
from billing.pricing.usage import read_usage

KINDS = ("price", "versions", "split", "apportion", "late_fee", "due")


def answer(request: object) -> dict[str, Any]:
    """Answer a request; one that cannot be answered gives `{"error": "<field>: <reason>"}`.

    >>> answer({"split": {"amount_fen": 100, "weights": ["1", "1", "1"]}})
    {'parts_fen': [34, 33, 33]}
    >>> answer({"split": {"amount_fen": 100, "weights": ["0"]}})
    {'error': 'weights: the weights must have a sum above zero'}
    """
    try:
        return _answer(Fields(request, ""))
    except InvalidInput as error:
        return {"error": str(error)}


def _answer(fields: Fields) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if fields.has(kind)]
    if len(kinds) != 1:
        raise PricingError("request", f"must have exactly one of: {', '.join(KINDS)}")
    match kinds[0]:
        case "split":
            found = _split(fields.object("split"))
        case "apportion":
            found = _apportion(fields.object("apportion"))
        case "late_fee":
            found = _late_fee(fields.object("late_fee"))
        case "due":
            found = _due(fields.object("due"))
        case _:
            found = _price(fields)
    fields.finish()
    return found


def _price(fields: Fields) -> dict[str, Any]:
    span = read_range(fields)
    versions = _versions(fields, span.start)
    billing_period = None
    if fields.has("billing_period"):
        inner = fields.object("billing_period")
        billing_period = read_range(inner)
        inner.finish()
    subject, usage = _subject(fields), read_usage(fields)
    rules = _discounts(fields)
    lines = price_period(versions, span, subject, usage=usage, billing_period=billing_period)
    return _lines(lines, price_discounts(lines, rules, span))


def _versions(fields: Fields, first_day: date) -> list[TariffVersion]:
    if fields.has("price"):
        return [TariffVersion(first_day, parse_price(fields.take("price")))]
    versions = []
    for item, path in fields.items("versions"):
        inner = Fields(item, path)
        price = parse_price(inner.take("price"), inner.path("price"))
        versions.append(TariffVersion(inner.day("effective_from"), price))
        inner.finish()
    return versions


def _subject(fields: Fields) -> Subject:
    if not fields.has("subject"):
        return Subject()
    inner = fields.object("subject")
    subject = Subject(
        area_m2=inner.number("area_m2") if inner.has("area_m2") else None,
        unit_price=inner.number("unit_price") if inner.has("unit_price") else None,
    )
    inner.finish()
    return subject


def _discounts(fields: Fields) -> list[Discount]:
    if not fields.has("discounts"):
        return []
    return [parse_discount(item, path) for item, path in fields.items("discounts")]


def _split(fields: Fields) -> dict[str, Any]:
    amount = Money(fields.fen("amount_fen"))
    weights = [read_number(item, path) for item, path in fields.items("weights")]
    fields.finish()
    return {"parts_fen": [part.fen for part in split(amount, weights)]}


def _apportion(fields: Fields) -> dict[str, Any]:
    pool, by = read_pool(fields, "amount"), fields.choice("by", ApportionBy)
    weights = [read_number(item, path) for item, path in fields.items("weights")]
    shares = apportion(pool, by, weights, fields.yuan("cap") if fields.has("cap") else None)
    fields.finish()
    return {
        "total_fen": pool_amount(pool).fen,
        "parts_fen": [share.amount.fen for share in shares],
        "uncollected_fen": uncollected(shares).fen,
        "explanations": [explain_basis(share) for share in shares],
    }


def _late_fee(fields: Fields) -> dict[str, Any]:
    principal = fields.number("principal")
    cap = fields.take("cap")
    due, as_of, rates = fields.day("due_on"), fields.day("as_of"), _rates(fields)
    terms = LateFeeTerms(
        rates=rates,
        grace_days=fields.whole("grace_days"),
        cap={"principal": principal, "none": None}[cap]
        if cap in ("principal", "none")
        else fields.number("cap"),
        freezes=_freezes(fields),
    )
    charged = fields.yuan("charged") if fields.has("charged") else ZERO
    payments = _payments(fields)
    line = price_late_fee(
        principal, terms, due_on=due, as_of=as_of, payments=payments, charged=charged
    )
    fields.finish()
    return _lines([] if line is None else [line])


def _rates(fields: Fields) -> tuple[DailyRate, ...]:
    """One rate for all time, or its history."""
    if not fields.has("rates"):
        return (DailyRate(date.min, fields.number("daily_rate")),)
    if fields.has("daily_rate"):
        raise PricingError(fields.path("daily_rate"), "cannot be given together with rates")
    rates = []
    for item, path in fields.items("rates"):
        inner = Fields(item, path)
        rates.append(DailyRate(inner.day("effective_from"), inner.number("daily_rate")))
        inner.finish()
    return tuple(rates)


def _freezes(fields: Fields) -> tuple[DateRange, ...]:
    freezes = []
    for item, path in fields.items("freezes") if fields.has("freezes") else []:
        inner = Fields(item, path)
        freezes.append(read_range(inner))
        inner.finish()
    return tuple(freezes)


def _payments(fields: Fields) -> list[PrincipalPayment]:
    payments = []
    for item, path in fields.items("payments") if fields.has("payments") else []:
        inner = Fields(item, path)
        payments.append(PrincipalPayment(inner.day("on"), inner.yuan("amount")))
        inner.finish()
    return payments


def _due(fields: Fields) -> dict[str, Any]:
    issued_on = fields.day("issued_on")
    due = due_on(issued_on, fields.whole("day"), fields.whole("month_offset"))
    fields.finish()
    return {"due_on": due.isoformat()}


def _lines(lines: Sequence[PricedLine], discounts: Sequence[PricedLine] = ()) -> dict[str, Any]:
    return {
        "total_fen": sum((line.amount for line in [*lines, *discounts]), ZERO).fen,
        "lines": [
            *map(_line, lines),
            *(
                _line(line) | {"kind": DISCOUNT, "reason": line.basis["reason"]}
                for line in discounts
            ),
        ],
    }


def _line(line: PricedLine) -> dict[str, Any]:
    return {
        "amount_fen": line.amount.fen,
        "from": line.start.isoformat(),
        "to": line.end.isoformat(),
        "explanation": explain(line.basis),
    }
