"""A second, slow answer to `mingzhang quote`, written from the package's README.

It walks day by day with fractions and shares no code with `billing`, so a mistake in one of the two
shows as a difference. Only requests that have an answer belong here.
"""

import calendar
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

Json = dict[str, Any]
Line = tuple[int, str, str]
DAY = timedelta(days=1)


def fen(yuan: Fraction) -> int:
    """Half up, away from zero."""
    if yuan < 0:
        return -fen(-yuan)
    hundredths = yuan * 100
    below = hundredths.numerator // hundredths.denominator
    return below + 1 if hundredths - below >= Fraction(1, 2) else below


def days_of(start: date, end: date) -> list[date]:
    return [start + n * DAY for n in range((end - start).days)]


def month_length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def once(version: Json) -> bool:
    return bool(version["price"].get("per") == "once")


def runs(request: Json) -> list[tuple[Json, list[date]]]:
    """Which version has which of the charged days, in the order of the days."""
    versions = request.get("versions") or [
        {"effective_from": request["from"], "price": request["price"]}
    ]
    found: list[tuple[Json, list[date]]] = []
    for day in days_of(date.fromisoformat(request["from"]), date.fromisoformat(request["to"])):
        begun = [v for v in versions if v["effective_from"] <= day.isoformat()]
        version = max(begun, key=lambda v: v["effective_from"])
        if found and found[-1][0] is version:
            found[-1][1].append(day)
        elif not found or not once(version):
            found.append((version, [day]))
        elif len(found) == 1 and once(found[0][0]):  # the first single charge is still the one
            found[0][1].append(day)
    return found


def lines(request: Json) -> list[Line]:
    """(amount in fen, from, to) of every line of a price request."""
    charged = days_of(date.fromisoformat(request["from"]), date.fromisoformat(request["to"]))
    return [
        (
            fen(amount(agreed(version["price"], request), days, charged, request)),
            days[0].isoformat(),
            (days[-1] + DAY).isoformat(),
        )
        for version, days in runs(request)
    ]


def agreed(price: Json, request: Json) -> Json:
    """The price as this owner pays it."""
    own = request.get("subject", {}).get("unit_price")
    return price if own is None else {**price, "unit_price": own}


def amount(price: Json, days: list[date], charged: list[date], request: Json) -> Fraction:
    """Exact yuan of one version's days out of all that are charged."""
    match price["method"]:
        case "flat":
            return Fraction(price["unit_price"]) * times(price, days, charged, request)
        case "area":
            area = Fraction(request["subject"]["area_m2"])
            return area * Fraction(price["unit_price"]) * times(price, days, charged, request)
    quantity = used(request) * Fraction(len(days), len(charged))
    if price["method"] == "metered":
        return quantity * Fraction(price["unit_price"])
    return tiered(price, quantity, len(days), Fraction(len(days), len(charged)))


def used(request: Json) -> Fraction:
    if "quantity" in request:
        return Fraction(request["quantity"])
    reading = request["reading"]
    previous, current = Fraction(reading["previous"]), Fraction(reading["current"])
    multiplier = Fraction(reading["multiplier"])
    if "change" in reading:
        old = Fraction(reading["change"]["old_final"]) - previous
        new = current - Fraction(reading["change"]["new_initial"])
        return old * multiplier + new * multiplier
    if "rolls_over_at" in reading:  # what a round dial says
        return (current - previous) % Fraction(reading["rolls_over_at"]) * multiplier
    return (current - previous) * multiplier


def times(price: Json, days: list[date], charged: list[date], request: Json) -> Fraction:
    """How many unit prices these days cost."""
    per, proration = price["per"], price.get("proration", "calendar_month")
    if per == "once":
        return Fraction(1)
    if per == "day":
        return Fraction(len(days))
    if proration == "actual_period":
        period = request["billing_period"]
        whole = date.fromisoformat(period["to"]) - date.fromisoformat(period["from"])
        return Fraction(len(days), whole.days)
    return months(proration, days, charged) / {"month": 1, "quarter": 3, "year": 12}[per]


def months(proration: str, days: list[date], charged: list[date]) -> Fraction:
    if proration == "calendar_month":
        return sum((Fraction(1, month_length(day)) for day in days), Fraction())
    if proration == "fixed_30":
        start, end = days[0], days[-1] + DAY
        start_day, end_day = (30 if day.day == 31 else day.day for day in (start, end))
        return Fraction(
            360 * (end.year - start.year) + 30 * (end.month - start.month) + end_day - start_day,
            30,
        )
    first_charged: dict[tuple[int, int], date] = {}
    for day in charged:
        first_charged.setdefault((day.year, day.month), day)
    return Fraction(sum(1 for day in first_charged.values() if day in days))


def tiered(price: Json, quantity: Fraction, days: int, share: Fraction) -> Fraction:
    """Bounds scale with the version's days; quantity comes already shared."""
    scale = Fraction(days) / Fraction(price["normal_days"]) if "normal_days" in price else share
    tiers = [
        (
            None if tier["up_to"] is None else Fraction(tier["up_to"]) * scale,
            Fraction(tier["unit_price"]),
            Fraction(tier["flat"]) * share,
        )
        for tier in price["tiers"]
    ]
    if price["mode"] == "volume":
        for bound, unit_price, flat in tiers:
            if bound is None or quantity <= bound:
                return quantity * unit_price + flat
    begin = Fraction(price.get("year_to_date", "0")) * share
    return graduated(tiers, begin + quantity) - (graduated(tiers, begin) if begin else 0)


