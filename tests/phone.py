"""A phone that speaks to the webhook as WeChat does: signed, encrypted, XML.

Its crypto is its own, written against `cryptography`, so it does not share the product's mistakes.
"""

import base64
import hashlib
import itertools
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask.testing import FlaskClient

from bot.program import utc_now
from bot.settings import Settings

APP_ID = "wxa1b2c3d4e5f60718"
TOKEN = "phone-test-token"
AES_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
PREVIOUS_AES_KEY = "GFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210"
ACCOUNT = "gh_0123456789ab"
TAP = re.compile(r'<a href="weixin://bizmsgmenu\?msgmenucontent=([^&"]+)&msgmenuid=1">([^<]*)</a>')
_numbers = itertools.count(70_000_000_000_000_000)


def environment_for(redis_url: str) -> dict[str, str]:
    """Variables of an official account that exists only here."""
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": redis_url,
        "MINGZHANG_BASE_URL": "https://pay.example.test",
        "MINGZHANG_SECRET_KEY": "k" * 32,
        "MINGZHANG_DATA_KEYS": Fernet.generate_key().decode(),
        "MINGZHANG_HASH_KEY": "h" * 32,
        "WECHAT_APP_ID": APP_ID,
        "WECHAT_APP_SECRET": "s" * 16,
        "WECHAT_TOKEN": TOKEN,
        "WECHAT_AES_KEY": AES_KEY,
    }


def settings_for(redis_url: str, **overrides: str) -> Settings:
    """Settings of that account."""
    return Settings.from_env(environment_for(redis_url) | overrides, utc_now())


