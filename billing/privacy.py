"""Personal data: encrypted at rest, found by keyed hash, masked wherever it is shown (PIPL).

The keys come from settings; the first data key encrypts, all of them decrypt, so a key is
rotated by putting a new one in front.
"""

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet


class Vault:
    """Encrypts, decrypts and hashes personal data with the application's keys."""

    def __init__(self, data_keys: Sequence[str], hash_key: str) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in data_keys])
        self._hash_key = hash_key.encode()

    def seal(self, text: str) -> str:
        """Encrypt; the same text gives a different token each time."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, token: str) -> str:
        """Decrypt what any of the data keys sealed.

        Raises:
            cryptography.fernet.InvalidToken: sealed by a key we no longer have, or damaged.
        """
        return self._fernet.decrypt(token.encode()).decode()

    def seal_file(self, content: bytes) -> bytes:
        """Encrypt a file."""
        return self._fernet.encrypt(content)

    def open_file(self, sealed: bytes) -> bytes:
        """Decrypt what `seal_file` sealed; raises as `open`."""
        return self._fernet.decrypt(sealed)

    def fingerprint(self, scope: str, text: str) -> str:
        """Keyed hash for equality look-ups; `scope` keeps hashes of different uses apart."""
        return hmac.new(self._hash_key, f"{scope}\x00{text}".encode(), hashlib.sha256).hexdigest()


def mask_name(name: str) -> str:
    """张秀英 → 张**; a single character stays hidden."""
    return (name[0] if len(name) > 1 else "") + "*" * max(len(name) - 1, 1)


def mask_phone(phone: str) -> str:
    """13800001234 → 138****1234; shorter numbers keep the last two digits."""
    if len(phone) >= 11:
        return phone[:3] + "*" * (len(phone) - 7) + phone[-4:]
    return "*" * max(len(phone) - 2, 0) + phone[-2:]


def mask_room(room: str) -> str:
    """3-2-501 → 3-2-**1: enough for a helper to recognise the home, too little to walk to it."""
    head, _, number = room.rpartition("-")
    hidden = "*" * (len(number) - 1) + number[-1:]
    return f"{head}-{hidden}" if head else hidden


def mask_openid(openid: str) -> str:
    """oAbCdEfGhIjKlMnOpQrStUvWxYz0 → oAbC…xYz0: enough to tell two followers apart."""
    return f"{openid[:4]}…{openid[-4:]}" if len(openid) > 12 else openid[:1] + "…" + openid[-1:]
