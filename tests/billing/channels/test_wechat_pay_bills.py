"""WeChat Pay's bills: of the pretend provider, as documented, and damaged in every way we know."""

import gzip
import hashlib
import json
import secrets
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from billing.business_day import BEIJING, business_date
from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    FundTotals,
    NoStatement,
    RefundState,
    StatementRow,
)
from billing.channels.wechat_pay import WeChatPayChannel
from billing.channels.wechat_pay_bills import read_funds, read_trades, unpack
from billing.money import ZERO, Money
from sandbox.pay.bill_text import fee_fen
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
from tests.conftest import SOAK

SAMPLES = Path(__file__).parents[4] / "shared" / "wechat-samples" / "pay_v3"
DAY = date(2026, 11, 20)
COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
TOTALS = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
PAYMENT = (
    "`2026-11-20 08:15:30,`wx1,`1900000001,`0,`,`4200001,`MZ20261120A01,`o-owner,`JSAPI,`SUCCESS,"
    '`OTHERS,`CNY,`320.50,`0.00,`0,`0,`0.00,`0.00,`,`,`物业费, 二号楼 "3-501",`,`1.92300,`0.60%,'
    "`320.50,`0.00,`"
)
REFUND = (
    "`2026-11-20 09:00:00,`wx1,`1900000001,`0,`,`4200001,`MZ20261120A01,`o-owner,`JSAPI,`REFUND,"
    "`OTHERS,`CNY,`0.00,`0.00,`5030001,`RF20261120A01,`20.50,`0.00,`ORIGINAL,`SUCCESS,`物业费,`,"
    "`-0.12300,`0.60%,`0.00,`20.50,`"
)
SUMS = "`2,`320.50,`20.50,`0.00,`1.80000,`320.50,`20.50"
FUND_COLUMNS = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FUND_TOTALS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


def text_of(*lines: str) -> str:
    """A bill as it is written."""
    return "\ufeff" + "\r\n".join((*lines, ""))


BILL = text_of(COLUMNS, PAYMENT, REFUND, TOTALS, SUMS)


def trades(content: str | bytes, encoding: str = "utf-8") -> list[StatementRow]:
    """The rows of this bill, packed and with its own hash."""
    plain = content if isinstance(content, bytes) else content.encode(encoding)
    return list(read_trades(unpack(gzip.compress(plain), sha1(plain))))


def funds(*rows: str, sums: str) -> FundTotals:
    """What a fund bill of these rows comes to."""
    plain = text_of(FUND_COLUMNS, *rows, FUND_TOTALS, sums).encode()
    return read_funds(unpack(gzip.compress(plain), sha1(plain)))


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def flow(kind: str, direction: str, amount: str, remark: str = "") -> str:
    """A row of a fund bill."""
    return (
        f"`2026-11-20 08:15:30,`4200001,`1900001,`{kind},`{kind},`{direction},`{amount},`900.00,"
        f"`system,`{remark},`MZ20261120A01"
    )


