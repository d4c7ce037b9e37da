"""WeChat Pay's daily bills, read row by row: of trades (交易账单) and of funds (资金账单).

UTF-8 with or without a byte order mark, or GB18030; lines end in CR LF; every value stands behind a
backtick and the names of the columns do not; amounts are yuan. Columns are found by their names,
as old accounts lack some and call others otherwise. The last two lines are totals, and a table that
does not sum to them is not believed. Rules: pay.weixin.qq.com, "trade bill" and "fund bill".
"""

import codecs
import gzip
import hashlib
import io
import re
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import IO

from billing.business_day import BEIJING
from billing.channels.base import ChannelUnreachable, FundTotals, RefundState, StatementRow
from billing.labels import LabelEnum
from billing.money import ZERO, Money, round_to_fen

CHUNK_BYTES = 64 * 1024
MEMORY_BYTES_MAX = 4 * 1024 * 1024
"""More of a bill than this is kept on disk."""

BILL_BYTES_MAX = 1024 * 1024 * 1024
GZIP_MARK = b"\x1f\x8b"
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")


class TradeColumn(LabelEnum):
    """Columns of the trade bill that we need; labels are their names, today's first."""

    AT = "at", "交易时间"
    TRANSACTION_ID = "transaction_id", "微信订单号"
    OUT_TRADE_NO = "out_trade_no", "商户订单号"
    STATE = "state", "交易状态"
    CURRENCY = "currency", "货币种类"
    TOTAL = "total", "订单金额|总金额"
    REFUND_ID = "refund_id", "微信退款单号"
    OUT_REFUND_NO = "out_refund_no", "商户退款单号"
    REFUNDED = "refunded", "申请退款金额|退款金额"
    REFUND_STATE = "refund_state", "退款状态"
    FEE = "fee", "手续费"


class TradeTotal(LabelEnum):
    """Totals of the trade bill; the first begins their line."""

    ROWS = "rows", "总交易单数"
    TOTAL = "total", "订单总金额|总交易额"
    REFUNDED = "refunded", "申请退款总金额|退款总金额|总退款金额"
    FEE = "fee", "手续费总金额"


class FundColumn(LabelEnum):
    """Columns of the fund bill that we need."""

    KIND = "kind", "业务类型"
    DIRECTION = "direction", "收支类型"
    AMOUNT = "amount", "收支金额(元)|收支金额（元）|收支金额"
    REMARK = "remark", "备注"


class FundTotal(LabelEnum):
    """Totals of the fund bill; the first begins their line."""

    ROWS = "rows", "资金流水总笔数"
    INS = "ins", "收入笔数"
    RECEIVED = "received", "收入金额"
    OUTS = "outs", "支出笔数"
    SPENT = "spent", "支出金额"


class FundWord(LabelEnum):
    """What the fund bill writes into its rows; labels are patterns."""

    IN = "in", "收入"
    OUT = "out", "支出"
    TRADE = "trade", "交易"
    REFUND = "refund", "退款|退款关闭"
    FEE = "fee", "扣除交易手续费|退[还回]交易手续费"
    WITHDRAWAL = "withdrawal", "提现.*"
    # Accounts whose fees are not rows of their own: gross and fee stand in the remark.
    NET = "net", r"(?:结算|退款)总金额([0-9.]+)元[;；]含手续费([0-9.]+)元"


PAID = "SUCCESS"
GIVEN_BACK = {"REFUND", "REVOKED"}
REFUND_STATES = {
    "SUCCESS": RefundState.DONE,
    "PROCESSING": RefundState.PROCESSING,
    "FAIL": RefundState.CLOSED,
    "CHANGE": RefundState.ABNORMAL,
}
NO_NUMBER = ("", "0")


@dataclass(frozen=True, slots=True)
class Bill:
    """A whole bill whose hash was right. It ends itself when it was read."""

    file: IO[bytes]
    encoding: str


