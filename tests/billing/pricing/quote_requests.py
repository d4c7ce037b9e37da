"""Random requests of `mingzhang quote` that have an answer."""

import os
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

Json = dict[str, Any]

SOAK = os.environ.get("MINGZHANG_TEST_PROFILE") == "soak"
many = settings(max_examples=3000 if SOAK else 25, deadline=None)
"""How often a property is tried: a taste in `make test`, thousands in `make soak`."""

PRORATIONS = ["calendar_month", "fixed_30", "actual_period", "none"]


def decimals(top: int, places: int = 4) -> st.SearchStrategy[str]:
    """Plain decimal strings from 0 to `top`, with up to `places` decimals."""
    return st.decimals(0, top, places=places).map(lambda value: format(value, "f")) | st.integers(
        0, top
    ).map(str)


fifties = st.integers(1, 8).map(lambda n: 50 * n)
"""Shared by bounds and quantities, so that a quantity often lies exactly on a bound."""

days = st.dates(date(2023, 1, 1), date(2029, 1, 1))
month_ends = st.sampled_from(
    [date(2024, 2, 29), date(2023, 2, 28), date(2026, 1, 31), date(2026, 12, 31), date(2026, 3, 1)]
)


@st.composite
def spans(draw: st.DrawFn) -> Json:
    """`from` and `to`, with a billing period around them."""
    start = draw(days | month_ends)
    end = start + timedelta(days=draw(st.integers(1, 70) | st.integers(1, 800)))
    before, after = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    return {
        "from": start.isoformat(),
        "to": end.isoformat(),
        "billing_period": {
            "from": (start - timedelta(days=before)).isoformat(),
            "to": (end + timedelta(days=after)).isoformat(),
        },
    }


PERS = ["month", "quarter", "year", "day", "once"]


def periodic_prices(
    pers: list[str], methods: tuple[str, ...] = ("flat", "area")
) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "method": st.sampled_from(methods),
            "unit_price": decimals(5000),
            "per": st.sampled_from(pers),
        },
        optional={"proration": st.sampled_from(PRORATIONS)},
    )


metered_prices = st.fixed_dictionaries({"method": st.just("metered"), "unit_price": decimals(50)})


@st.composite
def tiered_prices(draw: st.DrawFn, mode: str | None = None) -> Json:
    """Bounds, flats and options that go together; of one mode, or of either."""
    bounds = draw(st.lists(fifties | st.integers(1, 400), max_size=4, unique=True).map(sorted))
    year_to_date = None if mode == "volume" else draw(st.none() | decimals(900, 2))
    normal_days = draw(st.none() | st.integers(1, 40)) if year_to_date is None else None
    flats = st.just("0") if year_to_date is not None else st.just("0") | decimals(30, 2)
    price: Json = {
        "method": "tiered",
        "mode": draw(st.sampled_from(["graduated", "volume"] if mode is None else [mode])),
        "tiers": [
            {"up_to": up_to, "unit_price": draw(decimals(20)), "flat": draw(flats)}
            for up_to in [*map(str, bounds), None]
        ],
    }
    if year_to_date is not None:
        price |= {"mode": "graduated", "year_to_date": year_to_date}
    if normal_days is not None:
        price["normal_days"] = normal_days
    return price


@st.composite
def usages(draw: st.DrawFn) -> Json:
    """A quantity, or two readings of one meter, of two, or of one that may roll over at 1000."""
    if draw(st.booleans()):
        return {"quantity": draw(fifties.map(str) | decimals(600, 3))}
    return {"reading": draw(readings())}


@st.composite
def readings(draw: st.DrawFn) -> Json:
    """Tenths of a step, on a meter that shows up to 999.9."""
    tenths = st.integers(0, 9999).map(lambda count: f"{count // 10}.{count % 10}")
    ascending = st.tuples(tenths, tenths).map(lambda pair: sorted(pair, key=Fraction))
    reading: Json = {"multiplier": draw(st.sampled_from(["1", "40", "0.5"]))}
    match draw(st.sampled_from(["plain", "change", "roll"])):
        case "change":
            previous, old_final = draw(ascending)
            initial, current = draw(ascending)
            reading["change"] = {"old_final": old_final, "new_initial": initial}
        case "roll":
            previous, current = draw(tenths), draw(tenths)
            reading["rolls_over_at"] = draw(st.sampled_from(["1000", "1e3"]))
        case _:
            previous, current = draw(ascending)
    return {"previous": previous, "current": current, **reading}


def prices() -> st.SearchStrategy[st.SearchStrategy[Json]]:
    """Families of prices whose versions may follow each other."""
    return st.sampled_from(
        [
            periodic_prices(["month", "quarter", "year", "day"]),
            periodic_prices(["once"]),
            periodic_prices(PERS),  # single charges before, between and after others
            metered_prices,
            tiered_prices(),
        ]
    )


@st.composite
def price_requests(draw: st.DrawFn, family: st.SearchStrategy[Json] | None = None) -> Json:
    """One price and everything a price could need."""
    family = draw(prices()) if family is None else family
    subject = {"subject": {"area_m2": draw(decimals(300, 2))}}
    return {"price": draw(family), **draw(spans()), **subject, **draw(usages())}


@st.composite
def version_starts(draw: st.DrawFn, request: Json) -> list[str]:
    """Different days on which versions begin, the first not after the span does."""
    start, end = date.fromisoformat(request["from"]), date.fromisoformat(request["to"])
    within = st.dates(start, end + timedelta(days=20))
    later = draw(st.lists(within, max_size=3, unique=True))
    first = start - timedelta(days=draw(st.integers(0, 40)))
    return [day.isoformat() for day in draw(st.permutations(sorted({first, *later})))]


