"""Every kind of request, at random, against the slow oracle; and what must hold for all of them."""

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.period import DateRange
from billing.pricing import TariffVersion, parse_price, price_period, recompute
from billing.pricing.basis import parse_basis
from billing.pricing.charge import Subject
from billing.pricing.fields import Fields, read_range
from billing.pricing.quote import answer
from billing.pricing.usage import read_usage
from tests.billing.pricing import quote_oracle
from tests.billing.pricing.explanation_checker import Checked
from tests.billing.pricing.quote_requests import (
    PERS,
    Json,
    agreed_requests,
    dues,
    late_fees,
    many,
    metered_prices,
    periodic_prices,
    price_requests,
    splits,
    tiered_prices,
    version_requests,
    version_starts,
)


def lines(found: Json) -> list[quote_oracle.Line]:
    assert "error" not in found, found
    assert found["total_fen"] == sum(line["amount_fen"] for line in found["lines"])
    return [(line["amount_fen"], line["from"], line["to"]) for line in found["lines"]]


@pytest.mark.parametrize("method", ["flat", "area"])
@many
@given(st.data())
def test_prices_for_time_agree_with_counting_days(method: str, data: Any) -> None:
    request = data.draw(price_requests(periodic_prices(PERS, (method,))))
    assert lines(answer(request)) == quote_oracle.lines(request)


@many
@given(price_requests(metered_prices))
def test_metered_prices_agree(request: Json) -> None:
    assert lines(answer(request)) == quote_oracle.lines(request)


@pytest.mark.parametrize("mode", ["graduated", "volume"])
@many
@given(st.data())
def test_tiers_agree_with_emptying_them_one_by_one(mode: str, data: Any) -> None:
    request = data.draw(price_requests(tiered_prices(mode)))
    assert lines(answer(request)) == quote_oracle.lines(request)


@many
@given(version_requests())
def test_versions_agree_with_asking_every_day_for_its_version(request: Json) -> None:
    assert lines(answer(request)) == quote_oracle.lines(request)


@many
@given(agreed_requests())
def test_prices_agreed_with_one_owner_agree(request: Json) -> None:
    assert lines(answer(request)) == quote_oracle.lines(request)


@many
@given(splits)
def test_a_split_agrees_with_handing_out_single_fen(request: Json) -> None:
    parts = answer({"split": request})["parts_fen"]
    assert parts == quote_oracle.split(request)
    assert sum(parts) == request["amount_fen"]


@many
@given(splits)
def test_a_negative_split_mirrors_the_positive_one(request: Json) -> None:
    mirrored = {**request, "amount_fen": -request["amount_fen"]}
    parts = answer({"split": request})["parts_fen"]
    assert answer({"split": mirrored})["parts_fen"] == [-part for part in parts]


@many
@given(late_fees())
def test_late_fees_agree_with_counting_late_days(request: Json) -> None:
    assert lines(answer({"late_fee": request})) == quote_oracle.late_fee(request)


@many
@given(dues)
def test_due_dates_agree_with_walking_the_calendar(request: Json) -> None:
    assert answer({"due": request}) == {"due_on": quote_oracle.due(request)}


def exact_total(request: Json, starts: list[str]) -> Fraction:
    """Unrounded sum over versions of the request's one price that begin on these days."""
    fields = Fields(request, "")
    price, area = parse_price(request["price"]), fields.object("subject").number("area_m2")
    priced = price_period(
        [TariffVersion(Fields({"on": start}, "").day("on"), price) for start in starts],
        read_range(fields),
        Subject(area),
        usage=read_usage(fields),
        billing_period=DateRange(
            fields.object("billing_period").day("from"), fields.object("billing_period").day("to")
        ),
    )
    return sum((parse_basis(line.basis).exact for line in priced), Fraction())


@many
@given(st.data())
def test_versions_of_equal_price_never_change_the_exact_total(data: Any) -> None:
    request = data.draw(price_requests())
    starts = data.draw(version_starts(request))
    assert exact_total(request, starts) == exact_total(request, [request["from"]])


@many
@given(version_requests())
def test_a_stored_basis_gives_the_amount_and_the_exact_sentence_again(request: Json) -> None:
    fields = Fields(request, "")
    versions = [
        TariffVersion(Fields(item, "").day("effective_from"), parse_price(item["price"]))
        for item in request["versions"]
    ]
    priced = price_period(
        versions,
        read_range(fields),
        Subject(fields.object("subject").number("area_m2")),
        usage=read_usage(fields),
        billing_period=read_range(fields.object("billing_period")),
    )
    for line, shown in zip(priced, answer(request)["lines"], strict=True):
        stored = json.loads(json.dumps(line.basis))
        assert recompute(stored) == line.amount == Money(shown["amount_fen"])
        assert Checked(shown["explanation"]).exact == parse_basis(stored).exact
