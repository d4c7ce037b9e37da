"""Trades, refunds and notifications of Alipay in the sandbox's state file (tables `alipay_…`).

Functions take the connection of an open transaction. Instants are seconds since the epoch; the
clock's rate is already applied.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

TABLES = """
CREATE TABLE IF NOT EXISTS alipay_trade (
    app_id TEXT NOT NULL, out_trade_no TEXT NOT NULL, trade_no TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL, total_fen INTEGER NOT NULL, parameters TEXT NOT NULL,
    notify_url TEXT NOT NULL, return_url TEXT NOT NULL, method TEXT NOT NULL,
    buyer_id TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL,
    state TEXT NOT NULL, paid_at REAL,
    PRIMARY KEY (app_id, out_trade_no));
CREATE INDEX IF NOT EXISTS alipay_trade_paid ON alipay_trade (app_id, paid_at);
CREATE TABLE IF NOT EXISTS alipay_refund (
    app_id TEXT NOT NULL, out_trade_no TEXT NOT NULL, out_request_no TEXT NOT NULL,
    fen INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (app_id, out_trade_no, out_request_no));
CREATE INDEX IF NOT EXISTS alipay_refund_at ON alipay_refund (app_id, at);
CREATE TABLE IF NOT EXISTS alipay_notice (
    notice_id TEXT PRIMARY KEY, app_id TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    url TEXT NOT NULL, fields TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'pending', last_http INTEGER);
CREATE INDEX IF NOT EXISTS alipay_notice_trade ON alipay_notice (out_trade_no);
CREATE TABLE IF NOT EXISTS alipay_bill_link (
    token TEXT PRIMARY KEY, app_id TEXT NOT NULL, day TEXT NOT NULL, expires_at REAL NOT NULL);
"""

WAITING, SUCCESS, CLOSED = "WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_CLOSED"


@dataclass(frozen=True)
class Trade:
    """A trade as it stands when read; one fully refunded is closed but keeps its `paid_at`."""

    app_id: str
    out_trade_no: str
    trade_no: str
    subject: str
    total_fen: int
    parameters: str
    notify_url: str
    return_url: str
    method: str
    buyer_id: str
    created_at: float
    expires_at: float
    state: str
    paid_at: float | None


@dataclass(frozen=True)
class Refund:
    """A refund, done at once; `out_request_no` is the merchant's number of it."""

    app_id: str
    out_trade_no: str
    out_request_no: str
    fen: int
    at: float


@dataclass(frozen=True)
class Notice:
    """A notification: `outcome` pending, accepted or given_up; `last_http` 0 is no answer."""

    notice_id: str
    app_id: str
    out_trade_no: str
    url: str
    fields: str
    attempts: int
    next_at: float
    outcome: str
    last_http: int | None


def create_tables(db: sqlite3.Connection) -> None:
    """Make the tables where they are missing."""
    for statement in filter(str.strip, TABLES.split(";")):
        db.execute(statement)


def find_trade(
    db: sqlite3.Connection, app_id: str, now: float, *, out_trade_no: str = "", trade_no: str = ""
) -> Trade | None:
    """Read a trade by Alipay's number, else by the merchant's; unpaid past its end is closed."""
    column, value = ("trade_no", trade_no) if trade_no else ("out_trade_no", out_trade_no)
    row = db.execute(
        f"SELECT * FROM alipay_trade WHERE app_id = ? AND {column} = ?",  # noqa: S608 - ours
        (app_id, value),
    ).fetchone()
    return _trade(row, now) if row else None


def find_open_trade(db: sqlite3.Connection, trade_no: str, now: float) -> Trade | None:
    """Read a trade whose cashier is open, whichever merchant's it is."""
    row = db.execute("SELECT * FROM alipay_trade WHERE trade_no = ?", (trade_no,)).fetchone()
    return _trade(row, now) if row else None


def list_trades(db: sqlite3.Connection, now: float) -> list[tuple[Trade, int]]:
    """Read every trade and how many fen of it were refunded, oldest first."""
    refunded: dict[tuple[str, str], int] = {
        (row["app_id"], row["out_trade_no"]): row["fen"]
        for row in db.execute(
            "SELECT app_id, out_trade_no, SUM(fen) AS fen FROM alipay_refund"
            " GROUP BY app_id, out_trade_no"
        )
    }
    trades = [_trade(row, now) for row in db.execute("SELECT * FROM alipay_trade ORDER BY rowid")]
    return [(trade, refunded.get((trade.app_id, trade.out_trade_no), 0)) for trade in trades]


def has_movements(db: sqlite3.Connection, app_id: str, begin: float, end: float) -> bool:
    """Tell whether anything was paid or refunded in [begin, end)."""
    found = db.execute(
        "SELECT 1 FROM alipay_trade WHERE app_id = ? AND paid_at >= ? AND paid_at < ?"
        " UNION ALL SELECT 1 FROM alipay_refund WHERE app_id = ? AND at >= ? AND at < ? LIMIT 1",
        (app_id, begin, end) * 2,
    ).fetchone()
    return found is not None


