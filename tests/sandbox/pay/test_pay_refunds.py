"""Money goes back: accepted first, done a little later, told like a payment."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wechat_pay_world import (
    MCHID,
    OTHER_MCHID,
    Callbacks,
    Client,
    Received,
    parsed,
    pay,
    until,
)
from wechatpayv3.type import RequestType

from sandbox.clock import SHANGHAI
from sandbox.faults import Faults
from sandbox.pay import PayBook

ORDER = "HY20261123A01"
FAST = 100.0


@pytest.fixture
def book(open_book: Callable[..., PayBook]) -> PayBook:
    return open_book(rate=FAST)


@pytest.fixture
def slow(open_book: Callable[..., PayBook], client_of: Callable[..., Client]) -> Client:
    """A merchant whose order is paid, and whose refunds take their five seconds."""
    book = open_book(rate=1)
    client = client_of(book)
    pay(book, client)
    return client


def refund_of(callbacks: Callbacks, client: Client) -> tuple[Received, Any]:
    """Wait for the first callback of a refund, past the payment's."""
    told = [(one, client.read(one)) for one in callbacks.wait_for(2)]
    return next((one, read) for one, read in told if read["event_type"].startswith("REFUND."))


def refusal(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


def is_done(client: Client, out_refund_no: str = "R001") -> bool:
    return bool(client.query_refund(out_refund_no)[1]["status"] != "PROCESSING")


def raw_refund(client: Client, changes: dict[str, Any]) -> tuple[int, Any]:
    """Ask without the library's own checks."""
    body = {
        "out_refund_no": "R001",
        "out_trade_no": ORDER,
        "amount": {"refund": 1, "total": 32050, "currency": "CNY"},
    } | changes
    url = "/v3/refund/domestic/refunds"
    return parsed(client.pay._core.request(url, method=RequestType.POST, data=body))


def test_a_reply_only_means_accepted(slow: Client) -> None:
    http, answer = slow.refund(fen=20000)
    assert http == 200
    paid = slow.query()[1]
    refund_id, create_time = answer.pop("refund_id"), answer.pop("create_time")
    assert (len(refund_id), refund_id[:2]) == (29, "50")
    assert datetime.fromisoformat(create_time).tzinfo
    assert answer == {
        "out_refund_no": "R001",
        "transaction_id": paid["transaction_id"],
        "out_trade_no": ORDER,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "status": "PROCESSING",
        "funds_account": "AVAILABLE",
        "amount": {
            "total": 32050,
            "refund": 20000,
            "payer_total": 32050,
            "payer_refund": 20000,
            "from": [],
            "settlement_refund": 20000,
            "settlement_total": 32050,
            "discount_refund": 0,
            "currency": "CNY",
        },
        "promotion_detail": [],
    }
    assert paid["trade_state"] == "SUCCESS"


def test_it_is_done_a_little_later_and_told(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    paid = pay(book, client)
    accepted = client.refund(fen=20000)[1]
    callback, told = refund_of(callbacks, client)
    assert (told["event_type"], told["summary"]) == ("REFUND.SUCCESS", "退款成功")
    assert '"original_type":"refund"' in callback.body
    done = client.query_refund()[1]
    assert told["resource"] == {
        "mchid": MCHID,
        "transaction_id": paid.transaction_id,
        "out_trade_no": ORDER,
        "refund_id": accepted["refund_id"],
        "out_refund_no": "R001",
        "refund_status": "SUCCESS",
        "success_time": done["success_time"],
        "user_received_account": "支付用户零钱",
        "amount": {"total": 32050, "refund": 20000, "payer_total": 32050, "payer_refund": 20000},
    }
    assert done["status"] == "SUCCESS"
    order = client.query()[1]
    assert order["trade_state"] == "REFUND"
    assert order["trade_state_desc"] == "订单发生过退款，退款详情请查询退款单"
    (row,) = book.ledger()
    assert (row["state"], row["paid_fen"], row["refunded_fen"]) == ("REFUND", 32050, 20000)


def test_a_refunded_order_is_still_a_paid_one(book: PayBook, client: Client) -> None:
    pay(book, client)
    client.refund(fen=1)
    until(lambda: is_done(client))
    assert refusal(client.close()) == (400, "ORDER_PAID")
    assert refusal(client.order()) == (400, "ORDER_PAID")
    assert refusal(client.order(attach="other")) == (403, "OUT_TRADE_NO_USED")


def test_a_payment_told_after_its_refund_is_still_a_success(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    callbacks.answers = [500]
    pay(book, client)
    callbacks.wait_for(1)
    client.refund()
    told = [client.read(one) for one in callbacks.wait_for(3)]
    payments = [one for one in told if one["event_type"] == "TRANSACTION.SUCCESS"]
    assert [one["resource"]["trade_state"] for one in payments] == ["SUCCESS", "SUCCESS"]


def test_the_same_number_again_is_the_same_refund(slow: Client) -> None:
    first = slow.refund(fen=20000)
    assert slow.refund(fen=20000) == first
    for changes in ({"fen": 20001}, {"reason": "别的"}, {"notify_url": "https://hy.example/x"}):
        http, answer = slow.refund(**{"fen": 20000} | changes)
        assert (http, answer["code"]) == (400, "INVALID_REQUEST"), changes
        assert "不一致" in answer["message"]


def test_eight_identical_requests_at_once_are_one_refund(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    pay(book, client)
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: client.refund(fen=20000), range(8)))
    assert {http for http, _ in answers} == {200}
    assert len({answer["refund_id"] for _, answer in answers}) == 1
    until(lambda: is_done(client))
    assert book.ledger()[0]["refunded_fen"] == 20000
    callbacks.wait_for(2)


def test_never_more_goes_back_than_was_paid(book: PayBook, client: Client) -> None:
    pay(book, client)
    assert client.refund("R001", 20000)[0] == 200
    http, answer = client.refund("R002", 12051)
    assert (http, answer["code"]) == (400, "INVALID_REQUEST")
    assert answer["message"] == "申请退款金额大于订单可退金额"
    assert client.refund("R003", 12050)[0] == 200
    assert refusal(client.refund("R004", 1)) == (400, "INVALID_REQUEST")
    until(lambda: is_done(client, "R003"))
    assert book.ledger()[0]["refunded_fen"] == 32050


def test_at_most_fifty_refunds_of_one_order(book: PayBook, client: Client) -> None:
    pay(book, client)
    answers = [raw_refund(client, {"out_refund_no": f"R{n:03}"}) for n in range(51)]
    assert {http for http, _ in answers[:50]} == {200}
    assert answers[50][1]["message"] == "部分退款次数超过限制"


def test_a_year_after_the_payment_it_is_too_late(book: PayBook, client: Client) -> None:
    today = datetime.now(SHANGHAI).date()
    for days, http in ((366, 400), (364, 200)):
        number = f"HYOLD{days}001"
        book.seed(MCHID, (today - timedelta(days=days)).isoformat(), 1, number)
        amount = {"refund": 1, "total": 1000, "currency": "CNY"}
        answer = client.refund(f"R{days}", out_trade_no=number, amount=amount)
        assert answer[0] == http, answer


def test_a_refund_names_a_paid_order_of_its_own_merchant(
    book: PayBook, client: Client, client_of: Callable[..., Client]
) -> None:
    assert refusal(client.refund()) == (404, "RESOURCE_NOT_EXISTS")
    client.order()
    assert refusal(client.refund()) == (404, "RESOURCE_NOT_EXISTS")
    paid = pay(book, client)
    other = client_of(book, mchid=OTHER_MCHID)
    assert refusal(other.refund()) == (404, "RESOURCE_NOT_EXISTS")
    by_id = {"out_trade_no": None, "transaction_id": paid.transaction_id}
    assert client.refund("R001", 1, **by_id)[0] == 200
    both = {"out_trade_no": "HY20261123A02", "transaction_id": paid.transaction_id}
    assert refusal(raw_refund(client, both)) == (400, "PARAM_ERROR")
    assert refusal(other.query_refund()) == (404, "RESOURCE_NOT_EXISTS")
    assert refusal(client.query_refund("R999")) == (404, "RESOURCE_NOT_EXISTS")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("/amount/refund", {"amount": {"refund": 0, "total": 32050, "currency": "CNY"}}),
        ("/amount/total", {"amount": {"refund": 1, "currency": "CNY"}}),
        ("/amount/currency", {"amount": {"refund": 1, "total": 32050}}),
        ("/amount/currency", {"amount": {"refund": 1, "total": 32050, "currency": "USD"}}),
        ("/reason", {"reason": "a" * 81}),
        ("/notify_url", {"notify_url": "https://hy.example/n?a=1"}),
        ("/out_refund_no", {"out_refund_no": "R 1"}),
        ("/out_refund_no", {"out_refund_no": "R" * 65}),
        ("/out_trade_no", {"out_trade_no": None}),
    ],
)
def test_a_wrong_field_is_refused_by_name(
    slow: Client, field: str, changes: dict[str, Any]
) -> None:
    http, answer = raw_refund(slow, changes)
    assert (http, answer["code"]) == (400, "PARAM_ERROR")
    assert answer["detail"]["field"] == field


