"""The way to Alipay's open gateway: RSA2 keys, signed links and calls, answers that are believed.

Fences around `python-alipay-sdk` (read in 3.4.0): its gateway is a constant; it stamps requests
with the machine's own time zone, where Alipay means Beijing's; it sends everything in the URL of a
GET through urllib; it finds the signed part of an answer by counting braces, also those inside
texts; its `verify()` takes `sign_type` out of the caller's fields and does not miss it when it is
absent; importing it reconfigures logging and puts a handler on stderr. Here it only signs and
verifies one text; requests go by POST, the business content in the body; an answer is believed
only when its exact text is signed, also when it is a refusal.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from alipay import AliPay
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from billing.business_day import BEIJING
from billing.channels.base import ChannelRefused, ChannelUnreachable

# The library writes to stderr by a handler of its own; what it would say holds signed requests.
logging.getLogger("python-alipay-sdk").handlers.clear()

SIGN_TYPE = "RSA2"
KEY_BITS_MIN = 2048
SUCCESS = "10000"
REFUSING = {"40001", "40002", "40003", "40004", "40006"}
UNDECIDED = {"ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error", "aop.unknow-error"}
"""Refusals that say nothing of what became of the call: it may have been carried out."""


@dataclass(frozen=True, slots=True)
class AlipayKeys:
    """What an application at Alipay needs; from settings, never from the database.

    `alipay_public_key` is Alipay's for this application, not the application's own.
    """

    app_id: str
    seller_id: str
    app_private_key: str
    alipay_public_key: str

    def __repr__(self) -> str:
        """Keep keys out of tracebacks and logs."""
        return f"AlipayKeys(app_id={self.app_id!r})"

    def find_fault(self) -> str | None:
        """What makes these keys unusable, naming the field but never its value; None when good."""
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                return f"{name} must be a text that is not empty"
        for name in ("app_id", "seller_id"):
            if not (getattr(self, name).isascii() and getattr(self, name).isdigit()):
                return f"{name} must be digits"
        private = _load_key(load_pem_private_key, self.app_private_key.encode(), None)
        public = _load_key(load_pem_public_key, self.alipay_public_key.encode())
        if not isinstance(private, RSAPrivateKey):
            return "app_private_key is not an RSA private key in PEM"
        if not isinstance(public, RSAPublicKey):
            return "alipay_public_key is not an RSA public key in PEM"
        if min(private.key_size, public.key_size) < KEY_BITS_MIN:
            return f"app_private_key and alipay_public_key must have {KEY_BITS_MIN} bits"
        if private.public_key().public_numbers() == public.public_numbers():
            return "alipay_public_key is the application's own; take Alipay's from its console"
        return None


class Gateway:
    """Signs for one application and believes Alipay alone.

    `url` is the gateway's whole address; `clock` gives the present, aware; `timeout_seconds`: to
    connect, and to wait for each part of an answer.
    """

    def __init__(
        self,
        keys: AlipayKeys,
        url: str,
        clock: Callable[[], datetime],
        timeout_seconds: tuple[float, float],
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self._url = url
        self._clock = clock
        self._client = AliPay(
            appid=keys.app_id,
            app_private_key_string=keys.app_private_key,
            alipay_public_key_string=keys.alipay_public_key,
            sign_type=SIGN_TYPE,
        )

    def link(
        self,
        method: str,
        content: dict[str, Any],
        now: datetime,
        *,
        notify_url: str,
        return_url: str | None,
    ) -> str:
        """A signed address for the payer's browser; nobody is asked."""
        signed = self._client.client_api(
            method,
            content,
            timestamp=beijing(now),
            notify_url=notify_url,
            return_url=return_url,
        )
        return f"{self._url}?{signed}"

    def has_signed(self, fields: Mapping[str, str]) -> bool:
        """True when Alipay signed exactly these fields of a notification, by RSA2."""
        signed = {name: v for name, v in fields.items() if name not in {"sign", "sign_type"}}
        if fields.get("sign_type") != SIGN_TYPE or not fields.get("sign"):
            return False
        try:
            return self._client.verify(signed, fields["sign"]) is True
        except Exception:  # Base64 that is none, characters that are none: the library lets all out
            return False

    def secured(self, url: str) -> str:
        """An address Alipay gave us, by https where the gateway is: it may still write http."""
        return urlsplit(url)._replace(scheme=urlsplit(self._url).scheme).geturl()

    def ask(self, method: str, **content: Any) -> dict[str, Any]:
        """Call the gateway; every way it can fail becomes one of our two errors.

        Raises:
            ChannelRefused: Alipay said no, in an answer that it signed.
            ChannelUnreachable: no answer that can be believed; the call may have been carried out.
        """
        signed = self._client.client_api(method, content, timestamp=beijing(self._clock()))
        parts = signed.split("&")
        body = "&".join(part for part in parts if part.startswith("biz_content="))
        query = "&".join(part for part in parts if not part.startswith("biz_content="))
        try:
            answer = requests.post(
                f"{self._url}?{query}",
                data=body,
                headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"},
                timeout=self.timeout_seconds,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ChannelUnreachable(f"Alipay {method}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise ChannelUnreachable(f"Alipay {method}: HTTP {answer.status_code}")
        said = self._believe(method, answer.content)
        code, sub_code = said.get("code"), said.get("sub_code")
        if code == SUCCESS:
            return said
        if code in REFUSING and isinstance(sub_code, str) and sub_code not in UNDECIDED:
            raise ChannelRefused(sub_code, str(said.get("sub_msg")))
        raise ChannelUnreachable(f"Alipay {method}: {code} {sub_code}")

    def _believe(self, method: str, content: bytes) -> dict[str, Any]:
        """The object of an answer whose exact text Alipay signed."""
        opening = f'{{"{method.replace(".", "_")}_response":'
        try:
            text = content.decode("utf-8")
            signature = json.loads(text)["sign"]
            said, end = json.JSONDecoder().raw_decode(text, len(opening))
            is_true = text.startswith(opening) and self._client._verify(
                text[len(opening) : end], signature
            )
        except Exception:  # not JSON, no signature, Base64 that is none
            is_true = False
        if is_true is not True or not isinstance(said, dict):
            raise ChannelUnreachable(f"Alipay {method}: untrusted answer")
        return said


def valid_gateway(url: str) -> bool:
    """True for an http(s) address of a gateway: host and path, nothing after them."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # read here: a malformed one raises when read
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username)
    return parts.scheme in {"http", "https"} and bool(host) and bare and len(parts.path) > 1


def _load_key(load: Callable[..., object], *arguments: object) -> object:
    """A key, or None for what is none."""
    try:
        return load(*arguments)
    except Exception:  # ValueError, TypeError and UnsupportedAlgorithm alike
        return None


def beijing(moment: datetime) -> str:
    """A moment as Alipay spells it."""
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
