"""Random requests of `mingzhang quote` that have an answer."""

import os
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

Json = dict[str, Any]

SOAK = os.environ.get("MINGZHANG_TEST_PROFILE") == "soak"
many = settings(max_examples=3000 if SOAK else 100, deadline=None)
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


def periodic_prices(pers: list[str]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "method": st.sampled_from(["flat", "area"]),
            "unit_price": decimals(5000),
            "per": st.sampled_from(pers),
        },
        optional={"proration": st.sampled_from(PRORATIONS)},
    )


metered_prices = st.fixed_dictionaries({"method": st.just("metered"), "unit_price": decimals(50)})


@st.composite
def tiered_prices(draw: st.DrawFn) -> Json:
    """Bounds, flats and options that go together."""
    bounds = draw(st.lists(fifties | st.integers(1, 400), max_size=4, unique=True).map(sorted))
    year_to_date = draw(st.none() | decimals(900, 2))
    normal_days = draw(st.none() | st.integers(1, 40)) if year_to_date is None else None
    flats = st.just("0") if year_to_date is not None else st.just("0") | decimals(30, 2)
    price: Json = {
        "method": "tiered",
        "mode": draw(st.sampled_from(["graduated", "volume"])),
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
    """A quantity or two readings."""
    if draw(st.booleans()):
        return {"quantity": draw(fifties.map(str) | decimals(600, 3))}
    previous, current = sorted(draw(st.tuples(st.integers(0, 9999), st.integers(0, 9999))))
    multiplier = draw(st.sampled_from(["1", "40", "0.5"]))
    return {
        "reading": {
            "previous": f"{previous / 10:.1f}",
            "current": f"{current / 10:.1f}",
            "multiplier": multiplier,
        }
    }


def prices() -> st.SearchStrategy[st.SearchStrategy[Json]]:
    """Families of prices whose versions may follow each other."""
    return st.sampled_from(
        [
            periodic_prices(["month", "quarter", "year", "day"]),
            periodic_prices(["once"]),
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
def version_requests(draw: st.DrawFn) -> Json:
    """Several versions of one family, in any order."""
    family = draw(prices())
    request = draw(price_requests(family))
    starts = draw(version_starts(request))
    del request["price"]
    versions = [{"effective_from": start, "price": draw(family)} for start in starts]
    return {"versions": versions, **request}


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
