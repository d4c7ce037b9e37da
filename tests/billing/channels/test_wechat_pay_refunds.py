"""Refunds at WeChat Pay, as the pretend one gives them."""

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    ProviderState,
    RefundAnswer,
    RefundState,
)
from billing.channels.wechat_pay import WeChatPayChannel
from billing.money import Money
from tests.billing.channels.provider import (
    MCHID,
    Provider,
    answering,
    merchant_keys,
    order_request,
    real_now,
    refund_request,
    running_provider,
    signed,
)
from tests.billing.channels.test_wechat_pay import body_of


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Its five seconds until a refund is done are a twentieth of one."""
    with running_provider(tmp_path_factory.mktemp("pay"), clock_rate=100) as running:
        yield running


@pytest.fixture
def channel(provider: Provider) -> WeChatPayChannel:
    return provider.channel()


@pytest.fixture
def paid(provider: Provider, channel: WeChatPayChannel) -> str:
    """The number of an order of 320.50 that was paid."""
    number = f"MZ-{secrets.token_hex(8)}"
    life = timedelta(hours=20)
    provider.pay(channel.order(order_request(number, expires_at=real_now() + life), real_now()))
    return number


def fresh() -> str:
    """A refund number of this test's own."""
    return f"RF-{secrets.token_hex(8)}"


def settled(ask: Callable[[], RefundAnswer]) -> RefundAnswer:
    """Ask until it is no longer under way."""
    for _ in range(200):
        answer = ask()
        if answer.state is not RefundState.PROCESSING:
            return answer
    raise AssertionError("it stays under way")


def test_a_refund_is_taken_at_once_and_done_a_little_later(
    channel: WeChatPayChannel, paid: str
) -> None:
    number = fresh()
    taken = channel.refund(refund_request(paid, number))
    assert (taken.mchid, taken.out_trade_no, taken.out_refund_no) == (MCHID, paid, number)
    assert (taken.state, taken.amount, taken.at) == (RefundState.PROCESSING, Money(2050), None)
    done = settled(lambda: channel.query_refund(paid, number))
    assert (done.state, done.amount) == (RefundState.DONE, Money(2050))
    assert done.refund_id == taken.refund_id
    assert done.at is not None
    assert abs(done.at - real_now()) < timedelta(minutes=1)


def test_an_order_that_was_refunded_is_one_that_was_paid(
    channel: WeChatPayChannel, paid: str
) -> None:
    number = fresh()
    channel.refund(refund_request(paid, number, amount=Money(32050)))
    settled(lambda: channel.query_refund(paid, number))
    answer = channel.query(paid)
    assert (answer.state, answer.amount) == (ProviderState.PAID, Money(32050))


def test_the_same_refund_again_gives_nothing_back_again(
    channel: WeChatPayChannel, paid: str
) -> None:
    wish = refund_request(paid, fresh(), amount=Money(20000))
    first = channel.refund(wish)
    assert channel.refund(wish).refund_id == first.refund_id
    with pytest.raises(ChannelRefused, match="INVALID_REQUEST"):  # more than is left
        channel.refund(refund_request(paid, fresh(), amount=Money(20000)))


def test_another_amount_under_the_same_number_is_refused(
    channel: WeChatPayChannel, paid: str
) -> None:
    number = fresh()
    channel.refund(refund_request(paid, number))
    with pytest.raises(ChannelRefused, match="INVALID_REQUEST"):
        channel.refund(refund_request(paid, number, amount=Money(1)))


@pytest.mark.parametrize(
    ("mode", "state"), [("abnormal", RefundState.ABNORMAL), ("closed", RefundState.CLOSED)]
)
def test_a_refund_can_end_otherwise(
    provider: Provider, channel: WeChatPayChannel, paid: str, mode: str, state: RefundState
) -> None:
    provider.faults.add(target="refund", mode=mode)
    number = fresh()
    channel.refund(refund_request(paid, number))
    answer = settled(lambda: channel.query_refund(paid, number))
    assert (answer.state, answer.at) == (state, None)


def test_too_little_on_the_account_is_a_refusal_and_nothing_happened(
    provider: Provider, channel: WeChatPayChannel, paid: str
) -> None:
    provider.faults.add(target="refund", mode="not_enough")
    wish = refund_request(paid, fresh())
    with pytest.raises(ChannelRefused) as refusal:
        channel.refund(wish)
    assert refusal.value.code == "NOT_ENOUGH"
    assert channel.query_refund(paid, wish.out_refund_no).state is RefundState.MISSING


def test_a_lost_answer_leaves_a_refund_that_can_be_asked_about(
    provider: Provider, channel: WeChatPayChannel, paid: str
) -> None:
    provider.faults.add(target="pay_api", mode="lost")
    wish = refund_request(paid, fresh())
    with pytest.raises(ChannelUnreachable):
        channel.refund(wish)
    assert channel.query_refund(paid, wish.out_refund_no).amount == Money(2050)


@pytest.mark.parametrize("number", ["RF-never", "RF@never", "RF|never*"])
def test_a_number_the_provider_never_heard_of_is_missing(
    channel: WeChatPayChannel, paid: str, number: str
) -> None:
    """Also one that must be escaped in an address, which the signature covers as it is sent."""
    assert channel.query_refund(paid, number) == RefundAnswer(
        mchid=MCHID, out_trade_no=paid, out_refund_no=number, state=RefundState.MISSING
    )


REFUND = {
    "out_trade_no": "MZ20261123A01",
    "out_refund_no": "RF20261123A01",
    "refund_id": "5030",
    "status": "PROCESSING",
    "amount": {"refund": 2050, "total": 32050},
}
SENSELESS: dict[str, dict[str, object]] = {
    "about another refund": {"out_refund_no": "RF-another"},
    "about another order": {"out_trade_no": "MZ-another"},
    "in a state nobody knows": {"status": "MAYBE"},
    "in a list of states": {"status": ["SUCCESS"]},
    "without WeChat Pay's number": {"refund_id": ""},
    "of half a fen": {"amount": {"refund": 0.5}},
    "of an amount that is none": {"amount": 2050},
    "done at no time": {"success_time": "yesterday"},
}


@pytest.mark.parametrize("case", SENSELESS)
def test_a_refund_that_does_not_make_sense_is_not_believed(case: str) -> None:
    body = body_of(**REFUND | SENSELESS[case])
    headers = {"Content-Type": "application/json"} | signed(body, real_now())
    wish = refund_request("MZ20261123A01", "RF20261123A01")
    with answering(lambda: (200, headers, body)) as url:
        channel = WeChatPayChannel(merchant_keys(), url)
        with pytest.raises(ChannelUnreachable):
            channel.refund(wish)
        with pytest.raises(ChannelUnreachable):
            channel.query_refund(wish.out_trade_no, wish.out_refund_no)
