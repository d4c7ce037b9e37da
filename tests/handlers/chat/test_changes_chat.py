"""Why is it so much: every change in yuan, and together the difference."""

import re
from datetime import date

import pytest

from tests.billing.paper import Line, write_bill
from tests.town import Town

ROOM = "3-2-501"
DECEMBER = (date(2026, 12, 1), date(2027, 1, 1))


def water(yuan: str, quantity: str, price: str = "3.45") -> Line:
    basis = {"method": "metered", "unit_price": price, "quantity": quantity}
    return Line(yuan, "garbage", DECEMBER, basis=basis)


@pytest.fixture
def december(town: Town) -> Town:
    """A bill with usage where there was a flat fee, and the rest as it was."""
    with town.world.database.transaction() as session:
        write_bill(
            session, town.world, ROOM, [Line("250.00", "property", DECEMBER), water("69.00", "20")],
            issued_on=date(2026, 12, 1), due=date(2026, 12, 20),
        )  # fmt: skip
    return town


def parts(text: str) -> tuple[int, int]:
    """The difference an answer states, and the sum of its parts, in fen."""
    stated = re.search(r"(多|少) ([\d,.]+) 元", text)
    assert stated
    sign = 1 if stated[1] == "多" else -1
    figures = re.findall(r"：([+-][\d,.]+) 元", text.split("\n\n")[1])
    fen = [round(float(figure.replace(",", "")) * 100) for figure in figures]
    return sign * round(float(stated[2].replace(",", "")) * 100), sum(fen)


def test_nothing_changed_is_said(town: Town) -> None:
    town.owner(ROOM).says("怎么这个月物业费变了").shows("2026年11月账单", "没有变化")


def test_what_changed_sums_to_the_difference(december: Town) -> None:
    heard = december.owner(ROOM).says("账单为什么跟以前不一样")
    heard.shows("2026年12月账单", "与2026年11月相比", "计算方式", "本期没有")
    stated, summed = parts(heard.text)
    assert stated == summed != 0


def test_only_the_fee_that_was_asked_about(december: Town) -> None:
    december.owner(ROOM).says("物业费为什么变了").shows("（物业费）").hides("生活垃圾", "停车")


def test_the_first_bill_has_nothing_to_compare_with(town: Town) -> None:
    town.owner(ROOM).says("费用变化 7月").shows("2026年7月账单", "第一期账单")


def test_a_month_without_a_bill_has_no_change(town: Town) -> None:
    town.owner(ROOM).says("费用变化 2025年1月").shows("没有查到")
