"""Message encryption of official accounts, by `cryptography` alone. Pure.

Rule: developers.weixin.qq.com, "message encryption": AES-256-CBC under EncodingAESKey with its
first 16 bytes as IV; random 16 bytes, length (4, network order), text, app id; PKCS#7 to 32.
"""

import base64
import binascii
import hashlib
import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

_BLOCK = 32


class SealError(ValueError):
    """A sealed text cannot be opened; the message says why."""


def signature(*parts: str) -> str:
    """Sign as WeChat does: SHA-1 of the parts in order of their characters."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def seal(aes_key: str, app_id: str, text: str, random16: bytes) -> str:
    """Encrypt a text for this account; Base64."""
    content = text.encode()
    plain = random16 + struct.pack("!I", len(content)) + content + app_id.encode()
    padding = _BLOCK - len(plain) % _BLOCK
    encryptor = _cipher(aes_key).encryptor()
    sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    return base64.b64encode(sealed).decode()


def unseal(aes_key: str, app_id: str, sealed: str) -> str:
    """Decrypt a text meant for this account; raises SealError."""
    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        raise SealError("it is not Base64") from None
    if not data or len(data) % 16:
        raise SealError("it is not whole AES blocks")
    decryptor = _cipher(aes_key).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= _BLOCK or plain[-padding:] != bytes([padding]) * padding:
        raise SealError("its padding is wrong")
    plain = plain[:-padding]
    if len(plain) < 20:
        raise SealError("it is too short")
    end = 20 + struct.unpack("!I", plain[16:20])[0]
    if plain[end:] != app_id.encode():
        raise SealError("it is for another account")
    try:
        return plain[20:end].decode()
    except UnicodeDecodeError:
        raise SealError("it is not UTF-8") from None


def _cipher(aes_key: str) -> Cipher[CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(AES(key), CBC(key[:16]))
