"""How many service messages an account may send after a person did something.

Rule: developers.weixin.qq.com, "sendCustomMessage" (2023): a message 5 in 48 hours; a tap on the
menu, following, scanning 3 in 1 minute each. Real time, for a person stands behind it.
"""

from sqlite3 import Connection

from sandbox.account.refusals import ApiError

SAID, TAPPED, FOLLOWED, SCANNED = "said", "tapped", "followed", "scanned"
ALLOWED = {SAID: (5, 48 * 3600), TAPPED: (3, 60), FOLLOWED: (3, 60), SCANNED: (3, 60)}


def open_window(db: Connection, openid: str, scene: str, now: float) -> None:
    """Begin the scene's window anew."""
    count, life_s = ALLOWED[scene]
    db.execute(
        "INSERT OR REPLACE INTO answer_window VALUES (?, ?, ?, ?)",
        (openid, scene, now + life_s, count),
    )


def close_windows(db: Connection, openid: str) -> None:
    """End every window, as when a person stops following."""
    db.execute("DELETE FROM answer_window WHERE openid = ?", (openid,))


def use_window(db: Connection, openid: str, now: float) -> None:
    """Use one message of the window that ends first.

    Raises ApiError 45015 where no window is open, 45047 where all are used up.
    """
    rows = db.execute(
        "SELECT scene, remaining FROM answer_window WHERE openid = ? AND until > ? ORDER BY until",
        (openid, now),
    ).fetchall()
    if not rows:
        raise ApiError(45015)
    scene = next((row["scene"] for row in rows if row["remaining"] > 0), None)
    if scene is None:
        raise ApiError(45047)
    db.execute(
        "UPDATE answer_window SET remaining = remaining - 1 WHERE openid = ? AND scene = ?",
        (openid, scene),
    )