def unpack(packed: bytes, sha1: str) -> Bill:
    """Unpack a bill, which may also come as it is, and check it.

    Raises:
        ChannelUnreachable: it is damaged, too large, or another one than was offered.
    """
    is_packed = packed.startswith(GZIP_MARK)
    source: IO[bytes] = io.BytesIO(packed)
    digest = hashlib.sha1(usedforsecurity=False)
    utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    with ExitStack() as undone:
        file = undone.enter_context(tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES_MAX))
        reader = undone.enter_context(gzip.GzipFile(fileobj=source)) if is_packed else source
        try:
            while chunk := reader.read(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
                utf8 = utf8 and _go_on(utf8, chunk)
                if file.tell() > BILL_BYTES_MAX:
                    raise ChannelUnreachable("WeChat Pay bill: too large")
        except (EOFError, OSError, zlib.error) as error:
            raise ChannelUnreachable(f"WeChat Pay bill: {type(error).__name__}") from None
        if digest.hexdigest() != sha1.lower():
            raise ChannelUnreachable("WeChat Pay bill: not the one whose SHA1 was given")
        file.seek(0)
        undone.pop_all()  # the reader of the bill closes it
    return Bill(file, "utf-8" if utf8 else "gb18030")


def _go_on(decoder: codecs.IncrementalDecoder, chunk: bytes) -> codecs.IncrementalDecoder | None:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return None
    return decoder


def read_trades(bill: Bill) -> Iterator[StatementRow]:
    """The rows of a trade bill.

    Raises:
        ChannelUnreachable: while reading: a column is missing (it is named), a row makes no sense
            (its line is given), or the rows do not sum to the totals under them.
    """
    with bill.file:
        table = _Table(bill, TradeColumn, TradeTotal)
        for cells in table:
            try:
                row = _read_trade(cells, table)
            except (KeyError, ValueError) as error:
                raise table.senseless(error) from None
            yield row


def _read_trade(cells: Mapping[LabelEnum, str], table: "_Table") -> StatementRow:
    """A row, added to the sums.

    Raises:
        KeyError, ValueError: it makes no sense.
    """
    total, refunded = _yuan(cells[TradeColumn.TOTAL]), _yuan(cells[TradeColumn.REFUNDED])
    fee = _yuan(cells[TradeColumn.FEE])
    table.add({TradeTotal.TOTAL: total, TradeTotal.REFUNDED: refunded, TradeTotal.FEE: fee})
    state, at = cells[TradeColumn.STATE], cells[TradeColumn.AT]
    if MOMENT.fullmatch(at) is None or cells[TradeColumn.CURRENCY] != "CNY":
        raise ValueError("not a moment in Beijing, or not yuan")
    if state != PAID and state not in GIVEN_BACK:
        raise ValueError("neither paid nor given back")
    is_back = state in GIVEN_BACK
    amount = _money(refunded if is_back else total)
    out_trade_no, transaction_id = (
        cells[TradeColumn.OUT_TRADE_NO],
        cells[TradeColumn.TRANSACTION_ID],
    )
    if amount <= ZERO or not out_trade_no or not transaction_id:
        raise ValueError("a row without an amount or a number")
    refund_number, refund_id, refund_state = None, None, None
    if is_back:
        refund_id = _number(cells[TradeColumn.REFUND_ID])
        # What was revoked at a till has no refund number of the merchant's.
        refund_number = _number(cells[TradeColumn.OUT_REFUND_NO]) or refund_id or out_trade_no
        said = cells[TradeColumn.REFUND_STATE]
        refund_state = REFUND_STATES[said] if said or state == "REFUND" else RefundState.DONE
    return StatementRow(
        out_trade_no=out_trade_no,
        transaction_id=transaction_id,
        amount=amount,
        at=datetime.fromisoformat(at).replace(tzinfo=BEIJING),
        # Fees have five digits; the account is charged whole fen.
        fee=round_to_fen(-abs(fee) if is_back else fee),
        out_refund_no=refund_number,
        refund_id=refund_id,
        refund_state=refund_state,
    )


def read_funds(bill: Bill) -> FundTotals:
    """What a fund bill comes to. What is neither a trade, a refund, a fee nor a withdrawal counts
    in the bill's own totals only.

    Raises:
        ChannelUnreachable: as for `read_trades`.
    """
    sums = dict.fromkeys(
        (FundWord.TRADE, FundWord.REFUND, FundWord.FEE, FundWord.WITHDRAWAL), Decimal(0)
    )
    with bill.file:
        table = _Table(bill, FundColumn, FundTotal)
        for cells in table:
            try:
                _add_flow(sums, cells, table)
            except (KeyError, ValueError) as error:
                raise table.senseless(error) from None
    return FundTotals(
        received=round_to_fen(sums[FundWord.TRADE]),
        refunded=round_to_fen(-sums[FundWord.REFUND]),
        fees=round_to_fen(-sums[FundWord.FEE]),
        withdrawn=round_to_fen(-sums[FundWord.WITHDRAWAL]),
    )


def _add_flow(
    sums: dict[FundWord, Decimal], cells: Mapping[LabelEnum, str], table: "_Table"
) -> None:
    """Add a row to the sums, as what it did to the account's balance.

    Raises:
        KeyError, ValueError: it makes no sense.
    """
    amount = _yuan(cells[FundColumn.AMOUNT])
    if cells[FundColumn.DIRECTION] == FundWord.IN.label:
        moved = amount
        table.add({FundTotal.INS: Decimal(1), FundTotal.RECEIVED: amount})
    elif cells[FundColumn.DIRECTION] == FundWord.OUT.label:
        moved = -amount
        table.add({FundTotal.OUTS: Decimal(1), FundTotal.SPENT: amount})
    else:
        raise ValueError("neither in nor out")
    kind = next((word for word in sums if re.fullmatch(word.label, cells[FundColumn.KIND])), None)
    if kind is None:
        return
    net = re.fullmatch(FundWord.NET.label, cells[FundColumn.REMARK])
    # A remark is free text: believed when it explains this very amount.
    if net and kind is not FundWord.FEE and _yuan(net[1]) - _yuan(net[2]) == amount:
        fee = _yuan(net[2]) if moved > 0 else -_yuan(net[2])
        moved += fee
        sums[FundWord.FEE] -= fee
    sums[kind] += moved


class _Table:
    """The rows of a bill with the columns we need; once they were read, they sum to its totals.

    Raises:
        ChannelUnreachable: while reading, naming what is wrong.
    """

    def __init__(self, bill: Bill, columns: type[LabelEnum], totals: type[LabelEnum]) -> None:
        self._lines = io.TextIOWrapper(bill.file, bill.encoding, newline="\n")
        self._columns = columns
        self._totals = totals
        self._first_total, *_ = totals
        self._sums: dict[LabelEnum, Decimal] = dict.fromkeys(totals, Decimal(0))
        self._number = 0

    def add(self, amounts: Mapping[LabelEnum, Decimal]) -> None:
        """Count a row and what it adds to the totals."""
        self._sums[self._first_total] += 1
        for total, amount in amounts.items():
            self._sums[total] += amount

    def senseless(self, error: Exception) -> ChannelUnreachable:
        """Say which line makes no sense."""
        kind = type(error).__name__
        return ChannelUnreachable(f"WeChat Pay bill: line {self._number} makes no sense ({kind})")

    def __iter__(self) -> Iterator[Mapping[LabelEnum, str]]:
        try:
            names = self._next()
            places = _places(names, self._columns)
            while (cells := self._next()) and cells[0] not in _names(self._first_total):
                if len(cells) != len(names):
                    raise self.senseless(IndexError())
                yield {column: cells[place] for column, place in places.items()}
            self._check_totals(cells)
        except UnicodeDecodeError:
            raise ChannelUnreachable("WeChat Pay bill: neither UTF-8 nor GB18030") from None

    def _next(self) -> list[str]:
        """The cells of the next line that is not empty; none at the end."""
        for line in self._lines:
            self._number += 1
            text = line.strip().removeprefix("\ufeff")
            if text.startswith("`"):
                # Commas within a value are not escaped.
                return [cell.strip() for cell in text[1:].split(",`")]
            if text:
                return [cell.strip().removeprefix("`") for cell in text.split(",")]
        return []

    def _check_totals(self, names: list[str]) -> None:
        values = self._next()
        if not names or len(values) != len(names) or self._next():
            raise ChannelUnreachable("WeChat Pay bill: it does not end in its totals")
        for total, place in _places(names, self._totals).items():
            try:
                said = _yuan(values[place])
            except ValueError as error:
                raise self.senseless(error) from None
            if said != self._sums[total]:
                name = total.value
                raise ChannelUnreachable(f"WeChat Pay bill: its rows do not sum to its {name}")


def _names(column: LabelEnum) -> list[str]:
    return column.label.split("|")


def _places(names: list[str], columns: type[LabelEnum]) -> dict[LabelEnum, int]:
    """Where each column is.

    Raises:
        ChannelUnreachable: naming the column that is missing.
    """
    places = {}
    for column in columns:
        found = [names.index(name) for name in _names(column) if name in names]
        if not found:
            raise ChannelUnreachable(f"WeChat Pay bill: no column {_names(column)[0]}")
        places[column] = found[0]
    return places


def _number(text: str) -> str | None:
    return None if text in NO_NUMBER else text


def _yuan(text: str) -> Decimal:
    if AMOUNT.fullmatch(text) is None:
        raise ValueError("not an amount in yuan")
    return Decimal(text)


def _money(yuan: Decimal) -> Money:
    """An amount that is whole fen.

    Raises:
        ValueError: it is not.
    """
    money = round_to_fen(yuan)
    if Decimal(money.yuan) != yuan:
        raise ValueError("not whole fen")
    return money
