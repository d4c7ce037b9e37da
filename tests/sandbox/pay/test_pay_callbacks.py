"""A payment is told to the merchant: signed, sealed, and again until accepted."""

import json
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from wechat_pay_world import (
    API_V3_KEY,
    APP_ID,
    MCHID,
    OTHER_MCHID,
    OWNER,
    PUBLIC_KEY_ID,
    Callbacks,
    Client,
    pay,
    until,
)
from wechatpayv3.utils import aes_decrypt

from sandbox.config import SandboxConfig
from sandbox.faults import Fault, Faults
from sandbox.pay import PayBook
from sandbox.pay.notifier import RETRY_AFTER_S

ORDER = "HY20261123A01"
FAST = 120.0


def test_the_merchant_can_verify_and_read_the_callback(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    paid = pay(book, client)
    (callback,) = callbacks.wait_for(1)
    assert callback.headers["Wechatpay-Serial"] == PUBLIC_KEY_ID
    assert callback.headers["Content-Type"] == "application/json"
    told = client.read(callback)
    assert told["event_type"] == "TRANSACTION.SUCCESS"
    assert told["resource_type"] == "encrypt-resource"
    assert told["summary"] == "支付成功"
    assert told["create_time"].endswith("+08:00")
    assert told["resource"] == client.query()[1]
    assert told["resource"]["transaction_id"] == paid.transaction_id
    assert (told["resource"]["appid"], told["resource"]["mchid"]) == (APP_ID, MCHID)
    sealed = json.loads(callback.body)["resource"]
    assert sealed["algorithm"] == "AEAD_AES_256_GCM"
    assert sealed["original_type"] == "transaction"
    assert len(sealed["nonce"]) == 12


def test_only_200_and_204_end_it(book: PayBook, client: Client, callbacks: Callbacks) -> None:
    expected = {
        200: "accepted",
        204: "accepted",
        201: "failed:201",
        302: "failed:302",
        404: "failed:404",
        500: "failed:500",
    }
    for http, status in expected.items():
        callbacks.answers = [http]
        pay(book, client, f"HY20261123-{http}")
        assert book.wait_first_notify(f"HY20261123-{http}", 30) == status
        assert book.notify_status(f"HY20261123-{http}") == status


def test_nobody_at_the_address_is_a_failure_without_a_status(book: PayBook, client: Client) -> None:
    prepay_id = client.order(notify_url="http://127.0.0.1:9/closed")[1]["prepay_id"]
    book.confirm(prepay_id, OWNER)
    assert book.wait_first_notify(ORDER, 30) == "failed:0"


def test_an_answer_after_five_seconds_comes_too_late(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    callbacks.let_answer.clear()
    started = time.monotonic()
    pay(book, client)
    assert book.wait_first_notify(ORDER, 0.1) == "pending"
    assert book.wait_first_notify(ORDER, 30) == "failed:0"
    assert time.monotonic() - started >= 5


def test_an_unpaid_order_has_no_callback_to_ask_about(book: PayBook, client: Client) -> None:
    client.order()
    with pytest.raises(LookupError):
        book.notify_status(ORDER)


def test_the_pauses_are_the_documented_ones() -> None:
    assert len(RETRY_AFTER_S) == 15
    assert sum(RETRY_AFTER_S) == 24 * 3600 + 4 * 60


def test_a_refused_callback_comes_again_newly_signed_after_each_pause(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client], callbacks: Callbacks
) -> None:
    book = open_book(rate=FAST)
    client = client_of(book)
    callbacks.answers = [500, 404, 503]
    pay(book, client)
    received = callbacks.wait_for(4)
    until(lambda: book.notify_status(ORDER) == "accepted")
    gaps = [later.at - earlier.at for earlier, later in pairwise(received)]
    for gap, pause_s in zip(gaps, RETRY_AFTER_S, strict=False):
        assert gap >= pause_s / FAST
    told = [client.read(callback) for callback in received]
    assert len({callback["id"] for callback in told}) == 1
    assert len({callback.headers["Wechatpay-Nonce"] for callback in received}) == 4
    assert len({json.loads(callback.body)["resource"]["nonce"] for callback in received}) == 4


def test_after_the_last_try_the_callback_is_given_up(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client], callbacks: Callbacks
) -> None:
    book = open_book(rate=30)
    callbacks.answers = [500] * 99
    pay(book, client_of(book))
    assert book.wait_first_notify(ORDER, 30) == "failed:500"
    book.stop()
    hurried = open_book(rate=200_000)
    callbacks.wait_for(16)
    hurried.stop()
    again = open_book(rate=30)
    other = client_of(again)
    callbacks.answers = []
    pay(again, other, "HY20261123A02")
    assert again.wait_first_notify("HY20261123A02", 30) == "accepted"
    assert again.notify_status(ORDER) == "failed:500"
    assert len(callbacks.received) == 17


