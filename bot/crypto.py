"""Signatures and encryption of the official account's pushes.

Rules: developers.weixin.qq.com/doc/service/guide/dev/push/encryption. A signature is the SHA-1 of
the sorted parts. A sealed message is AES-256-CBC of `random16 + length(4, network order) + message
+ app id`, padded PKCS#7 to 32 bytes, with the key's first half as IV.

wechatpy's cipher does the AES. Its framing and its checks are not used: it compares signatures with
`!=`, does not look at the padding bytes, and meets bad ciphertext with IndexError or ValueError.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from wechatpy.crypto.cryptography import WeChatCipher

BLOCK_BYTES = 32
AES_BLOCK_BYTES = 16
RANDOM_BYTES = 16
LENGTH_BYTES = 4


class CannotOpen(Exception):
    """Ciphertext that none of our keys opens into a message for our app id."""


def sign(*parts: str) -> str:
    """Hexadecimal SHA-1 of the parts in ascending order of their bytes.

    >>> sign("AAAAA", "1714036504", "1514711492")
    'f464b24fc39322e44b38aa78f5edd27bd1441696'
    """
    joined = b"".join(sorted(part.encode() for part in parts))
    return hashlib.sha1(joined).hexdigest()  # noqa: S324  # the algorithm is WeChat's


def signature_fits(signature: str, *parts: str) -> bool:
    """Whether this signature is the one of these parts; takes the same time whatever is wrong."""
    return hmac.compare_digest(sign(*parts).encode(), signature.encode())


@dataclass(frozen=True, slots=True)
class Opened:
    """A decrypted message and the key that opened it, with which the answer must be sealed."""

    message: str
    key: bytes


class MessageCipher:
    """Opens what WeChat sealed for one app id and seals our answers.

    Args:
        encoding_aes_keys: the current EncodingAESKey first, then the previous one while WeChat may
            still use it.
    """

    def __init__(self, app_id: str, encoding_aes_keys: Sequence[str]) -> None:
        self._app_id = app_id.encode()
        self._keys = [base64.b64decode(key + "=") for key in encoding_aes_keys]

    def open(self, ciphertext: str) -> Opened:
        """Decrypt with the first key that fits.

        Raises:
            CannotOpen: not base64, wrong length, wrong key, damaged, or meant for another app id.
        """
        try:
            sealed = base64.b64decode(ciphertext, validate=True)
        except (binascii.Error, ValueError):
            raise CannotOpen("the ciphertext is not base64") from None
        if not sealed or len(sealed) % AES_BLOCK_BYTES:
            raise CannotOpen("the ciphertext is not whole blocks")
        for key in self._keys:
            message = self._message_in(WeChatCipher(key).decrypt(sealed))
            if message is not None:
                return Opened(message, key)
        raise CannotOpen("no key opens it for our app id")

    def seal(self, message: str, key: bytes, random16: bytes) -> str:
        """Encrypt with one of the keys; `random16` are sixteen fresh random bytes."""
        body = message.encode()
        frame = random16 + len(body).to_bytes(LENGTH_BYTES, "big") + body + self._app_id
        padding = BLOCK_BYTES - len(frame) % BLOCK_BYTES
        return base64.b64encode(
            WeChatCipher(key).encrypt(frame + bytes([padding]) * padding)
        ).decode()

    @property
    def current_key(self) -> bytes:
        """The key in use now."""
        return self._keys[0]

    def _message_in(self, frame: bytes) -> str | None:
        """The message of a decrypted frame, or None when any part of it is not as it must be."""
        padding = frame[-1]
        if not 1 <= padding <= BLOCK_BYTES or frame[-padding:] != bytes([padding]) * padding:
            return None
        content = frame[RANDOM_BYTES:-padding]
        length = int.from_bytes(content[:LENGTH_BYTES], "big")
        message = content[LENGTH_BYTES : LENGTH_BYTES + length]
        app_id = content[LENGTH_BYTES + length :]
        if len(message) != length or not hmac.compare_digest(app_id, self._app_id):
            return None
        try:
            return message.decode()
        except UnicodeDecodeError:
            return None