# The provider's bills.


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One that believes it is the day after tomorrow, and so has every bill of today."""
    with running_provider(tmp_path_factory.mktemp("pay"), clock_rate=100) as running:
        running.book.calendar.shift(2)
        yield running


def today() -> date:
    return business_date(real_now())


def test_the_bill_of_a_day_has_its_payments_and_refunds(provider: Provider) -> None:
    channel, life = provider.channel(), timedelta(hours=20)
    number, refund_number = f"MZ-{secrets.token_hex(8)}", f"RF-{secrets.token_hex(8)}"
    order = order_request(number, expires_at=real_now() + life)
    paid = provider.pay(channel.order(order, real_now()))
    channel.refund(refund_request(number, refund_number))
    while channel.query_refund(number, refund_number).state is RefundState.PROCESSING:
        pass
    payment, refund = (
        row for row in channel.fetch_statement(today()) if row.out_trade_no == number
    )
    assert payment == StatementRow(
        out_trade_no=number,
        transaction_id=paid.transaction_id,
        amount=Money(32050),
        at=payment.at,
        fee=Money(fee_fen(32050)),
    )
    assert abs(payment.at - real_now()) < timedelta(minutes=1)
    assert (refund.out_refund_no, refund.refund_state) == (refund_number, RefundState.DONE)
    assert (refund.amount, refund.fee) == (Money(2050), Money(-fee_fen(2050)))
    assert refund.refund_id == channel.query_refund(number, refund_number).refund_id
    assert channel.fetch_funds(today()) == FundTotals(
        received=Money(32050),
        refunded=Money(2050),
        fees=Money(fee_fen(32050) - fee_fen(2050)),
        withdrawn=ZERO,
    )


def test_a_long_bill_is_read_row_by_row(provider: Provider) -> None:
    count = 100_000 if SOAK else 2_000
    day = today() - timedelta(days=30)
    seed = provider.book.seed(MCHID, day.isoformat(), count, "MZ-long-000000000000")
    rows = provider.channel().fetch_statement(day)
    tracemalloc.start()
    read, total = 0, ZERO
    for row in rows:
        read += 1
        total += row.amount
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (read, total) == (count, Money(seed.total_fen))
    # The provider's threads are counted too; a hundred thousand rows at once would be 60 MB.
    assert peak < 16_000_000


@pytest.mark.parametrize("days", [0, 1, -1, -40])
def test_a_day_without_a_bill_is_no_statement(provider: Provider, days: int) -> None:
    """Today, tomorrow, and days on which nothing happened."""
    provider.book.calendar.shift(0, 10)
    try:
        with pytest.raises(NoStatement):
            provider.channel().fetch_statement(today() + timedelta(days=days))
        with pytest.raises(NoStatement):
            provider.channel().fetch_funds(today() + timedelta(days=days))
    finally:
        provider.book.calendar.shift(2)


def test_a_bill_that_is_still_being_made_is_no_statement(provider: Provider) -> None:
    provider.book.calendar.shift(1, 8)
    try:
        with pytest.raises(NoStatement, match="BILL_CREATING"):
            provider.channel().fetch_statement(today())
    finally:
        provider.book.calendar.shift(2)


def test_a_bill_of_too_long_ago_is_a_refusal(provider: Provider) -> None:
    with pytest.raises(ChannelRefused, match="INVALID_REQUEST"):
        provider.channel().fetch_statement(today() - timedelta(days=200))


def test_an_error_of_the_provider_says_nothing_of_the_day(provider: Provider) -> None:
    provider.faults.add(target="pay_api", mode="errcode", errcode=500)
    with pytest.raises(ChannelUnreachable, match="SYSTEM_ERROR"):
        provider.channel().fetch_statement(today())


# What is offered, and what is downloaded.

Answers = Callable[[str], tuple[int, dict[str, str], bytes]]


@contextmanager
def offering(
    content: bytes, *, sha: str, host: str | None = None, hash_type: str = "SHA1", status: int = 200
) -> Iterator[WeChatPayChannel]:
    """A provider that offers and gives this bill."""
    calls: list[str] = []

    def answer() -> tuple[int, dict[str, str], bytes]:
        calls.append("call")
        if len(calls) % 2 == 0:
            return status, {"Content-Type": "application/gzip"}, content
        place = f"{host or here[0]}/v3/billdownload/file?token=t&tartype=gzip"
        body = json.dumps({"hash_type": hash_type, "hash_value": sha, "download_url": place})
        headers = {"Content-Type": "application/json"} | signed(body.encode(), real_now())
        return 200, headers, body.encode()

    with answering(answer) as url:
        here = [url]
        yield WeChatPayChannel(merchant_keys(), url)


PACKED = gzip.compress(BILL.encode())


@pytest.mark.parametrize("content", [PACKED, BILL.encode()], ids=["packed", "as it is"])
def test_a_bill_is_read_packed_or_not(content: bytes) -> None:
    with offering(content, sha=sha1(BILL.encode()).upper()) as channel:
        assert len(list(channel.fetch_statement(DAY))) == 2


def test_our_signature_goes_to_our_gateway_only() -> None:
    """Whoever answers must not send us, with it, somewhere else."""
    with offering(PACKED, sha=sha1(BILL.encode()), host="http://203.0.113.9") as channel:
        assert len(list(channel.fetch_statement(DAY))) == 2


DAMAGED: dict[str, tuple[bytes, dict[str, object]]] = {
    "another bill": (gzip.compress(BILL.encode() + b" "), {}),
    "cut off": (PACKED[:-20], {}),
    "spoilt": (PACKED[:50] + b"????" + PACKED[54:], {}),
    "nothing": (b"", {}),
    "a page": (b"<html>", {}),
    "not there": (PACKED, {"status": 404}),
    "without content": (PACKED, {"status": 204}),
    "hashed in another way": (PACKED, {"hash_type": "MD5"}),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_bill_is_no_answer(case: str) -> None:
    content, how = DAMAGED[case]
    with offering(content, sha=sha1(BILL.encode()), **how) as channel:  # type: ignore[arg-type]
        with pytest.raises(ChannelUnreachable):
            list(channel.fetch_statement(DAY))
        with pytest.raises(ChannelUnreachable):
            channel.fetch_funds(DAY)


# How a trade bill is written.


def test_a_trade_bill_is_read_by_the_names_of_its_columns() -> None:
    payment, refund = trades(BILL)
    assert payment == StatementRow(
        out_trade_no="MZ20261120A01",
        transaction_id="4200001",
        amount=Money(32050),
        at=datetime(2026, 11, 20, 8, 15, 30, tzinfo=BEIJING),
        fee=Money(192),
    )
    assert refund == StatementRow(
        out_trade_no="MZ20261120A01",
        transaction_id="4200001",
        amount=Money(2050),
        at=datetime(2026, 11, 20, 9, tzinfo=BEIJING),
        fee=Money(-12),
        out_refund_no="RF20261120A01",
        refund_id="5030001",
        refund_state=RefundState.DONE,
    )


SAME: dict[str, bytes] = {
    "without a mark": BILL.encode()[3:],
    "in GB18030": BILL[1:].encode("gb18030"),
    "in GB18030 with a mark": BILL.encode("gb18030"),
    "with bare line feeds": BILL.replace("\r\n", "\n").encode(),
    "with empty lines": BILL.replace("\r\n", "\r\n\r\n").encode(),
    "without a last line feed": BILL.rstrip().encode(),
    "without backticks": BILL.replace("`", "").replace(", 二号楼", "").encode(),
    "with headers behind backticks": BILL.replace(COLUMNS, "`" + COLUMNS.replace(",", ",`"))
    .replace(TOTALS, "`" + TOTALS.replace(",", ",`"))
    .encode(),
    "with rough figures": BILL.replace("`320.50", "`320.5").replace("`1.80000", "`1.8").encode(),
}


@pytest.mark.parametrize("case", SAME)
def test_a_bill_says_the_same_however_it_is_spelt(case: str) -> None:
    assert trades(SAME[case]) == trades(BILL)


def test_the_bill_of_an_old_account_has_other_names() -> None:
    """No column for the order's whole amount, and numbers that are 0 where there are none."""
    columns = (
        "交易时间,微信订单号,商户订单号,交易状态,货币种类,总金额,企业红包金额,"
        "微信退款单号,商户退款单号,退款金额,退款状态,手续费"
    )
    rows = (
        "`2026-11-20 08:15:30,`4200001,`MZ1,`SUCCESS,`CNY,`0.01,`0.0,`0,`0,`0,`,`0",
        "`2026-11-20 08:15:31,`4200001,`MZ1,`REVOKED,`CNY,`0.0,`0.0,`0,`0,`0.01,`,`0",
    )
    totals = (
        "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额",
        "`2.0,`0.01,`0.01,`0.0,`0",
    )
    payment, revoked = trades(text_of(columns, *rows, *totals))
    assert (payment.amount, payment.fee, payment.out_refund_no) == (Money(1), ZERO, None)
    assert (revoked.amount, revoked.out_refund_no) == (Money(1), "MZ1")
    assert (revoked.refund_id, revoked.refund_state) == (None, RefundState.DONE)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUCCESS", RefundState.DONE),
        ("PROCESSING", RefundState.PROCESSING),
        ("FAIL", RefundState.CLOSED),
        ("CHANGE", RefundState.ABNORMAL),
    ],
)
def test_every_state_of_a_refund_has_a_meaning(word: str, state: RefundState) -> None:
    bill = BILL.replace("`ORIGINAL,`SUCCESS", f"`ORIGINAL,`{word}")
    assert trades(bill)[1].refund_state is state


