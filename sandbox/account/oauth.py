"""Web sign-in inside WeChat (snsapi_base): codes that say once who the person is.

Rule: developers.weixin.qq.com, "web page authorisation": a code is good once and for 5 minutes
(real time); a person in snapshot mode comes with a virtual openid and `is_snapshotuser`.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox.account.refusals import ApiError
from sandbox.phone.people import Phone

CODE_LIFE_S = 300
AUTHORIZE_PATH = "/connect/oauth2/authorize"


class AuthorizeError(ValueError):
    """A sign-in link WeChat would not open; the message says what is wrong with it."""


@dataclass(frozen=True)
class Grant:
    """Whom a code stood for."""

    openid: str
    is_snapshot: bool


def issue_code(db: Connection, phone: Phone, now: float) -> str:
    """Make a code for the person holding this phone."""
    code = secrets.token_urlsafe(24)
    openid = _virtual(phone.openid) if phone.is_snapshot else phone.openid
    db.execute(
        "INSERT INTO oauth_code (code, openid, is_snapshot, expires_at) VALUES (?, ?, ?, ?)",
        (code, openid, phone.is_snapshot, now + CODE_LIFE_S),
    )
    return code


def redeem_code(db: Connection, code: str | None, now: float) -> Grant:
    """Use a code up; raises ApiError 41008, 40029 (unknown or too old), 40163 (used)."""
    if not code:
        raise ApiError(41008)
    row = db.execute("SELECT * FROM oauth_code WHERE code = ?", (code,)).fetchone()
    if row is None or row["expires_at"] <= now:
        raise ApiError(40029)
    if row["is_used"]:
        raise ApiError(40163)
    db.execute("UPDATE oauth_code SET is_used = 1 WHERE code = ?", (code,))
    return Grant(row["openid"], bool(row["is_snapshot"]))


def check_authorize(query: Mapping[str, str], app_id: str, allowed_origin: str) -> str:
    """Give the address to return to; raises AuthorizeError naming the parameter at fault."""
    wanted = {"appid": app_id, "response_type": "code", "scope": "snsapi_base"}
    for name, value in wanted.items():
        if query.get(name) != value:
            raise AuthorizeError(f"{name} must be {value}")
    back, allowed = urlsplit(query.get("redirect_uri", "")), urlsplit(allowed_origin)
    if (back.scheme, back.netloc) != (allowed.scheme, allowed.netloc):
        raise AuthorizeError("redirect_uri is not of the account's domain")
    if len(query.get("state", "")) > 128:
        raise AuthorizeError("state is longer than 128 characters")
    return urlunsplit(back)


def return_url(back: str, code: str, state: str) -> str:
    """Give the address to return to, with code and state added to its query."""
    parts = urlsplit(back)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("code", code), ("state", state)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _virtual(openid: str) -> str:
    return f"v{hashlib.sha256(openid.encode()).hexdigest()[:27]}"
