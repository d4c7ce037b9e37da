"""What the pretend account and the phones remember, in one SQLite file; it survives a restart.

Functions that read and write rows take the connection of an open transaction. Instants are
seconds since the epoch.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS phone (
    openid TEXT PRIMARY KEY, follows INTEGER NOT NULL DEFAULT 0, followed_at REAL,
    followed_by TEXT NOT NULL DEFAULT '', scene TEXT NOT NULL DEFAULT '',
    is_snapshot INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, openid TEXT NOT NULL, kind TEXT NOT NULL,
    text TEXT NOT NULL, data TEXT NOT NULL, url TEXT, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS message_phone ON message (openid, seq);
CREATE TABLE IF NOT EXISTS sent (
    msgid INTEGER PRIMARY KEY, kind TEXT NOT NULL, openid TEXT NOT NULL, client_msg_id TEXT,
    template_id TEXT, text TEXT NOT NULL, data TEXT NOT NULL, url TEXT, at REAL NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS sent_client ON sent (openid, client_msg_id);
CREATE TABLE IF NOT EXISTS token (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, issued_at REAL NOT NULL, expires_at REAL NOT NULL,
    is_forced INTEGER NOT NULL, is_replaced INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS menu (only INTEGER PRIMARY KEY CHECK (only = 1), buttons TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS qr_code (
    ticket TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, scene TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL);
CREATE INDEX IF NOT EXISTS qr_code_scene ON qr_code (scene);
CREATE TABLE IF NOT EXISTS oauth_code (
    code TEXT PRIMARY KEY, openid TEXT NOT NULL, is_snapshot INTEGER NOT NULL,
    expires_at REAL NOT NULL, is_used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS answer_window (
    openid TEXT NOT NULL, scene TEXT NOT NULL, until REAL NOT NULL, remaining INTEGER NOT NULL,
    PRIMARY KEY (openid, scene));
CREATE TABLE IF NOT EXISTS consent (
    openid TEXT NOT NULL, template_id TEXT NOT NULL, remaining INTEGER NOT NULL,
    PRIMARY KEY (openid, template_id));
CREATE TABLE IF NOT EXISTS number (number TEXT PRIMARY KEY, openid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sms (
    biz_id TEXT PRIMARY KEY, number TEXT NOT NULL, sign_name TEXT NOT NULL,
    template_code TEXT NOT NULL, content TEXT NOT NULL, out_id TEXT NOT NULL, at REAL NOT NULL,
    status INTEGER NOT NULL, err_code TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sms_number ON sms (number, at);
CREATE TABLE IF NOT EXISTS sms_nonce (nonce TEXT PRIMARY KEY, at REAL NOT NULL);
"""


class Store:
    """One connection, one transaction at a time, shared by all threads."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a writing transaction: all of it is kept, or on an exception nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        with self._lock:
            self._db.close()
