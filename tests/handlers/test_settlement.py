"""Payments nobody called about: asked after, booked when paid, closed when stale, never guessed."""

import threading
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from billing.channels.base import ProviderAnswer
from billing.channels.wechat_pay import WeChatPayChannel
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentState
from billing.payments import record_call, record_unknown
from billing.privacy import Vault
from handlers.settlement import settle_open_payments
from tests.billing.channels.provider import (
    Provider,
    merchant_keys,
    order_request,
    running_provider,
)
from tests.conftest import MERCHANT, World
from tests.handlers.callbacks.till import NOWHERE, Till, open_till

LIFE_MINUTES = 120
NOTHING = {"booked": 0, "closed": 0, "open": 0, "unreachable": 0}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """In real time; its callbacks find nobody."""
    with running_provider(tmp_path_factory.mktemp("pay")) as running:
        yield running


@pytest.fixture
def till(world: World, redis: Redis, vault: Vault, provider: Provider) -> Till:
    return open_till(world, redis, vault, provider)


def settled(till: Till) -> dict[str, int]:
    """One round, a minute or so later; gives what came of it without the zeros."""
    till.forward(seconds=61)
    return {name: count for name, count in settle_open_payments(till.services).items() if count}


def provider_state(till: Till, payment: Payment) -> str:
    """What the provider believes."""
    found = {row["out_trade_no"]: row["state"] for row in till.provider.book.ledger()}
    return str(found.get(payment.out_trade_no, "unknown"))


def test_a_payment_whose_callback_was_lost_is_booked_by_asking(till: Till) -> None:
    payment = till.prepared()
    till.provider.pay(till.order(payment))
    assert settled(till) == {"booked": 1}
    assert till.state(payment) is PaymentState.CONFIRMED
    assert till.arrived() == payment.amount
    assert settled(till) == {}


def test_a_fresh_payment_is_left_to_its_callback(till: Till) -> None:
    till.provider.pay(till.order(till.prepared()))
    till.forward(seconds=19)
    assert settle_open_payments(till.services) == NOTHING
    assert till.arrived() == ZERO


def test_an_unpaid_payment_is_asked_about_once_a_minute(till: Till) -> None:
    till.order(till.prepared())
    assert settled(till) == {"open": 1}
    till.forward(seconds=59)
    assert settle_open_payments(till.services) == NOTHING
    assert settled(till) == {"open": 1}


def test_a_payment_the_provider_never_heard_of_is_closed_after_its_life_not_before(
    till: Till,
) -> None:
    payment = till.prepared()
    till.forward(minutes=LIFE_MINUTES, seconds=-62)
    assert settled(till) == {"open": 1}
    assert till.state(payment) is PaymentState.PREPARED
    assert settled(till) == {"closed": 1}
    assert till.state(payment) is PaymentState.CLOSED
    assert settled(till) == {}


def test_a_stale_order_is_closed_at_the_provider_too(till: Till) -> None:
    payment = till.prepared()
    till.order(payment)
    till.forward(minutes=LIFE_MINUTES, seconds=-62)
    assert settled(till) == {"open": 1}
    assert provider_state(till, payment) == "NOTPAY"
    assert settled(till) == {"closed": 1}
    assert provider_state(till, payment) == "CLOSED"
    assert till.state(payment) is PaymentState.CLOSED


def test_an_order_the_provider_closed_is_closed(till: Till) -> None:
    payment = till.prepared()
    till.order(payment)
    till.services.channels[MERCHANT[0]].close(payment.out_trade_no)
    assert settled(till) == {"closed": 1}
    assert till.state(payment) is PaymentState.CLOSED


