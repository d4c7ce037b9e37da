"""A cell is read as what its column holds, or refused with a sentence."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.imports.cells import (
    choice,
    read_area,
    read_code,
    read_day,
    read_decimal,
    read_document,
    read_last_day,
    read_money,
    read_name,
    read_number,
    read_payment,
    read_percent,
    read_phone,
    read_room,
    read_subject,
    read_text,
    whole,
)
from billing.imports.reasons import Reason, Unreadable
from billing.money import Money
from billing.property import SubjectKind

TAKEN: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (read_room, "3-2-501", "3-2-501"),
    (read_room, " ３－２－５０１ ", "3-2-501"),
    (read_room, "3号楼2单元501室", "3-2-501"),
    (read_room, "3栋501", "3-501"),
    (read_room, "a—1201", "A-1201"),
    (read_subject, "b1-088", "B1-088"),
    (read_subject, "地面 12", "地面12"),
    (read_text, 3.0, "3"),
    (read_text, " 3号楼　东 ", "3号楼 东"),
    (read_name, "Ｗ－１", "W-1"),
    (read_phone, 13800000000.0, "13800000000"),
    (read_phone, "+86 (138) 0000-0000", "+8613800000000"),
    (read_number, "１，２３４．５０", Decimal("1234.50")),
    (read_number, "1,234,567", Decimal(1234567)),
    (read_number, 0.1 + 0.2, Decimal("0.3")),
    (read_number, 1e5, Decimal(100000)),
    (read_number, -0.0, Decimal(0)),
    (read_money, 0.1 + 0.2, Money(30)),
    (read_money, "275.8", Money(27580)),
    (read_money, 0, Money(0)),
    (read_area, 98.5, Decimal("98.5")),
    (read_percent, 100, Decimal(100)),
    (whole(-9, 200), "-1", -1),
    (read_day, date(2026, 11, 1), date(2026, 11, 1)),
    (read_day, datetime(2026, 11, 1, 15, 30), date(2026, 11, 1)),  # noqa: DTZ001  # as Excel has it
    (read_day, 46327, date(2026, 11, 1)),
    (read_day, 46327.0, date(2026, 11, 1)),
    (read_day, "2026-11-01", date(2026, 11, 1)),
    (read_day, "2026/11/1", date(2026, 11, 1)),
    (read_day, "2026.11.1", date(2026, 11, 1)),
    (read_day, "2026年11月1日", date(2026, 11, 1)),
    (read_day, "２０２６-１１-０１", date(2026, 11, 1)),
    (read_day, "20261101", date(2026, 11, 1)),
    (read_day, 20261101, date(2026, 11, 1)),
    (read_day, "2026-11-01 00:00:00", date(2026, 11, 1)),
    (read_last_day, "2026-12-31", date(2027, 1, 1)),
    (choice(SubjectKind), "车位", SubjectKind.PARKING),
    (choice(SubjectKind), "parking", SubjectKind.PARKING),
]


@pytest.mark.parametrize(("read", "cell", "value"), TAKEN)
def test_a_cell_is_taken_as_people_type_it(
    read: Callable[[Any], Any], cell: Any, value: Any
) -> None:
    found = read(cell)
    assert (found, type(found)) == (value, type(value))


REFUSED: list[tuple[Callable[[Any], Any], Any, Reason]] = [
    (read_room, "501", Reason.NOT_ROOM),
    (read_room, "3-2-501/502", Reason.NOT_ROOM),
    (read_room, "3-2-501附", Reason.NOT_ROOM),
    (read_room, "3-2-501-1", Reason.NOT_ROOM),
    (read_room, date(2003, 1, 2), Reason.TURNED_INTO_DATE),
    (read_text, True, Reason.NOT_TEXT),
    (read_text, 1.5, Reason.NOT_TEXT),
    (read_text, time(12), Reason.NOT_TEXT),
    (read_text, "a\x00b", Reason.UNPRINTABLE),
    (read_text, "张\u202e三", Reason.UNPRINTABLE),
    (read_text, "长" * 201, Reason.TOO_LONG),
    (read_document, "长" * 65, Reason.TOO_LONG),
    (read_text, 1234567890123456.0, Reason.DIGITS_LOST),
    (read_text, float("nan"), Reason.DIGITS_LOST),
    (read_code, "Property", Reason.NOT_CODE),
    (read_code, "物业费", Reason.NOT_CODE),
    (read_phone, "无", Reason.NOT_PHONE),
    (read_number, "NaN", Reason.NOT_NUMBER),
    (read_number, float("nan"), Reason.NOT_NUMBER),
    (read_number, float("inf"), Reason.NOT_NUMBER),
    (read_number, "inf", Reason.NOT_NUMBER),
    (read_number, "1e5", Reason.NOT_NUMBER),
    (read_number, "12,34", Reason.NOT_NUMBER),
    (read_number, "1 234", Reason.NOT_NUMBER),
    (read_number, "两百", Reason.NOT_NUMBER),
    (read_number, True, Reason.NOT_NUMBER),
    (read_number, date(2026, 1, 1), Reason.NOT_NUMBER),
    (read_number, "9" * 40, Reason.NOT_NUMBER),
    (read_number, -1, Reason.NEGATIVE),
    (read_number, "−5", Reason.NEGATIVE),
    (read_number, 1e9 + 1, Reason.OUT_OF_RANGE),
    (read_number, 1e300, Reason.OUT_OF_RANGE),
    (read_money, 1.005, Reason.TOO_MANY_DECIMALS),
    (read_money, "-3", Reason.NEGATIVE),
    (read_payment, 0, Reason.NOT_ABOVE_ZERO),
    (read_area, 0, Reason.NOT_ABOVE_ZERO),
    (read_area, 98.505, Reason.TOO_MANY_DECIMALS),
    (read_percent, 100.1, Reason.OUT_OF_RANGE),
    (whole(1, 28), 29, Reason.OUT_OF_RANGE),
    (whole(1, 28), 1.5, Reason.NOT_WHOLE),
    (read_day, "2026-02-30", Reason.NOT_DATE),
    (read_day, "2026-13-01", Reason.NOT_DATE),
    (read_day, "46327", Reason.NOT_DATE),
    (read_day, "明天", Reason.NOT_DATE),
    (read_day, "2026-11-01 15:30", Reason.NOT_DATE),
    (read_day, True, Reason.NOT_DATE),
    (read_day, -5, Reason.OUT_OF_RANGE),
    (read_day, 9e14, Reason.NOT_DATE),
    (read_day, 1, Reason.OUT_OF_RANGE),
    (read_day, "1026-11-01", Reason.OUT_OF_RANGE),
    (read_day, date(2199, 1, 1), Reason.OUT_OF_RANGE),
    (choice(SubjectKind), "仓库", Reason.NOT_CHOICE),
    (choice(SubjectKind), 1, Reason.NOT_CHOICE),
    (choice(SubjectKind, (SubjectKind.HOME,)), "车位", Reason.NOT_CHOICE),
]


@pytest.mark.parametrize(("read", "cell", "reason"), REFUSED)
def test_anything_else_is_refused_with_its_reason(
    read: Callable[[Any], Any], cell: Any, reason: Reason
) -> None:
    with pytest.raises(Unreadable) as refused:
        read(cell)
    assert refused.value.args == (reason.value,)
    assert "{" not in refused.value.sentence


def test_a_telephone_number_is_never_quoted() -> None:
    with pytest.raises(Unreadable) as refused:
        read_phone("1380000000x")
    assert "138" not in refused.value.sentence


CELLS = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.times(),
    st.timedeltas(), st.from_regex(r"[-+０-９0-9,.年月日/ ]{0,14}", fullmatch=True),
)  # fmt: skip
READERS = sorted({case[0] for case in (*TAKEN, *REFUSED)}, key=str)


@given(st.sampled_from(READERS), CELLS)
def test_no_cell_is_a_traceback(read: Callable[[Any], Any], cell: Any) -> None:
    with suppress(Unreadable):
        read(cell)


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_every_amount_excel_can_hold_comes_back_to_the_fen(amount: Decimal) -> None:
    assert read_money(float(amount)) == read_money(f"{amount:,}") == Money(int(amount * 100))


@given(st.decimals(min_value=0, max_value=10**6, places=6))
def test_as_does_every_number(number: Decimal) -> None:
    assert read_decimal(float(number)) == number