def test_the_orders_total_must_be_named_right(slow: Client) -> None:
    answer = slow.refund(amount={"refund": 1, "total": 1, "currency": "CNY"})
    assert refusal(answer) == (400, "INVALID_REQUEST")


# --- what can go wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "status", "summary"),
    [("abnormal", "ABNORMAL", "退款异常"), ("closed", "CLOSED", "退款关闭")],
)
def test_a_refund_may_end_badly(
    book: PayBook,
    client: Client,
    callbacks: Callbacks,
    faults: Faults,
    mode: str,
    status: str,
    summary: str,
) -> None:
    faults.add(target="refund", mode=mode)
    pay(book, client)
    client.refund()
    _, told = refund_of(callbacks, client)
    assert (told["event_type"], told["summary"]) == (f"REFUND.{status}", summary)
    assert told["resource"]["refund_status"] == status
    assert "success_time" not in told["resource"]
    answer = client.query_refund()[1]
    assert answer["status"] == status
    assert "success_time" not in answer
    (row,) = book.ledger()
    assert (row["state"], row["paid_fen"], row["refunded_fen"]) == ("SUCCESS", 32050, 0)


def test_only_a_closed_refund_leaves_its_money_to_another(
    book: PayBook, client: Client, faults: Faults
) -> None:
    faults.add(target="refund", mode="closed")
    faults.add(target="refund", mode="abnormal")
    pay(book, client)
    client.refund("R001")
    until(lambda: is_done(client, "R001"))
    assert client.refund("R002")[0] == 200
    until(lambda: is_done(client, "R002"))
    assert refusal(client.refund("R003")) == (400, "INVALID_REQUEST")


