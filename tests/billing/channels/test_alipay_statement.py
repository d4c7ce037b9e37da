"""Alipay's daily bill: whole and right, or one sentence says what is wrong with it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from billing.business_day import business_date
from billing.channels.alipay import Alipay
from billing.channels.alipay_statement import read_statement
from billing.channels.base import ChannelUnreachable, NoStatement, RefundState, StatementRow
from billing.money import ZERO, Money
from tests.billing.channels.alipay_provider import (
    APP_ID,
    NUMBER,
    alipay_order,
    answering_alipay,
    beijing_noon,
    running_alipay,
    said,
    zipped,
)
from tests.billing.channels.provider import real_now
from tests.billing.channels.test_alipay import refund
from tests.conftest import TODAY

HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
PAID = (
    "2026112322001459841410823307\t,MZ1\t,交易\t,物业费,2026-11-23 11:59:00,2026-11-23 12:00:00,"
    "\t,\t,\t,\t,**主(186****7910)\t,320.50,300.50,0.00,0.00,0.00,20.00,0.00,,0.00\t,0.00,\t,"
    "-1.92,0.00,"
)
REFUNDED = (
    "2026112322001459841410823307\t,MZ1\t,退款\t,物业费,2026-11-23 11:59:00,2026-11-23 12:00:00,"
    "\t,\t,\t,\t,**主(186****7910)\t,-20.50,-20.50,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,R1,"
    "0.12,0.00,"
)
TOTALS = (
    "#交易合计：1笔，商家实收共300.50元，商家优惠共20.00元",
    "#退款合计：1笔，商家实收退款共-20.50元，商家优惠退款共0.00元",
)


def table(
    *rows: str, header: str = HEADER, totals: tuple[str, ...] = TOTALS, newline: str = "\r\n"
) -> str:
    lines = [
        "#支付宝业务明细查询",
        "#账号：[20889312601912420156]",
        "#起始日期：[2026年11月23日 00:00:00]   终止日期：[2026年11月24日 00:00:00]",
        "#-----------------------------------------业务明细列表-------------------",
        header,
        *(rows or (PAID, REFUNDED)),
        "#-----------------------------------------业务明细列表结束---------------",
        *totals,
        "#导出时间：[2026年11月24日 05:46:49]",
    ]
    return newline.join([*lines, ""])


def read(detail: str) -> list[StatementRow]:
    summary = "#支付宝业务汇总查询\r\n#账号：[1]\r\n门店编号,门店名称\r\n"
    return list(read_statement(io.BytesIO(zipped(summary=summary, detail=detail))))


PAYMENT = StatementRow(
    out_trade_no="MZ1",
    transaction_id="2026112322001459841410823307",
    amount=Money(32050),
    at=beijing_noon("2026-11-23"),
    fee=Money(192),
)
REFUND = StatementRow(
    out_trade_no="MZ1",
    transaction_id="2026112322001459841410823307",
    amount=Money(2050),
    at=beijing_noon("2026-11-23"),
    fee=Money(-12),
    out_refund_no="R1",
    refund_state=RefundState.DONE,
)


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_rows_become_payments_and_refunds(newline: str) -> None:
    assert read(table(newline=newline)) == [PAYMENT, REFUND]


def test_the_sign_of_a_refund_or_a_fee_is_the_kinds() -> None:
    other = REFUNDED.replace("-20.50,-20.50", "20.50,20.50").replace("0.12,", "-0.12,")
    totals = (TOTALS[0], TOTALS[1].replace("-20.50", "20.50"))
    assert read(table(PAID.replace("-1.92", "1.92"), other, totals=totals)) == [PAYMENT, REFUND]


def test_columns_are_found_by_name_in_any_order_and_with_any_brackets() -> None:
    def turn(line: str) -> str:
        return ",".join(reversed(line.split(",")))

    header = turn(HEADER).replace("（", "(").replace("）", ")") + ",新列"
    assert read(table(turn(PAID) + ",1", turn(REFUNDED) + ",2", header=header)) == [PAYMENT, REFUND]


@pytest.mark.parametrize(
    "name",
    ["支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "商家实收（元）",
     "退款批次号/请求号", "服务费（元）"],
)  # fmt: skip
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(ChannelUnreachable, match=f"no column {name}"):
        read(table(header=HEADER.replace(name, "别的")))


@pytest.mark.parametrize(
    "row",
    [
        PAID.replace("320.50", "1e3"),
        PAID.replace("320.50", "0.00"),
        PAID.replace("2026-11-23 12:00:00", "2026/11/23"),
        PAID.replace("交易", "转账"),
        PAID.replace("物业费", "物业费,停车费"),
        PAID.replace("2026112322001459841410823307", ""),
        "2026112322001459841410823307,MZ1",
    ],
)
def test_a_row_that_makes_no_sense_is_named_by_its_line(row: str) -> None:
    with pytest.raises(ChannelUnreachable, match="line 6 makes no sense"):
        read(table(row, REFUNDED))


@pytest.mark.parametrize(
    "changed",
    [
        table(PAID),
        table(PAID, PAID, REFUNDED),
        table(totals=()),
        table(totals=TOTALS[:1]),
        table(totals=(TOTALS[0].replace("300.50", "300.51"), TOTALS[1])),
    ],
    ids=["a row is lost", "a row is twice", "no totals", "half the totals", "another sum"],
)
def test_rows_that_do_not_sum_to_the_totals_are_not_believed(changed: str) -> None:
    with pytest.raises(ChannelUnreachable, match="do not sum to its totals"):
        read(changed)


@pytest.mark.parametrize(
    "packed",
    [b"", b"PK\x03\x04", b"<html>", zipped(summary="#支付宝业务汇总查询\n"), zipped()],
    ids=["nothing", "cut off", "a page", "no details", "empty"],
)
def test_what_is_no_bill_is_said(packed: bytes) -> None:
    with pytest.raises(ChannelUnreachable, match="Alipay bill: "):
        list(read_statement(io.BytesIO(packed)))


def test_a_name_beyond_gbk_does_not_stop_the_bill() -> None:
    rows = read(table(PAID.replace("**主", "𠮷€"), REFUNDED))
    assert rows == [PAYMENT, REFUND]


@contextmanager
def a_day_at_alipay(folder: Path) -> Iterator[Alipay]:
    """A provider with one payment and one refund today, whose bills are made."""
    with running_alipay(folder) as provider:
        channel = provider.channel()
        provider.pay(channel.order(alipay_order(), real_now())["redirect_url"])
        channel.refund(refund())
        provider.calendar.shift(2)
        provider.book.seed(APP_ID, TODAY - timedelta(days=900), 3000)
        yield channel


def test_the_bill_of_the_provider_is_read_whole(tmp_path: Path) -> None:
    with a_day_at_alipay(tmp_path) as channel:
        today = business_date(real_now())
        payment, back = channel.fetch_statement(today)
        assert (payment.out_trade_no, payment.amount, payment.fee) == (
            NUMBER,
            Money(32050),
            Money(192),
        )
        assert payment.transaction_id == channel.query(NUMBER).transaction_id
        assert (back.out_refund_no, back.amount, back.fee) == ("R1", Money(2050), ZERO)
        seeded = channel.fetch_statement(TODAY - timedelta(days=900))
        assert sum(row.amount.fen for row in seeded) == 3000 * 10_000
        with pytest.raises(NoStatement):
            channel.fetch_statement(today - timedelta(days=1))
        with pytest.raises(NoStatement):
            channel.fetch_statement(today + timedelta(days=3))


def test_a_bill_that_cannot_be_fetched_is_no_answer() -> None:
    for values, reason in (
        ({"code": "10000"}, "without an address"),
        ({"code": "10000", "bill_download_url": "http://127.0.0.1:1/bill"}, "ConnectionError"),
    ):
        with (
            answering_alipay(said(values)) as channel,
            pytest.raises(ChannelUnreachable, match=reason),
        ):
            channel.fetch_statement(TODAY)