def signed(*parts: str) -> str:
    """WeChat's signature of these parts."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def encrypt(xml: str, *, aes_key: str = AES_KEY, app_id: str = APP_ID) -> str:
    """Seal as WeChat seals."""
    body = xml.encode()
    frame = secrets.token_bytes(16) + len(body).to_bytes(4, "big") + body + app_id.encode()
    gap = 32 - len(frame) % 32
    encryptor = _cipher(aes_key).encryptor()
    return base64.b64encode(
        encryptor.update(frame + bytes([gap]) * gap) + encryptor.finalize()
    ).decode()


def decrypt(sealed: str, *, aes_key: str = AES_KEY) -> str:
    """Open what was sealed for us; fails on anything but a correct frame."""
    decryptor = _cipher(aes_key).decryptor()
    frame = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
    gap = frame[-1]
    assert 1 <= gap <= 32, "padding"
    assert frame[-gap:] == bytes([gap]) * gap, "padding"
    length = int.from_bytes(frame[16:20], "big")
    assert frame[20 + length : -gap] == APP_ID.encode(), "app id"
    return frame[20 : 20 + length].decode()


def message_xml(openid: str, kind: str, **fields: Any) -> str:
    """A pushed message or event."""
    body = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return (
        f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName>"
        f"<FromUserName><![CDATA[{openid}]]></FromUserName>"
        f"<MsgType><![CDATA[{kind}]]></MsgType>{body}</xml>"
    )


@dataclass(frozen=True)
class Heard:
    """What came back: HTTP status, and the answer as the phone shows it (empty for an
    acknowledgement); `offers` are the sentences in it that a tap sends. `is_transferred`: the
    message was handed over to an agent.
    """

    status: int
    raw: str
    body: str
    is_transferred: bool = False

    @property
    def text(self) -> str:
        """The answer with each sentence to tap shown as its words."""
        return TAP.sub(lambda tap: tap[2], self.raw)

    @property
    def offers(self) -> list[str]:
        """What a tap would send, in order."""
        return [unquote(tap[1]) for tap in TAP.finditer(self.raw)]

    def shows(self, *words: str) -> "Heard":
        """All of these words are in the answer."""
        for word in words:
            assert word in self.text, f"{word!r} is not in:\n{self.text}"
        return self

    def hides(self, *words: str) -> "Heard":
        """None of these words is in the answer."""
        for word in words:
            assert word not in self.text, f"{word!r} is in:\n{self.text}"
        return self

    @property
    def urls(self) -> list[str]:
        """Links as a phone finds them: up to white space or the end."""
        return re.findall(r"https?://\S+", self.text)


class Phone:
    """One follower's phone, in secure mode."""

    def __init__(
        self,
        client: FlaskClient,
        clock: Callable[[], datetime],
        openid: str,
        *,
        aes_key: str = AES_KEY,
    ) -> None:
        self.openid = openid
        self._client = client
        self._clock = clock
        self._aes_key = aes_key
        self._seconds = itertools.count()

    def says(self, text: str) -> Heard:
        """Type a sentence."""
        return self.pushes(self.xml("text", Content=text, MsgId=next(_numbers)))

    def speaks(self, recognition: str) -> Heard:
        """Send a voice message that WeChat recognised."""
        fields = {"MediaId": "m", "Format": "amr", "Recognition": recognition}
        return self.pushes(self.xml("voice", **fields, MsgId=next(_numbers)))

    def sends(self, kind: str, **fields: Any) -> Heard:
        """Send a picture, a place, a file…"""
        return self.pushes(self.xml(kind, **fields, MsgId=next(_numbers)))

    def taps(self, key: str) -> Heard:
        """Tap a menu button."""
        return self.pushes(self.xml("event", Event="CLICK", EventKey=key))

    def follows(self, scene: str = "") -> Heard:
        """Follow the account, perhaps by scanning a code."""
        key = f"qrscene_{scene}" if scene else ""
        return self.pushes(self.xml("event", Event="subscribe", EventKey=key))

    def scans(self, scene: str) -> Heard:
        """Scan a code while following."""
        return self.pushes(self.xml("event", Event="SCAN", EventKey=scene, Ticket="t"))

    def unfollows(self) -> Heard:
        """Stop following."""
        return self.pushes(self.xml("event", Event="unsubscribe", EventKey=""))

    def xml(self, kind: str, **fields: Any) -> str:
        """A message of this phone; everything a person does has a second of its own."""
        created = int(self._clock().timestamp()) + next(self._seconds)
        return message_xml(self.openid, kind, CreateTime=created, **fields)

    def pushes(self, xml: str) -> Heard:
        """Deliver this message to the webhook and read the sealed answer."""
        timestamp, nonce = str(int(self._clock().timestamp())), secrets.token_hex(5)
        sealed = encrypt(xml, aes_key=self._aes_key)
        response = self._client.post(
            "/wechat",
            query_string={
                "timestamp": timestamp,
                "nonce": nonce,
                "signature": signed(TOKEN, timestamp, nonce),
                "openid": self.openid,
                "encrypt_type": "aes",
                "msg_signature": signed(TOKEN, timestamp, nonce, sealed),
            },
            data=f"<xml><ToUserName>{ACCOUNT}</ToUserName><Encrypt>{sealed}</Encrypt></xml>",
            content_type="text/xml",
        )
        return self._heard(response.status_code, response.text)

    def _heard(self, status: int, body: str) -> Heard:
        if status != 200 or body in {"", "success"}:
            return Heard(status, "", body)
        envelope = {element.tag: element.text or "" for element in ElementTree.fromstring(body)}
        wanted = signed(TOKEN, envelope["TimeStamp"], envelope["Nonce"], envelope["Encrypt"])
        assert envelope["MsgSignature"] == wanted, "the answer's signature"
        inner = ElementTree.fromstring(decrypt(envelope["Encrypt"], aes_key=self._aes_key))
        reply = {element.tag: element.text or "" for element in inner}
        assert reply["ToUserName"] == self.openid
        if reply["MsgType"] == "transfer_customer_service":
            return Heard(status, "", body, is_transferred=True)
        assert reply["MsgType"] == "text"
        assert len(reply["Content"].encode()) <= 2048, "WeChat's limit"
        return Heard(status, reply["Content"], body)