@st.composite
def version_requests(draw: st.DrawFn, family: st.SearchStrategy[Json] | None = None) -> Json:
    """Several versions of one family, in any order."""
    family = draw(prices()) if family is None else family
    request = draw(price_requests(family))
    starts = draw(version_starts(request))
    del request["price"]
    versions = [{"effective_from": start, "price": draw(family)} for start in starts]
    return {"versions": versions, **request}


@st.composite
def agreed_requests(draw: st.DrawFn) -> Json:
    """Versions of a price, with a unit price of the owner's own instead."""
    family = draw(st.sampled_from([periodic_prices(PERS), metered_prices]))
    request = draw(version_requests(family))
    return {**request, "subject": {**request["subject"], "unit_price": draw(decimals(50))}}


splits = st.fixed_dictionaries(
    {
        "amount_fen": st.integers(-100_000, 100_000),
        "weights": st.lists(decimals(200, 2), min_size=1, max_size=12).filter(
            lambda weights: any(Fraction(weight) > 0 for weight in weights)
        ),
    }
)


@st.composite
def late_fees(draw: st.DrawFn) -> Json:
    """Due before or after the day it is looked at, with and without a cap that bites."""
    due_on = draw(days)
    return {
        "principal": draw(decimals(5000, 2)),
        "due_on": due_on.isoformat(),
        "as_of": (due_on + timedelta(days=draw(st.integers(-20, 800)))).isoformat(),
        "daily_rate": draw(decimals(1, 5)),
        "grace_days": draw(st.integers(0, 60)),
        "cap": draw(st.sampled_from(["principal", "none"]) | decimals(500, 2)),
    }


dues = st.fixed_dictionaries(
    {
        "issued_on": (days | month_ends).map(date.isoformat),
        "day": st.integers(1, 31),
        "month_offset": st.integers(0, 14),
    }
)


def cents(top: int) -> st.SearchStrategy[str]:
    """Yuan with whole fen from 0 to `top`."""
    return st.integers(0, top * 100).map(lambda fen: f"{fen // 100}.{fen % 100:02d}")


pools = cents(5000) | st.fixed_dictionaries(
    {"quantity": decimals(2000, 2), "unit_price": decimals(5, 4)}
)
apportions = st.fixed_dictionaries(
    {
        "amount": pools,
        "by": st.sampled_from(["area", "household", "usage"]),
        "weights": st.lists(
            st.sampled_from(["1", "1", "2"]) | decimals(200, 2), min_size=1, max_size=12
        ).filter(lambda weights: any(Fraction(weight) > 0 for weight in weights)),
    },
    optional={"cap": cents(300)},
)


def ranges(first: date, last: date) -> st.SearchStrategy[Json]:
    """Half-open ranges of days that begin between two days."""
    return st.tuples(st.dates(first, last), st.integers(1, 60)).map(
        lambda pair: {
            "from": pair[0].isoformat(),
            "to": (pair[0] + timedelta(days=pair[1])).isoformat(),
        }
    )


@st.composite
def discount_rules(draw: st.DrawFn, start: date, end: date) -> Json:
    """A percent or an amount, on all days or on some that need not be charged ones."""
    dates = ranges(start - timedelta(days=40), end + timedelta(days=10))
    return {
        "reason": draw(st.sampled_from(["vacant", "prepaid_year", "agreed"])),
        **draw(
            st.fixed_dictionaries({"percent": st.integers(0, 100).map(str) | decimals(100, 2)})
            | st.fixed_dictionaries({"amount": cents(200)})
        ),
        **draw(st.just({}) | dates),
    }


@st.composite
def discount_requests(draw: st.DrawFn) -> Json:
    """Versions of any family of prices, and rules in an order."""
    request = draw(version_requests())
    start, end = date.fromisoformat(request["from"]), date.fromisoformat(request["to"])
    rules = draw(st.lists(discount_rules(start, end), min_size=1, max_size=4))
    return {**request, "discounts": rules}


@st.composite
def long_late_fees(draw: st.DrawFn) -> Json:
    """Late fees with a history of rates, freezes that may overlap, and payments."""
    request = draw(late_fees())
    due_on = date.fromisoformat(request["due_on"])
    request["as_of"] = (due_on + timedelta(days=draw(st.integers(-5, 250)))).isoformat()
    del request["daily_rate"]
    near = st.dates(due_on - timedelta(days=30), due_on + timedelta(days=300))
    later = draw(st.lists(near, max_size=3, unique=True))
    rates = [
        {"effective_from": day.isoformat(), "daily_rate": draw(decimals(1, 5))}
        for day in {due_on - timedelta(days=31), *later}
    ]
    total = int(Fraction(request["principal"]) * 100)
    shares = draw(st.lists(st.integers(0, 33), max_size=3))
    paid = [total * share // 100 for share in shares]
    if draw(st.booleans()):  # paid off at last
        paid.append(total - sum(paid))
    payments = [
        {"on": draw(near).isoformat(), "amount": f"{fen // 100}.{fen % 100:02d}"} for fen in paid
    ]
    freezes = draw(st.lists(ranges(due_on, due_on + timedelta(days=200)), max_size=3))
    charged = draw(st.none() | cents(300))
    optional = {"payments": payments, "freezes": freezes, "charged": charged}
    return {**request, "rates": rates, **{key: found for key, found in optional.items() if found}}
