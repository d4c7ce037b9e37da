"""Orders at WeChat Pay: what is asked, what is believed, and what is not."""

import json
import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    OrderRequest,
    ProviderAnswer,
    ProviderState,
)
from billing.channels.wechat_pay import WeChatPayChannel
from billing.errors import InvalidInput
from billing.money import Money
from billing.payment_tables import PaymentChannel
from sandbox.pay import crypto
from tests.billing.channels.provider import (
    API_V3_KEY,
    APP_ID,
    MCHID,
    OWNER,
    Answer,
    Provider,
    answering,
    key_pair,
    merchant_keys,
    order_request,
    real_now,
    running_provider,
    signed,
    transaction,
)

ORDER = "MZ20261123A01"
NOWHERE = "http://127.0.0.1:1"
OUTSIDE: dict[str, Any] = {
    "channel": PaymentChannel.WECHAT_H5,
    "payer_openid": None,
    "payer_ip": "203.0.113.9",
    "return_url": "http://127.0.0.1:9/o/paid?token=t&next=1",
}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running_provider(tmp_path_factory.mktemp("pay")) as running:
        yield running


@pytest.fixture
def channel(provider: Provider) -> WeChatPayChannel:
    return provider.channel()


@pytest.fixture
def ordered(channel: WeChatPayChannel) -> OrderRequest:
    """An order of this test's own, known to the provider."""
    wish = order_request(f"MZ-{secrets.token_hex(8)}")
    channel.order(wish, real_now())
    return wish


def test_the_page_gets_what_the_cashier_accepts(
    provider: Provider, channel: WeChatPayChannel
) -> None:
    now = real_now()
    call = channel.order(order_request("MZ-call-up"), now)
    assert call["appId"] == APP_ID
    assert call["timeStamp"] == str(int(now.timestamp()))
    assert (call["signType"], call["package"][:10]) == ("RSA", "prepay_id=")
    message = crypto.bridge_message(
        call["appId"], call["timeStamp"], call["nonceStr"], call["package"]
    )
    merchant = crypto.load_public_key(key_pair("merchant").public)
    assert crypto.is_signed_by(merchant, message, call["paySign"])
    assert provider.pay(call).paid_fen == 32050


def test_a_code_is_given_for_whoever_scans_it(
    provider: Provider, channel: WeChatPayChannel
) -> None:
    wish = order_request("MZ-by-code-0", channel=PaymentChannel.WECHAT_NATIVE, payer_openid=None)
    call = channel.order(wish, real_now())
    assert list(call) == ["code_url"]
    assert channel.order(wish, real_now()) == call
    provider.book.confirm(provider.book.scan(call["code_url"]).prepay_id, "o-neighbour")
    answer = channel.query(wish.out_trade_no)
    assert (answer.state, answer.payer) == (ProviderState.PAID, "o-neighbour")


def test_outside_wechat_the_payer_is_sent_to_its_page_and_back(provider: Provider) -> None:
    channel = provider.channel(h5=True)
    wish = order_request("MZ-outside-0", **OUTSIDE)
    [(name, address)] = channel.order(wish, real_now()).items()
    assert name == "redirect_url"
    asked = parse_qs(urlsplit(address).query)
    assert asked["redirect_url"] == [OUTSIDE["return_url"]]
    page, _, way_back = address.partition("&redirect_url=")
    assert "&" not in way_back
    provider.book.confirm_visit(page)
    assert channel.query(wish.out_trade_no).state is ProviderState.PAID


def test_without_a_page_to_come_back_to_he_stays_there(provider: Provider) -> None:
    wish = order_request("MZ-outside-1", **OUTSIDE | {"return_url": None})
    [address] = provider.channel(h5=True).order(wish, real_now()).values()
    assert "redirect_url" not in address


