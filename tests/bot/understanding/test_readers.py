"""Rooms, periods, amounts and numbers: exact, or nothing at all."""

from collections.abc import Callable
from decimal import Decimal

import cn2an
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.understanding import read_amount, read_period, read_room
from bot.understanding.numerals import read_int, read_number
from tests.bot.understanding.examples import TODAY, rows

READERS: dict[str, Callable[[str], str | int | None]] = {
    "rooms": read_room,
    "periods": lambda text: read_period(text, TODAY),
    "amounts": read_amount,
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("part", ["seen", "last"])
def test_every_example_is_read_exactly(kind: str, part: str) -> None:
    read = READERS[kind]
    examples = [(row["text"], row["expected"]) for row in rows(f"{kind}_{part}")]
    wrong = [(text, want, read(text)) for text, want in examples if read(text) != want]
    assert wrong == []


@given(st.integers(0, 99_999_999))
def test_written_numbers_are_read_as_cn2an_writes_them(number: int) -> None:
    assert read_int(cn2an.an2cn(str(number))) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("四百六", 460), ("二千零六", 2006), ("1千2", 1200), ("3.5万", 35000), ("五零一", 501)],
)
def test_spoken_numbers_are_read_where_cn2an_fails(text: str, number: int) -> None:
    assert read_number(text) == Decimal(number)


@pytest.mark.parametrize("text", ["七八百", "百", "十二零三", "元", ""])
def test_what_is_not_exactly_one_number_is_none(text: str) -> None:
    assert read_number(text) is None


@given(st.integers(1, 99), st.integers(1, 9), st.integers(1, 33), st.integers(1, 9))
def test_a_room_is_the_same_however_it_is_written(
    building: int, entrance: int, floor: int, door: int
) -> None:
    number = f"{floor}{door:02}"
    expected = f"{building}-{entrance}-{number}"
    assert read_room(f"{building}栋{entrance}单元{number}") == expected
    assert read_room(f"{cn2an.an2cn(building)}号楼{entrance}单元{number}室") == expected
    assert read_room(f"{building:02}-{entrance}-{number:0>4}") in (expected, None)


@given(st.integers(1, 10_000_000))
def test_an_amount_is_exact_to_the_fen(fen: int) -> None:
    yuan = f"{fen // 100}.{fen % 100:02}"
    assert read_amount(f"{yuan}元") == fen
    assert read_amount(f"¥{yuan}") == fen


@given(st.text(max_size=60))
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in READERS.values():
        read(text)