class Interrupted(WeChatPayChannel):
    """The real channel, and something that happens just before a query or a closing goes out."""

    def __init__(
        self,
        provider: Provider,
        before_query: Callable[[], object] = lambda: None,
        before_close: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(merchant_keys(), provider.url)
        self._before_query = before_query
        self._before_close = before_close

    def query(self, out_trade_no: str) -> ProviderAnswer:
        self._before_query()
        return super().query(out_trade_no)

    def close(self, out_trade_no: str) -> None:
        self._before_close()
        super().close(out_trade_no)


def test_money_that_comes_while_we_are_closing_is_booked(till: Till) -> None:
    payment = till.prepared()
    call = till.order(payment)
    racing = Interrupted(till.provider, before_close=lambda: till.provider.pay(call))
    till.forward(minutes=LIFE_MINUTES, seconds=1)
    counts = settle_open_payments(till.with_channels({MERCHANT[0]: racing}))
    assert counts == NOTHING | {"booked": 1}
    assert till.state(payment) is PaymentState.CONFIRMED
    assert till.arrived() == payment.amount


def test_while_the_provider_is_silent_a_payment_stays_unknown_and_is_asked_about_again(
    till: Till,
) -> None:
    payment = till.prepared()
    call = till.services.channels[MERCHANT[0]].order(
        order_request(payment.out_trade_no, amount=payment.amount), till.now
    )
    with till.world.database.transaction() as session:
        record_unknown(session, payment)
    silent = till.with_channels({MERCHANT[0]: WeChatPayChannel(merchant_keys(), NOWHERE)})
    till.forward(minutes=LIFE_MINUTES * 2)
    assert settle_open_payments(silent) == NOTHING | {"unreachable": 1}
    assert till.state(payment) is PaymentState.UNKNOWN
    assert settle_open_payments(silent) == NOTHING
    till.provider.pay(call)
    assert settled(till) == {"booked": 1}
    assert till.arrived() == payment.amount


def test_a_server_error_while_closing_closes_nothing(till: Till) -> None:
    payment = till.prepared()
    till.order(payment)
    till.forward(minutes=LIFE_MINUTES, seconds=1)
    faults = till.provider.faults
    failing = Interrupted(
        till.provider, before_close=lambda: faults.add(target="api", mode="errcode")
    )
    counts = settle_open_payments(till.with_channels({MERCHANT[0]: failing}))
    assert counts == NOTHING | {"unreachable": 1}
    assert till.state(payment) is PaymentState.WAITING
    assert settled(till) == {"closed": 1}


def test_what_does_not_fit_is_written_down_once_and_stays_open(till: Till) -> None:
    payment = till.prepared()
    cheaper = order_request(payment.out_trade_no, amount=Money(1))
    call = till.services.channels[MERCHANT[0]].order(cheaper, till.now)
    with till.world.database.transaction() as session:
        record_call(session, payment, call)
    till.provider.pay(call)
    assert [settled(till), settled(till)] == [{"open": 1}, {"open": 1}]
    assert till.discrepancies() == ["wrong_amount"]
    assert till.state(payment) is PaymentState.WAITING
    assert till.arrived() == ZERO


def test_two_rounds_at_once_book_once_and_close_once(till: Till) -> None:
    paid, stale = till.prepared("1-1-302"), till.prepared("3-2-501")
    till.provider.pay(till.order(paid))
    till.order(stale)
    till.forward(minutes=LIFE_MINUTES, seconds=1)
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def round_of_cron() -> None:
        start.wait()
        try:
            settle_open_payments(till.services)
        except BaseException as error:  # kept for the assertion: a thread's failure is silent
            failures.append(error)

    rounds = [threading.Thread(target=round_of_cron) for _ in range(2)]
    for each in rounds:
        each.start()
    for each in rounds:
        each.join()
    assert failures == []
    assert till.arrived() == paid.amount
    assert till.state(stale) is PaymentState.CLOSED
    assert provider_state(till, stale) == "CLOSED"


def test_one_payment_without_an_answer_does_not_hold_up_the_others(till: Till) -> None:
    first, second = till.prepared("1-1-302"), till.prepared("3-2-501")
    till.provider.pay(till.order(first))
    till.provider.pay(till.order(second))
    till.provider.faults.add(target="api", mode="errcode")
    till.forward(seconds=61)
    assert settle_open_payments(till.services) == NOTHING | {"booked": 1, "unreachable": 1}
    assert settled(till) == {"booked": 1}
    assert till.arrived() == first.amount + second.amount


def test_a_silent_provider_is_left_alone_after_three_questions(till: Till) -> None:
    for room in ("1-1-302", "3-2-501", "2-1-803", "1-1-101", "2-1-204"):
        till.prepared(room)
    till.forward(seconds=61)
    nobody = till.with_channels({})
    assert settle_open_payments(nobody) == NOTHING | {"unreachable": 3}
    assert settle_open_payments(nobody) == NOTHING | {"unreachable": 2}


def test_a_merchant_whose_keys_are_gone_is_as_good_as_unreachable(till: Till) -> None:
    payment = till.prepared()
    till.forward(minutes=1)
    assert settle_open_payments(till.with_channels({})) == NOTHING | {"unreachable": 1}
    assert till.state(payment) is PaymentState.PREPARED


def test_asking_uses_no_transaction(till: Till) -> None:
    """Prepare → call → record: while the provider is asked, no connection is held."""
    till.order(till.prepared())
    pool = till.world.database.engine.pool
    seen: list[str] = []

    def look() -> None:
        seen.append(pool.status())

    watched = Interrupted(till.provider, before_query=look, before_close=look)
    till.forward(minutes=LIFE_MINUTES, seconds=1)
    assert settle_open_payments(till.with_channels({MERCHANT[0]: watched}))["closed"] == 1
    assert ["Current Checked out connections: 0" in status for status in seen] == [True, True]