def graduated(
    tiers: list[tuple[Fraction | None, Fraction, Fraction]], quantity: Fraction
) -> Fraction:
    """Empty the quantity into one tier after the other."""
    total, left, lower = tiers[0][2], quantity, Fraction()
    for at, (bound, unit_price, flat) in enumerate(tiers):
        if at > 0 and left > 0:
            total += flat
        room = left if bound is None else min(left, bound - lower)
        total += room * unit_price
        left -= room
        lower = lower if bound is None else bound
    return total


def split(request: Json) -> list[int]:
    """Round every share down, then give single fen to whoever was cut most."""
    total, weights = request["amount_fen"], [Fraction(weight) for weight in request["weights"]]
    sign = -1 if total < 0 else 1
    shares = [Fraction(abs(total)) * weight / sum(weights) for weight in weights]
    parts = [share.numerator // share.denominator for share in shares]
    while sum(parts) < abs(total):
        cut = [share - part for share, part in zip(shares, parts, strict=True)]
        parts[cut.index(max(cut))] += 1
    return [sign * part for part in parts]


def apportion(request: Json) -> tuple[list[int], int]:
    """What every share pays, and what caps cut off."""
    pool = request["amount"]
    yuan = (
        Fraction(pool["quantity"]) * Fraction(pool["unit_price"])
        if isinstance(pool, dict)
        else Fraction(pool)
    )
    parts = split({"amount_fen": fen(yuan), "weights": request["weights"]})
    cap = fen(Fraction(request["cap"])) if "cap" in request else max(parts)
    return [min(part, cap) for part in parts], sum(max(part - cap, 0) for part in parts)


def discounts(request: Json) -> list[Line]:
    """Every charged day carries an equal part of its line; each rule takes from the days it has."""
    span = days_of(date.fromisoformat(request["from"]), date.fromisoformat(request["to"]))
    found = []
    for (charge, _, _), (version, days) in zip(lines(request), runs(request), strict=True):
        left = charge
        for rule in request["discounts"]:
            held = [
                day
                for day in days
                if "from" not in rule or rule["from"] <= day.isoformat() < rule["to"]
            ]
            if once(version):  # not a matter of days
                held = days if days[0] in held else []
            if "percent" in rule:
                one_day = Fraction(charge, 100) * Fraction(rule["percent"]) / 100 / len(days)
            else:
                one_day = Fraction(rule["amount"]) / len(span)
            off = min(fen(one_day * len(held)), left)
            left -= off
            if off:
                found.append((-off, held[0].isoformat(), (held[-1] + DAY).isoformat()))
    return found


def late_days(request: Json, late: list[date]) -> Fraction:
    """The fee of these days, one after the other, before the cap."""
    fee = Fraction()
    for day in late:
        text = day.isoformat()
        if any(frozen["from"] <= text < frozen["to"] for frozen in request.get("freezes", [])):
            continue
        left = Fraction(request["principal"]) - sum(
            Fraction(payment["amount"])
            for payment in request.get("payments", [])
            if payment["on"] < text
        )
        begun = [rate for rate in request["rates"] if rate["effective_from"] <= text]
        rate = max(begun, key=lambda rate: rate["effective_from"])["daily_rate"]
        fee += left * Fraction(rate)
    return fee


def long_late_fee(request: Json) -> int:
    """Fen of a late fee with freezes, payments, a history of rates, and what was charged before."""
    day_one = date.fromisoformat(request["due_on"]) + (request["grace_days"] + 1) * DAY
    as_of = date.fromisoformat(request["as_of"])
    fee = late_days(request, days_of(day_one, as_of + DAY)) if day_one <= as_of else Fraction()
    if request["cap"] != "none":
        cap = request["principal"] if request["cap"] == "principal" else request["cap"]
        fee = min(fee, Fraction(cap))
    return max(fen(fee) - fen(Fraction(request.get("charged", "0"))), 0)


def late_fee(request: Json) -> list[Line]:
    """Count the late days one by one."""
    day_one = date.fromisoformat(request["due_on"]) + (request["grace_days"] + 1) * DAY
    as_of = date.fromisoformat(request["as_of"])
    late = days_of(day_one, as_of + DAY) if day_one <= as_of else []
    if not late:
        return []
    fee = sum(
        (Fraction(request["principal"]) * Fraction(request["daily_rate"]) for _ in late),
        Fraction(),
    )
    if request["cap"] != "none":
        cap = request["principal"] if request["cap"] == "principal" else request["cap"]
        fee = min(fee, Fraction(cap))
    return [(fen(fee), late[0].isoformat(), (late[-1] + DAY).isoformat())]


def due(request: Json) -> str:
    """Move month by month to the base, then walk day by day to the answer."""
    issued_on = date.fromisoformat(request["issued_on"])
    first = issued_on.replace(day=1)
    for _ in range(request["month_offset"]):
        first += month_length(first) * DAY
    day = first.replace(day=min(issued_on.day, month_length(first)))
    while day.day != min(request["day"], month_length(day)) or day == issued_on:
        day += DAY
    return day.isoformat()
