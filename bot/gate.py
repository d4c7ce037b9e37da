"""The gate: tells WeChat's pushes from everything else, and seals the answers to them.

One configured mode. In secure and compatible mode only the encrypted part of the body is read, and
only `msg_signature` counts; in plain mode `signature` does. A push in JSON is answered in JSON.
Rules: developers.weixin.qq.com/doc/service/guide/dev/push/ (接入概述, 消息加解密).
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wechatpy.messages import BaseMessage

from bot.crypto import CannotOpen, MessageCipher, sign, signature_fits
from bot.pushes import Malformed, encrypted_part, is_json, read_message
from bot.settings import Settings

AGE_SECONDS_MAX = 300
PLAIN_MODE = "plain"
SEALED_REPLY = (
    "<xml>\n<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n"
    "<MsgSignature><![CDATA[{signature}]]></MsgSignature>\n"
    "<TimeStamp>{timestamp}</TimeStamp>\n<Nonce><![CDATA[{nonce}]]></Nonce>\n</xml>"
)


class Refused(Exception):
    """A push that is not processed; `outcome` is what it is counted as."""

    def __init__(self, status: int, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Received:
    """A verified push, the key its answer must be sealed with (None in plain mode), and whether it
    came as JSON.
    """

    message: BaseMessage
    key: bytes | None
    is_json: bool


class Gate:
    """Tells WeChat's pushes from everything else, and seals answers for them."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.wechat_token
        self._plain = settings.wechat_mode == PLAIN_MODE
        keys = [settings.wechat_aes_key]
        if settings.wechat_aes_key_previous:
            keys.append(settings.wechat_aes_key_previous)
        self._cipher = MessageCipher(settings.wechat_app_id, keys)

    def admit_check(self, signature: str, timestamp: str, nonce: str) -> None:
        """WeChat's check of our address (GET).

        Raises:
            Refused: not signed with our token.
        """
        if not signature_fits(signature, self._token, timestamp, nonce):
            raise Refused(403, "forged", "bad signature")

    def admit(self, args: Mapping[str, str], body: bytes, now: datetime) -> Received:
        """A push as WeChat sent it.

        Raises:
            Refused: stale, forged, not for us, or not readable.
        """
        timestamp, nonce = args.get("timestamp", ""), args.get("nonce", "")
        if not _fresh(timestamp, now):
            raise Refused(403, "stale", "stale timestamp")
        try:
            text = body.decode()
            if self._plain:
                self.admit_check(args.get("signature", ""), timestamp, nonce)
                return Received(read_message(text), None, is_json(text))
            sealed = encrypted_part(text)
            signature = args.get("msg_signature", "")
            if not signature_fits(signature, self._token, timestamp, nonce, sealed):
                raise Refused(403, "forged", "bad signature")
            opened = self._cipher.open(sealed)
            return Received(read_message(opened.message), opened.key, is_json(text))
        except CannotOpen as error:
            raise Refused(403, "forged", "cannot decrypt") from error
        except (Malformed, UnicodeDecodeError) as error:
            raise Refused(400, "malformed", "unreadable message") from error

    def seal(self, answer: str, received: Received, now: datetime) -> str:
        """The answer as WeChat wants it: encrypted with the key of the push, signed, in its form;
        as it is in plain mode.
        """
        if received.key is None:
            return answer
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(8)
        encrypt = self._cipher.seal(answer, received.key, secrets.token_bytes(16))
        signature = sign(self._token, timestamp, nonce, encrypt)
        if received.is_json:
            return json.dumps(
                {
                    "Encrypt": encrypt,
                    "MsgSignature": signature,
                    "TimeStamp": int(timestamp),
                    "Nonce": nonce,
                }
            )
        return SEALED_REPLY.format(
            encrypt=encrypt, signature=signature, timestamp=timestamp, nonce=nonce
        )


def _fresh(timestamp: str, now: datetime) -> bool:
    """Whether a timestamp in seconds is within five minutes of now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= AGE_SECONDS_MAX