def test_h5_is_offered_only_where_the_account_may(provider: Provider) -> None:
    inside = {PaymentChannel.WECHAT_JSAPI, PaymentChannel.WECHAT_NATIVE}
    assert provider.channel().ways == inside
    assert provider.channel(h5=True).ways == inside | {PaymentChannel.WECHAT_H5}
    with pytest.raises(InvalidInput, match="wechat_h5 is not a way of this account"):
        provider.channel().order(order_request(**OUTSIDE), real_now())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payer_openid": None}, "payer_openid"),
        ({"channel": PaymentChannel.WECHAT_H5}, "payer_ip"),
        ({"channel": PaymentChannel.ALIPAY_WAP}, "channel"),
    ],
)
def test_an_order_says_who_pays_or_from_where(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        WeChatPayChannel(merchant_keys(h5=True), NOWHERE).order(
            order_request(**changes), real_now()
        )
    assert refusal.value.field == field


def test_the_same_order_again_is_the_same_order(channel: WeChatPayChannel) -> None:
    wish = order_request("MZ-twice-00")
    first = channel.order(wish, real_now())
    assert channel.order(wish, real_now())["package"] == first["package"]


def test_the_last_moment_it_may_be_paid_is_part_of_the_order(
    channel: WeChatPayChannel, ordered: OrderRequest
) -> None:
    later = order_request(ordered.out_trade_no, expires_at=real_now() + timedelta(hours=3))
    with pytest.raises(ChannelRefused) as refusal:
        channel.order(later, real_now())
    assert refusal.value.code == "INVALID_REQUEST"
    with pytest.raises(ChannelRefused, match="time_expire"):
        channel.order(order_request("MZ-too-late-0", expires_at=real_now()), real_now())


def test_a_changed_order_under_the_same_number_is_refused(
    channel: WeChatPayChannel, ordered: OrderRequest
) -> None:
    with pytest.raises(ChannelRefused) as refusal:
        channel.order(order_request(ordered.out_trade_no, amount=Money(1)), real_now())
    assert refusal.value.code == "INVALID_REQUEST"


def test_an_unpaid_order_is_waiting(channel: WeChatPayChannel, ordered: OrderRequest) -> None:
    answer = channel.query(ordered.out_trade_no)
    assert answer == ProviderAnswer(MCHID, ordered.out_trade_no, ProviderState.WAITING)


def test_a_paid_order_is_told_in_full(
    provider: Provider, channel: WeChatPayChannel, ordered: OrderRequest
) -> None:
    paid = provider.pay(channel.order(ordered, real_now()))
    answer = channel.query(ordered.out_trade_no)
    assert answer.state is ProviderState.PAID
    assert (answer.mchid, answer.out_trade_no) == (MCHID, ordered.out_trade_no)
    assert (answer.transaction_id, answer.payer) == (paid.transaction_id, OWNER)
    assert answer.amount == Money(32050)
    assert answer.paid_at is not None
    assert abs(answer.paid_at - real_now()) < timedelta(minutes=1)


def test_a_number_the_provider_never_heard_of_is_missing(channel: WeChatPayChannel) -> None:
    assert channel.query("MZ-never-heard").state is ProviderState.MISSING


def test_a_closed_order_cannot_be_paid_and_closing_again_is_safe(
    channel: WeChatPayChannel, ordered: OrderRequest
) -> None:
    channel.close(ordered.out_trade_no)
    channel.close(ordered.out_trade_no)
    assert channel.query(ordered.out_trade_no).state is ProviderState.CLOSED
    with pytest.raises(ChannelRefused, match="ORDER_CLOSED"):
        channel.order(ordered, real_now())


def test_a_paid_order_cannot_be_closed(
    provider: Provider, channel: WeChatPayChannel, ordered: OrderRequest
) -> None:
    provider.pay(channel.order(ordered, real_now()))
    with pytest.raises(ChannelRefused, match="ORDER_PAID"):
        channel.close(ordered.out_trade_no)


def test_a_merchant_with_the_wrong_key_is_refused(provider: Provider) -> None:
    stranger = provider.channel(private_key=key_pair("stranger").private)
    with pytest.raises(ChannelRefused, match="SIGN_ERROR"):
        stranger.query(ORDER)


def test_a_server_error_says_nothing_about_the_order(
    provider: Provider, channel: WeChatPayChannel
) -> None:
    for call in (
        lambda: channel.order(order_request("MZ-busy-000"), real_now()),
        lambda: channel.query("MZ-busy-000"),
        lambda: channel.close("MZ-busy-000"),
    ):
        provider.faults.add(target="api", mode="errcode", errcode=500)
        with pytest.raises(ChannelUnreachable, match="HTTP 500 SYSTEM_ERROR"):
            call()


def answer_of(
    status: int, body: bytes, *, key: str | None = "platform", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """An answer signed by `key`, or by nobody."""
    seal = signed(body, real_now(), key=key) if key else {}
    return status, JSON | seal | headers, body


def body_of(**fields: object) -> bytes:
    return json.dumps(fields).encode()


GOOD = body_of(prepay_id="wx1")
UNBELIEVABLE: dict[str, Answer] = {
    "unsigned": lambda: answer_of(200, GOOD, key=None),
    "signed by somebody else": lambda: answer_of(200, GOOD, key="stranger"),
    "changed after signing": lambda: (*answer_of(200, GOOD)[:2], body_of(prepay_id="wx2")),
    "a key nobody knows": lambda: answer_of(200, GOOD, **{"Wechatpay-Serial": "ABC"}),
    "not JSON": lambda: answer_of(200, b"<html>hello</html>"),
    "not an object": lambda: answer_of(200, b'["prepay_id"]'),
    "nothing in it": lambda: answer_of(200, b"{}"),
    "no content": lambda: answer_of(204, b""),
    "not modified, unsigned": lambda: answer_of(304, b"", key=None),
    "choices in place of an answer, unsigned": lambda: answer_of(
        300, json.dumps(transaction(prepay_id="wx1")).encode(), key=None
    ),
    "too many requests": lambda: answer_of(429, body_of(code="FREQUENCY_LIMITED", message="")),
    "a server error with a list": lambda: answer_of(502, b"[]", key=None),
    "a server error with nothing": lambda: answer_of(503, b"", key=None),
    "a proxy that forbids": lambda: answer_of(403, b"<html>forbidden</html>", key=None),
    "a proxy that forbids in JSON": lambda: answer_of(407, body_of(error="proxy"), key=None),
}


@pytest.mark.parametrize("case", UNBELIEVABLE)
def test_an_answer_that_cannot_be_trusted_leaves_the_truth_unknown(case: str) -> None:
    with answering(UNBELIEVABLE[case]) as url:
        channel = WeChatPayChannel(merchant_keys(), url)
        with pytest.raises(ChannelUnreachable):
            channel.order(order_request(), real_now())
        with pytest.raises(ChannelUnreachable):
            channel.query(ORDER)


SENSELESS: dict[str, dict[str, object]] = {
    "about another order": {"out_trade_no": "MZ-another-order"},
    "in a state nobody knows": {"trade_state": "WHATEVER"},
    "without a state": {"trade_state": None},
    "paid by nobody": {"payer": None},
    "without a transaction": {"transaction_id": None},
    "with a broken amount": {"amount": {"total": 320.50}},
    "with an amount in words": {"amount": {"total": "32050"}},
    "with a list for an amount": {"amount": []},
    "paid at no time": {"success_time": "yesterday"},
}


@pytest.mark.parametrize("case", SENSELESS)
def test_an_order_that_does_not_make_sense_is_not_believed(case: str) -> None:
    body = json.dumps(transaction(**SENSELESS[case])).encode()
    with answering(lambda: answer_of(200, body)) as url, pytest.raises(ChannelUnreachable):
        WeChatPayChannel(merchant_keys(), url).query(ORDER)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("SUCCESS", ProviderState.PAID),
        ("REFUND", ProviderState.PAID),
        ("NOTPAY", ProviderState.WAITING),
        ("USERPAYING", ProviderState.WAITING),
        ("CLOSED", ProviderState.CLOSED),
        ("REVOKED", ProviderState.CLOSED),
        ("PAYERROR", ProviderState.CLOSED),
    ],
)
def test_every_state_of_the_provider_has_a_meaning(code: str, state: ProviderState) -> None:
    body = json.dumps(transaction(trade_state=code)).encode()
    with answering(lambda: answer_of(200, body)) as url:
        assert WeChatPayChannel(merchant_keys(), url).query(ORDER).state is state