def list_paid(db: sqlite3.Connection, app_id: str, begin: float, end: float) -> list[Trade]:
    """Read what was paid in [begin, end), in that order."""
    rows = db.execute(
        "SELECT * FROM alipay_trade WHERE app_id = ? AND paid_at >= ? AND paid_at < ?"
        " ORDER BY paid_at",
        (app_id, begin, end),
    )
    return [Trade(*row) for row in rows]


def list_refunded(
    db: sqlite3.Connection, app_id: str, begin: float, end: float
) -> list[tuple[Trade, Refund]]:
    """Read what was refunded in [begin, end), each with its trade."""
    rows = db.execute(
        "SELECT * FROM alipay_refund WHERE app_id = ? AND at >= ? AND at < ? ORDER BY at",
        (app_id, begin, end),
    ).fetchall()
    found = []
    for row in rows:
        refund = Refund(*row)
        trade = find_trade(db, app_id, end, out_trade_no=refund.out_trade_no)
        if trade is not None:
            found.append((trade, refund))
    return found


def insert_trades(db: sqlite3.Connection, trades: Iterable[Trade]) -> None:
    """Keep new trades."""
    places = ", ".join("?" * len(Trade.__dataclass_fields__))
    db.executemany(
        f"INSERT INTO alipay_trade VALUES ({places})",  # noqa: S608 - only question marks
        (tuple(vars(trade).values()) for trade in trades),
    )


def update_trade(db: sqlite3.Connection, trade: Trade) -> None:
    """Keep a trade's new state and when it was paid."""
    db.execute(
        "UPDATE alipay_trade SET state = :state, paid_at = :paid_at"
        " WHERE app_id = :app_id AND out_trade_no = :out_trade_no",
        vars(trade),
    )


def list_refunds(db: sqlite3.Connection, trade: Trade) -> list[Refund]:
    """Read the refunds of a trade, oldest first."""
    rows = db.execute(
        "SELECT * FROM alipay_refund WHERE app_id = ? AND out_trade_no = ? ORDER BY rowid",
        (trade.app_id, trade.out_trade_no),
    )
    return [Refund(*row) for row in rows]


def insert_refund(db: sqlite3.Connection, refund: Refund) -> None:
    """Keep a new refund."""
    db.execute("INSERT INTO alipay_refund VALUES (?, ?, ?, ?, ?)", tuple(vars(refund).values()))


def insert_notice(db: sqlite3.Connection, notice: Notice) -> None:
    """Keep a notification that is to be delivered."""
    db.execute(
        "INSERT INTO alipay_notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        tuple(vars(notice).values()),
    )


def get_notice(db: sqlite3.Connection, notice_id: str) -> Notice:
    """Read a notification that must exist."""
    row = db.execute("SELECT * FROM alipay_notice WHERE notice_id = ?", (notice_id,)).fetchone()
    return Notice(*row)


def find_first_notice(db: sqlite3.Connection, out_trade_no: str) -> Notice | None:
    """Read the notification of the payment itself."""
    row = db.execute(
        "SELECT * FROM alipay_notice WHERE out_trade_no = ? ORDER BY rowid", (out_trade_no,)
    ).fetchone()
    return Notice(*row) if row else None


def list_pending_notices(db: sqlite3.Connection) -> list[Notice]:
    """Read every notification that is still to be delivered."""
    rows = db.execute("SELECT * FROM alipay_notice WHERE outcome = 'pending' ORDER BY rowid")
    return [Notice(*row) for row in rows]


def update_notice(db: sqlite3.Connection, notice: Notice) -> None:
    """Keep what became of an attempt."""
    db.execute(
        "UPDATE alipay_notice SET attempts = :attempts, next_at = :next_at, outcome = :outcome,"
        " last_http = :last_http WHERE notice_id = :notice_id",
        vars(notice),
    )


def insert_bill_link(
    db: sqlite3.Connection, token: str, app_id: str, day: str, expires_at: float
) -> None:
    """Keep an address a bill can be fetched from until `expires_at`."""
    db.execute("INSERT INTO alipay_bill_link VALUES (?, ?, ?, ?)", (token, app_id, day, expires_at))


def find_bill_link(db: sqlite3.Connection, token: str, now: float) -> tuple[str, str] | None:
    """Give application and day of a bill's address that is still good."""
    row = db.execute(
        "SELECT app_id, day FROM alipay_bill_link WHERE token = ? AND expires_at > ?", (token, now)
    ).fetchone()
    return (row["app_id"], row["day"]) if row else None


def _trade(row: sqlite3.Row, now: float) -> Trade:
    values = dict(row)
    if values["state"] == WAITING and values["expires_at"] <= now:
        values["state"] = CLOSED
    return Trade(**values)
