"""The gateway's door: who calls, whether he signed, and how he is answered.

Rule: opendocs.alipay.com, "common parameters" and "common error codes".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from sandbox.alipay import signing
from sandbox.alipay.refusals import Refused, wrong
from sandbox.alipay.telling import to_json
from sandbox.clock import SHANGHAI
from sandbox.config import AlipayConfig
from sandbox.pay import crypto

_NEEDED = {
    "app_id": "isv.missing-app-id",
    "method": "isv.missing-method",
    "sign": "isv.missing-signature",
    "sign_type": "isv.missing-signature-type",
    "timestamp": "isv.missing-timestamp",
    "version": "isv.missing-version",
}


@dataclass(frozen=True)
class App:
    """A merchant's application, the seller who is paid, and Alipay's key for it."""

    app_id: str
    seller_id: str
    public_key: RSAPublicKey
    alipay_key: RSAPrivateKey


@dataclass(frozen=True)
class Request:
    """A request whose signature is good. `sent_at` is the second it was signed at."""

    app: App
    method: str
    sent_at: datetime
    notify_url: str
    return_url: str
    content: dict[str, Any]

    def text(self, name: str, *, most: int, optional: bool = False) -> str:
        """Give a business parameter's text, "" for an absent optional one; raises Refused."""
        value = self.content.get(name)
        if value is None and optional:
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise wrong(name)
        return value

    def fen(self, name: str) -> int:
        """Give an amount above zero, spelt in yuan as text or number; raises Refused."""
        whole, dot, part = str(self.content.get(name, "")).partition(".")
        digits = whole + part
        plain = digits.isascii() and digits.isdigit() and 1 <= len(whole) <= 9 and len(part) <= 2
        if not plain or (dot and not part) or not int(digits):
            raise wrong(name)
        return int(whole) * 100 + int(part.ljust(2, "0"))


def load_apps(configs: tuple[AlipayConfig, ...]) -> dict[str, App]:
    """Read the applications' keys."""
    return {
        each.app_id: App(
            app_id=each.app_id,
            seller_id=each.seller_id,
            public_key=crypto.load_public_key(each.app_public_key_pem),
            alipay_key=crypto.load_private_key(each.alipay_private_key_pem),
        )
        for each in configs
    }


def read_request(params: Mapping[str, str], apps: Mapping[str, App]) -> Request:
    """Check a request; raises Refused for what is missing, malformed or not signed."""
    for name, sub_code in _NEEDED.items():
        if not params.get(name):
            raise Refused("40001", sub_code)
    app = apps.get(params["app_id"])
    if app is None:
        raise Refused("40002", "isv.invalid-app-id")
    if params["sign_type"] != signing.SIGN_TYPE:
        raise Refused("40002", "isv.invalid-signature-type")
    if params.get("charset", "").lower() not in ("utf-8", "utf8"):
        raise Refused("40002", "isv.invalid-charset")
    if not signing.is_request_signed(app.public_key, params):
        raise Refused("40002", "isv.invalid-signature")
    return Request(
        app=app,
        method=params["method"],
        sent_at=_instant(params["timestamp"]),
        notify_url=params.get("notify_url", ""),
        return_url=params.get("return_url", ""),
        content=_content(params.get("biz_content", "")),
    )


def answer(apps: Mapping[str, App], params: Mapping[str, str], values: dict[str, object]) -> str:
    """Give the signed JSON answer to a request, whatever became of it."""
    app = apps.get(params.get("app_id", ""))
    name = params.get("method", "").replace(".", "_") + "_response" if app else "error_response"
    return signing.signed_answer(app.alipay_key if app else None, name, to_json(values))


def _instant(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        raise Refused("40002", "isv.invalid-timestamp") from None


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refused("40002", "isv.invalid-parameter")
    return content
