"""Orders, prepay ids, callbacks and used nonces, durable in SQLite (tables `pay_…`).

Every call opens its own connection, so threads share nothing but the file. Instants are seconds
since the epoch; the clock's rate is already applied, so a restart with another rate moves nothing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS pay_order (
    mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    app_id TEXT NOT NULL, openid TEXT NOT NULL, description TEXT NOT NULL, attach TEXT,
    notify_url TEXT NOT NULL, total_fen INTEGER NOT NULL, parameters TEXT NOT NULL,
    expires_at REAL NOT NULL, state TEXT NOT NULL, transaction_id TEXT UNIQUE, paid_at REAL,
    PRIMARY KEY (mchid, out_trade_no));
CREATE TABLE IF NOT EXISTS pay_prepay (
    prepay_id TEXT PRIMARY KEY, mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    expires_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS pay_prepay_order ON pay_prepay (mchid, out_trade_no);
CREATE TABLE IF NOT EXISTS pay_notice (
    notice_id TEXT PRIMARY KEY, mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'pending', last_http INTEGER,
    UNIQUE (mchid, out_trade_no));
CREATE TABLE IF NOT EXISTS pay_nonce (
    mchid TEXT NOT NULL, nonce TEXT NOT NULL, used_at REAL NOT NULL,
    PRIMARY KEY (mchid, nonce));
CREATE INDEX IF NOT EXISTS pay_nonce_age ON pay_nonce (used_at);
"""


@dataclass(frozen=True)
class Order:
    """An order as it stands at the moment it was read; `state` is NOTPAY, SUCCESS or CLOSED."""

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


@dataclass(frozen=True)
class Prepay:
    """One answer to an order call: what a page may be called up with until `expires_at`."""

    prepay_id: str
    mchid: str
    out_trade_no: str
    expires_at: float


@dataclass(frozen=True)
class Notice:
    """A payment to be told: `outcome` pending, accepted or given_up; `last_http` 0 = no answer."""

    notice_id: str
    mchid: str
    out_trade_no: str
    attempts: int
    next_at: float
    outcome: str
    last_http: int | None


class Store:
    """The file; `transaction()` is the only way in."""

    def __init__(self, state_file: str | Path):
        self._path = str(state_file)
        with self.transaction() as db:
            for statement in filter(str.strip, _TABLES.split(";")):
                db.execute(statement)

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
        "SELECT * FROM pay_order WHERE mchid = ? AND out_trade_no = ?", (mchid, out_trade_no)
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
        "SELECT * FROM pay_order WHERE mchid = ? AND transaction_id = ?", (mchid, transaction_id)
    ).fetchone()
    return _order(row, now) if row else None


def list_orders(db: sqlite3.Connection, now: float) -> list[Order]:
    """Read every order, oldest first."""
    rows = db.execute("SELECT * FROM pay_order ORDER BY rowid").fetchall()
    return [_order(row, now) for row in rows]


def _order(row: sqlite3.Row, now: float) -> Order:
    values = dict(row)
    if values["state"] == "NOTPAY" and values["expires_at"] <= now:
        values["state"] = "CLOSED"
    return Order(**values)


def insert_order(db: sqlite3.Connection, order: Order) -> None:
    """Keep a new order."""
    values = vars(order)
    places = ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT INTO pay_order ({', '.join(values)}) VALUES ({places})", values)  # noqa: S608 - our own field names


def close_order(db: sqlite3.Connection, order: Order) -> None:
    """Close an unpaid order; a second time changes nothing."""
    db.execute(
        "UPDATE pay_order SET state = 'CLOSED'"
        " WHERE mchid = ? AND out_trade_no = ? AND state = 'NOTPAY'",
        (order.mchid, order.out_trade_no),
    )


def pay_order(
    db: sqlite3.Connection, order: Order, transaction_id: str, notice_id: str, now: float
) -> None:
    """Turn an unpaid order into a paid one with its callback due now, both or neither."""
    db.execute(
        "UPDATE pay_order SET state = 'SUCCESS', transaction_id = ?, paid_at = ?"
        " WHERE mchid = ? AND out_trade_no = ? AND state = 'NOTPAY'",
        (transaction_id, now, order.mchid, order.out_trade_no),
    )
    db.execute(
        "INSERT INTO pay_notice (notice_id, mchid, out_trade_no, next_at) VALUES (?, ?, ?, ?)",
        (notice_id, order.mchid, order.out_trade_no, now),
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


def get_notice(db: sqlite3.Connection, notice_id: str) -> Notice:
    """Read a callback that must exist."""
    row = db.execute("SELECT * FROM pay_notice WHERE notice_id = ?", (notice_id,)).fetchone()
    return Notice(**row)


def find_notice(db: sqlite3.Connection, out_trade_no: str) -> Notice | None:
    """Read the callback of a paid order, the latest where merchants share the number."""
    row = db.execute(
        "SELECT * FROM pay_notice WHERE out_trade_no = ? ORDER BY rowid DESC", (out_trade_no,)
    ).fetchone()
    return Notice(**row) if row else None


def list_pending_notices(db: sqlite3.Connection) -> list[Notice]:
    """Read every callback that is still to be delivered."""
    rows = db.execute("SELECT * FROM pay_notice WHERE outcome = 'pending' ORDER BY rowid")
    return [Notice(**row) for row in rows]


def update_notice(db: sqlite3.Connection, notice: Notice) -> None:
    """Keep what became of an attempt."""
    db.execute(
        "UPDATE pay_notice SET attempts = :attempts, next_at = :next_at, outcome = :outcome,"
        " last_http = :last_http WHERE notice_id = :notice_id",
        vars(notice),
    )


def use_nonce(db: sqlite3.Connection, mchid: str, nonce: str, now: float, kept_s: float) -> bool:
    """Note a request's nonce; False when it was used within the last `kept_s` seconds."""
    db.execute("DELETE FROM pay_nonce WHERE used_at < ?", (now - kept_s,))
    done = db.execute("INSERT OR IGNORE INTO pay_nonce VALUES (?, ?, ?)", (mchid, nonce, now))
    return done.rowcount == 1