def test_a_callback_under_way_goes_on_after_a_restart(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client], callbacks: Callbacks
) -> None:
    before = open_book(rate=30)
    callbacks.answers = [500]
    pay(before, client_of(before))
    assert before.wait_first_notify(ORDER, 30) == "failed:500"
    before.stop()
    after = open_book(rate=30)
    first, second = callbacks.wait_for(2)
    assert second.at - first.at >= RETRY_AFTER_S[0] / 30
    until(lambda: after.notify_status(ORDER) == "accepted")


def test_a_stopped_book_delivers_nothing_until_it_is_opened_again(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client], callbacks: Callbacks
) -> None:
    before = open_book()
    client = client_of(before)
    before.stop()
    pay(before, client)
    assert callbacks.received == []
    after = open_book()
    callbacks.wait_for(1)
    until(lambda: after.notify_status(ORDER) == "accepted")


def test_a_merchant_no_longer_configured_is_left_alone_after_a_restart(
    open_book: Callable[..., PayBook],
    client_of: Callable[..., Client],
    callbacks: Callbacks,
    config: SandboxConfig,
) -> None:
    before = open_book()
    client = client_of(before)
    before.stop()
    pay(before, client)
    after = open_book(merchants=config.merchants[1:])
    pay(after, client_of(after, mchid=OTHER_MCHID), "HY20261123A02")
    assert after.wait_first_notify("HY20261123A02", 30) == "accepted"
    assert after.notify_status(ORDER) == "pending"
    assert len(callbacks.received) == 1


def test_a_dropped_callback_comes_with_the_next_try(
    open_book: Callable[..., PayBook],
    client_of: Callable[..., Client],
    callbacks: Callbacks,
    faults: Faults,
) -> None:
    faults.add(target="pay_notify", mode="drop")
    book = open_book(rate=FAST)
    pay(book, client_of(book))
    assert book.wait_first_notify(ORDER, 30) == "pending"
    assert callbacks.received == []
    callbacks.wait_for(1)
    until(lambda: book.notify_status(ORDER) == "accepted")
    assert len(callbacks.received) == 1


def test_a_duplicated_callback_comes_twice_at_once(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="pay_notify", mode="duplicate")
    callbacks.let_answer.clear()
    pay(book, client)
    first, second = callbacks.wait_for(2)
    callbacks.let_answer.set()
    assert client.read(first) == client.read(second)
    assert book.wait_first_notify(ORDER, 30) == "accepted"


def test_one_acceptance_of_a_duplicate_is_enough(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="pay_notify", mode="duplicate")
    callbacks.answers = [500, 204]
    pay(book, client)
    assert book.wait_first_notify(ORDER, 30) == "accepted"


def test_a_delayed_callback_comes_after_the_real_seconds_asked_for(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="pay_notify", mode="delay", seconds=0.2)
    pay(book, client)
    paid_at = time.monotonic()
    (callback,) = callbacks.wait_for(1)
    assert callback.at - paid_at >= 0.15
    assert book.wait_first_notify(ORDER, 30) == "accepted"


def test_a_reordered_callback_comes_after_a_later_payments(
    book: PayBook,
    client: Client,
    callbacks: Callbacks,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults.add(target="pay_notify", mode="reorder", seconds=60)
    taken = threading.Event()

    def take_and_tell(target: str) -> Fault | None:
        fault = Faults.take(faults, target)
        taken.set()
        return fault

    monkeypatch.setattr(faults, "take", take_and_tell)
    pay(book, client, "HY20261123A01")
    assert taken.wait(30)
    pay(book, client, "HY20261123A02")
    told = [client.read(callback)["resource"] for callback in callbacks.wait_for(2)]
    assert [payment["out_trade_no"] for payment in told] == ["HY20261123A02", "HY20261123A01"]


def test_a_reordered_callback_without_another_comes_after_its_seconds(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="pay_notify", mode="reorder", seconds=0.2)
    pay(book, client)
    callbacks.wait_for(1)
    assert book.wait_first_notify(ORDER, 30) == "accepted"


def test_a_forged_callback_comes_first_and_does_not_verify(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="pay_notify", mode="forge")
    callbacks.answers = [401, 204]
    paid = pay(book, client)
    forged, true = callbacks.wait_for(2)
    assert client.read(forged) is None
    assert client.read(true)["resource"]["transaction_id"] == paid.transaction_id
    assert forged.headers["Wechatpay-Serial"] == PUBLIC_KEY_ID
    believed = unsealed(forged.body)
    assert believed["out_trade_no"] == ORDER
    assert believed["transaction_id"] != paid.transaction_id
    assert book.wait_first_notify(ORDER, 30) == "accepted"


def test_the_probe_carries_its_mark_and_never_verifies(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    callbacks.answers = [401]
    assert book.probe(callbacks.url) == 401
    (probe,) = callbacks.wait_for(1)
    assert probe.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert client.read(probe) is None
    assert book.probe("http://127.0.0.1:9/closed") == 0


def unsealed(body: str) -> Any:
    """Read a callback's payment without looking at its signature."""
    resource = json.loads(body)["resource"]
    text = aes_decrypt(
        resource["nonce"], resource["ciphertext"], resource["associated_data"], API_V3_KEY
    )
    return json.loads(text)
