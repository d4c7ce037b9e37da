"""Alipay tells the merchant until he answers `success`, whatever befalls the way."""

from pathlib import Path
from typing import Any

import pytest
from alipay_world import APP_ID, NUMBER, SELLER_ID, Listener, Merchant, alipay_config
from flask import Flask
from sandbox_world import Keys, Service, World, address, running, wait_until, world

from sandbox.alipay.notifier import RETRY_AFTER_S


def is_true(merchant: Merchant, form: dict[str, str]) -> bool:
    fields = dict(form)
    return bool(merchant.library.verify(fields, fields.pop("sign")))


def plan(here: World, **fault: Any) -> None:
    here.api.post_raw("/faults", {"target": "pay_notify", **fault})


def status(here: World, number: str = NUMBER) -> str:
    return here.sandbox.alipay.wait_first_notify(number, 30)


def test_a_payment_is_told_with_a_signature_the_library_believes(
    here: World, merchant: Merchant, listener: Listener
) -> None:
    merchant.pay()
    (form,) = listener.wait_for(1)
    assert is_true(merchant, form)
    assert not is_true(merchant, form | {"total_amount": "1.00"})
    wanted = {
        "notify_type": "trade_status_sync",
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "out_trade_no": NUMBER,
        "trade_no": merchant.order()["transaction_id"],
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "320.50",
        "subject": "花园小区 3-2-501 物业费",
        "charset": "utf-8",
        "sign_type": "RSA2",
    }
    assert {name: form.get(name) for name in wanted} == wanted
    assert "refund_fee" not in form
    assert status(here) == "accepted"


@pytest.mark.parametrize(
    "answer",
    [(200, "success\n"), (200, "SUCCESS"), (200, ""), (204, ""), (500, "success")],
    ids=str,
)
def test_any_other_answer_than_success_is_none(
    here: World, merchant: Merchant, listener: Listener, answer: tuple[int, str]
) -> None:
    listener.answers = [answer]
    merchant.pay()
    assert status(here) == f"failed:{answer[0]}"
    here.clock.turn(RETRY_AFTER_S[0] / 60 + 1)
    merchant.pay("MZ20261123A02")  # wakes the queue, which sleeps by the real clock
    told = [form["out_trade_no"] for form in listener.wait_for(3)]
    assert told.count(NUMBER) == 2


def test_refunds_are_told_with_the_sum_so_far(
    here: World, merchant: Merchant, listener: Listener
) -> None:
    merchant.pay()
    merchant.call("alipay.trade.refund", refund_amount="20.50", out_request_no="R1")
    merchant.call("alipay.trade.refund", refund_amount="300.00", out_request_no="R2")
    forms = sorted(listener.wait_for(3), key=lambda form: form.get("refund_fee", ""))
    told = [
        (form["trade_status"], form.get("refund_fee"), form.get("out_biz_no")) for form in forms
    ]
    assert told == [
        ("TRADE_SUCCESS", None, None),
        ("TRADE_SUCCESS", "20.50", "R1"),
        ("TRADE_CLOSED", "320.50", "R2"),
    ]
    assert all(is_true(merchant, form) for form in forms)
    assert forms[2]["total_amount"] == "320.50"


def test_a_dropped_notification_comes_by_itself_later(
    here: World, merchant: Merchant, listener: Listener
) -> None:
    plan(here, mode="drop")
    merchant.pay()
    assert status(here) == "pending"
    assert listener.forms == []
    here.clock.turn(RETRY_AFTER_S[0] / 60 + 1)
    merchant.pay("MZ20261123A02")
    listener.wait_for(2)
    wait_until(lambda: status(here) == "accepted")


def test_a_duplicate_comes_twice_and_a_forged_one_first(
    here: World, merchant: Merchant, listener: Listener
) -> None:
    plan(here, mode="duplicate")
    merchant.pay()
    twice = listener.wait_for(2)
    assert twice[0]["notify_id"] == twice[1]["notify_id"]
    listener.answers = [(400, "fail")]
    plan(here, mode="forge")
    merchant.pay("MZ20261123A02")
    forged, true = listener.wait_for(4)[2:]
    assert (is_true(merchant, forged), is_true(merchant, true)) == (False, True)
    assert forged["trade_no"] != true["trade_no"]


def test_a_reordered_notification_comes_after_another(
    here: World, merchant: Merchant, listener: Listener
) -> None:
    plan(here, mode="reorder", seconds=60)
    merchant.pay()
    wait_until(lambda: here.sandbox.faults._planned == [])
    merchant.pay("MZ20261123A02")
    told = [form["out_trade_no"] for form in listener.wait_for(2)]
    assert told == ["MZ20261123A02", NUMBER]


def test_what_was_not_accepted_is_told_after_a_restart(
    tmp_path: Path, platform: Keys, app_keys: Keys, alipay_keys: Keys, listener: Listener
) -> None:
    elsewhere = Flask("notify_url")
    elsewhere.add_url_rule("/notify", view_func=listener.take, methods=["POST"])
    listener.answers = [(500, "fail")]
    config = [alipay_config(app_keys, alipay_keys)]
    with running(elsewhere) as server:
        with world(tmp_path, platform, Service(), alipay=config) as before:
            merchant = Merchant(before, app_keys, alipay_keys)
            merchant.pay(notify_url=f"{address(server)}/notify")
            assert status(before) == "failed:500"
        with world(tmp_path, platform, Service(), alipay=config) as after:
            after.clock.turn(RETRY_AFTER_S[0] / 60 + 1)
            merchant = Merchant(after, app_keys, alipay_keys)
            assert merchant.order()["paid_fen"] == 32050
            merchant.pay("MZ20261123A02", notify_url=f"{address(server)}/notify")
            first, *later = listener.wait_for(3)
            assert [form["notify_id"] for form in later].count(first["notify_id"]) == 1
