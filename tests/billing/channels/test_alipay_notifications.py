"""Alipay's notifications: what is believed becomes a typed answer, everything else is refused."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from billing.business_day import BEIJING
from billing.channels.alipay import Alipay
from billing.channels.base import (
    InvalidNotification,
    ProviderAnswer,
    ProviderState,
    RefundAnswer,
    RefundState,
)
from billing.money import Money
from tests.billing.channels.alipay_provider import (
    NUMBER,
    OTHER_SELLER_ID,
    SELLER_ID,
    alipay_keys,
    form,
    notified,
    trade,
)
from tests.conftest import NOW

Fields = dict[str, str]


@pytest.fixture(scope="module")
def channel() -> Alipay:
    return Alipay(alipay_keys(), "http://127.0.0.1:1/gateway.do", lambda: NOW)


def refused(channel: Alipay, body: bytes) -> str:
    """Why the channel refuses this notification."""
    with pytest.raises(InvalidNotification) as refusal:
        channel.parse_notification({}, body, NOW)
    return str(refusal.value)


def test_a_true_notification_becomes_an_answer(channel: Alipay) -> None:
    answer = channel.parse_notification({}, form(notified()), NOW)
    assert answer == ProviderAnswer(
        mchid=SELLER_ID,
        out_trade_no=NUMBER,
        state=ProviderState.PAID,
        transaction_id="2026112322001459841410823307",
        amount=Money(32050),  # the order's, though the seller received less
        payer="2088702671559842",
        paid_at=NOW,
    )


def test_the_same_notification_again_and_a_day_later_says_the_same(channel: Alipay) -> None:
    """Alipay repeats for 25 hours; whoever replays it tells nothing new."""
    body = form(notified())
    first = channel.parse_notification({}, body, NOW)
    assert channel.parse_notification({}, body, NOW + timedelta(days=1)) == first


FORGED: dict[str, Callable[[Fields], Fields]] = {
    "another amount": lambda fields: fields | {"total_amount": "1.00"},
    "another number": lambda fields: fields | {"out_trade_no": "MZ9"},
    "one field more": lambda fields: fields | {"refund_fee": "0.00"},
    "one empty field more": lambda fields: fields | {"body": ""},
    "one field less": lambda fields: {k: v for k, v in fields.items() if k != "subject"},
    "a space": lambda fields: fields | {"subject": fields["subject"] + " "},
    "no signature": lambda fields: fields | {"sign": ""},
    "a signature that is none": lambda fields: fields | {"sign": "*"},
    "half a signature": lambda fields: fields | {"sign": fields["sign"][:171]},
    "characters in the signature": lambda fields: fields | {"sign": "签名"},
    "no kind of signature": lambda fields: {k: v for k, v in fields.items() if k != "sign_type"},
    "another kind of signature": lambda fields: fields | {"sign_type": "RSA"},
    "signed by a stranger": lambda fields: notified(key="stranger"),
    "signed by ourselves": lambda fields: notified(key="alipay app"),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_alipay_did_not_sign_is_refused(channel: Alipay, case: str) -> None:
    assert refused(channel, form(FORGED[case](notified()))) == "signature does not verify"


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not in UTF-8"),
    "JSON": (b'{"trade_status":"TRADE_SUCCESS"}', "not a form"),
    "not UTF-8": (b"subject=%ff", "not a form"),
    "raw bytes": ("subject=物业费".encode(), "not a form"),
    "a field twice": (form(notified()) + b"&total_amount=1.00", "a field is there twice"),
    "GBK": (form(notified(trade(charset="GBK"))), "not in UTF-8"),
    "no charset": (form(notified(trade(charset=None))), "not in UTF-8"),
    "a thousand fields": (b"&".join(b"a%d=1" % n for n in range(1000)), "not a form"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_form_of_alipays_is_refused(channel: Alipay, case: str) -> None:
    body, reason = MALFORMED[case]
    assert refused(channel, body) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"app_id": "2021000000000000"}, "made for another application"),
        ({"app_id": None}, "made for another application"),
        ({"notify_type": "batch_refund_notify"}, "not about a trade"),
    ],
)
def test_what_is_signed_but_not_for_us_is_refused(
    channel: Alipay, change: dict[str, str | None], reason: str
) -> None:
    assert refused(channel, form(notified(trade(**change)))) == reason


def test_a_payment_of_another_seller_is_an_answer_that_says_so(channel: Alipay) -> None:
    """So that it is written down: somebody's money went to the wrong account."""
    body = form(notified(trade(seller_id=OTHER_SELLER_ID)))
    answer = channel.parse_notification({}, body, NOW)
    assert answer.mchid == OTHER_SELLER_ID


@pytest.mark.parametrize(
    "name", ["seller_id", "out_trade_no", "trade_no", "trade_status", "total_amount", "gmt_payment"]
)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_payment_must_be_complete(channel: Alipay, name: str, value: str | None) -> None:
    assert refused(channel, form(notified(trade(**{name: value})))).startswith("a trade we cannot")


@pytest.mark.parametrize(
    ("text", "fen"), [("0.1", 10), ("1", 100), ("0.01", 1), ("1000.00", 10**5)]
)
def test_amounts_are_read_to_the_fen(channel: Alipay, text: str, fen: int) -> None:
    answer = channel.parse_notification({}, form(notified(trade(total_amount=text))), NOW)
    assert isinstance(answer, ProviderAnswer)
    assert answer.amount == Money(fen)


@pytest.mark.parametrize(
    "text", ["1,000.00", "1e3", "0.001", "NaN", "１.00", "1.", ".5", " 1", "¥1"]
)
def test_what_is_no_amount_is_refused(channel: Alipay, text: str) -> None:
    assert refused(channel, form(notified(trade(total_amount=text)))).startswith(
        "a trade we cannot"
    )


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"trade_status": "TRADE_FINISHED"}, ProviderState.PAID),
        ({"trade_status": "TRADE_CLOSED"}, ProviderState.PAID),
        ({"trade_status": "TRADE_CLOSED", "gmt_payment": None}, ProviderState.CLOSED),
        ({"trade_status": "WAIT_BUYER_PAY", "gmt_payment": None}, ProviderState.WAITING),
    ],
)
def test_each_state_is_told(
    channel: Alipay, changes: dict[str, str | None], state: ProviderState
) -> None:
    answer = channel.parse_notification({}, form(notified(trade(**changes))), NOW)
    assert answer.state is state


def test_a_refund_is_told_by_its_number_and_not_by_the_sum_of_all(channel: Alipay) -> None:
    told = trade(
        trade_status="TRADE_CLOSED",
        out_biz_no="R2",
        refund_fee="320.50",
        gmt_refund="2026-11-23 10:45:57.320",
    )
    answer = channel.parse_notification({}, form(notified(told)), NOW)
    assert answer == RefundAnswer(
        mchid=SELLER_ID,
        out_trade_no=NUMBER,
        out_refund_no="R2",
        state=RefundState.DONE,
        at=datetime(2026, 11, 23, 10, 45, 57, tzinfo=BEIJING),
    )


def test_a_foreign_currency_is_told(channel: Alipay) -> None:
    answer = channel.parse_notification({}, form(notified(trade(trans_currency="USD"))), NOW)
    assert isinstance(answer, ProviderAnswer)
    assert answer.currency == "USD"
