"""Signatures and sealing of WeChat Pay API v3, by `cryptography` alone.

Rule: pay.weixin.qq.com, "APIv3 signature" (RSA PKCS#1 v1.5 with SHA-256, Base64) and
"callback decryption" (AEAD_AES_256_GCM). Every message ends each of its lines with a line feed,
the last one too.
"""

import base64
import binascii
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"


@cache  # reading one proves its primes, which takes as long as twenty signatures
def load_private_key(pem: str) -> RSAPrivateKey:
    """Read an unencrypted RSA private key; raises ValueError for any other kind."""
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the private key is not an RSA key")
    return key


def load_public_key(pem: str) -> RSAPublicKey:
    """Read an RSA public key; raises ValueError for any other kind."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the public key is not an RSA key")
    return key


def sign(key: RSAPrivateKey, message: bytes) -> str:
    """Sign the message; Base64 without line breaks."""
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()


def is_signed_by(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Tell whether the Base64 signature is this key's over exactly this message."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def seal(api_v3_key: str, plaintext: bytes, nonce: str, associated_data: str) -> str:
    """Encrypt a callback's resource: Base64 of ciphertext and 16-byte tag."""
    sealed = AESGCM(api_v3_key.encode()).encrypt(
        nonce.encode(), plaintext, associated_data.encode()
    )
    return base64.b64encode(sealed).decode()


def request_message(method: str, url: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Build what a merchant signs; `url` is path and query as sent, `body` empty for GET."""
    return b"\n".join([f"{method}\n{url}\n{timestamp}\n{nonce}".encode(), body, b""])


def answer_message(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Build what WeChat Pay signs, in answers and callbacks; an empty body keeps its line."""
    return b"\n".join([f"{timestamp}\n{nonce}".encode(), body, b""])


def bridge_message(app_id: str, time_stamp: str, nonce_str: str, package: str) -> bytes:
    """Build what a page's paySign covers (JSAPI call-up)."""
    return f"{app_id}\n{time_stamp}\n{nonce_str}\n{package}\n".encode()