def test_without_enough_money_nothing_happens_and_the_number_stays_free(
    book: PayBook, client: Client, faults: Faults
) -> None:
    faults.add(target="refund", mode="not_enough")
    pay(book, client)
    assert refusal(client.refund()) == (403, "NOT_ENOUGH")
    assert refusal(client.query_refund()) == (404, "RESOURCE_NOT_EXISTS")
    assert client.refund()[0] == 200


def test_a_refused_request_uses_up_no_fault(book: PayBook, client: Client, faults: Faults) -> None:
    faults.add(target="refund", mode="not_enough")
    pay(book, client)
    assert refusal(client.refund(fen=99999)) == (400, "INVALID_REQUEST")
    assert refusal(client.refund()) == (403, "NOT_ENOUGH")


def test_a_stuck_refund_goes_on_after_so_many_queries(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="refund", mode="stuck", count=3, seconds=600)
    pay(book, client)
    client.refund("R001", 20000)
    raw_refund(client, {"out_refund_no": "R002"})
    until(lambda: is_done(client, "R002"))
    asked = [client.query_refund()[1]["status"] for _ in range(4)]
    assert asked == ["PROCESSING", "PROCESSING", "PROCESSING", "SUCCESS"]
    _, told = refund_of(callbacks, client)
    assert told["resource"]["out_refund_no"] == "R001"
    assert len(callbacks.received) == 2


