"""Trial calculation (试算): one JSON request → one JSON answer. The shapes are in contracts.md."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from billing.errors import InvalidInput
from billing.money import ZERO, Money, split
from billing.period import due_on
from billing.pricing.basis import read_usage
from billing.pricing.charge import PricedLine, Subject, price_period
from billing.pricing.explain import explain
from billing.pricing.fields import Fields, PricingError, read_number, read_range
from billing.pricing.late_fee import price_late_fee
from billing.pricing.prices import TariffVersion, parse_price

KINDS = ("price", "versions", "split", "late_fee", "due")


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
    return _lines(price_period(versions, span, subject, usage=usage, billing_period=billing_period))


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
    subject = Subject(area_m2=inner.number("area_m2") if inner.has("area_m2") else None)
    inner.finish()
    return subject


def _split(fields: Fields) -> dict[str, Any]:
    amount = Money(fields.fen("amount_fen"))
    weights = [read_number(item, path) for item, path in fields.items("weights")]
    fields.finish()
    return {"parts_fen": [part.fen for part in split(amount, weights)]}


def _late_fee(fields: Fields) -> dict[str, Any]:
    principal = fields.number("principal")
    cap = fields.take("cap")
    line = price_late_fee(
        principal,
        due_on=fields.day("due_on"),
        as_of=fields.day("as_of"),
        daily_rate=fields.number("daily_rate"),
        grace_days=fields.whole("grace_days"),
        cap={"principal": principal, "none": None}[cap]
        if cap in ("principal", "none")
        else fields.number("cap"),
    )
    fields.finish()
    return _lines([] if line is None else [line])


def _due(fields: Fields) -> dict[str, Any]:
    issued_on = fields.day("issued_on")
    due = due_on(issued_on, fields.whole("day"), fields.whole("month_offset"))
    fields.finish()
    return {"due_on": due.isoformat()}


def _lines(lines: Sequence[PricedLine]) -> dict[str, Any]:
    return {
        "total_fen": sum((line.amount for line in lines), ZERO).fen,
        "lines": [
            {
                "amount_fen": line.amount.fen,
                "from": line.start.isoformat(),
                "to": line.end.isoformat(),
                "explanation": explain(line.basis),
            }
            for line in lines
        ],
    }
