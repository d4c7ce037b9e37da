"""Callbacks of WeChat Pay: what is believed becomes a typed answer, everything else is refused."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.channels.base import (
    InvalidNotification,
    ProviderAnswer,
    ProviderState,
    RefundAnswer,
    RefundState,
)
from billing.channels.wechat_pay import WeChatPayChannel
from billing.channels.wechat_pay_signatures import PROBE_MARK, SIGNATURE_HEADERS
from billing.money import Money
from tests.billing.channels.provider import (
    API_V3_KEY,
    MCHID,
    OTHER_MCHID,
    OWNER,
    PUBLIC_KEY_ID,
    answering,
    by_certificate,
    by_either,
    callback,
    merchant_keys,
    refund_news,
    signed,
    transaction,
)
from tests.conftest import NOW

NOWHERE = "http://127.0.0.1:1"
VECTOR = Path(__file__).parents[4] / "shared/wechat-samples/pay_v3/notify_vector_wechatpay_go.json"
Change = Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]]


@pytest.fixture(scope="module")
def channel() -> WeChatPayChannel:
    return WeChatPayChannel(merchant_keys(), NOWHERE)


def refused(channel: WeChatPayChannel, headers: dict[str, str], body: bytes) -> str:
    """Why the channel refuses this callback."""
    with pytest.raises(InvalidNotification) as refusal:
        channel.parse_notification(headers, body, NOW)
    return str(refusal.value)


def test_a_true_callback_becomes_an_answer(channel: WeChatPayChannel) -> None:
    headers, body = callback(NOW)
    answer = channel.parse_notification(headers, body, NOW)
    said = transaction()
    assert answer == ProviderAnswer(
        mchid=MCHID,
        out_trade_no=said["out_trade_no"],
        state=ProviderState.PAID,
        transaction_id=said["transaction_id"],
        amount=Money(32050),
        payer=OWNER,
        paid_at=NOW,
    )


@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title], ids=lambda s: s.__name__)
def test_headers_are_read_however_they_are_spelt(
    channel: WeChatPayChannel, spelling: Callable[[str], str]
) -> None:
    headers, body = callback(NOW)
    respelt = {spelling(name): value for name, value in headers.items()}
    assert channel.parse_notification(respelt, body, NOW).amount == Money(32050)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_a_callback_of_five_minutes_either_way_is_in_time(
    channel: WeChatPayChannel, seconds: int
) -> None:
    headers, body = callback(NOW + timedelta(seconds=seconds))
    assert channel.parse_notification(headers, body, NOW).state is ProviderState.PAID


@pytest.mark.parametrize("seconds", [-301, 301, -7200, 7200])
def test_a_callback_from_too_long_ago_or_from_the_future_is_refused(
    channel: WeChatPayChannel, seconds: int
) -> None:
    headers, body = callback(NOW + timedelta(seconds=seconds))
    assert refused(channel, headers, body) == "timestamp outside five minutes"


def with_header(name: str, value: str) -> Change:
    return lambda headers, body: (headers | {name: value}, body)


FORGED: dict[str, Change] = {
    "another amount": lambda headers, body: (headers, callback(NOW, transaction(amount={}))[1]),
    "one space more": lambda headers, body: (headers, body + b" "),
    "another nonce": with_header("Wechatpay-Nonce", "0" * 32),
    "another second": with_header("Wechatpay-Timestamp", str(int(NOW.timestamp()) + 1)),
    "somebody else's signature": lambda headers, body: callback(NOW, key="stranger"),
    "a signature that is not Base64": with_header("Wechatpay-Signature", "*"),
    "sealed with another key": lambda headers, body: callback(NOW, api_v3_key="k" * 32),
    "not JSON": lambda headers, body: (signed(b"<xml/>", NOW), b"<xml/>"),
    "not an object": lambda headers, body: (signed(b"[1]", NOW), b"[1]"),
    "not UTF-8": lambda headers, body: (signed(b"{}", NOW), b"\xff{}"),
    "nothing": lambda headers, body: (signed(b"", NOW), b""),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_wechat_pay_did_not_sign_for_us_is_refused(
    channel: WeChatPayChannel, case: str
) -> None:
    reason = refused(channel, *FORGED[case](*callback(NOW)))
    assert reason.startswith(("signature does not", "seal does not", "unreadable notification"))


def test_a_probe_is_refused_as_wechat_pay_expects(channel: WeChatPayChannel) -> None:
    headers, body = callback(NOW)
    headers["Wechatpay-Signature"] = PROBE_MARK + headers["Wechatpay-Signature"]
    assert refused(channel, headers, body) == "a SIGNTEST probe"


@pytest.mark.parametrize("name", SIGNATURE_HEADERS)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_every_header_of_the_signature_must_be_there(
    channel: WeChatPayChannel, name: str, value: str | None
) -> None:
    headers, body = callback(NOW)
    del headers[name]
    if value is not None:
        headers[name] = value
    assert refused(channel, headers, body) == f"no {name}"


def test_another_kind_of_signature_is_refused(channel: WeChatPayChannel) -> None:
    headers, body = callback(NOW)
    headers["Wechatpay-Signature-Type"] = "WECHATPAY2-SM2-WITH-SM3"
    assert refused(channel, headers, body) == "unknown signature type"


@pytest.mark.parametrize("timestamp", ["soon", "-1", "1e9", "٣", "9" * 400, "1 "])
def test_a_timestamp_is_a_number_of_seconds(channel: WeChatPayChannel, timestamp: str) -> None:
    headers, body = callback(NOW)
    headers["Wechatpay-Timestamp"] = timestamp
    assert refused(channel, headers, body) == "timestamp is not a number of seconds"


def test_an_old_callback_cannot_be_refreshed_by_a_second_set_of_headers(
    channel: WeChatPayChannel,
) -> None:
    """The library reads Django's spelling first: checking one set must not verify the other."""
    old, body = callback(NOW - timedelta(days=1))
    django = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in old.items()}
    fresh = old | {"Wechatpay-Timestamp": str(int(NOW.timestamp()))}
    assert refused(channel, django | fresh, body).startswith("signature")


