"""Phones, one per openid: who follows, since when and by which way."""

from dataclasses import dataclass
from sqlite3 import Connection

OPENID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
BY_SEARCH, BY_QR_CODE = "ADD_SCENE_SEARCH", "ADD_SCENE_QR_CODE"


@dataclass(frozen=True)
class Phone:
    """A person's phone as the account sees it; `scene` is the QR code that brought it here."""

    openid: str
    follows: bool
    followed_at: float | None
    followed_by: str
    scene: str
    is_snapshot: bool


def find_phone(db: Connection, openid: str) -> Phone | None:
    """Find a phone used before."""
    row = db.execute("SELECT * FROM phone WHERE openid = ?", (openid,)).fetchone()
    if row is None:
        return None
    values = dict(row)
    return Phone(**values | {name: bool(values[name]) for name in ("follows", "is_snapshot")})


def get_phone(db: Connection, openid: str) -> Phone:
    """Give a phone, new where it is used for the first time."""
    db.execute("INSERT OR IGNORE INTO phone (openid) VALUES (?)", (openid,))
    phone = find_phone(db, openid)
    if phone is None:
        raise LookupError(f"no phone {openid}")
    return phone


def start_following(db: Connection, openid: str, scene: str, now: float) -> None:
    """Note that the person follows, brought by the scene's QR code or by search."""
    db.execute(
        "UPDATE phone SET follows = 1, followed_at = ?, followed_by = ?, scene = ?"
        " WHERE openid = ?",
        (now, BY_QR_CODE if scene else BY_SEARCH, scene, openid),
    )


def stop_following(db: Connection, openid: str) -> None:
    """Note that the person no longer follows."""
    db.execute("UPDATE phone SET follows = 0 WHERE openid = ?", (openid,))


def set_snapshot(db: Connection, openid: str, *, is_snapshot: bool) -> None:
    """Let the phone open pages in snapshot mode, or no longer."""
    db.execute("UPDATE phone SET is_snapshot = ? WHERE openid = ?", (is_snapshot, openid))
