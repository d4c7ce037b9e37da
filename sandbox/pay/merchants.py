"""Merchants this provider knows, and how a merchant proves that a call is its own.

Rule: pay.weixin.qq.com, "APIv3 signature": `Authorization: WECHATPAY2-SHA256-RSA2048 mchid="…",
nonce_str="…",timestamp="…",serial_no="…",signature="…"`, in any order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sandbox.config import PUBLIC_KEY
from sandbox.pay import crypto
from sandbox.pay.refusals import ApiRefused, wrong_signature
from sandbox.pay.texts import say

TIMESTAMP_WINDOW_S = 300
_PART = re.compile(r'([a-z_]+)="([^"]*)"')
_PARTS = {"mchid", "nonce_str", "timestamp", "serial_no", "signature"}


@dataclass(frozen=True)
class Merchant:
    """A merchant account: its bound apps, its APIv3 key, and its API certificate's key.

    `signs_with` is which of its own keys WeChat Pay uses for this account.
    """

    mchid: str
    name: str
    app_ids: tuple[str, ...]
    api_v3_key: str
    serial_no: str
    public_key: RSAPublicKey
    signs_with: str = PUBLIC_KEY


@dataclass(frozen=True)
class Call:
    """An API request as it came over the wire; `url` is path and query, still escaped."""

    method: str
    url: str
    body: bytes
    authorization: str


def authenticate(call: Call, merchants: Mapping[str, Merchant], now: datetime) -> tuple[str, str]:
    """Give mchid and nonce of a call signed by that merchant within five minutes of `now`.

    Whether the nonce is new is the caller's to find out, and only for a true signature.
    Raises ApiRefused: SIGN_ERROR, or MCH_NOT_EXISTS for a merchant nobody knows.
    """
    parts = _parts(call.authorization)
    merchant = merchants.get(parts["mchid"])
    if merchant is None:
        raise ApiRefused(400, "MCH_NOT_EXISTS", say("api.mch_not_exists"))
    if abs(int(parts["timestamp"]) - now.timestamp()) > TIMESTAMP_WINDOW_S:
        raise wrong_signature("sign_timestamp", "timestamp")
    if parts["serial_no"].upper() != merchant.serial_no.upper():
        raise wrong_signature("sign_serial", "serial_no")
    message = crypto.request_message(
        call.method, call.url, parts["timestamp"], parts["nonce_str"], call.body
    )
    if not crypto.is_signed_by(merchant.public_key, message, parts["signature"]):
        raise wrong_signature(
            "sign_mismatch",
            "signature",
            method=call.method,
            url=call.url,
            sign_message_length=len(message),
            truncated_sign_message=f"{call.method}\n{call.url}\n...",
        )
    return merchant.mchid, parts["nonce_str"]


def _parts(authorization: str) -> dict[str, str]:
    scheme, _, rest = authorization.partition(" ")
    pieces = [_PART.fullmatch(piece.strip()) for piece in rest.split(",")]
    parts = {piece[1]: piece[2] for piece in pieces if piece}
    well_formed = (
        scheme == crypto.SIGNATURE_TYPE
        and len(parts) == len(pieces)
        and parts.keys() == _PARTS
        and all(parts.values())
        and re.fullmatch(r"[0-9]{1,12}", parts["timestamp"])
        and len(parts["nonce_str"]) <= 128
    )
    if not well_formed:
        raise wrong_signature("sign_format", "authorization")
    return parts
