"""`kill -9` of any part between payment and receipt: booked once, seen once, books whole."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running import Demo, Phone, running_demo, wait_for


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(Path(tmp_path_factory.mktemp("kill"))) as running:
        yield running


@pytest.fixture(autouse=True)
def everything_answers(demo: Demo) -> None:
    wait_for("the service", lambda: requests.get(f"{demo.service}/healthz", timeout=2).ok, 60)


def is_booked_once_and_seen_once(demo: Demo, phone: Phone, order: dict[str, Any]) -> None:
    """The receipt came once, nothing is owed any more, and the books are whole."""
    wait_for("the receipt", lambda: phone.receipts(order["paid_fen"]), 90)
    assert "没有待缴账单" in wait_for("an answer", lambda: phone.says("账单"), 60)
    assert len(phone.receipts(order["paid_fen"])) == 1
    report = demo.mingzhang("check")
    assert report["ok"], [check for check in report["checks"] if check["violations"]]


def paid_order(demo: Demo, known: set[str]) -> dict[str, Any] | None:
    """The order the pretend WeChat Pay has just taken money for, if there is one."""
    fresh = [o for o in demo.get("/ledger")["orders"] if o["out_trade_no"] not in known]
    return next((order for order in fresh if order["state"] == "SUCCESS"), None)


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (0, "web"),
        (2, "postgres"),
        pytest.param(1, "worker", marks=pytest.mark.soak),
        pytest.param(3, "valkey", marks=pytest.mark.soak),
    ],
)
def test_a_part_killed_between_payment_and_receipt_loses_and_repeats_nothing(
    demo: Demo, number: int, part: str
) -> None:
    phone = demo.phone()
    phone.binds(demo.home(number))
    link = phone.bill_link()
    known = {order["out_trade_no"] for order in demo.get("/ledger")["orders"]}
    # The callback and the page's own question are held back: once the money is taken, nobody on our
    # side knows for three seconds, and in these the part dies.
    demo.post("/faults", {"target": "pay_notify", "mode": "delay", "count": 1, "seconds": 3})
    demo.post("/faults", {"target": "api", "mode": "delay", "count": 2, "seconds": 3})
    paying = threading.Thread(target=lambda: phone.tries("pay", {"url": link}))
    paying.start()
    order = wait_for("the payment", lambda: paid_order(demo, known), 20)
    demo.kill(part)
    assert phone.receipts(order["paid_fen"]) == []
    paying.join(60)
    is_booked_once_and_seen_once(demo, phone, order)


@pytest.mark.soak  # every day at the door for callbacks, without a whole demo
def test_a_callback_delivered_twice_at_once_books_once(demo: Demo) -> None:
    phone = demo.phone()
    phone.binds(demo.home(4))
    demo.post("/faults", {"target": "pay_notify", "mode": "duplicate", "count": 1})
    paid = phone.does("pay", {"url": phone.bill_link()})
    is_booked_once_and_seen_once(demo, phone, paid)


@pytest.mark.soak  # every day in handlers/test_settlement, without a whole demo
def test_a_lost_callback_is_found_by_asking(demo: Demo) -> None:
    phone = demo.phone()
    phone.binds(demo.home(5))
    demo.post("/faults", {"target": "pay_notify", "mode": "drop", "count": 16})
    paid = phone.does("pay", {"url": phone.bill_link()})
    is_booked_once_and_seen_once(demo, phone, paid)


@pytest.mark.soak  # every day at the door for callbacks
def test_a_forged_callback_is_refused_and_the_true_one_booked(demo: Demo) -> None:
    phone = demo.phone()
    phone.binds(demo.home(6))
    demo.post("/faults", {"target": "pay_notify", "mode": "forge", "count": 1})
    paid = phone.does("pay", {"url": phone.bill_link()})
    is_booked_once_and_seen_once(demo, phone, paid)
    assert demo.mingzhang("alerts") == []
