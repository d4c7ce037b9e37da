"""The kinds of order: how the payer comes to the cashier, and for how long that way is open.

Rule: pay.weixin.qq.com, "order": a prepay id and a code last two hours, an H5 address five minutes.
"""

import secrets
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

JSAPI, NATIVE, H5 = "JSAPI", "NATIVE", "MWEB"
"""As `trade_type` spells them: a page in WeChat, a QR code, a page outside WeChat."""

LIFE_S = {JSAPI: 2 * 3600, NATIVE: 2 * 3600, H5: 5 * 60}
"""Sandbox seconds for which one answer to an order opens the cashier."""

H5_PATH = "/h5/checkout"
_CODE = "weixin://wxpay/bizpayurl?pr="


def new_prepay_id(trade_type: str, now: datetime) -> str:
    """Make up what opens the cashier: wx20141027200939 and 20 hexadecimal digits, or a code's."""
    if trade_type == NATIVE:
        return secrets.token_hex(5)
    return f"wx{now:%Y%m%d%H%M%S}{secrets.token_hex(10)}"


def code_url(prepay_id: str) -> str:
    """Spell the address in a Native order's QR code."""
    return _CODE + prepay_id


def read_code_url(url: str) -> str:
    """Give what a scanned code names; empty for a code that is no payment's."""
    return url.removeprefix(_CODE) if url.startswith(_CODE) else ""


def h5_url(public_url: str, prepay_id: str) -> str:
    """Spell the address of an H5 order; the same id gives the same address."""
    return f"{public_url}{H5_PATH}?prepay_id={prepay_id}&package={int(prepay_id[-8:], 16)}"


def read_h5_url(url: str) -> str:
    """Give what an H5 address names; empty for any other address."""
    parts = urlsplit(url)
    return parse_qs(parts.query).get("prepay_id", [""])[0] if parts.path == H5_PATH else ""
