"""The way to WeChat Pay: a merchant's keys, signed calls, answers and notifications we believe.

Fences around `wechatpayv3` (read in 2.0.4): its gateway is a private attribute; without a public
key its constructor asks WeChat Pay for certificates, and so does its verification whenever it does
not know a serial; it raises bare `Exception` for an answer it cannot verify, and does not verify
answers other than 2xx; its `callback()` returns None for forged, probing and tampered notifications
alike, accepts any timestamp, and reads the signature from whichever of three spellings of its
headers is there. Here it signs and calls only: it is always made in public-key mode, with the key
that answers are to be signed with — WeChat Pay reads its serial in our calls — and what comes back
is verified by `wechat_pay_signatures`. No plaintext is ever logged.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate, load_pem_x509_certificate
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import load_private_key, load_public_key

from billing.channels.base import ChannelRefused, ChannelUnreachable, InvalidNotification
from billing.channels.wechat_pay_signatures import Untrusted, Verifier

TIMEOUT_SECONDS = (3.0, 5.0)
BILL_TIMEOUT_SECONDS = (3.0, 60.0)
"""WeChat Pay may make a bill when it is asked for."""

API_V3_KEY_BYTES = 32
TOO_MANY_REQUESTS = 429
UNDECIDED = {
    "BIZERR_NEED_RETRY",
    "FREQUENCY_LIMITED",
    "FREQUENCY_LIMIT_EXCEED",
    "SYSTEMERROR",
    "SYSTEM_ERROR",
}
"""Refusals that say nothing of what became of the call, whatever their HTTP status."""

FLAGS = ("h5",)
TEXTS = ("mchid", "app_id", "serial_no", "private_key", "api_v3_key")


@dataclass(frozen=True, slots=True)
class WeChatPayKeys:
    """What a merchant account needs; from settings, never from the database.

    WeChat Pay is known by its public key, by its platform certificates (PEM), or by both while it
    moves the account from these to that.

    Attributes:
        h5: whether the account may be paid outside WeChat, which is a permission of its own.
    """

    mchid: str
    app_id: str
    serial_no: str
    private_key: str
    api_v3_key: str
    public_key_id: str | None = None
    public_key: str | None = None
    platform_certificates: tuple[str, ...] = ()
    h5: bool = False

    def __repr__(self) -> str:
        """Keep keys out of tracebacks and logs."""
        return f"WeChatPayKeys(mchid={self.mchid!r})"

    def find_fault(self, now: datetime) -> str | None:
        """What makes these keys unusable now, naming the field but never its value; None when they
        are good.
        """
        for name in TEXTS:
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                return f"{name} must be a text that is not empty"
        for name in FLAGS:
            if not isinstance(getattr(self, name), bool):
                return f"{name} must be true or false"
        if len(self.api_v3_key.encode()) != API_V3_KEY_BYTES:
            return f"api_v3_key must be {API_V3_KEY_BYTES} bytes"
        if not isinstance(_loaded(load_private_key, self.private_key), RSAPrivateKey):
            return "private_key is not a key in PEM"
        return self._fault_of_verifiers(now)

    def _fault_of_verifiers(self, now: datetime) -> str | None:
        if (self.public_key_id is None) != (self.public_key is None):
            return "public_key_id and public_key go together; give both or neither"
        if self.public_key is None and not self.platform_certificates:
            return "public_key (with public_key_id) or platform_certificates must be given"
        if self.public_key is not None:
            if not isinstance(self.public_key_id, str) or not self.public_key_id:
                return "public_key_id must be a text that is not empty"
            if not isinstance(_loaded(load_public_key, self.public_key), RSAPublicKey):
                return "public_key is not a key in PEM"
        if type(self.platform_certificates) is not tuple:
            return "platform_certificates must be a list of certificates in PEM"
        certificates = [_loaded(_load_certificate, pem) for pem in self.platform_certificates]
        if None in certificates:
            return "platform_certificates holds something that is no certificate in PEM"
        last = max(certificates, key=_ends, default=None)
        if self.public_key is None and last is not None and _ends(last) <= now:
            which = f"{_serial(last)}, which ended on {_ends(last):%Y-%m-%d}"
            mend = "take it out and add the next one, or change to public_key"
            return f"platform_certificates holds {which}; {mend}"
        return None

    def without_ended(self, now: datetime) -> "WeChatPayKeys":
        """The same without certificates that have ended: WeChat Pay signs with them no more. Keys
        without a fault keep something that it is known by.
        """
        lasting = tuple(
            pem for pem in self.platform_certificates if _ends(_load_certificate(pem)) > now
        )
        return replace(self, platform_certificates=lasting)


def _loaded(load: Any, pem: Any) -> Any:
    try:
        return load(pem)
    except Exception:  # the libraries raise nothing more precise for what is no key at all
        return None


def _load_certificate(pem: str) -> Certificate:
    """Raises ValueError for a text that is none, or not of an RSA key."""
    certificate = load_pem_x509_certificate(pem.encode())
    _rsa(certificate)
    return certificate


def _ends(certificate: Certificate) -> datetime:
    return certificate.not_valid_after_utc


def _rsa(certificate: Certificate) -> RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not a certificate of an RSA key")
    return key


def _serial(certificate: Certificate) -> str:
    """The serial number in whole bytes, as openssl writes it."""
    digits = f"{certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _platform_keys(keys: WeChatPayKeys) -> dict[str, RSAPublicKey]:
    """WeChat Pay's keys by serial; the first is the one it is asked to sign answers with."""
    certificates = [_load_certificate(pem) for pem in keys.platform_certificates]
    certificates.sort(key=_ends, reverse=True)
    known = {_serial(each): _rsa(each) for each in certificates}
    if keys.public_key_id is not None:
        known = {keys.public_key_id: load_public_key(keys.public_key)} | known
    return known


