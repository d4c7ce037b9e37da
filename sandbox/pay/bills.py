"""Where merchants apply for bills and download them, rows of `pay_bill`.

Rule: pay.weixin.qq.com, "trade bill", "fund bill" and "download a bill": the answer to an
application names the SHA1 of the unpacked file and an address that works for five minutes.
"""

import gzip
import hashlib
import secrets
from dataclasses import dataclass
from datetime import date
from sqlite3 import Connection, Row

from sandbox.clock import Clock
from sandbox.pay import bill_text
from sandbox.pay.calendar import Calendar, span
from sandbox.pay.merchants import Merchant
from sandbox.pay.refusals import ApiRefused
from sandbox.pay.store import Store
from sandbox.pay.texts import say

LIFE_S = 5 * 60
"""Sandbox seconds for which a bill can be downloaded."""
BASIC = "BASIC"
FUND_ACCOUNTS = (BASIC, "OPERATION", "FEES")
_FASTEST = 1

_ORDER = (
    "o.app_id, o.mchid, o.transaction_id, o.out_trade_no, o.openid, o.trade_type, o.description,"
    " o.attach"
)
_PAYMENTS = f"""
SELECT o.paid_at AS at, o.total_fen AS amount_fen, {_ORDER},
       NULL AS refund_id, NULL AS out_refund_no, NULL AS fate, NULL AS due_at
FROM pay_order o WHERE o.mchid = :mchid AND o.paid_at >= :starts AND o.paid_at < :ends
"""  # noqa: S608 - our own column names
_REFUNDS = f"""
SELECT r.created_at AS at, r.refund_fen AS amount_fen, {_ORDER},
       r.refund_id, r.out_refund_no, r.fate, r.due_at
FROM pay_refund r JOIN pay_order o ON o.mchid = r.mchid AND o.out_trade_no = r.out_trade_no
WHERE r.mchid = :mchid AND r.created_at >= :starts AND r.created_at < :ends
"""  # noqa: S608 - our own column names
_TRADES = {
    "ALL": f"{_PAYMENTS} UNION ALL {_REFUNDS} ORDER BY at",
    "SUCCESS": f"{_PAYMENTS} ORDER BY at",
    "REFUND": f"{_REFUNDS} ORDER BY at",
}
# Fees as `bill_text.fee_fen` counts them; a closed refund gave its money back.
_OPENING = """
SELECT (SELECT coalesce(sum(total_fen - (total_fen * 6 + 500) / 1000), 0) FROM pay_order
        WHERE mchid = :mchid AND paid_at < :starts)
     - (SELECT coalesce(sum(refund_fen - (refund_fen * 6 + 500) / 1000), 0) FROM pay_refund
        WHERE mchid = :mchid AND created_at < :starts
        AND NOT (fate = 'CLOSED' AND due_at <= :now))
"""


@dataclass(frozen=True)
class Offer:
    """A bill that can be downloaded with this token."""

    token: str
    sha1: str


@dataclass(frozen=True)
class Download:
    """A bill's bytes as they go over the wire."""

    content: bytes
    is_gzip: bool


class BillDesk:
    """Bills as merchants see them, made when they are applied for."""

    def __init__(self, store: Store, calendar: Calendar, clock: Clock):
        self._store = store
        self._calendar = calendar
        self._clock = clock

    def trade(self, caller: Merchant, day: date, bill_type: str, *, is_gzip: bool) -> Offer:
        """Make the day's trade bill of a type; raises ApiRefused where there is none."""
        self._calendar.check_made(day)
        starts, ends = span(day)
        asked = {"mchid": caller.mchid, "starts": starts, "ends": ends}
        with self._store.transaction() as db:
            rows = db.execute(_TRADES[bill_type], asked)
            content = bill_text.trade_bill(bill_type, rows, self._instant())
            return self._offer(db, caller, content, is_gzip=is_gzip)

    def fund(self, caller: Merchant, day: date, account: str, *, is_gzip: bool) -> Offer:
        """Make the day's fund bill; only the basic account ever moves. Raises ApiRefused."""
        self._calendar.check_made(day)
        starts, ends = span(day)
        asked = {"mchid": caller.mchid, "starts": starts, "ends": ends, "now": self._instant()}
        with self._store.transaction() as db:
            opening_fen: int = db.execute(_OPENING, asked).fetchone()[0]
            rows: list[Row] = db.execute(_TRADES["ALL"], asked).fetchall()
            moved = rows if account == BASIC else []
            content = bill_text.fund_bill(moved, opening_fen, self._instant())
            return self._offer(db, caller, content, is_gzip=is_gzip)

    def download(self, caller: Merchant, token: str) -> Download:
        """Give a bill applied for within its time; raises ApiRefused."""
        with self._store.transaction() as db:
            row = db.execute("SELECT * FROM pay_bill WHERE token = ?", (token,)).fetchone()
        if row is None or row["expires_at"] <= self._instant():
            raise ApiRefused(400, "INVALID_REQUEST", say("api.bill_token"))
        if row["mchid"] != caller.mchid:
            raise ApiRefused(403, "NO_AUTH", say("api.other_merchant"))
        packed: bytes = row["packed"]
        if row["is_gzip"]:
            return Download(packed, is_gzip=True)
        return Download(gzip.decompress(packed), is_gzip=False)

    def _instant(self) -> float:
        return self._clock.now().timestamp()

    def _offer(
        self, db: Connection, caller: Merchant, content: bytes | None, *, is_gzip: bool
    ) -> Offer:
        """Keep a bill for its time, and forget those whose time is over."""
        if content is None:
            raise ApiRefused(400, "NO_STATEMENT_EXIST", say("api.no_statement"))
        now, token = self._instant(), secrets.token_urlsafe(24)
        packed = gzip.compress(content, _FASTEST)
        ends = now + self._clock.real_seconds(LIFE_S)
        db.execute("DELETE FROM pay_bill WHERE expires_at <= ?", (now,))
        db.execute(
            "INSERT INTO pay_bill VALUES (?, ?, ?, ?, ?)",
            (token, caller.mchid, packed, is_gzip, ends),
        )
        return Offer(token, hashlib.sha1(content, usedforsecurity=False).hexdigest())