def test_a_stuck_refund_goes_on_after_so_many_seconds(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    faults.add(target="refund", mode="stuck", count=10_000, seconds=0.3)
    pay(book, client)
    accepted = client.refund()[1]
    assert client.query_refund()[1]["status"] == "PROCESSING"
    _, told = refund_of(callbacks, client)
    assert told["resource"]["refund_id"] == accepted["refund_id"]


def test_callback_faults_befall_refunds_as_they_come(
    book: PayBook, client: Client, callbacks: Callbacks, faults: Faults
) -> None:
    pay(book, client)
    callbacks.wait_for(1)
    faults.add(target="pay_notify", mode="forge")
    faults.add(target="pay_notify", mode="duplicate")
    callbacks.answers = [401]
    client.refund("R001", 1)
    _, forged, true = callbacks.wait_for(3)
    assert client.read(forged) is None
    assert client.read(true)["event_type"] == "REFUND.SUCCESS"
    client.refund("R002", 1)
    first, second = [client.read(one) for one in callbacks.wait_for(5)[3:]]
    assert first == second
    assert first["resource"]["out_refund_no"] == "R002"


def test_a_refused_refund_callback_comes_again(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    pay(book, client)
    callbacks.wait_for(1)
    callbacks.answers = [500, 500]
    client.refund()
    told = [client.read(one) for one in callbacks.wait_for(4)[1:]]
    assert len({one["id"] for one in told}) == 1
    assert {one["event_type"] for one in told} == {"REFUND.SUCCESS"}


def test_a_refund_under_way_survives_a_restart(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client], callbacks: Callbacks
) -> None:
    before = open_book(rate=5)
    client = client_of(before)
    pay(before, client)
    callbacks.wait_for(1)
    client.refund()
    before.stop()
    after = client_of(open_book(rate=5))
    told = after.read(callbacks.wait_for(2)[1])
    assert told["event_type"] == "REFUND.SUCCESS"
    assert after.query_refund()[1]["status"] == "SUCCESS"


def test_a_file_from_before_refunds_keeps_its_orders(
    open_book: Callable[..., PayBook],
    client_of: Callable[..., Client],
    callbacks: Callbacks,
    tmp_path: Path,
) -> None:
    before = open_book()
    client = client_of(before)
    before.stop()
    pay(before, client)
    with sqlite3.connect(tmp_path / "pay.sqlite3") as db:
        db.execute(
            "CREATE TABLE pay_notice (notice_id TEXT PRIMARY KEY, mchid TEXT, out_trade_no TEXT,"
            " attempts INTEGER, next_at REAL, outcome TEXT, last_http INTEGER)"
        )
        db.execute(
            "INSERT INTO pay_notice SELECT notice_id, mchid, out_trade_no, attempts, next_at,"
            " outcome, last_http FROM pay_notification"
        )
        for table in ("pay_notification", "pay_refund", "pay_bill"):
            db.execute(f"DROP TABLE {table}")
        db.execute("ALTER TABLE pay_order DROP COLUMN trade_type")
    after = client_of(open_book())
    assert after.read(callbacks.wait_for(1)[0])["resource"]["trade_type"] == "JSAPI"
    assert after.query()[1]["trade_state"] == "SUCCESS"
    assert after.refund()[0] == 200
