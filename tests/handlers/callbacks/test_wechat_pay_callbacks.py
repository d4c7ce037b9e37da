"""Money is booked once however often WeChat Pay calls, and nobody else can make us book any."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from psycopg import sql
from sqlalchemy import make_url, update
from structlog.testing import capture_logs

from billing.channels.wechat_pay_signatures import PROBE_MARK
from billing.merchants import MerchantAccount
from billing.money import ZERO
from billing.payment_tables import PaymentState
from billing.payments import record_closed
from handlers.callbacks.providers import BODY_BYTES_MAX
from tests.billing.channels.provider import (
    OTHER_MCHID,
    OWNER,
    callback,
)
from tests.conftest import World
from tests.handlers.callbacks.conftest import PATH, Door
from tests.handlers.callbacks.till import Till


def wait_until_accepted(till: Till, out_trade_no: str) -> None:
    """The provider goes on calling until it is; fails when that does not come."""
    end = time.monotonic() + 8
    while till.provider.book.notify_status(out_trade_no) != "accepted":
        assert time.monotonic() < end, till.provider.book.notify_status(out_trade_no)
        time.sleep(0.02)


def test_a_payment_made_at_the_cashier_is_booked_by_its_callback(
    till: Till, door: Door, served: Callable[[Door], str]
) -> None:
    payment = till.prepared()
    till.provider.pay(till.order(payment, served(door)))
    assert till.provider.book.wait_first_notify(payment.out_trade_no, 5) == "accepted"
    assert till.state(payment) is PaymentState.CONFIRMED
    assert till.arrived() == payment.amount


def test_a_booked_callback_is_answered_without_words(door: Door) -> None:
    answer = door.told(door.till.said(door.till.prepared()))
    assert (answer.status_code, answer.data) == (204, b"")
    assert door.counted("booked") == 1


def test_a_second_callback_changes_nothing(till: Till, door: Door) -> None:
    payment = till.prepared()
    said = till.said(payment)
    assert [door.told(said).status_code for _ in range(3)] == [204, 204, 204]
    assert till.arrived() == payment.amount
    assert (door.counted("booked"), door.counted("already_booked")) == (1, 2)


def test_twenty_callbacks_at_once_book_once(
    till: Till, door: Door, served: Callable[[Door], str]
) -> None:
    payment, url = till.prepared(), served(door)
    headers, body = callback(till.now, till.said(payment))
    start = threading.Barrier(20)

    def call(_: int) -> int:
        start.wait()
        return requests.post(url, data=body, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(20) as callers:
        assert list(callers.map(call, range(20))) == [204] * 20
    assert (door.counted("booked"), door.counted("already_booked")) == (1, 19)
    assert till.arrived() == payment.amount


def test_money_that_comes_after_we_gave_up_is_booked(till: Till, door: Door) -> None:
    payment = till.prepared()
    with till.world.database.transaction() as session:
        record_closed(session, payment, till.now)
    assert door.told(till.said(payment)).status_code == 204
    assert till.arrived() == payment.amount


def test_a_callback_signed_long_ago_is_refused_and_books_when_signed_anew(
    till: Till, door: Door
) -> None:
    payment = till.prepared()
    headers, body = callback(till.now - timedelta(minutes=6), till.said(payment))
    assert door.client.post(PATH, headers=headers, data=body).status_code == 400
    assert till.arrived() == ZERO
    assert door.told(till.said(payment)).status_code == 204
    assert till.arrived() == payment.amount


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount": {"total": 1}}, "wrong_amount"),
        ({"payer": {"openid": "o-somebody-else"}}, "wrong_payer"),
        ({"mchid": OTHER_MCHID}, "wrong_merchant"),
        ({"out_trade_no": "MZ-never-heard-of"}, "unknown_order"),
    ],
)
def test_what_does_not_fit_is_accepted_written_down_and_not_booked(
    till: Till, door: Door, change: dict[str, object], kind: str
) -> None:
    said = till.said(till.prepared(), **change)
    assert [door.told(said).status_code for _ in range(2)] == [204, 204]
    assert till.discrepancies() == [kind]
    assert till.arrived() == ZERO
    assert door.counted("discrepancy") == 2


def test_a_forged_callback_is_refused_and_leaves_no_trace(till: Till, door: Door) -> None:
    payment = till.prepared()
    answer = door.told(till.said(payment), key="stranger")
    assert (answer.status_code, json.loads(answer.data)["code"]) == (400, "FAIL")
    assert till.state(payment) is PaymentState.PREPARED
    assert (till.arrived(), till.discrepancies()) == (ZERO, [])
    assert door.counted("invalid") == 1


def test_a_forged_callback_before_the_true_one_does_not_hold_it_up(
    till: Till, door: Door, served: Callable[[Door], str]
) -> None:
    payment = till.prepared()
    till.provider.faults.add(target="pay_notify", mode="forge")
    till.provider.pay(till.order(payment, served(door)))
    wait_until_accepted(till, payment.out_trade_no)
    assert till.arrived() == payment.amount
    assert (door.counted("invalid"), door.counted("booked")) == (1, 1)


def test_a_probe_gets_a_refusal(door: Door) -> None:
    headers, body = callback(door.till.now)
    headers["Wechatpay-Signature"] = PROBE_MARK + headers["Wechatpay-Signature"]
    assert door.client.post(PATH, headers=headers, data=body).status_code == 400


def test_anybody_may_knock_and_nobody_breaks_the_door(door: Door) -> None:
    for body in (b"", b"hello", b"{}", b"\x00\xff"):
        assert door.client.post(PATH, data=body).status_code == 400
    assert door.client.get(PATH).status_code == 405


def test_a_merchant_we_have_no_keys_for_is_unknown(till: Till, door: Door) -> None:
    headers, body = callback(till.now, till.said(till.prepared()))
    answer = door.client.post("/callbacks/wechat_pay/OTHER", headers=headers, data=body)
    assert (answer.status_code, json.loads(answer.data)["code"]) == (404, "FAIL")
    assert door.counted("unknown_merchant") == 1


def test_a_merchant_that_is_not_in_the_books_is_our_fault_so_wechat_pay_comes_again(
    till: Till, door: Door
) -> None:
    payment = till.prepared()
    with till.world.database.transaction() as session:
        session.execute(update(MerchantAccount).values(code="RENAMED"))
    assert door.told(till.said(payment)).status_code == 500
    with till.world.database.transaction() as session:
        session.execute(update(MerchantAccount).values(code="HYPM"))
    assert door.told(till.said(payment)).status_code == 204
    assert till.arrived() == payment.amount


def test_a_body_that_is_too_large_is_not_read(door: Door) -> None:
    headers, _ = callback(door.till.now)
    answer = door.client.post(PATH, headers=headers, data=b" " * (BODY_BYTES_MAX + 1))
    assert (answer.status_code, json.loads(answer.data)["code"]) == (413, "FAIL")
    assert door.counted("invalid") == 1


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(
    door: Door, served: Callable[[Door], str]
) -> None:
    to = urlsplit(served(door))
    connection = http.client.HTTPConnection(str(to.hostname), to.port, timeout=30)
    said = door.till.said(door.till.prepared(), attach="a" * BODY_BYTES_MAX)
    headers, body = callback(door.till.now, said)
    connection.request("POST", PATH, iter([body]), headers)
    assert connection.getresponse().status == 400
    connection.close()
    assert door.till.arrived() == ZERO


def open_database(world: World, *, is_open: bool) -> None:
    """Let PostgreSQL take connections to the world's database, or refuse and end them."""
    address = make_url(world.url)
    name = str(address.database)
    postgres = address.set(drivername="postgresql", database="postgres")
    dsn = postgres.render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}").format(
                sql.Identifier(name), sql.Literal(is_open)
            )
        )
        if not is_open:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )


def test_while_the_database_is_down_wechat_pay_is_sent_away_and_its_retry_books(
    till: Till, door: Door, served: Callable[[Door], str]
) -> None:
    payment = till.prepared()
    call = till.order(payment, served(door))
    open_database(till.world, is_open=False)
    till.provider.pay(call)
    assert till.provider.book.wait_first_notify(payment.out_trade_no, 8) == "failed:500"
    open_database(till.world, is_open=True)
    wait_until_accepted(till, payment.out_trade_no)
    assert till.state(payment) is PaymentState.CONFIRMED
    assert till.arrived() == payment.amount


def test_the_log_names_the_order_and_the_outcome_but_no_person(till: Till, door: Door) -> None:
    payment = till.prepared()
    with capture_logs() as logs:
        door.told(till.said(payment))
        door.told(till.said(payment), key="stranger")
    assert [line["event"] for line in logs] == ["payment_callback", "payment_callback_refused"]
    assert (logs[0]["out_trade_no"], logs[0]["outcome"]) == (payment.out_trade_no, "booked")
    assert OWNER not in str(logs)
