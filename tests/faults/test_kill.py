"""`kill -9` of any part between payment and receipt: booked once, seen once, books whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import Demo, Phone, running_demo, wait_for

pytestmark = pytest.mark.xdist_group("kill")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(Path(tmp_path_factory.mktemp("kill"))) as running:
        yield running


def is_booked_once_and_seen_once(demo: Demo, phone: Phone, paid: Any) -> None:
    wait_for("the receipt", lambda: phone.receipts(paid["paid_fen"]), 60)
    wait_for(
        "the settled bill",
        lambda: "待缴" not in phone.says("账单") or "已" in phone.says("账单"),
    )
    assert len(phone.receipts(paid["paid_fen"])) == 1
    report = demo.mingzhang("check")
    assert report["ok"], [check for check in report["checks"] if check["violations"]]
    [order] = [
        order
        for order in demo.get("/ledger")["orders"]
        if order["out_trade_no"] == paid["out_trade_no"]
    ]
    assert order["state"] == "SUCCESS"


@pytest.mark.parametrize(
    ("number", "part"), [(0, "web"), (1, "worker"), (2, "postgres"), (3, "valkey")]
)
def test_a_killed_part_loses_and_repeats_nothing(demo: Demo, number: int, part: str) -> None:
    phone = demo.phone()
    phone.binds(demo.home(number))
    link = phone.bill_link()
    # The callback is held back, so that the kill falls between payment and booking.
    demo.post("/faults", {"target": "pay_notify", "mode": "delay", "count": 1, "seconds": 2})
    if part == "worker":
        demo.kill(part)
    paid = phone.does("pay", {"url": link})
    if part != "worker":
        demo.kill(part)
    is_booked_once_and_seen_once(demo, phone, paid)


def test_the_same_callback_twenty_times_books_once(demo: Demo) -> None:
    phone = demo.phone()
    phone.binds(demo.home(4))
    demo.post("/faults", {"target": "pay_notify", "mode": "duplicate", "count": 1})
    paid = phone.does("pay", {"url": phone.bill_link()})
    is_booked_once_and_seen_once(demo, phone, paid)


def test_a_lost_callback_is_found_by_asking(demo: Demo) -> None:
    phone = demo.phone()
    phone.binds(demo.home(5))
    demo.post("/faults", {"target": "pay_notify", "mode": "drop", "count": 16})
    paid = phone.does("pay", {"url": phone.bill_link()})
    is_booked_once_and_seen_once(demo, phone, paid)


def test_a_forged_callback_is_refused_and_the_true_one_booked(demo: Demo) -> None:
    phone = demo.phone()
    phone.binds(demo.home(6))
    demo.post("/faults", {"target": "pay_notify", "mode": "forge", "count": 1})
    paid = phone.does("pay", {"url": phone.bill_link()})
    is_booked_once_and_seen_once(demo, phone, paid)
    assert demo.mingzhang("alerts") == []