def test_a_forger_cannot_make_us_call_wechat_pay() -> None:
    """The library asks for certificates when it does not know a serial; seconds of ours each."""
    calls: list[int] = []

    def count() -> tuple[int, dict[str, str], bytes]:
        calls.append(1)
        return 404, {}, b""

    headers, body = callback(NOW)
    headers["Wechatpay-Serial"] = "5A0B1C2D3E4F"
    with answering(count) as url:
        reason = refused(WeChatPayChannel(merchant_keys(), url), headers, body)
    assert (reason, calls) == ("signed with a key we do not know", [])


def test_a_payment_for_another_app_is_refused(channel: WeChatPayChannel) -> None:
    assert refused(channel, *callback(NOW, transaction(appid="wx-other"))) == "made for another app"


def test_a_payment_of_another_merchant_is_an_answer_that_says_so(channel: WeChatPayChannel) -> None:
    """So that `payments.confirm` writes it down: somebody's money went to the wrong account."""
    headers, body = callback(NOW, transaction(mchid=OTHER_MCHID))
    assert channel.parse_notification(headers, body, NOW).mchid == OTHER_MCHID


@pytest.mark.parametrize("event", ["REFUND.ELSE", "SECURITY_ECHO.SUCCESS"])
def test_what_is_neither_a_payment_nor_a_refund_is_refused(
    channel: WeChatPayChannel, event: str
) -> None:
    reason = refused(channel, *callback(NOW, event=event))
    assert reason == f"neither a payment nor a refund: {event}"


@pytest.mark.parametrize("kind", ["NATIVE", "MWEB"])
def test_whoever_pays_outside_the_chat_is_named_when_wechat_pay_names_him(
    channel: WeChatPayChannel, kind: str
) -> None:
    for payer, openid in (({"openid": "o-stranger"}, "o-stranger"), (None, None)):
        told = callback(NOW, transaction(trade_type=kind, payer=payer))
        answer = channel.parse_notification(*told, NOW)
        assert isinstance(answer, ProviderAnswer)
        assert (answer.payer, answer.amount) == (openid, Money(32050))


def test_the_currency_is_handed_on(channel: WeChatPayChannel) -> None:
    """So that `confirm` can object: a number of another currency is not our amount."""
    dollars = transaction(amount={"total": 32050, "currency": "USD"})
    answer = channel.parse_notification(*callback(NOW, dollars), NOW)
    assert isinstance(answer, ProviderAnswer)
    assert answer.currency == "USD"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SUCCESS", RefundState.DONE),
        ("ABNORMAL", RefundState.ABNORMAL),
        ("CLOSED", RefundState.CLOSED),
    ],
)
def test_a_callback_about_a_refund_becomes_an_answer(
    channel: WeChatPayChannel, status: str, state: RefundState
) -> None:
    done_at = "2026-11-23T10:30:00+08:00" if status == "SUCCESS" else None
    said = refund_news(refund_status=status, success_time=done_at)
    told = callback(NOW, said, event=f"REFUND.{status}")
    assert channel.parse_notification(*told, NOW) == RefundAnswer(
        mchid=MCHID,
        out_trade_no=said["out_trade_no"],
        out_refund_no=said["out_refund_no"],
        state=state,
        refund_id=said["refund_id"],
        amount=Money(2050),
        at=NOW if done_at else None,
    )


def test_a_refund_of_another_merchant_is_an_answer_that_says_so(channel: WeChatPayChannel) -> None:
    told = callback(NOW, refund_news(mchid=OTHER_MCHID), event="REFUND.SUCCESS")
    assert channel.parse_notification(*told, NOW).mchid == OTHER_MCHID


