"""Reading what a merchant sends: every field checked under its own pointer, nothing stored.

Rule: pay.weixin.qq.com, "APIv3 basics". Lengths are in bytes of UTF-8.
"""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.pay.refusals import ApiRefused, wrong_parameter

_LARGEST_INTEGER = 2**63 - 1


def read_object(body: bytes) -> "Fields":
    """Read a request body that must be one JSON object; raises ApiRefused PARAM_ERROR."""
    try:
        values = json.loads(body.decode())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise wrong_parameter("/body", "object")
    return Fields(values, "/body")


class Fields:
    """Values of one JSON object, read by name; a wrong one is refused under its own pointer."""

    def __init__(self, values: dict[str, Any], pointer: str):
        self.values = values
        self._pointer = pointer

    def refusal(self, name: str, rule: str, **values: object) -> ApiRefused:
        """Build the PARAM_ERROR of this field."""
        return wrong_parameter(
            f"{self._pointer}/{name}", rule, value=self.values.get(name), **values
        )

    def given(self, name: str) -> bool:
        """Tell whether the field is there; null counts as absent."""
        return self.values.get(name) is not None

    def required(self, name: str) -> Any:
        """Give the value of a field that must be there."""
        if not self.given(name):
            raise self.refusal(name, "required")
        return self.values[name]

    def text(self, name: str, *, most: int, least: int = 1, pattern: str | None = None) -> str:
        """Give a required string of `least` to `most` bytes that matches `pattern`."""
        value = self.required(name)
        if not isinstance(value, str) or not _is_unicode(value):
            raise self.refusal(name, "text")
        length = len(value.encode())
        if length < least:
            raise self.refusal(name, "too_short", length=length, least=least)
        if length > most:
            raise self.refusal(name, "too_long", length=length, most=most)
        if pattern and not re.fullmatch(pattern, value):
            raise self.refusal(name, "pattern", pattern=pattern)
        return value

    def optional_text(self, name: str, *, most: int) -> str | None:
        """Give a string of at most `most` bytes, possibly empty, or None."""
        return self.text(name, least=0, most=most) if self.given(name) else None

    def whole_number(self, name: str, *, least: int) -> int:
        """Give a required integer; 1.0, "1" and true are none."""
        value = self.required(name)
        if type(value) is not int or abs(value) > _LARGEST_INTEGER:
            raise self.refusal(name, "whole_number")
        if value < least:
            raise self.refusal(name, "too_small", least=least)
        return value

    def check_boolean(self, name: str) -> None:
        """Refuse a given field that is neither true nor false."""
        if self.given(name) and not isinstance(self.values[name], bool):
            raise self.refusal(name, "boolean")

    def group(self, name: str) -> "Fields":
        """Give a required object."""
        value = self.required(name)
        if not isinstance(value, dict):
            raise self.refusal(name, "object")
        return Fields(value, f"{self._pointer}/{name}")


def _is_unicode(value: str) -> bool:
    """Tell whether no half of a surrogate pair stands alone (JSON can spell one)."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def read_notify_url(fields: Fields) -> str:
    """Give the required `notify_url`: an http(s) address without query or fragment."""
    url = fields.text("notify_url", most=255)
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        reachable = False
    if not reachable or "?" in url or "#" in url:
        raise fields.refusal("notify_url", "notify_url")
    return url


def check_currency(amount: Fields) -> None:
    """Refuse any currency but the yuan; raises ApiRefused."""
    if amount.given("currency") and amount.values["currency"] != "CNY":
        raise amount.refusal("currency", "currency")
