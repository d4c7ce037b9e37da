"""The package's README shows requests with their answers; they are what the program says."""

import json
import re
from pathlib import Path

import pytest

from billing.pricing import explain, parse_basis, parse_price, price_to_json, recompute
from billing.pricing.quote import answer
from tests.billing.pricing.quote_requests import Json

README = Path(__file__).resolve().parents[3] / "billing" / "pricing" / "README.md"


def documents(heading: str) -> list[Json]:
    """The JSON documents in the fenced blocks of a `##` section."""
    (section,) = re.findall(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", README.read_text(encoding="utf-8"), re.M | re.S
    )
    text = "".join(re.findall(r"```json\n(.*?)```", section, re.S))
    found, decoder = [], json.JSONDecoder()
    while text.strip():
        document, end = decoder.raw_decode(text.lstrip())
        found.append(document)
        text = text.lstrip()[end:]
    return found


def test_every_price_shown_is_one() -> None:
    for price in documents("Prices"):
        stored = price_to_json(parse_price(price))
        assert parse_price(stored) == parse_price(price)
        assert stored.keys() >= price.keys()


def requests() -> list[tuple[Json, Json]]:
    """Every request shown with the answer below it."""
    shown = documents("Requests")
    return list(zip(shown[::2], shown[1::2], strict=True))


@pytest.mark.parametrize(("request_", "expected"), requests())
def test_every_request_has_the_answer_shown(request_: Json, expected: Json) -> None:
    assert answer(request_) == expected


@pytest.mark.parametrize("stored", documents("Basis"))
def test_every_basis_shown_is_stored_so(stored: Json) -> None:
    assert parse_basis(stored).to_json() == stored
    assert recompute(stored).yuan.replace("-", "−") in explain(stored)
