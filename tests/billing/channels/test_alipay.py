"""Alipay's calls against a provider with a mind of its own, and against answers nobody should
believe.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from billing.channels.alipay import Alipay
from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    ProviderState,
    RefundRequest,
    RefundState,
)
from billing.errors import InvalidInput
from billing.merchants import Provider
from billing.money import Money
from billing.payment_tables import PaymentChannel
from tests.billing.channels.alipay_provider import (
    NUMBER,
    SELLER_ID,
    AlipayProvider,
    Said,
    alipay_keys,
    alipay_order,
    answering_alipay,
    running_alipay,
    said,
)
from tests.billing.channels.provider import key_pair, real_now
from tests.conftest import NOW

TRADE = {
    "code": "10000",
    "msg": "Success",
    "out_trade_no": NUMBER,
    "trade_no": "2026112322001459841410823307",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "320.50",
    "buyer_user_id": "2088702671559842",
    "send_pay_date": "2026-11-23 10:30:00",
}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[AlipayProvider]:
    with running_alipay(tmp_path) as running:
        yield running


@pytest.fixture
def channel(provider: AlipayProvider) -> Alipay:
    return provider.channel()


def link(alipay: Alipay, number: str = NUMBER, **changes: Any) -> str:
    """The address the payer is sent to."""
    order = alipay.order(alipay_order(number, **changes), real_now())
    assert order.keys() == {"redirect_url"}
    return str(order["redirect_url"])


def refund(number: str = "R1", fen: int = 2050) -> RefundRequest:
    return RefundRequest(
        out_trade_no=NUMBER,
        out_refund_no=number,
        amount=Money(fen),
        total=Money(32050),
        reason="重复缴费",
        notify_url="http://127.0.0.1:9/callbacks",
    )


def test_a_channel_says_whose_it_is(channel: Alipay) -> None:
    assert (channel.provider, channel.mchid) == (Provider.ALIPAY, SELLER_ID)
    assert channel.ways == {PaymentChannel.ALIPAY_WAP, PaymentChannel.ALIPAY_PAGE}
    assert channel.fetch_funds(NOW.date()) is None


@pytest.mark.parametrize(
    ("way", "method"),
    [
        (PaymentChannel.ALIPAY_WAP, "alipay.trade.wap.pay"),
        (PaymentChannel.ALIPAY_PAGE, "alipay.trade.page.pay"),
    ],
)
def test_a_link_leads_to_a_cashier_and_back(
    provider: AlipayProvider, channel: Alipay, way: PaymentChannel, method: str
) -> None:
    url = link(channel, channel=way)
    assert dict(parse_qsl(urlsplit(url).query))["method"] == method
    answer = provider.pay(url)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("http://127.0.0.1:9/o/paid?token=t&")
    paid = channel.query(NUMBER)
    assert (paid.state, paid.amount, paid.mchid) == (ProviderState.PAID, Money(32050), SELLER_ID)
    order = provider.book.ledger()[0]
    assert paid.transaction_id == order["transaction_id"]
    assert paid.payer is not None
    assert paid.paid_at is not None
    assert abs(paid.paid_at - datetime.now(UTC)) < timedelta(minutes=2)


def test_a_link_needs_nobody_and_can_be_made_again() -> None:
    channel = Alipay(alipay_keys(), "http://127.0.0.1:9/gateway.do", real_now)
    request = alipay_order(expires_at=NOW + timedelta(hours=2), return_url=None)
    first, again = channel.order(request, NOW), channel.order(request, NOW)
    assert first == again
    query = parse_qs(urlsplit(first["redirect_url"]).query)
    assert query["timestamp"] == ["2026-11-23 10:30:00"]  # Beijing's, wherever the machine stands
    assert '"time_expire":"2026-11-23 12:30:00"' in query["biz_content"][0]
    assert "return_url" not in query


def test_what_alipay_refuses_in_a_subject_is_spelt_otherwise(
    provider: AlipayProvider, channel: Alipay
) -> None:
    page = provider.open(link(channel, description="水费/电费 & 3=2, 一" + "长" * 300))
    assert page.status_code == 200
    assert "水费／电费 ＆ 3＝2， 一长" in page.text


def test_an_order_for_another_way_or_already_dead_is_refused(channel: Alipay) -> None:
    for changes, field in (
        ({"channel": PaymentChannel.WECHAT_JSAPI}, "channel"),
        ({"expires_at": real_now() - timedelta(seconds=1)}, "expires_at"),
    ):
        with pytest.raises(InvalidInput) as refused:
            link(channel, **changes)
        assert refused.value.field == field


def test_nobody_can_open_a_link_after_its_end(tmp_path: Path) -> None:
    with running_alipay(tmp_path, clock_rate=1_000_000) as provider:
        url = link(provider.channel())  # two hours, a million times faster
        deadline = real_now() + timedelta(seconds=2)
        while provider.open(url).status_code == 200 and real_now() < deadline:
            pass
        assert "超时" in provider.open(url).text or "关闭" in provider.open(url).text


def test_an_order_is_missing_until_somebody_opens_the_cashier(
    provider: AlipayProvider, channel: Alipay
) -> None:
    url = link(channel)
    assert channel.query(NUMBER).state is ProviderState.MISSING
    with pytest.raises(ChannelRefused) as refused:
        channel.close(NUMBER)
    assert refused.value.code == "ACQ.TRADE_NOT_EXIST"
    provider.open(url)
    waiting = channel.query(NUMBER)
    assert (waiting.state, waiting.amount, waiting.paid_at) == (ProviderState.WAITING, None, None)


def test_a_closed_order_stays_closed_and_a_paid_one_open(
    provider: AlipayProvider, channel: Alipay
) -> None:
    url = link(channel)
    provider.open(url)
    channel.close(NUMBER)
    channel.close(NUMBER)
    assert channel.query(NUMBER).state is ProviderState.CLOSED
    assert provider.open(url).status_code == 400
    provider.pay(link(channel, "MZ2"))
    with pytest.raises(ChannelRefused) as refused:
        channel.close("MZ2")
    assert refused.value.code == "ACQ.TRADE_STATUS_ERROR"


def test_money_goes_back_once_per_refund_number(provider: AlipayProvider, channel: Alipay) -> None:
    provider.pay(link(channel))
    first = channel.refund(refund())
    assert (first.state, first.amount, first.out_refund_no) == (RefundState.DONE, Money(2050), "R1")
    assert first.at is not None
    assert channel.refund(refund()) == first == channel.query_refund(NUMBER, "R1")
    second = channel.refund(refund("R2", 30000))
    assert second.amount == Money(30000)  # its own, not the sum of all
    assert provider.book.ledger()[0]["refunded_fen"] == 32050
    assert channel.query(NUMBER).state is ProviderState.PAID


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (refund(fen=32051), "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        (refund("R0", 2), "ACQ.DISCORDANT_REPEAT_REQUEST"),
    ],
)
def test_a_refund_alipay_will_not_make_is_refused(
    provider: AlipayProvider, channel: Alipay, request_: RefundRequest, code: str
) -> None:
    provider.pay(link(channel))
    channel.refund(refund("R0", 1))
    with pytest.raises(ChannelRefused) as refused:
        channel.refund(request_)
    assert refused.value.code == code


def test_a_refund_that_never_was_is_missing(provider: AlipayProvider, channel: Alipay) -> None:
    assert channel.query_refund(NUMBER, "R1").state is RefundState.MISSING
    provider.pay(link(channel))
    answer = channel.query_refund(NUMBER, "R1")
    assert (answer.state, answer.amount, answer.at) == (RefundState.MISSING, None, None)


def test_a_refund_under_way_is_neither_done_nor_missing() -> None:
    pending = {
        "code": "10000",
        "out_trade_no": NUMBER,
        "out_request_no": "R1",
        "refund_amount": "20.50",
        "fund_change": "N",
    }
    with answering_alipay(said(pending)) as channel:
        assert channel.query_refund(NUMBER, "R1").state is RefundState.PROCESSING
        assert channel.refund(refund()).state is RefundState.PROCESSING
    accepted = {"code": "10000", "out_trade_no": NUMBER, "fund_change": "Y", "refund_fee": "1.00"}
    with answering_alipay(said(accepted)) as channel:
        assert channel.refund(refund()).state is RefundState.PROCESSING


def test_a_busy_or_silent_alipay_leaves_the_truth_unknown(
    provider: AlipayProvider, channel: Alipay
) -> None:
    provider.pay(link(channel))
    for mode in ("errcode", "drop"):
        provider.faults.add(target="api", mode=mode)
        with pytest.raises(ChannelUnreachable):
            channel.refund(refund())
    assert channel.query_refund(NUMBER, "R1").state is RefundState.MISSING
    silent = Alipay(alipay_keys(), "http://127.0.0.1:1/gateway.do", real_now)
    with pytest.raises(ChannelUnreachable, match="ConnectionError"):
        silent.query(NUMBER)


def test_a_refund_whose_answer_is_lost_is_found_and_not_made_again(
    provider: AlipayProvider, channel: Alipay
) -> None:
    provider.pay(link(channel))
    provider.faults.add(target="pay_api", mode="lost")
    with pytest.raises(ChannelUnreachable):
        channel.refund(refund())
    found = channel.query_refund(NUMBER, "R1")
    assert (found.state, channel.refund(refund())) == (RefundState.DONE, found)
    assert provider.book.ledger()[0]["refunded_fen"] == 2050


def test_too_little_on_the_sellers_account_is_a_refusal(
    provider: AlipayProvider, channel: Alipay
) -> None:
    provider.pay(link(channel))
    provider.faults.add(target="refund", mode="not_enough")
    with pytest.raises(ChannelRefused) as refused:
        channel.refund(refund())
    assert refused.value.code == "ACQ.SELLER_BALANCE_NOT_ENOUGH"
    assert channel.refund(refund()).state is RefundState.DONE


def test_what_we_do_not_sign_with_our_key_is_refused(provider: AlipayProvider) -> None:
    channel = provider.channel(app_private_key=key_pair("stranger").private)
    with pytest.raises(ChannelRefused) as refused:
        channel.query(NUMBER)
    assert refused.value.code == "isv.invalid-signature"


def test_calls_carry_their_business_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in an address is written to logs along the way."""
    seen: list[tuple[str, str]] = []
    post = requests.post

    def watch(url: str, **options: Any) -> requests.Response:
        seen.append((url, options["data"]))
        return post(url, **options)

    monkeypatch.setattr(requests, "post", watch)
    with answering_alipay(said(TRADE)) as channel:
        channel.query(NUMBER)
    ((url, body),) = seen
    assert NUMBER not in url
    assert NUMBER in body


