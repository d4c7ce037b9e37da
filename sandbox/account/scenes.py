"""QR codes with a scene, temporary and permanent.

Rule: developers.weixin.qq.com, "createQRCode": 32-bit numbers or 1-64 characters; temporary ones
live 60 s by default and 30 days at most (real time); permanent numbers go up to 100000.
"""

import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

import segno

from sandbox.account.refusals import ApiError

LIFE_DEFAULT_S, LIFE_MAX_S = 60, 2_592_000
SCENE_CHARACTERS_MAX = 64
_NUMBER_MAX = {"QR_SCENE": 2**32 - 1, "QR_LIMIT_SCENE": 100_000}
_TEXTS = ("QR_STR_SCENE", "QR_LIMIT_STR_SCENE")


@dataclass(frozen=True)
class QrCode:
    """A code as it was made; `expires_at` is None for a permanent one."""

    ticket: str
    path: str
    scene: str
    created_at: float
    expires_at: float | None


def create_code(db: Connection, body: Mapping[str, Any], now: float) -> QrCode:
    """Make the code a call asks for; raises ApiError 40052, 40053."""
    action = body.get("action_name")
    if action not in _NUMBER_MAX and action not in _TEXTS:
        raise ApiError(40052)
    is_permanent = action in ("QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE")
    code = QrCode(
        ticket=f"gQ{secrets.token_urlsafe(60)}==",
        path=secrets.token_urlsafe(15),
        scene=_scene(str(action), body.get("action_info")),
        created_at=now,
        expires_at=None if is_permanent else now + _life(body.get("expire_seconds")),
    )
    db.execute(
        "INSERT INTO qr_code VALUES (:ticket, :path, :scene, :created_at, :expires_at)",
        vars(code),
    )
    return code


def _scene(action: str, info: object) -> str:
    scene = info.get("scene") if isinstance(info, dict) else None
    if not isinstance(scene, dict):
        raise ApiError(40053)
    if action in _TEXTS:
        text = scene.get("scene_str")
        if not isinstance(text, str) or not 1 <= len(text) <= SCENE_CHARACTERS_MAX:
            raise ApiError(40053)
        return text
    number = scene.get("scene_id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise ApiError(40053)
    if not 1 <= number <= _NUMBER_MAX[action]:
        raise ApiError(40053)
    return str(number)


def _life(value: object) -> int:
    if value is None:
        return LIFE_DEFAULT_S
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LIFE_MAX_S:
        raise ApiError(40053)
    return value


def find_ticket(db: Connection, ticket: str) -> QrCode | None:
    """Find a code by its ticket, also an expired one."""
    return _one(db, "ticket", ticket)


def find_path(db: Connection, path: str) -> QrCode | None:
    """Find a code by what its picture says, also an expired one."""
    return _one(db, "path", path)


def find_scene(db: Connection, scene: str) -> QrCode | None:
    """Find the latest code with this scene, also an expired one."""
    return _one(db, "scene", scene)


def _one(db: Connection, column: str, value: str) -> QrCode | None:
    row = db.execute(
        f"SELECT * FROM qr_code WHERE {column} = ? ORDER BY rowid DESC",  # noqa: S608 - our names
        (value,),
    ).fetchone()
    return QrCode(**row) if row else None


def list_recent(db: Connection, now: float, within_s: float) -> list[QrCode]:
    """List living codes made within the last seconds, newest first, ten at most."""
    rows = db.execute(
        "SELECT * FROM qr_code WHERE created_at > ? AND (expires_at IS NULL OR expires_at > ?)"
        " ORDER BY rowid DESC LIMIT 10",
        (now - within_s, now),
    )
    return [QrCode(**row) for row in rows]


def picture(url: str) -> bytes:
    """Draw a PNG that says `url`."""
    buffer = io.BytesIO()
    segno.make(url, error="m", micro=False).save(buffer, kind="png", scale=10, border=4)
    return buffer.getvalue()
