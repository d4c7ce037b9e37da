"""The official account's menu: what WeChat accepts, and the one it shows.

Rule: developers.weixin.qq.com, "createMenu": 1-3 buttons of 16 bytes, 1-5 sub-buttons of 60 bytes,
keys of 128 bytes, links of 1024. The phone page knows the types `click` and `view`.
"""

import json
from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from sandbox.account.refusals import ApiError

BUTTONS_MAX, SUB_BUTTONS_MAX = 3, 5
NAME_BYTES_MAX, SUB_NAME_BYTES_MAX = 16, 60
KEY_BYTES_MAX, URL_BYTES_MAX = 128, 1024
_TOP = {"type": 40017, "name": 40018, "key": 40019, "url": 40020}
_SUB = {"type": 40024, "name": 40025, "key": 40026, "url": 40027}


def check_menu(menu: object) -> list[dict[str, Any]]:
    """Give the buttons in the form WeChat keeps; raises ApiError with the code of the fault."""
    buttons = menu.get("button") if isinstance(menu, dict) else None
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTONS_MAX:
        raise ApiError(40016)
    return [_button(button) for button in buttons]


def _button(button: object) -> dict[str, Any]:
    subs = button.get("sub_button") if isinstance(button, dict) else None
    if not isinstance(button, dict) or not subs:
        return {**_leaf(button, NAME_BYTES_MAX, _TOP), "sub_button": []}
    if not isinstance(subs, list) or len(subs) > SUB_BUTTONS_MAX:
        raise ApiError(40023)
    leaves = [{**_leaf(sub, SUB_NAME_BYTES_MAX, _SUB), "sub_button": []} for sub in subs]
    return {"name": _text(button, "name", NAME_BYTES_MAX, _TOP), "sub_button": leaves}


def _leaf(button: object, name_bytes: int, codes: Mapping[str, int]) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise ApiError(47001)
    kind, name = button.get("type"), _text(button, "name", name_bytes, codes)
    if kind == "click":
        return {"type": kind, "name": name, "key": _text(button, "key", KEY_BYTES_MAX, codes)}
    if kind == "view":
        url = _text(button, "url", URL_BYTES_MAX, codes)
        if not url.startswith(("http://", "https://")):
            raise ApiError(codes["url"])
        return {"type": kind, "name": name, "url": url}
    raise ApiError(codes["type"])


def _text(button: Mapping[str, Any], name: str, bytes_max: int, codes: Mapping[str, int]) -> str:
    value = button.get(name)
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= bytes_max:
        raise ApiError(codes[name])
    return value


def keep_menu(db: Connection, buttons: list[dict[str, Any]]) -> None:
    """Show these buttons from now on."""
    db.execute(
        "INSERT OR REPLACE INTO menu VALUES (1, ?)", (json.dumps(buttons, ensure_ascii=False),)
    )


def find_menu(db: Connection) -> list[dict[str, Any]]:
    """Give the buttons shown, an empty list where there is no menu."""
    row = db.execute("SELECT buttons FROM menu").fetchone()
    buttons: list[dict[str, Any]] = json.loads(row["buttons"]) if row else []
    return buttons


def drop_menu(db: Connection) -> None:
    """Show no menu."""
    db.execute("DELETE FROM menu")
