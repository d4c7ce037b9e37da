"""Stories about bills and payments: short, exact, and nobody else's."""

import re

import pytest
from sqlalchemy import select

from billing.bill_lines import list_lines
from billing.bills import list_unpaid
from billing.money import Money
from billing.property import Unit
from handlers.chat.scope import Months, read_months, same_room
from notify.wording import yuan
from tests.phone import Heard
from tests.town import Town


def shown_yuan(text: str) -> list[Money]:
    """Amounts in an answer, in order."""
    return [Money.from_yuan(found.replace(",", "")) for found in re.findall(r"[\d,]+\.\d\d", text)]


def owed(town: Town, room: str) -> Money:
    unit = town.world.unit(room)
    with town.world.database.transaction() as session:
        unpaid = list_unpaid(session, unit.community_id, [unit.id])
    return Money(sum(bill.outstanding.fen for bill in unpaid))


def link_names(heard: Heard, town: Town, room: str) -> bool:
    """The first link is the page of this home, and a phone finds its end."""
    unit = town.world.unit(room)
    ref = town.services.links.read_home(heard.urls[0].rpartition("/")[2])
    return ref is not None and (ref.community_id, ref.unit_id) == (unit.community_id, unit.id)


def test_the_bill_says_total_due_date_parts_and_link(town: Town) -> None:
    heard = town.owner("3-2-501").says("账单")
    heard.shows("花园小区 3-2-501", "待缴 401.80 元", "2026年11月30日截止")
    heard.shows("物业费 275.80", "车位管理费 120.00", "生活垃圾处理费 6.00")
    assert link_names(heard, town, "3-2-501")


def test_the_parts_sum_to_the_total(town: Town) -> None:
    heard = town.owner("1-1-302").says("账单")
    total, *parts = shown_yuan(heard.text.split("\n\n")[0])
    assert total == owed(town, "1-1-302")
    assert Money(sum(part.fen for part in parts)) == total


def test_arrears_are_named_with_their_days(town: Town) -> None:
    heard = town.owner("1-1-302").says("账单")
    heard.shows("2026年8月", "已逾期 84 天", "2026年11月30日截止")


def test_who_owes_nothing_is_thanked_and_sees_the_last_payment(town: Town) -> None:
    zhang = town.owner("3-2-501")
    town.pay_everything("3-2-501")
    heard = zhang.says("账单")
    heard.shows("没有待缴账单", "最近一次缴费：2026年11月23日 401.80 元")
    assert link_names(heard, town, "3-2-501")
    zhang.says("缴费").shows("不用缴费")
    zhang.says("明细").shows("已缴清")


