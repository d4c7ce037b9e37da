"""A JSAPI order as the merchant sends it: every field checked, nothing stored.

Rule: pay.weixin.qq.com, "JSAPI order", POST /v3/pay/transactions/jsapi. Lengths are in bytes of
UTF-8.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sandbox.pay.refusals import ApiRefused, wrong_parameter

_LARGEST_INTEGER = 2**63 - 1
_NUMBER = r"^[0-9A-Za-z_\-|*]{6,32}$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class OrderForm:
    """A well-formed order. `parameters` is the whole request in one canonical spelling."""

    app_id: str
    mchid: str
    description: str
    out_trade_no: str
    time_expire: datetime | None
    attach: str | None
    notify_url: str
    total_fen: int
    openid: str
    parameters: str


def read_object(body: bytes) -> "Fields":
    """Read a request body that must be one JSON object; raises ApiRefused PARAM_ERROR."""
    try:
        values = json.loads(body.decode())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise wrong_parameter("/body", "object")
    return Fields(values, "/body")


def read_order_form(body: bytes) -> OrderForm:
    """Check an order's fields; raises ApiRefused PARAM_ERROR naming the first wrong one."""
    fields = read_object(body)
    form = OrderForm(
        app_id=fields.text("appid", most=32),
        mchid=fields.text("mchid", most=32),
        description=fields.text("description", most=127),
        out_trade_no=fields.text("out_trade_no", least=6, most=32, pattern=_NUMBER),
        time_expire=_time_expire(fields),
        attach=fields.optional_text("attach", most=128),
        notify_url=_notify_url(fields),
        total_fen=_total_fen(fields.group("amount")),
        openid=fields.group("payer").text("openid", most=128),
        parameters=json.dumps(fields.values, sort_keys=True),
    )
    _check_extras(fields)
    return form


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


def _total_fen(amount: Fields) -> int:
    total_fen = amount.whole_number("total", least=1)
    if amount.given("currency") and amount.values["currency"] != "CNY":
        raise amount.refusal("currency", "currency")
    return total_fen


def _notify_url(fields: Fields) -> str:
    url = fields.text("notify_url", most=255)
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        reachable = False
    if not reachable or "?" in url or "#" in url:
        raise fields.refusal("notify_url", "notify_url")
    return url


def _time_expire(fields: Fields) -> datetime | None:
    text = fields.optional_text("time_expire", most=64)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not _RFC3339.fullmatch(text):
        raise fields.refusal("time_expire", "rfc3339")
    return moment


def _check_extras(fields: Fields) -> None:
    """Check the shape of documented fields this provider otherwise ignores."""
    fields.optional_text("goods_tag", most=32)
    fields.check_boolean("support_fapiao")
    if fields.given("detail"):
        fields.group("detail")
    if fields.given("scene_info"):
        fields.group("scene_info").text("payer_client_ip", most=45)
    if fields.given("settle_info"):
        fields.group("settle_info").check_boolean("profit_sharing")