SENSELESS_REFUNDS: dict[str, dict[str, Any]] = {
    "without a number": {"out_refund_no": None},
    "without WeChat Pay's number": {"refund_id": None},
    "without a merchant": {"mchid": None},
    "without an amount": {"amount": None},
    "of half a fen": {"amount": {"refund": 0.5}},
    "in a state nobody knows": {"refund_status": "MAYBE"},
    "done at no time": {"success_time": "yesterday"},
    "done at a time without a zone": {"success_time": "2026-11-23T10:30:00"},
}


@pytest.mark.parametrize("case", SENSELESS_REFUNDS)
def test_a_signed_callback_about_a_refund_must_make_sense(
    channel: WeChatPayChannel, case: str
) -> None:
    said = refund_news(**SENSELESS_REFUNDS[case])
    reason = refused(channel, *callback(NOW, said, event="REFUND.SUCCESS"))
    assert reason.startswith("a refund we cannot use")


@pytest.mark.parametrize("key", ["platform", "certificate"])
def test_during_a_key_switch_callbacks_of_either_key_are_believed(key: str) -> None:
    channel = WeChatPayChannel(merchant_keys(**by_either()), NOWHERE)
    answer = channel.parse_notification(*callback(NOW, key=key), NOW)
    assert isinstance(answer, ProviderAnswer)
    assert answer.amount == Money(32050)


def test_before_the_switch_only_the_certificate_is_believed() -> None:
    channel = WeChatPayChannel(merchant_keys(**by_certificate()), NOWHERE)
    assert channel.parse_notification(*callback(NOW, key="certificate"), NOW).mchid == MCHID
    assert refused(channel, *callback(NOW)) == "signed with a key we do not know"


def test_a_signature_counts_for_the_key_it_names_only() -> None:
    channel = WeChatPayChannel(merchant_keys(**by_either()), NOWHERE)
    headers, body = callback(NOW, key="certificate")
    headers["Wechatpay-Serial"] = PUBLIC_KEY_ID
    assert refused(channel, headers, body) == "signature does not verify"


SENSELESS: dict[str, Any] = {
    "a list": ["transaction"],
    "a word": "transaction",
    "no number": transaction(out_trade_no=None),
    "no amount": transaction(amount=None),
    "half a fen": transaction(amount={"total": 0.5}),
    "no payer": transaction(payer=None),
    "no such state": transaction(trade_state="MAYBE"),
}


@pytest.mark.parametrize("case", SENSELESS)
def test_a_signed_callback_must_still_make_sense(channel: WeChatPayChannel, case: str) -> None:
    refused(channel, *callback(NOW, SENSELESS[case]))


def test_neither_what_was_sealed_nor_a_key_is_told_to_anyone(
    channel: WeChatPayChannel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = transaction(attach="the-plaintext", success_time="the-plaintext", appid="the-plaintext")
    reasons = [refused(channel, *callback(NOW, said))]
    said = transaction(attach="the-plaintext", success_time="the-plaintext")
    reasons.append(refused(channel, *callback(NOW, said)))
    told = f"{reasons} {channel!r} {caplog.text}"
    for secret in ("the-plaintext", OWNER, API_V3_KEY, "PRIVATE KEY"):
        assert secret not in told


@pytest.fixture(scope="module")
def vector() -> dict[str, Any]:
    """A notification published by WeChat Pay's own Go library, with its certificate and key."""
    if not VECTOR.exists():
        pytest.skip("the folder of WeChat samples is not here")
    found: dict[str, Any] = json.loads(VECTOR.read_text(encoding="utf-8"))
    # Published before this header came; the signature does not cover it.
    found["headers"]["Wechatpay-Signature-Type"] = "WECHATPAY2-SHA256-RSA2048"
    return found


@pytest.fixture(scope="module")
def vector_channel(vector: dict[str, Any]) -> WeChatPayChannel:
    keys = merchant_keys(
        public_key=None,
        public_key_id=None,
        platform_certificates=(vector["platform_certificate_pem"],),
        api_v3_key=vector["api_v3_key"],
    )
    return WeChatPayChannel(keys, NOWHERE)


def at(vector: dict[str, Any]) -> Any:
    return NOW.fromtimestamp(int(vector["headers"]["Wechatpay-Timestamp"]), NOW.tzinfo)


def test_the_published_vector_verifies_and_opens(
    vector: dict[str, Any], vector_channel: WeChatPayChannel
) -> None:
    """It is not a payment, which is known only once the signature and the seal were found good."""
    with pytest.raises(
        InvalidNotification, match=r"neither a payment nor a refund: PAYSCORE\.USER_OPEN_SERVICE"
    ):
        vector_channel.parse_notification(vector["headers"], vector["body"].encode(), at(vector))


def test_a_tampered_copy_of_the_vector_does_not_verify(
    vector: dict[str, Any], vector_channel: WeChatPayChannel
) -> None:
    tampered = vector["body"].replace("PAYSCORE.USER_OPEN_SERVICE", "TRANSACTION.SUCCESS")
    with pytest.raises(InvalidNotification, match="does not verify"):
        vector_channel.parse_notification(vector["headers"], tampered.encode(), at(vector))
