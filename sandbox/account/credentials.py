"""Access tokens: issued, replaced, expired.

Rule: developers.weixin.qq.com, "getAccessToken" and "getStableAccessToken": 7200 s of life; a
replaced token is good for 5 more minutes; the stable one is renewed 5 minutes early, and by force
at most every 30 s and 20 times a day. All of these times follow the sandbox's clock.
"""

import hmac
import secrets
from dataclasses import dataclass
from sqlite3 import Connection

from sandbox.account.refusals import ApiError
from sandbox.clock import Clock
from sandbox.config import Account

LIFE_S = 7200
GRACE_S = 300
FORCE_PAUSE_S = 30
FORCED_A_DAY_MAX = 20
_DAY_S = 86_400


@dataclass(frozen=True)
class Token:
    """An access token and the real seconds it will live."""

    value: str
    expires_in: int


class Credentials:
    """Who may call, and with which token."""

    def __init__(self, account: Account, clock: Clock):
        self._account = account
        self._clock = clock

    def check_app(self, app_id: object, secret: object) -> None:
        """Refuse a caller who is not this account; raises ApiError 41002, 40013, 41004, 40125."""
        if not app_id:
            raise ApiError(41002)
        if app_id != self._account.app_id:
            raise ApiError(40013)
        if not isinstance(secret, str) or not secret:
            raise ApiError(41004)
        if not hmac.compare_digest(secret.encode(), self._account.app_secret.encode()):
            raise ApiError(40125)

    def issue_classic(self, db: Connection) -> Token:
        """Give a new token; the one before it has five minutes left."""
        return self._issue(db, "classic", is_forced=False)

    def issue_stable(self, db: Connection, *, force: bool) -> Token:
        """Give the stable token, a new one where the old one ends soon or `force` is allowed.

        Raises ApiError 45009 on the 21st forced one of a day.
        """
        now = self._now()
        row = db.execute(
            "SELECT token, expires_at FROM token WHERE kind = 'stable' AND is_replaced = 0"
        ).fetchone()
        if row and row["expires_at"] - now > self._clock.real_seconds(GRACE_S):
            if not force or self._forced_since(db, now - self._clock.real_seconds(FORCE_PAUSE_S)):
                return _token(row["token"], row["expires_at"] - now)
            if self._forced_since(db, now - self._clock.real_seconds(_DAY_S)) >= FORCED_A_DAY_MAX:
                raise ApiError(45009)
        return self._issue(db, "stable", is_forced=force)

    def check_token(self, db: Connection, token: str | None) -> None:
        """Refuse a call without a living token; raises ApiError 41001, 40001, 42001."""
        if not token:
            raise ApiError(41001)
        row = db.execute("SELECT * FROM token WHERE token = ?", (token,)).fetchone()
        if row is None:
            raise ApiError(40001)
        if row["expires_at"] <= self._now():
            raise ApiError(40001 if row["is_replaced"] else 42001)

    def _issue(self, db: Connection, kind: str, *, is_forced: bool) -> Token:
        now = self._now()
        value, life_s = secrets.token_urlsafe(96), self._clock.real_seconds(LIFE_S)
        db.execute(
            "UPDATE token SET is_replaced = 1, expires_at = min(expires_at, ?)"
            " WHERE kind = ? AND is_replaced = 0",
            (now + self._clock.real_seconds(GRACE_S), kind),
        )
        db.execute("DELETE FROM token WHERE expires_at < ?", (now - _DAY_S,))
        db.execute(
            "INSERT INTO token (token, kind, issued_at, expires_at, is_forced)"
            " VALUES (?, ?, ?, ?, ?)",
            (value, kind, now, now + life_s, is_forced),
        )
        return _token(value, life_s)

    def _forced_since(self, db: Connection, instant: float) -> int:
        found = db.execute(
            "SELECT count(*) FROM token WHERE is_forced = 1 AND issued_at > ?", (instant,)
        )
        return int(found.fetchone()[0])

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _token(value: str, left_s: float) -> Token:
    return Token(value, max(1, int(left_s)))