@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"])
def test_every_spelling_of_not_there_is_missing(code: str) -> None:
    body = body_of(code=code, message="订单不存在")
    with answering(lambda: answer_of(404, body, key=None)) as url:
        assert WeChatPayChannel(merchant_keys(), url).query(ORDER).state is ProviderState.MISSING


def test_coupons_lower_what_the_payer_paid_never_what_we_are_owed() -> None:
    body = json.dumps(transaction(amount={"total": 32050, "payer_total": 30000})).encode()
    with answering(lambda: answer_of(200, body)) as url:
        assert WeChatPayChannel(merchant_keys(), url).query(ORDER).amount == Money(32050)


def test_nobody_at_the_address_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ChannelUnreachable, match="ConnectionError"):
        WeChatPayChannel(merchant_keys(), url).query(ORDER)


def test_an_answer_that_does_not_come_is_unreachable() -> None:
    done = threading.Event()

    def silence() -> tuple[int, dict[str, str], bytes]:
        done.wait(10)
        return answer_of(200, b"{}")

    with answering(silence) as url:
        channel = WeChatPayChannel(merchant_keys(), url, timeout_seconds=(1, 0.1))
        with pytest.raises(ChannelUnreachable, match="ReadTimeout"):
            channel.query(ORDER)
        done.set()


def test_no_key_is_in_a_repr_an_error_or_a_log(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = merchant_keys()
    channel = provider.channel()
    wish = order_request("MZ-secrets-0")
    channel.order(wish, real_now())
    with pytest.raises(ChannelRefused) as refusal:
        channel.order(order_request("MZ-secrets-0", amount=Money(1)), real_now())
    told = f"{keys!r} {keys} {channel!r} {refusal.value!r} {caplog.text}"
    assert MCHID in repr(keys)
    for secret in (API_V3_KEY, "PRIVATE KEY", keys.private_key.splitlines()[1], OWNER):
        assert secret not in told