def unsigned(method: str) -> bytes:
    answer = said(TRADE)(method).decode()
    return (answer.partition(',"sign"')[0] + "}").encode()


def changed(method: str) -> bytes:
    return said(TRADE)(method).replace(b"320.50", b"320.51")


def with_a_second_object(method: str) -> bytes:
    """JSON readers take the last of two equal names; the signed one is the first."""
    answer = said(TRADE)(method).decode()
    name = answer.split('"')[1]
    return f'{answer[:-1]},"{name}":{{"code":"10000"}}}}'.encode()


UNTRUSTED: dict[str, Said] = {
    "unsigned": unsigned,
    "signed by the application itself": said(TRADE, key="alipay app"),
    "signed by a stranger": said(TRADE, key="stranger"),
    "changed": changed,
    "an answer to something else": lambda method: said(TRADE)("alipay.trade.close"),
    "an unsigned error": lambda method: b'{"error_response":{"code":"40002"}}',
    "not JSON": lambda method: b"<html>busy</html>",
    "not UTF-8": lambda method: b"\xff\xfe",
    "not an object": said([TRADE]),
    "a signature that is none": lambda method: (
        said(TRADE)(method).split(b',"sign"')[0] + b',"sign":7}'
    ),
    "nothing": lambda method: b"",
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_an_answer_alipay_did_not_sign_is_not_believed(case: str) -> None:
    with (
        answering_alipay(UNTRUSTED[case]) as channel,
        pytest.raises(ChannelUnreachable, match="untrusted answer"),
    ):
        channel.query(NUMBER)


def test_of_two_objects_the_signed_one_is_read() -> None:
    with answering_alipay(with_a_second_object) as channel:
        assert channel.query(NUMBER).amount == Money(32050)


@pytest.mark.parametrize("text", ['{"a":"}"}', '{"a":"{"}', '{"a":"\\u007d\\""}', '{"a":"中文"}'])
def test_braces_in_texts_do_not_end_what_is_signed(text: str) -> None:
    spelt = text[:-1] + ', "code" : "10000","out_trade_no":"X"}'
    with (
        answering_alipay(said(None, text=spelt)) as channel,
        pytest.raises(ChannelUnreachable, match="another order"),
    ):
        channel.query(NUMBER)


ODD: dict[str, dict[str, Any]] = {
    "another order": {"out_trade_no": "MZ9"},
    "no amount": {"total_amount": None},
    "an amount with an exponent": {"total_amount": "1e3"},
    "a grouped amount": {"total_amount": "1,000.00"},
    "a number as amount": {"total_amount": 320.5},
    "an unknown state": {"trade_status": "TRADE_PENDING"},
    "paid without a moment": {"send_pay_date": None},
    "paid without a number": {"trade_no": ""},
    "a moment that is none": {"send_pay_date": "yesterday"},
    "a number as moment": {"send_pay_date": 20261123},
}


@pytest.mark.parametrize("case", ODD)
def test_a_trade_we_cannot_use_is_no_answer(case: str) -> None:
    values = {name: value for name, value in (TRADE | ODD[case]).items() if value is not None}
    with answering_alipay(said(values)) as channel, pytest.raises(ChannelUnreachable):
        channel.query(NUMBER)


STATES: list[tuple[dict[str, Any], ProviderState]] = [
    ({"trade_status": "TRADE_FINISHED"}, ProviderState.PAID),
    ({"trade_status": "TRADE_CLOSED"}, ProviderState.PAID),
    ({"trade_status": "TRADE_CLOSED", "send_pay_date": None}, ProviderState.CLOSED),
    ({"trade_status": "WAIT_BUYER_PAY", "send_pay_date": None}, ProviderState.WAITING),
]


@pytest.mark.parametrize(("change", "state"), STATES, ids=lambda value: str(value)[:60])
def test_a_trade_that_was_paid_stays_paid_for_us(
    change: dict[str, Any], state: ProviderState
) -> None:
    values = {name: value for name, value in (TRADE | change).items() if value is not None}
    with answering_alipay(said(values)) as channel:
        answer = channel.query(NUMBER)
    assert (answer.state, answer.amount is not None) == (state, state is ProviderState.PAID)


REFUSALS: list[tuple[dict[str, str], type[Exception]]] = [
    ({"code": "40004", "sub_code": "ACQ.SELLER_BALANCE_NOT_ENOUGH"}, ChannelRefused),
    ({"code": "40002", "sub_code": "isv.invalid-signature"}, ChannelRefused),
    ({"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"}, ChannelUnreachable),
    ({"code": "20000", "sub_code": "isp.unknow-error"}, ChannelUnreachable),
    ({"code": "40005", "sub_code": "isv.app-call-limited"}, ChannelUnreachable),
    ({"code": "40004"}, ChannelUnreachable),
    ({}, ChannelUnreachable),
]


@pytest.mark.parametrize(("values", "error"), REFUSALS, ids=str)
def test_only_a_final_no_is_a_refusal(values: dict[str, str], error: type[Exception]) -> None:
    with answering_alipay(said(values)) as channel, pytest.raises(error) as raised:
        channel.refund(refund())
    assert type(raised.value) is error


@pytest.mark.parametrize("status", [302, 404, 500, 502])
def test_another_status_is_no_answer(status: int) -> None:
    with answering_alipay(said(TRADE), status) as channel, pytest.raises(ChannelUnreachable):
        channel.query(NUMBER)


def test_keys_are_not_printed() -> None:
    shown: Callable[[object], str] = repr
    assert "PRIVATE" not in shown(alipay_keys())