def test_a_home_that_never_had_a_bill_is_told_so(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("账单 2020-01").shows("没有查到这段时间的账单", "其他月份还有待缴")
    zhang.says("明细 2020-01").shows("没有查到")
    zhang.says("历史账单 2020-01").shows("没有查到")
    zhang.says("缴费记录 2020-01").shows("没有到账的缴费")


def test_a_part_payment_shows_in_what_is_left(town: Town) -> None:
    zhang = town.owner("3-2-501")
    town.pay("3-2-501", Money.from_yuan("100.00"))
    zhang.says("账单").shows("待缴 301.80 元", "已缴 100.00 元")


def test_a_month_that_was_paid_says_so(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("账单 2026-09").shows("2026年9月 401.80 元，已缴清", "其他月份还有待缴 401.80 元")


def test_every_home_has_its_own_total_and_link(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(f"绑定 {town.code_for('1-1-302')}").shows("绑定成功")
    heard = zhang.says("账单")
    both = owed(town, "3-2-501") + owed(town, "1-1-302")
    heard.shows(f"共待缴 {yuan(both)} 元", "3-2-501", "1-1-302", "含逾期账单")
    assert len(heard.urls) == 2
    zhang.says("账单 1-1-302").shows("1-1-302", "已逾期").hides("3-2-501")
    zhang.says("账单 1-302").shows("1-1-302").hides("3-2-501")


def test_more_homes_than_a_message_holds_are_counted(town: Town) -> None:
    landlord = town.phone("o-landlord")
    with town.world.database.transaction() as session:
        rooms = session.scalars(select(Unit.room)).all()
    for room in rooms:
        landlord.says(f"绑定 {town.code_for(room)}").shows("绑定成功")
    heard = landlord.says("账单")
    assert len(heard.text.encode()) <= 2048
    left_out = int(re.findall(r"另有 (\d+) 套", heard.text)[0])
    assert left_out + len(heard.urls) == len(rooms)
    landlord.says("我的房屋").shows(*rooms)


def test_the_detail_shows_every_line_with_its_arithmetic(town: Town) -> None:
    heard = town.owner("3-2-501").says("明细")
    heard.shows("2026年11月账单 401.80 元", "98.50㎡ × 2.80元/㎡·月", "= 275.80元", "120.00元")
    unit = town.world.unit("3-2-501")
    with town.world.database.transaction() as session:
        [bill] = list_unpaid(session, unit.community_id, [unit.id])
        for line in list_lines(session, unit.community_id, [bill.id]):
            heard.shows(f"{line.item_name}")
            heard.shows(f"{yuan(line.amount)} 元")


def test_the_detail_of_a_named_month_and_fee(town: Town) -> None:
    heard = town.owner("3-2-501").says("明细 2026-08 物业费")
    heard.shows("2026年8月账单", "2.60元/㎡·月").hides("生活垃圾")


def test_with_several_homes_the_last_one_talked_about_is_meant(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(f"绑定 {town.code_for('1-1-302')}").shows("绑定成功")
    zhang.says("明细").shows("1-1-302")
    zhang.says("账单 3-2-501").shows("3-2-501")
    zhang.says("明细").shows("3-2-501").hides("1-1-302")
    zhang.says("历史账单").shows("3-2-501").hides("1-1-302")


def test_with_several_homes_and_no_memory_the_bot_asks_which(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(f"绑定 {town.code_for('1-1-302')}").shows("绑定成功")
    town.forget(zhang)
    zhang.says("明细").shows("哪一套", "1. 3-2-501", "2. 1-1-302")
    zhang.says("2").shows("1-1-302", "账单")


def test_history_shows_paid_and_unpaid_months_latest_first(town: Town) -> None:
    heard = town.owner("3-2-501").says("历史账单")
    heard.shows("2026年11月 401.80 元，待缴 401.80 元", "2026年10月 401.80 元，已缴清")
    assert heard.text.index("2026年11月") < heard.text.index("2026年10月")
    assert "/o/history/" in heard.urls[0]


def test_paying_is_one_link_away(town: Town) -> None:
    heard = town.owner("3-2-501").says("缴费")
    heard.shows("待缴 401.80 元", "还没有开通线上缴费").hides("微信支付")
    assert link_names(heard, town, "3-2-501")


def test_payments_come_with_their_receipts(town: Town) -> None:
    zhang = town.owner("3-2-501")
    town.pay("3-2-501", Money.from_yuan("12.34"))
    zhang.says("缴费记录").shows("2026-11-23 10:30 3-2-501 12.34 元，收据 2026-")
    zhang.says("缴费记录 2026-11").shows("12.34").hides("401.80")


def test_the_tariff_is_the_one_in_force(town: Town) -> None:
    heard = town.owner("3-2-501").says("收费标准")
    heard.shows("物业费：2.80元/㎡·月", "车位管理费：120.00元/月").hides("2.60")
    assert "/o/tariffs/" in heard.urls[0]


@pytest.mark.parametrize("word", ["账单", "明细", "缴费", "缴费记录", "历史账单", "解绑"])
def test_a_stranger_learns_nothing_about_a_home(town: Town, word: str) -> None:
    stranger = town.phone("o-stranger")
    stranger.says(f"{word} 1-1-302").hides("1,485.20", "https://", "2026")
    neighbour = town.owner("3-2-501")
    neighbour.says(f"{word} 1-1-302").shows("没有绑定 1-1-302").hides("1,485.20", "https://")


def test_the_service_desk_can_be_called(town: Town) -> None:
    town.phone("o-stranger").says("人工").shows("010-5550 0100")
    town.owner("3-2-501").says("人工").shows("花园小区", "010-5550 0100")


def test_a_voice_message_counts_as_what_was_recognised(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.speaks("账单").shows("待缴 401.80 元")
    zhang.sends("voice", MediaId="m", Format="amr").shows("只看得懂文字")


def test_a_new_bill_is_answered_at_once(town: Town) -> None:
    zhang = town.owner("3-2-501")
    town.next_month()
    town.issue_bills()
    zhang.says("账单").shows("待缴 803.60 元", "2026年12月")


def test_period_slots_are_ranges_of_months() -> None:
    assert read_months("2026-11") == Months("2026-11", "2026-11")
    assert read_months("2026") == Months("2026-01", "2026-12")
    assert read_months("2026-Q4") == Months("2026-10", "2026-12")
    assert read_months("2026-06/2026-08") == Months("2026-06", "2026-08")


@pytest.mark.parametrize(
    ("said", "same"),
    [("3-2-501", True), ("3-501", True), ("2-501", False), ("3-1-501", False), ("501", False)],
)
def test_a_room_may_be_named_without_its_entrance(said: str, same: bool) -> None:
    assert same_room("3-2-501", said) is same