def test_the_documented_columns_are_all_there() -> None:
    path = SAMPLES / "trade_bill_headers.json"
    if not path.exists():
        pytest.skip("the folder of WeChat samples is not here")
    form = json.loads(path.read_text(encoding="utf-8"))["ALL"]
    assert (COLUMNS.split(","), TOTALS.split(",")) == (form["detail"], form["summary"])


NEEDED = (
    "交易时间",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "货币种类",
    "微信退款单号",
    "商户退款单号",
    "退款状态",
    "手续费",
)


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_column_is_named(name: str) -> None:
    names = COLUMNS.split(",")
    bill = BILL.replace(COLUMNS, ",".join("别的" if each == name else each for each in names))
    with pytest.raises(ChannelUnreachable, match=f"no column {name}"):
        trades(bill)


def test_a_missing_total_is_named() -> None:
    with pytest.raises(ChannelUnreachable, match="no column 手续费总金额"):
        trades(BILL.replace("手续费总金额", "别的"))


UNTRUE: dict[str, tuple[str, str]] = {
    "a row is missing": (BILL.replace(REFUND + "\r\n", ""), "do not sum to its rows"),
    "a row is there twice": (BILL.replace(REFUND, f"{REFUND}\r\n{REFUND}"), "do not sum to its"),
    "the orders' total": (BILL.replace("`1.80000,`320.50", "`1.80000,`320.51"), "its total"),
    "the refunds' total": (BILL.replace("`320.50,`20.50\r\n", "`320.50,`20.51\r\n"), "refunded"),
    "the fees' total": (BILL.replace("`1.80000", "`1.80001"), "its fee"),
    "no totals": (text_of(COLUMNS, PAYMENT, REFUND), "does not end in its totals"),
    "totals without values": (text_of(COLUMNS, PAYMENT, REFUND, TOTALS), "does not end in"),
    "totals of another length": (BILL.replace(SUMS, f"{SUMS},`0.00"), "does not end in"),
    "something after the totals": (BILL + PAYMENT, "does not end in its totals"),
    "a total that is no number": (BILL.replace("`1.80000", "`many"), "line 5 makes no sense"),
    "nothing": ("\ufeff", "no column"),
}


