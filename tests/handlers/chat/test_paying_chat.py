"""Ways to pay, money paid in advance and what is deducted by itself, asked for in the chat."""

from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.channels.base import Channel
from billing.prepayments import set_auto_deduction
from tests.billing.drawer import take
from tests.billing.paper import sell
from tests.conftest import MERCHANT
from tests.handlers.pages.conftest import Cashier
from tests.town import Town


@pytest.fixture
def open_town(town: Town) -> Town:
    """The town with WeChat Pay's keys."""
    till: Channel = Cashier()  # type: ignore[assignment]  # pages' cashier gives nothing back
    town.channels[MERCHANT[0]] = till
    return town


def hold(town: Town, room: str, amount: str) -> None:
    town.pay_everything(room)
    with town.world.database.transaction() as session:
        take(session, town.world, room, amount, "SLIP-1", now=town.now)


def test_paying_names_the_ways_that_are_open(open_town: Town) -> None:
    open_town.owner("3-2-501").says("缴费").shows("待缴 401.80 元", "用微信支付缴费").hides(
        "支付宝"
    )


@pytest.mark.parametrize("said", ["缴费方式", "怎么缴费", "能用支付宝吗"])
def test_only_ways_with_keys_are_named(open_town: Town, said: str) -> None:
    heard = open_town.owner("3-2-501").says(said)
    heard.shows("微信支付", "预存余额抵扣", "服务中心", "010-5550 0100").hides("支付宝")
    assert any("/o/home/" in url for url in heard.urls)
    assert any(url.endswith("/o/find") for url in heard.urls)


def test_without_keys_no_way_is_named(town: Town) -> None:
    town.owner("3-2-501").says("缴费方式").shows("服务中心").hides("微信支付", "支付宝")


@pytest.mark.parametrize("said", ["余额", "预存余额还有多少"])
def test_the_balance_comes_with_its_page(open_town: Town, said: str) -> None:
    zhang = open_town.owner("3-2-501")
    hold(open_town, "3-2-501", "300.00")
    heard = zhang.says(said)
    heard.shows("花园小区 3-2-501", "预存余额 300.00 元", "存入")
    assert "/o/prepayment/" in heard.urls[0]


@pytest.mark.parametrize("said", ["预存500", "预存 500元", "充值500", "我要充值500元"])
def test_paying_in_advance_leads_to_a_filled_form(open_town: Town, said: str) -> None:
    heard = open_town.owner("3-2-501").says(said)
    heard.shows("预存余额 0.00 元")
    assert parse_qs(urlsplit(heard.urls[0]).query) == {"amount": ["500.00"]}


def test_topping_up_without_an_amount_leads_to_the_page(open_town: Town) -> None:
    heard = open_town.owner("3-2-501").says("充值")
    assert urlsplit(heard.urls[0]).query == ""


@pytest.mark.parametrize("said", ["自动抵扣", "开通自动抵扣", "自动扣费"])
def test_what_is_deducted_is_said_with_the_page_to_change_it(open_town: Town, said: str) -> None:
    zhang = open_town.owner("3-2-501")
    zhang.says(said).shows("还没有设置", "修改")
    unit = open_town.world.unit("3-2-501")
    with open_town.world.database.transaction() as session:
        set_auto_deduction(session, unit.community_id, unit.id, ["property"])
    heard = zhang.says(said)
    heard.shows("出账时用预存抵扣：物业费")
    assert "/o/prepayment/" in heard.urls[0]


@pytest.mark.parametrize("said", ["余额", "自动抵扣", "充值100"])
def test_who_has_no_home_or_sold_it_learns_nothing(open_town: Town, said: str) -> None:
    open_town.phone("o-stranger").says(said).shows("还没有绑定房屋").hides("预存余额")
    zhang = open_town.owner("3-2-501")
    with open_town.world.database.transaction() as session:
        sell(session, open_town.world, "3-2-501", date(2026, 11, 16))
    zhang.says(said).shows("已过户").hides("预存余额", "/o/prepayment/")


def test_with_several_homes_the_bot_asks_which(open_town: Town) -> None:
    zhang = open_town.owner("3-2-501")
    zhang.says(f"绑定 {open_town.code_for('1-1-302')}")
    open_town.forget(zhang)
    zhang.says("余额").shows("哪一套", "1. 3-2-501", "2. 1-1-302")
    zhang.says("1-1-302").shows("1-1-302", "预存余额")


def begins(url: str) -> dict[str, list[str]]:
    """How the form behind a link begins."""
    return parse_qs(urlsplit(url).query)


def test_the_months_named_are_chosen_on_the_form(open_town: Town) -> None:
    li = open_town.owner("1-1-302")  # three months behind
    heard = li.says("我要交9月的账单").shows("待缴")
    assert begins(heard.urls[0])["period"] == ["2026-09"]


def test_a_sum_named_is_filled_in(open_town: Town) -> None:
    heard = open_town.owner("1-1-302").says("我先交500").shows("您想缴 500.00 元", "先抵较早的账单")
    assert begins(heard.urls[0]) == {"amount": ["500.00"]}


def test_a_fee_named_is_told_apart_and_its_sum_filled_in(open_town: Town) -> None:
    heard = open_town.owner("1-1-302").says("先交物业费").shows("物业费", "按账单先后抵扣")
    [amount] = begins(heard.urls[0])["amount"]
    assert f"待缴 {float(amount):,.2f} 元" in heard.text


def test_months_of_which_nothing_is_owed_are_said(open_town: Town) -> None:
    open_town.owner("1-1-302").says("交2026年1月的").shows("没有待缴的费用", "其他账单待缴")
