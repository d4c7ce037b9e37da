"""Orders, prepay ids and used nonces, durable in SQLite (tables `pay_…`).

Every call opens its own connection, so threads share nothing but the file. Instants are seconds
since the epoch; the clock's rate is already applied, so a restart with another rate moves nothing.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from sandbox.pay.tables import prepare

_READ_ORDER = """
SELECT o.*, (SELECT coalesce(sum(r.refund_fen), 0) FROM pay_refund r
             WHERE r.mchid = o.mchid AND r.out_trade_no = o.out_trade_no
             AND r.fate = 'SUCCESS' AND r.due_at <= :now) AS refunded_fen
FROM pay_order o
"""


@dataclass(frozen=True)
class Order:
    """An order as it stood when it was read; `state` is NOTPAY, SUCCESS, REFUND or CLOSED.

    REFUND: paid, and at least one refund has succeeded; `refunded_fen` is the sum of those. Until
    somebody pays, `openid` is empty where the order did not name its payer.
    """

    mchid: str
    out_trade_no: str
    app_id: str
    openid: str
    description: str
    attach: str | None
    notify_url: str
    total_fen: int
    parameters: str
    expires_at: float
    state: str
    transaction_id: str | None
    paid_at: float | None
    trade_type: str
    refunded_fen: int = 0

    @property
    def is_paid(self) -> bool:
        """Tell whether the money came in, also where it went back since."""
        return self.paid_at is not None


@dataclass(frozen=True)
class Prepay:
    """One answer to an order call: what a page may be called up with until `expires_at`."""

    prepay_id: str
    mchid: str
    out_trade_no: str
    expires_at: float


class Store:
    """The file; `transaction()` is the only way in."""

    def __init__(self, state_file: str | Path):
        self._path = str(state_file)
        with self.transaction() as db:
            prepare(db)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a writing transaction: all of it is kept, or on an exception nothing."""
        db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()


def find_order(db: sqlite3.Connection, mchid: str, out_trade_no: str, now: float) -> Order | None:
    """Read an order as it stands `now`; an unpaid one past its end is CLOSED."""
    row = db.execute(
        f"{_READ_ORDER} WHERE o.mchid = :mchid AND o.out_trade_no = :number",
        {"mchid": mchid, "number": out_trade_no, "now": now},
    ).fetchone()
    return _order(row, now) if row else None


def get_order(db: sqlite3.Connection, mchid: str, out_trade_no: str, now: float) -> Order:
    """Read an order that must exist; raises LookupError."""
    order = find_order(db, mchid, out_trade_no, now)
    if order is None:
        raise LookupError(f"no order {out_trade_no} of {mchid}")
    return order


def find_transaction(
    db: sqlite3.Connection, mchid: str, transaction_id: str, now: float
) -> Order | None:
    """Read a paid order by the provider's own number."""
    row = db.execute(
        f"{_READ_ORDER} WHERE o.mchid = :mchid AND o.transaction_id = :number",
        {"mchid": mchid, "number": transaction_id, "now": now},
    ).fetchone()
    return _order(row, now) if row else None


def list_orders(db: sqlite3.Connection, now: float) -> list[Order]:
    """Read every order, oldest first."""
    rows = db.execute(f"{_READ_ORDER} ORDER BY o.rowid", {"now": now}).fetchall()
    return [_order(row, now) for row in rows]


def _order(row: sqlite3.Row, now: float) -> Order:
    values = dict(row)
    if values["state"] == "NOTPAY" and values["expires_at"] <= now:
        values["state"] = "CLOSED"
    if values["refunded_fen"]:
        values["state"] = "REFUND"
    return Order(**values)


def insert_order(db: sqlite3.Connection, order: Order) -> None:
    """Keep a new order."""
    insert_orders(db, [order])


def insert_orders(db: sqlite3.Connection, orders: Iterable[Order]) -> None:
    """Keep new orders; raises sqlite3.IntegrityError for a number that is taken."""
    names = [field.name for field in fields(Order) if field.name != "refunded_fen"]
    places = ", ".join("?" for _ in names)
    db.executemany(
        f"INSERT INTO pay_order ({', '.join(names)}) VALUES ({places})",  # noqa: S608 - our own field names
        ([getattr(order, name) for name in names] for order in orders),
    )


def close_order(db: sqlite3.Connection, order: Order) -> None:
    """Close an unpaid order; a second time changes nothing."""
    db.execute(
        "UPDATE pay_order SET state = 'CLOSED'"
        " WHERE mchid = ? AND out_trade_no = ? AND state = 'NOTPAY'",
        (order.mchid, order.out_trade_no),
    )


def pay_order(
    db: sqlite3.Connection, order: Order, openid: str, transaction_id: str, now: float
) -> None:
    """Turn an unpaid order into one paid by this person."""
    db.execute(
        "UPDATE pay_order SET state = 'SUCCESS', openid = ?, transaction_id = ?, paid_at = ?"
        " WHERE mchid = ? AND out_trade_no = ? AND state = 'NOTPAY'",
        (openid, transaction_id, now, order.mchid, order.out_trade_no),
    )


def find_prepay(db: sqlite3.Connection, prepay_id: str) -> Prepay | None:
    """Read one prepay id, also an expired one."""
    row = db.execute("SELECT * FROM pay_prepay WHERE prepay_id = ?", (prepay_id,)).fetchone()
    return Prepay(**row) if row else None


def find_valid_prepay(db: sqlite3.Connection, order: Order, now: float) -> Prepay | None:
    """Read the order's prepay id that still opens the cashier, if any."""
    row = db.execute(
        "SELECT * FROM pay_prepay WHERE mchid = ? AND out_trade_no = ? AND expires_at > ?",
        (order.mchid, order.out_trade_no, now),
    ).fetchone()
    return Prepay(**row) if row else None


def insert_prepay(db: sqlite3.Connection, prepay: Prepay) -> None:
    """Keep a new prepay id."""
    db.execute(
        "INSERT INTO pay_prepay VALUES (:prepay_id, :mchid, :out_trade_no, :expires_at)",
        vars(prepay),
    )


def use_nonce(db: sqlite3.Connection, mchid: str, nonce: str, now: float, kept_s: float) -> bool:
    """Note a request's nonce; False when it was used within the last `kept_s` seconds."""
    db.execute("DELETE FROM pay_nonce WHERE used_at < ?", (now - kept_s,))
    done = db.execute("INSERT OR IGNORE INTO pay_nonce VALUES (?, ?, ?)", (mchid, nonce, now))
    return done.rowcount == 1