@pytest.mark.parametrize("case", UNTRUE)
def test_a_bill_that_does_not_sum_to_its_totals_is_not_believed(case: str) -> None:
    bill, reason = UNTRUE[case]
    with pytest.raises(ChannelUnreachable, match=reason):
        trades(bill)


SENSELESS: dict[str, str] = {
    "an amount in words": PAYMENT.replace('`320.50,`0.00,`"', "`many,`0.00,`").replace(
        "0.60%,`320.50", "0.60%,`many"
    ),
    "half a fen": PAYMENT.replace("0.60%,`320.50", "0.60%,`320.505"),
    "more than a number": PAYMENT.replace("0.60%,`320.50", "0.60%,`1E9"),
    "nothing paid": PAYMENT.replace("0.60%,`320.50", "0.60%,`0.00"),
    "less than nothing": PAYMENT.replace("0.60%,`320.50", "0.60%,`-1.00"),
    "no such day": PAYMENT.replace("2026-11-20", "2026-11-31"),
    "a moment of another form": PAYMENT.replace("2026-11-20 08:15:30", "20/11/2026 08:15"),
    "another currency": PAYMENT.replace("`CNY", "`USD"),
    "a state nobody knows": PAYMENT.replace("`SUCCESS", "`MAYBE"),
    "no order": PAYMENT.replace("`MZ20261120A01", "`"),
    "no number of WeChat Pay's": PAYMENT.replace("`4200001", "`"),
    "one value too few": PAYMENT.replace("`OTHERS,", ""),
    "one value too many": PAYMENT.replace("`OTHERS,", "`OTHERS,`OTHERS,"),
    "a refund in a state nobody knows": REFUND.replace("`ORIGINAL,`SUCCESS", "`ORIGINAL,`MAYBE"),
    "a refund in no state": REFUND.replace("`ORIGINAL,`SUCCESS", "`ORIGINAL,`"),
    "a refund of nothing": REFUND.replace("`20.50,`", "`0.00,`"),
}


