"""Who signed it: what WeChat Pay sends is checked with the key it names, of those we were given.

An account knows WeChat Pay by its public key (`PUB_KEY_ID_…`), by platform certificates (their
serial numbers), or by both while WeChat Pay moves it from one to the other. Keys are read once;
nothing here asks anybody for another one. Rule: pay.weixin.qq.com, "APIv3 signature": RSA PKCS#1
v1.5 with SHA-256 over timestamp, nonce and body, each followed by a line feed.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from requests.structures import CaseInsensitiveDict

from billing.channels.base import ChannelError

AGE_SECONDS_MAX = 300
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
SIGNATURE_HEADERS = (
    "Wechatpay-Signature",
    "Wechatpay-Signature-Type",
    "Wechatpay-Serial",
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
)
PROBE_MARK = "WECHATPAY/SIGNTEST/"


class Untrusted(ChannelError):
    """Not signed by WeChat Pay, or not now."""


class Verifier:
    """Knows WeChat Pay's keys by their serials. Safe to share between threads."""

    def __init__(self, public_keys: Mapping[str, RSAPublicKey]) -> None:
        self._public_keys = {_plain(serial): key for serial, key in public_keys.items()}

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime | None = None) -> None:
        """Believe exactly these headers and this body.

        Args:
            now: the moment it came, for what anybody may send at any time; an answer to a call of
                ours comes over the connection that asked for it, and needs none.

        Raises:
            Untrusted: a header is missing, a probe (`WECHATPAY/SIGNTEST/`), a key we were not
                given, more than five minutes from `now`, or another signature.
        """
        sent = CaseInsensitiveDict(headers)
        signed_by = {name: sent.get(name) or "" for name in SIGNATURE_HEADERS}
        absent = [name for name, value in signed_by.items() if not value]
        if absent:
            raise Untrusted(f"no {', '.join(absent)}")
        signature, kind, serial, timestamp, nonce = signed_by.values()
        if kind != SIGNATURE_TYPE:
            raise Untrusted("unknown signature type")
        if signature.startswith(PROBE_MARK):
            raise Untrusted("a SIGNTEST probe")
        public_key = self._public_keys.get(_plain(serial))
        if public_key is None:
            raise Untrusted("signed with a key we do not know")
        if re.fullmatch(r"[0-9]{1,12}", timestamp) is None:
            raise Untrusted("timestamp is not a number of seconds")
        if re.fullmatch(r"\S+", nonce) is None:
            # A line feed in it would make lines of the body its own, under the same signature.
            raise Untrusted("nonce is not one word")
        if now is not None and abs(now.timestamp() - int(timestamp)) > AGE_SECONDS_MAX:
            raise Untrusted("timestamp outside five minutes")
        message = b"\n".join((timestamp.encode(), nonce.encode(), body, b""))
        try:
            public_key.verify(b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            raise Untrusted("signature does not verify") from None


def _plain(serial: str) -> str:
    """A serial as everybody spells it: certificates' are numbers in hexadecimal."""
    return serial.upper().lstrip("0")
