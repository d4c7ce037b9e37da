"""Alipay's daily bill (业务明细): a zip with tables in GBK, read row by row.

Lines that begin with `#` are remarks; fields end in tabs; columns are found by their names; the
remarks under the table give its totals, and a table that does not sum to them is not believed.
"""

import io
import re
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import IO

import requests

from billing.business_day import BEIJING
from billing.channels.base import ChannelUnreachable, RefundState, StatementRow
from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.money import ZERO, Money

MEMORY_BYTES_MAX = 4 * 1024 * 1024
"""More of a bill than this is kept on disk."""

ZIP_BYTES_MAX = 256 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
ENCODING = "gb18030"
"""GBK and everything that is written beyond it."""


class Column(LabelEnum):
    """The columns we need; labels are their names in the bill, with any kind of brackets."""

    TRANSACTION_ID = "transaction_id", "支付宝交易号"
    OUT_TRADE_NO = "out_trade_no", "商户订单号"
    KIND = "kind", "业务类型"
    DONE_AT = "done_at", "完成时间"
    AMOUNT = "amount", "订单金额（元）"
    RECEIVED = "received", "商家实收（元）"
    OUT_REFUND_NO = "out_refund_no", "退款批次号/请求号"
    FEE = "fee", "服务费（元）"


class Kind(LabelEnum):
    """What a row is about; labels are the bill's words, and begin the remark with its totals."""

    PAYMENT = "payment", "交易"
    REFUND = "refund", "退款"


class Remark(LabelEnum):
    """Remarks we read; labels are patterns. The zip's other table, the summary, has another title.

    The groups of `TOTALS`: the kind's word, how many, what the seller received in yuan.
    """

    TITLE = "title", "#支付宝业务明细查询"
    TOTALS = "totals", r"#(\w\w)合计：(\d+)笔，商家实收(?:退款)?共(-?[0-9.]+)元"


MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
KINDS = {kind.label: kind for kind in Kind}
TITLE, TOTALS = (re.compile(remark.label) for remark in Remark)


def download(url: str, timeout_seconds: tuple[float, float]) -> IO[bytes]:
    """Fetch a bill; gives a file to read from, which ends itself.

    Raises:
        ChannelUnreachable: no answer, or one that is no bill.
    """
    with ExitStack() as undone:
        packed = undone.enter_context(tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES_MAX))
        try:
            with requests.get(url, stream=True, timeout=timeout_seconds) as answer:
                if answer.status_code != 200:
                    raise ChannelUnreachable(f"Alipay bill: HTTP {answer.status_code}")
                for chunk in answer.iter_content(CHUNK_BYTES):
                    packed.write(chunk)
                    if packed.tell() > ZIP_BYTES_MAX:
                        raise ChannelUnreachable("Alipay bill: too large")
        except requests.RequestException as error:
            # Its text may hold the address, and whoever has that has the bill.
            raise ChannelUnreachable(f"Alipay bill: {type(error).__name__}") from None
        packed.seek(0)
        undone.pop_all()  # the reader closes it
        return packed


def read_statement(packed: IO[bytes]) -> Iterator[StatementRow]:
    """The rows of a bill.

    Raises:
        ChannelUnreachable: while reading: no such table, a column is missing (it is named), a row
            makes no sense (its line is given), or the rows do not sum to the totals under them.
    """
    try:
        with packed, zipfile.ZipFile(packed, metadata_encoding="gbk") as archive:
            for name in archive.namelist():
                with archive.open(name) as raw:
                    lines = io.TextIOWrapper(raw, ENCODING, newline="")
                    if TITLE.match(next(lines, "")):
                        yield from _read_table(lines)
                        return
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
        raise ChannelUnreachable(f"Alipay bill: {type(error).__name__}") from None
    raise ChannelUnreachable("Alipay bill: no table of single trades in it")


def _read_table(lines: Iterator[str]) -> Iterator[StatementRow]:
    totals: dict[Kind, tuple[int, str]] = {}
    counts: Counter[Kind] = Counter()
    received: dict[Kind, Money] = dict.fromkeys(Kind, ZERO)
    places: dict[Column, int] = {}
    for number, line in enumerate(lines, start=2):
        if line.startswith("#"):
            said = TOTALS.match(line)
            if said and said[1] in KINDS:
                totals[KINDS[said[1]]] = int(said[2]), said[3]
            continue
        # Alipay quotes nothing: a comma in a text moves the cells after it, and is found out.
        cells = [cell.strip() for cell in line.split(",")]
        if not any(cells):
            continue
        if not places:
            places = _places(cells)
            continue
        try:
            kind, got, row = _read_row({column: cells[at] for column, at in places.items()})
        except (IndexError, KeyError, ValueError, InvalidInput) as error:
            reason = f"line {number} makes no sense ({type(error).__name__})"
            raise ChannelUnreachable(f"Alipay bill: {reason}") from None
        counts[kind] += 1
        received[kind] += got
        yield row
    for kind in Kind:
        if totals.get(kind) != (counts[kind], received[kind].yuan):
            raise ChannelUnreachable(f"Alipay bill: its {kind.value}s do not sum to its totals")


def _places(names: list[str]) -> dict[Column, int]:
    """Where each column is.

    Raises:
        ChannelUnreachable: naming the column that is missing.
    """
    known = {_plain(name): at for at, name in enumerate(names)}
    for column in Column:
        if _plain(column.label) not in known:
            raise ChannelUnreachable(f"Alipay bill: no column {column.label}")
    return {column: known[_plain(column.label)] for column in Column}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip()


def _read_row(cells: dict[Column, str]) -> tuple[Kind, Money, StatementRow]:
    """What a row is about, what it did to the seller's account, and the row.

    Raises:
        KeyError, ValueError, InvalidInput: a value makes no sense.
    """
    kind = KINDS[cells[Column.KIND]]
    # Bills differ in the sign of fees and refunds; the kind of row says which way they went.
    amount = _size(Money.from_yuan(cells[Column.AMOUNT]))
    fee = _size(Money.from_yuan(cells[Column.FEE]))
    out_refund_no, done_at = cells[Column.OUT_REFUND_NO], cells[Column.DONE_AT]
    if MOMENT.fullmatch(done_at) is None:
        raise ValueError("not a moment in Beijing")
    if not cells[Column.TRANSACTION_ID] or not amount:
        raise ValueError("a row without a number or an amount")
    is_refund = kind is Kind.REFUND
    row = StatementRow(
        out_trade_no=cells[Column.OUT_TRADE_NO],
        transaction_id=cells[Column.TRANSACTION_ID],
        amount=amount,
        at=datetime.fromisoformat(done_at).replace(tzinfo=BEIJING),
        fee=-fee if is_refund else fee,
        out_refund_no=out_refund_no if is_refund else None,
        refund_state=RefundState.DONE if is_refund else None,
    )
    return kind, Money.from_yuan(cells[Column.RECEIVED]), row


def _size(amount: Money) -> Money:
    return max(amount, -amount)