@pytest.mark.parametrize("case", SENSELESS)
def test_a_row_that_makes_no_sense_is_pointed_at(case: str) -> None:
    with pytest.raises(ChannelUnreachable, match="line 3 makes no sense"):
        trades(text_of(COLUMNS, PAYMENT, SENSELESS[case], TOTALS, SUMS))


def test_what_is_neither_utf_8_nor_gb18030_is_not_read() -> None:
    with pytest.raises(ChannelUnreachable, match="neither UTF-8 nor GB18030"):
        trades(BILL[1:].encode("gb18030") + b"\xff\xff")


# How a fund bill is written.


def test_fees_may_be_rows_of_their_own() -> None:
    """As documented: what was traded whole, and its fee beside it."""
    assert funds(
        flow("交易", "收入", "320.50"),
        flow("扣除交易手续费", "支出", "1.92"),
        flow("退款", "支出", "20.50"),
        flow("退还交易手续费", "收入", "0.12"),
        flow("提现", "支出", "200.00"),
        flow("企业付款", "支出", "5.00"),
        sums="`6.0,`2.0,`320.62,`4.0,`227.42",
    ) == FundTotals(
        received=Money(32050), refunded=Money(2050), fees=Money(180), withdrawn=Money(20000)
    )


def test_fees_may_stand_in_the_remarks() -> None:
    assert funds(
        flow("交易", "收入", "318.58", "结算总金额320.50元;含手续费1.92元"),
        flow("退款", "支出", "20.38", "退款总金额20.50元;含手续费0.12元"),
        sums="`2,`1,`318.58,`1,`20.38",
    ) == FundTotals(received=Money(32050), refunded=Money(2050), fees=Money(180), withdrawn=ZERO)


def test_a_remark_that_does_not_explain_the_amount_is_only_a_remark() -> None:
    """The reason of a refund is typed by staff."""
    told = funds(
        flow("退款", "支出", "20.50", "退款总金额30.00元;含手续费0.12元"),
        sums="`1,`0,`0.00,`1,`20.50",
    )
    assert (told.refunded, told.fees) == (Money(2050), ZERO)


def test_a_refund_that_was_closed_comes_back() -> None:
    told = funds(
        flow("退款", "支出", "20.50"),
        flow("退款关闭", "收入", "20.50"),
        sums="`2,`1,`20.50,`1,`20.50",
    )
    assert told.refunded == ZERO


@pytest.mark.parametrize(
    ("row", "sums", "reason"),
    [
        (flow("交易", "收入", "1.00"), "`1,`1,`1.01,`0,`0.00", "do not sum to its received"),
        (flow("交易", "收入", "1.00"), "`1,`0,`1.00,`1,`0.00", "do not sum to its ins"),
        (flow("交易", "收支", "1.00"), "`1,`1,`1.00,`0,`0.00", "line 2 makes no sense"),
        (flow("交易", "收入", "一元"), "`1,`1,`1.00,`0,`0.00", "line 2 makes no sense"),
    ],
)
def test_a_fund_bill_is_checked_like_any_other(row: str, sums: str, reason: str) -> None:
    with pytest.raises(ChannelUnreachable, match=reason):
        funds(row, sums=sums)


def test_the_documented_fund_bill_has_our_columns() -> None:
    path = SAMPLES / "fundflow_bill_documented_example.csv"
    if not path.exists():
        pytest.skip("the folder of WeChat samples is not here")
    columns, row, totals, _ = path.read_text(encoding="utf-8").splitlines()
    assert (columns, totals) == (FUND_COLUMNS, FUND_TOTALS)
    assert funds(row, sums="`1.0,`0.0,`0.00,`1.0,`0.02").refunded == Money(2)
