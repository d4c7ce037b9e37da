"""The text of bills: columns, backticks and totals as WeChat Pay writes them.

Rule: pay.weixin.qq.com, "format of the trade bill" and "format of the fund bill": UTF-8 with a byte
order mark, lines end with CR LF, every value behind a backtick and the headers bare, yuan with two
digits and fees with five; the last two lines are the totals. Commas in a description stay as they
are: values part at ",`".
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from operator import itemgetter
from pathlib import Path
from sqlite3 import Row
from typing import Any

from sandbox.pay.texts import say

_FORMATS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "templates" / "bills.json").read_text(encoding="utf-8")
)
TRADE_TYPES = tuple(_FORMATS["trade"])
_RATE = "0.60%"
_BEIJING = timezone(timedelta(hours=8))
_STATUSES = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "CLOSED": "FAIL"} | {
    "ABNORMAL": "CHANGE"
}
# The refund bill has every column there is; the others leave some of them out.
_COLUMNS: list[str] = _FORMATS["trade"]["REFUND"]["detail"]


def fee_fen(amount_fen: int) -> int:
    """Give the fee of 0.6 %, half a fen rounded up."""
    return (amount_fen * 6 + 500) // 1000


def yuan(fen: int) -> str:
    """Spell fen as yuan with two digits."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def trade_bill(bill_type: str, trades: Iterable[Row], now: float) -> bytes | None:
    """Write payments and refunds in their order; None where there are none."""
    form = _FORMATS["trade"][bill_type]
    pick = itemgetter(*(_COLUMNS.index(name) for name in form["detail"]))
    lines, totals = [], {"paid": 0, "refunded": 0, "topped": 0, "fee": 0}
    for trade in trades:
        amount = trade["amount_fen"]
        if trade["out_refund_no"] is None:
            lines.append(_line(pick(_payment(trade))))
            totals["paid"] += amount
            totals["fee"] += fee_fen(amount)
        else:
            lines.append(_line(pick(_refund(trade, now))))
            totals["refunded"] += amount
            totals["fee"] -= fee_fen(amount)
    if not lines:
        return None
    # In fen; the format's file names which of them each column of the totals shows.
    sums = [yuan(totals[key]) + ("000" if key == "fee" else "") for key in form["totals"]]
    spelled = [str(len(lines)), *sums]
    return _file(form["detail"], lines, form["summary"], spelled)


def fund_bill(flows: Iterable[Row], opening_fen: int, now: float) -> bytes | None:
    """Write the basic account's movements, net of fees; None where there are none."""
    form = _FORMATS["fund"]
    lines, totals, balance = [], {"in": 0, "ins": 0, "out": 0, "outs": 0}, opening_fen
    for flow in flows:
        is_refund = flow["out_refund_no"] is not None
        if is_refund and _status(flow, now) == "CLOSED":
            continue
        gross = flow["amount_fen"]
        net = gross - fee_fen(gross)
        balance += -net if is_refund else net
        totals["out" if is_refund else "in"] += net
        totals["outs" if is_refund else "ins"] += 1
        lines.append(_line(_flow(flow, gross, balance, is_refund=is_refund)))
    if not lines:
        return None
    spelled = [str(len(lines)), str(totals["ins"]), yuan(totals["in"])]
    spelled += [str(totals["outs"]), yuan(totals["out"])]
    return _file(form["detail"], lines, form["summary"], spelled)


def _status(trade: Row, now: float) -> str:
    return str(trade["fate"]) if trade["due_at"] <= now else "PROCESSING"


def _payment(trade: Row) -> Sequence[str]:
    paid, none = yuan(trade["amount_fen"]), yuan(0)
    return (
        *_head(trade, "SUCCESS"),
        *(paid, none, "", "", "0", "0", none, none, "", ""),
        *_tail(trade, fee_fen(trade["amount_fen"])),
        *(paid, none, ""),
    )


def _refund(trade: Row, now: float) -> Sequence[str]:
    none, back = yuan(0), yuan(trade["amount_fen"])
    status, asked_at = _status(trade, now), _moment(trade["at"])
    done_at = _moment(trade["due_at"]) if status == "SUCCESS" else ""
    return (
        *_head(trade, "REFUND"),
        *(none, none, asked_at, done_at, trade["refund_id"], trade["out_refund_no"], back, none),
        *("ORIGINAL", _STATUSES[status]),
        *_tail(trade, -fee_fen(trade["amount_fen"])),
        *(none, back, ""),
    )


def _head(trade: Row, state: str) -> Sequence[str]:
    return (
        *(_moment(trade["at"]), trade["app_id"], trade["mchid"], "0", ""),
        *(trade["transaction_id"], trade["out_trade_no"], trade["openid"], trade["trade_type"]),
        *(state, "OTHERS", "CNY"),
    )


def _tail(trade: Row, fee: int) -> Sequence[str]:
    return (
        _one_line(trade["description"]),
        _one_line(trade["attach"] or ""),
        yuan(fee) + "000",
        _RATE,
    )


def _flow(flow: Row, gross: int, balance: int, *, is_refund: bool) -> Sequence[str]:
    fee = fee_fen(gross)
    kind = "refund" if is_refund else "trade"
    name = say(f"flow.{kind}")
    number = flow["refund_id"] if is_refund else flow["transaction_id"]
    return (
        *(_moment(flow["at"]), number, flow["transaction_id"], name, name),
        *(say(f"flow.{kind}_way"), yuan(gross - fee), yuan(balance)),
        f"{flow['mchid']}API" if is_refund else "system",
        say(f"flow.{kind}_remark", gross=yuan(gross), fee=yuan(fee)),
        flow["out_refund_no"] or flow["out_trade_no"],
    )


def _moment(instant: float) -> str:
    return datetime.fromtimestamp(int(instant), _BEIJING).isoformat(" ")[:19]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _line(values: Iterable[str]) -> str:
    return "`" + ",`".join(values)


def _file(
    columns: Sequence[str], lines: Sequence[str], totals: Sequence[str], spelled: Sequence[str]
) -> bytes:
    text = "\r\n".join((",".join(columns), *lines, ",".join(totals), _line(spelled), ""))
    return text.encode("utf-8-sig")