class Gateway:
    """Signs for one merchant account and believes WeChat Pay alone.

    `timeout_seconds`: to connect, and to wait for each part of an answer.
    """

    def __init__(self, keys: WeChatPayKeys, url: str, timeout_seconds: tuple[float, float]) -> None:
        platform_keys = _platform_keys(keys)
        self._verifier = Verifier(platform_keys)
        self._seal = AESGCM(keys.api_v3_key.encode())
        self._client = self._library(keys, url, platform_keys, timeout_seconds)
        self._patient = self._library(keys, url, platform_keys, BILL_TIMEOUT_SECONDS)

    def _library(
        self,
        keys: WeChatPayKeys,
        url: str,
        platform_keys: Mapping[str, RSAPublicKey],
        timeout_seconds: tuple[float, float],
    ) -> Any:
        serial, key = next(iter(platform_keys.items()))
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        client = WeChatPay(
            wechatpay_type=WeChatPayType.JSAPI,
            mchid=keys.mchid,
            private_key=keys.private_key,
            cert_serial_no=keys.serial_no,
            apiv3_key=keys.api_v3_key,
            appid=keys.app_id,
            public_key=pem,
            public_key_id=serial,
            timeout=timeout_seconds,
        )
        client._core._gate_way = url
        client._core._verify_signature = self._verify_answer
        return client

    def sign(self, parts: list[str]) -> str:
        """The signature of what a page hands to WeChat (`paySign`)."""
        return str(self._client.sign(parts))

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the library; every way it can fail becomes one of our two errors.

        Raises:
            ChannelRefused: WeChat Pay said no.
            ChannelUnreachable: no trustworthy answer.
        """
        return _read_answer(method, *self._call(self._client, method, arguments))

    def fetch_bill(self, method: str, **arguments: Any) -> tuple[bytes, str]:
        """Apply for a bill and download it; as it came, with the SHA1 of its unpacked bytes.

        The download alone is not signed: the hash stands in the answer that is.

        Raises:
            ChannelRefused, ChannelUnreachable: as for `ask`.
        """
        offer = _read_answer(method, *self._call(self._patient, method, arguments))
        if offer.get("hash_type") != "SHA1" or not isinstance(offer.get("hash_value"), str):
            raise ChannelUnreachable(f"WeChat Pay {method}: an answer without SHA1")
        address = urlsplit(str(offer.get("download_url")))
        # Always from our gateway, whatever host the answer names: it is our signature that goes.
        path = {"url": f"{address.path}?{address.query}"}
        status, content = self._call(self._patient, "download_bill", path)
        if status != 200:
            _read_answer("download_bill", status, content)
            raise ChannelUnreachable(f"WeChat Pay download_bill: HTTP {status}")
        return (content.encode() if isinstance(content, str) else content), offer["hash_value"]

    def open_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> tuple[str, dict[str, Any]]:
        """Verify a notification and open its seal: what happened, and to what.

        Raises:
            InvalidNotification: not signed by WeChat Pay within five minutes of `now`, or not
                sealed for this account.
        """
        try:
            self._verifier.verify(headers, body, now)
        except Untrusted as error:
            raise InvalidNotification(str(error)) from None
        try:
            envelope = json.loads(body)
            sealed = envelope["resource"]
            if sealed["algorithm"] != "AEAD_AES_256_GCM":
                raise InvalidNotification("sealed in an unknown way")
            plain = self._seal.decrypt(
                sealed["nonce"].encode(),
                b64decode(sealed["ciphertext"], validate=True),
                (sealed.get("associated_data") or "").encode(),
            )
            said = json.loads(plain)
        except InvalidTag:
            raise InvalidNotification("seal does not open with our key") from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The kind of error only: its text may quote what was sealed.
            reason = f"unreadable notification: {type(error).__name__}"
            raise InvalidNotification(reason) from None
        if not isinstance(said, dict):
            raise InvalidNotification("unreadable notification: not an object")
        return str(envelope.get("event_type")), said

    def _verify_answer(self, headers: Mapping[str, str], body: str) -> bool:
        """In place of the library's own verification, which asks for certificates."""
        self._verifier.verify(headers, body.encode())
        return True

    def _call(self, client: Any, method: str, arguments: dict[str, Any]) -> tuple[int, Any]:
        try:
            status, content = getattr(client, method)(**arguments)
        except requests.RequestException as error:
            raise ChannelUnreachable(f"WeChat Pay {method}: {type(error).__name__}") from error
        except Exception as error:  # bare Exception is among what the library raises
            raise ChannelUnreachable(f"WeChat Pay {method}: untrusted answer") from error
        return status, content


def _read_answer(method: str, status: int, content: str | bytes) -> dict[str, Any]:
    if status == 204:
        return {}
    answer = _read_object(content)
    if answer is not None and 200 <= status < 300:
        return answer
    # Only WeChat Pay's own word is a refusal: a proxy's error page says nothing of the order.
    said = answer or {}
    code = said.get("code")
    is_refusal = isinstance(code, str) and code not in UNDECIDED
    if is_refusal and 400 <= status < 500 and status != TOO_MANY_REQUESTS:
        raise ChannelRefused(str(code), str(said.get("message")))
    raise ChannelUnreachable(f"WeChat Pay {method}: HTTP {status} {code or 'without a code'}")


def _read_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in an answer, or None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def valid_gateway(url: str) -> bool:
    """True for an http(s) address with nothing after the host, as the signature covers the path."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # read here: a malformed one raises when read
    except ValueError:
        return False
    rest = (parts.path.removesuffix("/"), parts.query, parts.fragment)
    return parts.scheme in {"http", "https"} and bool(host) and not any(rest)
