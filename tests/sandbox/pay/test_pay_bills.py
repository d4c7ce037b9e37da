"""The bills of a day: which exist, what is in them, and how they are downloaded."""

import csv
import io
import json
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from wechat_pay_world import APP_ID, MCHID, OTHER_MCHID, OWNER, Client, pay, until

from sandbox.clock import SHANGHAI
from sandbox.faults import Faults
from sandbox.pay import PayBook
from sandbox.pay.bill_text import fee_fen
from tests.conftest import SOAK

SAMPLES = Path(__file__).parents[4] / "shared" / "wechat-samples" / "pay_v3"
NOVEMBER = date(2026, 11, 20)


@pytest.fixture
def book(open_book: Callable[..., PayBook]) -> PayBook:
    """A provider that believes it is the day after tomorrow, and so has every bill of today."""
    book = open_book(rate=100)
    book.calendar.shift(2)
    return book


def today() -> date:
    return datetime.now(SHANGHAI).date()


def read(content: bytes) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Give rows and totals; every value stands behind a backtick, and no header does."""
    text = content.decode("utf-8-sig")
    assert text.endswith("\r\n")
    *lines, totals_header, totals = text[:-2].split("\r\n")
    header, *rows = lines
    assert "`" not in header + totals_header
    return [_named(header, row) for row in rows], _named(totals_header, totals)


def _named(header: str, line: str) -> dict[str, str]:
    assert line.startswith("`")
    return dict(zip(header.split(","), line[1:].split(",`"), strict=True))


def trade_rows(client: Client, day: date, bill_type: str = "ALL") -> Any:
    http, offer = client.trade_bill(day, bill_type)
    assert http == 200, offer
    return read(client.download(offer))


def paid_and_partly_refunded(book: PayBook, client: Client) -> date:
    """One payment, twice refunded in part; gives the day."""
    pay(book, client)
    client.refund("R001", 20000)
    client.refund("R002", 50)
    until(lambda: client.query_refund("R002")[1]["status"] == "SUCCESS")
    return datetime.fromisoformat(client.query()[1]["success_time"]).date()


def test_a_payment_and_its_refunds_are_rows_of_the_trade_bill(
    book: PayBook, client: Client
) -> None:
    day = paid_and_partly_refunded(book, client)
    (paid, first, second), totals = trade_rows(client, day)
    order, refund = client.query()[1], client.query_refund("R001")[1]
    moment = order["success_time"][:19].replace("T", " ")
    assert paid == {
        "交易时间": moment,
        "公众账号ID": APP_ID,
        "商户号": MCHID,
        "特约商户号": "0",
        "设备号": "",
        "微信订单号": order["transaction_id"],
        "商户订单号": "HY20261123A01",
        "用户标识": OWNER,
        "交易类型": "JSAPI",
        "交易状态": "SUCCESS",
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": "320.50",
        "代金券金额": "0.00",
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "退款类型": "",
        "退款状态": "",
        "商品名称": "3-2-501 物业费",
        "商户数据包": "",
        "手续费": "1.92000",
        "费率": "0.60%",
        "订单金额": "320.50",
        "申请退款金额": "0.00",
        "费率备注": "",
    }
    assert first == paid | {
        "交易时间": refund["create_time"][:19].replace("T", " "),
        "交易状态": "REFUND",
        "应结订单金额": "0.00",
        "微信退款单号": refund["refund_id"],
        "商户退款单号": "R001",
        "退款金额": "200.00",
        "退款类型": "ORIGINAL",
        "退款状态": "SUCCESS",
        "手续费": "-1.20000",
        "订单金额": "0.00",
        "申请退款金额": "200.00",
    }
    assert (second["商户退款单号"], second["手续费"]) == ("R002", "0.00000")
    assert totals == {
        "总交易单数": "3",
        "应结订单总金额": "320.50",
        "退款总金额": "200.50",
        "充值券退款总金额": "0.00",
        "手续费总金额": "0.72000",
        "订单总金额": "320.50",
        "申请退款总金额": "200.50",
    }


def test_each_type_of_bill_has_its_own_rows_and_columns(book: PayBook, client: Client) -> None:
    day = paid_and_partly_refunded(book, client)
    paid, paid_totals = trade_rows(client, day, "SUCCESS")
    assert [row["商户订单号"] for row in paid] == ["HY20261123A01"]
    assert "退款金额" not in paid[0]
    assert paid_totals == {
        "总交易单数": "1",
        "应结订单总金额": "320.50",
        "手续费总金额": "1.92000",
        "订单总金额": "320.50",
    }
    refunds, refund_totals = trade_rows(client, day, "REFUND")
    assert [row["商户退款单号"] for row in refunds] == ["R001", "R002"]
    done = client.query_refund("R001")[1]
    assert refunds[0]["退款申请时间"] == done["create_time"][:19].replace("T", " ")
    assert refunds[0]["退款成功时间"] == done["success_time"][:19].replace("T", " ")
    assert (refund_totals["总交易单数"], refund_totals["退款总金额"]) == ("2", "200.50")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="wechat-samples are not here")
def test_the_columns_are_the_documented_ones(book: PayBook, client: Client) -> None:
    day = paid_and_partly_refunded(book, client)
    documented = json.loads((SAMPLES / "trade_bill_headers.json").read_text(encoding="utf-8"))
    for bill_type in ("ALL", "SUCCESS", "REFUND"):
        rows, totals = trade_rows(client, day, bill_type)
        assert list(rows[0]) == documented[bill_type]["detail"]
        assert list(totals) == documented[bill_type]["summary"]
    sample = (SAMPLES / "fundflow_bill_documented_example.csv").read_text(encoding="utf-8-sig")
    header, _, totals_header, *_ = csv.reader(io.StringIO(sample))
    rows, totals = read(client.download(client.fund_bill(day)[1]))
    assert (list(rows[0]), list(totals)) == (header, totals_header)


def test_the_fund_bill_counts_what_moved_net_of_fees(book: PayBook, client: Client) -> None:
    book.seed(MCHID, (today() - timedelta(days=3)).isoformat(), 2, "HYOLD001")
    day = paid_and_partly_refunded(book, client)
    rows, totals = read(client.download(client.fund_bill(day)[1]))
    order, refund = client.query()[1], client.query_refund("R001")[1]
    assert rows[0] == {
        "记账时间": order["success_time"][:19].replace("T", " "),
        "微信支付业务单号": order["transaction_id"],
        "资金流水单号": order["transaction_id"],
        "业务名称": "交易",
        "业务类型": "交易",
        "收支类型": "收入",
        "收支金额(元)": "318.58",
        "账户结余(元)": "338.83",
        "资金变更提交申请人": "system",
        "备注": "结算总金额320.50元;含手续费1.92元",
        "业务凭证号": "HY20261123A01",
    }
    assert rows[1] == {
        "记账时间": refund["create_time"][:19].replace("T", " "),
        "微信支付业务单号": refund["refund_id"],
        "资金流水单号": order["transaction_id"],
        "业务名称": "退款",
        "业务类型": "退款",
        "收支类型": "支出",
        "收支金额(元)": "198.80",
        "账户结余(元)": "140.03",
        "资金变更提交申请人": f"{MCHID}API",
        "备注": "退款总金额200.00元;含手续费1.20元",
        "业务凭证号": "R001",
    }
    assert totals == {
        "资金流水总笔数": "3",
        "收入笔数": "1",
        "收入金额": "318.58",
        "支出笔数": "2",
        "支出金额": "199.30",
    }


def test_a_closed_refund_moved_nothing_and_a_stuck_one_is_still_under_way(
    book: PayBook, client: Client, faults: Faults
) -> None:
    faults.add(target="refund", mode="closed")
    faults.add(target="refund", mode="stuck", count=100, seconds=600)
    faults.add(target="refund", mode="abnormal")
    pay(book, client)
    for number in ("R001", "R002", "R003"):
        client.refund(number, 100)
    until(lambda: client.query_refund("R003")[1]["status"] == "ABNORMAL")
    day = datetime.fromisoformat(client.query()[1]["success_time"]).date()
    rows, _ = trade_rows(client, day, "REFUND")
    assert [row["退款状态"] for row in rows] == ["FAIL", "PROCESSING", "CHANGE"]
    assert {row["退款成功时间"] for row in rows} == {""}
    flows, _ = read(client.download(client.fund_bill(day)[1]))
    assert [flow["业务凭证号"] for flow in flows] == ["HY20261123A01", "R002", "R003"]


@pytest.mark.parametrize(
    ("amount_fen", "fee"),
    [(1, 0), (83, 0), (84, 1), (250, 2), (249, 1), (32050, 192), (100_000_000, 600_000)],
)
def test_the_fee_is_six_in_a_thousand_half_a_fen_up(amount_fen: int, fee: int) -> None:
    assert fee_fen(amount_fen) == fee


# --- which bills there are ----------------------------------------------------------------------


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1].get("code", "")


def test_a_bill_is_made_from_nine_on_the_next_morning(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client]
) -> None:
    book = open_book()
    client = client_of(book)
    day = today() + timedelta(days=5)
    book.seed(MCHID, day.isoformat(), 1, "HY00001")
    for days, hour, expected in (
        (4, 23, (400, "NO_BILL_EXIST")),
        (5, 23, (400, "NO_BILL_EXIST")),
        (6, 8, (400, "BILL_CREATING")),
        (6, 9, (200, "")),
        (6, None, (200, "")),
        (97, 12, (200, "")),
        (98, 12, (400, "INVALID_REQUEST")),
    ):
        book.calendar.shift(days, hour)
        assert code(client.trade_bill(day)) == expected, (days, hour)
        assert code(client.fund_bill(day)) == expected, (days, hour)
    book.calendar.shift(0)
    assert code(client.trade_bill(day)) == (400, "NO_BILL_EXIST")


def test_the_calendar_moves_nothing_but_the_bills(book: PayBook, client: Client) -> None:
    paid = pay(book, client)
    assert paid.transaction_id[10:18] == f"{today():%Y%m%d}"
    assert client.query()[1]["success_time"][:10] == today().isoformat()


@pytest.mark.parametrize("shift", [(-1,), (1.5,), ("1",), (True,), (4000,), (1, 24), (1, "9")])
def test_the_calendar_takes_whole_days_only(book: PayBook, shift: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        book.calendar.shift(*shift)


def test_a_day_or_account_without_movement_has_no_bill(
    book: PayBook, client: Client, client_of: Callable[..., Client]
) -> None:
    pay(book, client)
    day = datetime.fromisoformat(client.query()[1]["success_time"]).date()
    nothing = (400, "NO_STATEMENT_EXIST")
    assert code(client.trade_bill(day - timedelta(days=1))) == nothing
    assert code(client.trade_bill(day, "REFUND")) == nothing
    assert code(client.fund_bill(day, "OPERATION")) == nothing
    assert code(client.fund_bill(day, "FEES")) == nothing
    assert code(client_of(book, mchid=OTHER_MCHID).trade_bill(day)) == nothing
    assert code(client.trade_bill(day)) == (200, "")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("tradebill", "/bill_date"),
        ("tradebill?bill_date=20261120", "/bill_date"),
        ("tradebill?bill_date=2026-11-31", "/bill_date"),
        ("tradebill?bill_date=2026-11-20&bill_type=MINE", "/bill_type"),
        ("tradebill?bill_date=2026-11-20&tar_type=ZIP", "/tar_type"),
        ("fundflowbill?bill_date=2026-11-20&account_type=MINE", "/account_type"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(client: Client, call: str, field: str) -> None:
    http, text = client.pay._core.request(f"/v3/bill/{call}")
    answer = json.loads(text)
    assert (http, answer["code"]) == (400, "PARAM_ERROR")
    assert (answer["detail"]["location"], answer["detail"]["field"]) == ("query", field)


# --- the download -------------------------------------------------------------------------------


def seeded_offer(book: PayBook, client: Client, tar_type: str = "GZIP") -> Any:
    book.seed(MCHID, today().isoformat(), 1, "HY00001")
    query = f"bill_date={today().isoformat()}" + (f"&tar_type={tar_type}" if tar_type else "")
    http, text = client.pay._core.request(f"/v3/bill/tradebill?{query}")
    assert http == 200, text
    return json.loads(text)


def test_a_bill_comes_unpacked_where_no_packing_is_asked_for(book: PayBook, client: Client) -> None:
    offer = seeded_offer(book, client, tar_type="")
    http, content = client.pay.download_bill(offer["download_url"])
    assert http == 200
    assert read(content)[1]["总交易单数"] == "1"


def test_only_its_own_merchant_downloads_a_bill_and_no_answer_is_signed(
    book: PayBook, client: Client, client_of: Callable[..., Client]
) -> None:
    offer = seeded_offer(book, client)
    _, path = offer["download_url"].split("/v3/")
    http, text = client_of(book, mchid=OTHER_MCHID).pay.download_bill(f"/v3/{path}")
    assert (http, json.loads(text)["code"]) == (403, "NO_AUTH")
    unsigned = requests.get(offer["download_url"], timeout=30)
    assert unsigned.status_code == 401
    core = client.pay._core
    with pytest.raises(Exception, match="does not support this algorithm"):
        core.request(f"/v3/{path}")
    http, _ = core.request(f"/v3/{path}", skip_verify=True)
    assert http == 200


def test_an_address_is_good_for_five_minutes(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client]
) -> None:
    book = open_book(rate=1000)
    book.calendar.shift(2)
    client = client_of(book)
    offer = seeded_offer(book, client)
    until(lambda: client.pay.download_bill(offer["download_url"])[0] == 400)
    _, text = client.pay.download_bill(offer["download_url"])
    assert json.loads(text)["code"] == "INVALID_REQUEST"


def test_what_is_downloaded_is_what_was_offered_whatever_came_since(
    book: PayBook, client: Client
) -> None:
    offer = seeded_offer(book, client)
    book.seed(MCHID, today().isoformat(), 5, "HY00100")
    assert read(client.download(offer))[1]["总交易单数"] == "1"


# --- many orders at once ------------------------------------------------------------------------


def test_seeded_orders_are_paid_orders_of_their_day(book: PayBook, client: Client) -> None:
    seed = book.seed(MCHID, NOVEMBER.isoformat(), 300, "HYB0098")
    rows = book.ledger()
    assert [row["out_trade_no"] for row in rows][:4] == ["HYB0098", "HYB0099", "HYB0100", "HYB0101"]
    assert sum(int(str(row["paid_fen"])) for row in rows) == seed.total_fen
    http, order = client.query("HYB0397")
    assert (http, order["trade_state"]) == (200, "SUCCESS")
    assert order["success_time"].startswith("2026-11-20T23:")
    assert client.refund("R001", 1, out_trade_no="HYB0397", amount=order_amount(order))[0] == 200


def order_amount(order: Any) -> dict[str, Any]:
    return {"refund": 1, "total": order["amount"]["total"], "currency": "CNY"}


def test_a_seed_that_meets_an_existing_number_loads_nothing(book: PayBook) -> None:
    book.seed(MCHID, NOVEMBER.isoformat(), 1, "HYB0005")
    with pytest.raises(ValueError, match="exists already"):
        book.seed(MCHID, NOVEMBER.isoformat(), 10, "HYB0000")
    assert len(book.ledger()) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mchid": "1999999999"}, "mchid must"),
        ({"day": "20 November"}, "day must"),
        ({"count": 0}, "count must"),
        ({"count": "5"}, "count must"),
        ({"first_no": "HYBXYZ"}, "first_no must"),
        ({"first_no": "HY1"}, "first_no must"),
        ({"first_no": "HYBXY95"}, "too few digits"),
    ],
)
def test_a_wrong_seed_is_refused(book: PayBook, change: dict[str, Any], sentence: str) -> None:
    good: dict[str, Any] = {
        "mchid": MCHID,
        "day": NOVEMBER.isoformat(),
        "count": 10,
        "first_no": "HYB0000",
    }
    with pytest.raises(ValueError, match=sentence):
        book.seed(**good | change)
    assert book.ledger() == []


def test_a_long_bill_is_made_in_seconds(book: PayBook, client: Client) -> None:
    count = 100_000 if SOAK else 5_000
    started = time.monotonic()
    seed = book.seed(MCHID, today().isoformat(), count, "HY0000000")
    content = client.download(client.trade_bill(today())[1])
    assert time.monotonic() - started < 30
    rows, totals = read(content)
    assert len(rows) == count
    assert len({row["商户订单号"] for row in rows}) == count
    assert Decimal(totals["订单总金额"]) * 100 == seed.total_fen
