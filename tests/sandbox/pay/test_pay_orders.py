"""A merchant orders, asks and closes, through `wechatpayv3`."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from wechat_pay_world import APP_ID, MCHID, OTHER_MCHID, OWNER, Client, pay, until

from sandbox.clock import SHANGHAI
from sandbox.pay import PayBook, PayRefused

ORDER = "HY20261123A01"


def refusal(answer: tuple[int, Any]) -> tuple[int, str]:
    http, body = answer
    assert set(body) <= {"code", "message", "detail"}
    return http, body["code"]


def in_minutes(minutes: float) -> str:
    moment = datetime.now(SHANGHAI) + timedelta(minutes=minutes)
    return moment.isoformat(timespec="seconds")


def test_an_order_gives_a_prepay_id_of_the_documented_form(client: Client) -> None:
    http, answer = client.order()
    assert http == 200
    assert re.fullmatch(r"wx\d{14}[0-9a-f]{20}", answer["prepay_id"])


def test_an_unpaid_order_is_described_without_payment_fields(client: Client) -> None:
    client.order(attach="HY")
    assert client.query() == (
        200,
        {
            "appid": APP_ID,
            "mchid": MCHID,
            "out_trade_no": ORDER,
            "trade_state": "NOTPAY",
            "trade_state_desc": "订单未支付",
            "promotion_detail": [],
            "amount": {"total": 32050, "currency": "CNY"},
            "attach": "HY",
        },
    )


def test_a_paid_order_is_described_in_full_by_both_numbers(book: PayBook, client: Client) -> None:
    before = datetime.now(SHANGHAI).replace(microsecond=0)
    paid = pay(book, client)
    http, answer = client.query()
    assert http == 200
    success_time = answer.pop("success_time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00", success_time)
    assert before <= datetime.fromisoformat(success_time) <= datetime.now(SHANGHAI)
    assert answer == {
        "appid": APP_ID,
        "mchid": MCHID,
        "out_trade_no": ORDER,
        "transaction_id": paid.transaction_id,
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "promotion_detail": [],
        "payer": {"openid": OWNER},
        "amount": {
            "total": 32050,
            "payer_total": 32050,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }
    by_transaction = client.query(transaction_id=paid.transaction_id)
    assert by_transaction == client.query()


def test_an_unknown_order_does_not_exist(client: Client) -> None:
    assert refusal(client.query()) == (404, "ORDER_NOT_EXIST")
    assert refusal(client.query(transaction_id="4200" + "0" * 24)) == (404, "ORDER_NOT_EXIST")
    assert refusal(client.close()) == (404, "ORDER_NOT_EXIST")


def test_the_same_order_again_gives_the_same_prepay_id(client: Client) -> None:
    assert client.order() == client.order()


def test_eight_identical_orders_at_once_are_one(book: PayBook, client: Client) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: client.order(), range(8)))
    assert {http for http, _ in answers} == {200}
    assert len({answer["prepay_id"] for _, answer in answers}) == 1
    assert len(book.ledger()) == 1


def test_a_repeated_number_must_repeat_every_parameter(client: Client) -> None:
    client.order()
    for changes in (
        {"amount": {"total": 32051, "currency": "CNY"}},
        {"description": "别的"},
        {"payer": {"openid": "o-mr-li"}},
        {"attach": "new"},
        {"time_expire": in_minutes(30)},
        {"notify_url": "https://hy.example/elsewhere"},
    ):
        http, answer = client.order(**changes)
        assert (http, answer["code"]) == (400, "INVALID_REQUEST"), changes
        assert answer["message"] == "请求重入时，参数与首次请求时不一致"


def test_two_merchants_may_use_one_number(
    client: Client, client_of: Callable[..., Client], book: PayBook
) -> None:
    other = client_of(book, mchid=OTHER_MCHID)
    assert client.order()[1]["prepay_id"] != other.order()[1]["prepay_id"]
    assert len(book.ledger()) == 2


def test_closing_is_repeatable_and_final(book: PayBook, client: Client) -> None:
    prepay_id = client.order()[1]["prepay_id"]
    assert client.close() == (204, None)
    assert client.close() == (204, None)
    http, answer = client.query()
    assert (http, answer["trade_state"], answer["trade_state_desc"]) == (
        200,
        "CLOSED",
        "订单已关闭",
    )
    assert refusal(client.order()) == (400, "ORDER_CLOSED")
    with pytest.raises(PayRefused, match="订单已关闭"):
        book.checkout(client.call_up(prepay_id), OWNER)


def test_a_paid_number_is_used_up(book: PayBook, client: Client) -> None:
    pay(book, client)
    assert refusal(client.close()) == (400, "ORDER_PAID")
    assert refusal(client.order()) == (400, "ORDER_PAID")
    assert refusal(client.order(attach="other")) == (403, "OUT_TRADE_NO_USED")
    assert client.query()[1]["trade_state"] == "SUCCESS"


def test_an_app_of_somebody_else_does_not_match(client: Client) -> None:
    assert refusal(client.order(appid="wxother")) == (400, "APPID_MCHID_NOT_MATCH")


def test_another_merchant_in_the_body_is_no_right_of_the_signer(client: Client) -> None:
    assert refusal(client.order(mchid="1999999999")) == (400, "MCH_NOT_EXISTS")
    assert refusal(client.order(mchid=OTHER_MCHID)) == (403, "NO_AUTH")


def test_a_wrong_field_is_refused_by_name_and_nothing_is_ordered(
    book: PayBook, client: Client
) -> None:
    http, answer = client.order(amount={"total": 0})
    assert (http, answer["code"]) == (400, "PARAM_ERROR")
    assert answer["detail"] == {"location": "body", "field": "/amount/total", "value": 0}
    assert answer["message"] == (
        "输入源“/body/amount/total”映射到数值字段“总金额”规则校验失败，值低于最小值 1"
    )
    assert book.ledger() == []


def test_an_order_must_end_between_one_minute_and_ninety_days_from_now(client: Client) -> None:
    for minutes in (-1, 0.5, 91 * 24 * 60):
        http, answer = client.order(time_expire=in_minutes(minutes))
        assert (http, answer["detail"]["field"]) == (400, "/time_expire")
    assert client.order("HY20261123A02", time_expire=in_minutes(2))[0] == 200
    assert client.order("HY20261123A03", time_expire=in_minutes(89 * 24 * 60))[0] == 200


def test_an_order_past_its_time_is_closed(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client]
) -> None:
    book = open_book(rate=1200)
    client = client_of(book)
    client.order(time_expire=in_minutes(3))
    assert client.query()[1]["trade_state"] == "NOTPAY"
    until(lambda: client.query()[1]["trade_state"] == "CLOSED")
    assert book.ledger()[0]["state"] == "CLOSED"
    assert refusal(client.order(time_expire=in_minutes(3))) == (400, "ORDER_CLOSED")


def test_an_expired_prepay_id_is_replaced_by_a_new_one(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client]
) -> None:
    book = open_book(rate=40_000)
    client = client_of(book)
    first = client.order()[1]["prepay_id"]
    until(lambda: client.order()[1]["prepay_id"] != first)
    with pytest.raises(PayRefused, match="过期"):
        book.confirm(first, OWNER)
    second = client.order()[1]["prepay_id"]
    assert book.confirm(second, OWNER).paid_fen == 32050


def test_orders_survive_a_restart(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client]
) -> None:
    before = open_book()
    prepay_id = client_of(before).order()[1]["prepay_id"]
    before.stop()
    after = open_book()
    assert client_of(after).order()[1]["prepay_id"] == prepay_id
    assert after.confirm(prepay_id, OWNER).out_trade_no == ORDER
