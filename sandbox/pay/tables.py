"""The shape of WeChat Pay's book in SQLite, and how an older file is brought to it."""

import sqlite3

_TABLES = """
CREATE TABLE IF NOT EXISTS pay_order (
    mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    app_id TEXT NOT NULL, openid TEXT NOT NULL, description TEXT NOT NULL, attach TEXT,
    notify_url TEXT NOT NULL, total_fen INTEGER NOT NULL, parameters TEXT NOT NULL,
    expires_at REAL NOT NULL, state TEXT NOT NULL, transaction_id TEXT UNIQUE, paid_at REAL,
    trade_type TEXT NOT NULL DEFAULT 'JSAPI',
    PRIMARY KEY (mchid, out_trade_no));
CREATE INDEX IF NOT EXISTS pay_order_day ON pay_order (mchid, paid_at);
CREATE TABLE IF NOT EXISTS pay_prepay (
    prepay_id TEXT PRIMARY KEY, mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    expires_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS pay_prepay_order ON pay_prepay (mchid, out_trade_no);
CREATE TABLE IF NOT EXISTS pay_refund (
    mchid TEXT NOT NULL, out_refund_no TEXT NOT NULL, refund_id TEXT NOT NULL UNIQUE,
    out_trade_no TEXT NOT NULL, reason TEXT, notify_url TEXT, refund_fen INTEGER NOT NULL,
    parameters TEXT NOT NULL, created_at REAL NOT NULL, fate TEXT NOT NULL, due_at REAL NOT NULL,
    asks_left INTEGER NOT NULL,
    PRIMARY KEY (mchid, out_refund_no));
CREATE INDEX IF NOT EXISTS pay_refund_order ON pay_refund (mchid, out_trade_no);
CREATE INDEX IF NOT EXISTS pay_refund_day ON pay_refund (mchid, created_at);
CREATE TABLE IF NOT EXISTS pay_notification (
    notice_id TEXT PRIMARY KEY, mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    out_refund_no TEXT NOT NULL, attempts INTEGER NOT NULL, next_at REAL NOT NULL,
    outcome TEXT NOT NULL, last_http INTEGER,
    UNIQUE (mchid, out_trade_no, out_refund_no));
CREATE INDEX IF NOT EXISTS pay_notification_order ON pay_notification (out_trade_no);
CREATE TABLE IF NOT EXISTS pay_bill (
    token TEXT PRIMARY KEY, mchid TEXT NOT NULL, packed BLOB NOT NULL, is_gzip INTEGER NOT NULL,
    expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS pay_nonce (
    mchid TEXT NOT NULL, nonce TEXT NOT NULL, used_at REAL NOT NULL,
    PRIMARY KEY (mchid, nonce));
CREATE INDEX IF NOT EXISTS pay_nonce_age ON pay_nonce (used_at);
"""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables that are missing; a file from before refunds keeps what it holds."""
    columns = {row["name"] for row in db.execute("PRAGMA table_info(pay_order)")}
    if columns and "trade_type" not in columns:
        db.execute("ALTER TABLE pay_order ADD COLUMN trade_type TEXT NOT NULL DEFAULT 'JSAPI'")
    for statement in filter(str.strip, _TABLES.split(";")):
        db.execute(statement)
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pay_notice'").fetchone():
        db.execute(
            "INSERT INTO pay_notification SELECT notice_id, mchid, out_trade_no, '',"
            " attempts, next_at, outcome, last_http FROM pay_notice"
        )
        db.execute("DROP TABLE pay_notice")
