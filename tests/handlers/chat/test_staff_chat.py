"""Staff ask in the chat: what came in, who owes, what a room's bill is; nobody else may."""

import re

import pytest
from sqlalchemy import text, update

from billing.money import Money
from billing.people import Staff
from billing.property import Community
from tests.phone import Phone
from tests.town import Town


@pytest.fixture
def manager(town: Town) -> Phone:
    """The phone of a member of staff."""
    phone = town.phone("o-manager")
    phone.says(f"绑定 {town.staff_code()}").shows("绑定成功")
    return phone


def fen(shown: str) -> int:
    return round(float(shown.replace(",", "")) * 100)


def raw(town: Town, what: str) -> int:
    """A sum over raw rows of the latest month."""
    with town.world.database.transaction() as session:
        return int(session.execute(text(what)).scalar_one())


DUE = "SELECT sum(amount) FROM bill WHERE period = '2026-11'"
PAID = """
    SELECT coalesce(sum(part.amount), 0) FROM payment_allocation part
    JOIN bill ON bill.community_id = part.community_id AND bill.id = part.bill_id
    WHERE bill.period = '2026-11'
"""


def test_the_rate_is_what_was_paid_of_what_was_billed(town: Town, manager: Phone) -> None:
    town.pay_everything("3-2-501")
    heard = manager.says("收缴率").shows("花园小区", "2026年11月", "上期同日")
    due, paid = raw(town, DUE), raw(town, PAID)
    assert 0 < paid < due
    heard.shows(f"{paid * 1000 // due // 10}.{paid * 1000 // due % 10}%")
    shown = re.search(r"应收 ([\d,.]+) 元，已收 ([\d,.]+) 元", heard.text)
    assert shown
    assert (fen(shown[1]), fen(shown[2])) == (due, paid)
    left = [fen(part) for part in re.findall(r"栋 .*?待收 ([\d,.]+) 元", heard.text)]
    assert len(left) == 3
    assert sum(left) == due - paid


def test_a_building_and_another_month_are_asked_for_in_passing(manager: Phone) -> None:
    manager.says("这个月收缴率多少").shows("2026年11月")
    manager.says("3栋呢").shows("花园小区 3栋", "2026年11月")
    manager.says("那上个月呢").shows("花园小区 3栋", "2026年10月")


def test_money_that_comes_moves_the_rate(town: Town, manager: Phone) -> None:
    before = raw(town, PAID)
    town.pay_everything("1-1-302")
    assert raw(town, PAID) > before
    paid = Money(raw(town, PAID)).yuan
    whole, _, cents = paid.partition(".")
    manager.says("11月收缴率").shows(f"已收 {int(whole):,}.{cents} 元")


def test_who_owes_most_comes_first_and_a_threshold_leaves_out_the_rest(
    town: Town, manager: Phone
) -> None:
    every = manager.says("欠费名单").shows("1-1-302", "户，逾期")
    owed = [fen(one) for one in re.findall(r"· \S+ ([\d,.]+) 元", every.text)]
    assert owed == sorted(owed, reverse=True)
    assert owed
    more = owed[0] // 100 + 1
    manager.says(f"欠费{more}元以上的有哪些").shows("没有逾期未缴")
    town.pay_everything("1-1-302")
    manager.says("欠费名单").hides("1-1-302")


def test_a_room_is_shown_as_its_owner_sees_it(town: Town, manager: Phone) -> None:
    manager.says("查房 1-1-302").shows("待缴", "2026年9月", "查询已留痕")
    manager.says("查一下1-302的账").shows("1-1-302")
    manager.says("查房 9-9-909").shows("没有找到 9-9-909")
    manager.says("查房").shows("请带上房号")


def test_of_several_communities_the_one_is_asked_for_and_what_was_asked_is_kept(
    town: Town, manager: Phone
) -> None:
    with town.world.database.transaction() as session:
        session.add(
            Community(
                code="XF",
                name="幸福里",
                company="幸福物业",
                service_phone="010-5550 0200",
                billing_day=1,
                due_day=1,
                due_month_offset=1,
            )
        )
        session.execute(update(Staff).where(Staff.login == "zhao").values(community_id=None))
    asked = manager.says("3栋10月的收缴率").shows("是哪一个")
    assert asked.offers == ["收缴率 花园小区", "收缴率 幸福里"]
    manager.says("1").shows("花园小区 3栋 2026年10月")
    manager.says("那上个月呢").shows("花园小区 3栋")
    manager.says("欠费名单").shows("花园小区 欠费名单")
    manager.says("收缴率 幸福里").shows("幸福里还没有出过账单")
    manager.says("群发 3栋：明天上午停水").shows("是哪一个")
    manager.says("2").shows("没有找到 3栋")
    manager.says("取消")
    manager.says("群发 花园小区3栋：明天上午停水").shows("花园小区 3栋业主")


def test_the_whole_list_is_behind_a_link(manager: Phone) -> None:
    [url] = manager.says("欠费名单").shows("仅您本人可打开").urls
    assert "/o/arrears/" in url


@pytest.mark.parametrize("asked", ["收缴率", "欠费名单", "查房 1-1-302", "这个月收缴率多少"])
def test_an_owner_is_refused_kindly(town: Town, asked: str) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(asked).shows("只对物业工作人员开放").hides("%", "1-1-302 ")


def test_a_neighbours_data_are_nobodys_business(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("隔壁老王家欠了多少物业费").shows("属于住户隐私")
    zhang.says("楼上那户的账单发我").hides("待缴")
