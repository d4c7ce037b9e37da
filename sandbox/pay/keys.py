"""Which of its keys the platform signs with: its public key, its certificate's, or both in turn.

Rule: pay.weixin.qq.com, "from platform certificates to the WeChat Pay public key": an answer is
signed with the key the request names in Wechatpay-Serial; callbacks move over bit by bit, so that
a merchant meets both keys for days.
"""

import itertools
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from sandbox.clock import SHANGHAI
from sandbox.config import CERTIFICATE, PUBLIC_KEY, PlatformConfig
from sandbox.pay import crypto
from sandbox.pay.merchants import Merchant
from sandbox.pay.platform import Platform
from sandbox.pay.refusals import ApiRefused
from sandbox.pay.texts import say

MIXED = "mixed"
MODES = (PUBLIC_KEY, CERTIFICATE, MIXED)


@dataclass(frozen=True)
class PlatformCertificate:
    """The platform's certificate: its text, its life, and the key it is for."""

    pem: str
    starts_at: datetime
    ends_at: datetime
    key: Platform


class PlatformKeys:
    """The platform's keys; `set_mode` overrules every merchant's own setting until a restart."""

    def __init__(self, config: PlatformConfig):
        """Load the keys; raises ValueError for a key or certificate that cannot be used."""
        self.public_key = Platform(
            config.public_key_id, crypto.load_private_key(config.private_key_pem)
        )
        self._certificate = _load_certificate(config)
        self._mode: str | None = None
        self._turns = itertools.cycle((PUBLIC_KEY, CERTIFICATE))

    def set_mode(self, mode: object) -> str:
        """Sign for all merchants in this mode from now on; raises ValueError."""
        if not isinstance(mode, str) or mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}")
        if mode != PUBLIC_KEY and self._certificate is None:
            raise ValueError("the platform has no certificate; configure platform.certificate_pem")
        self._mode = mode
        return mode

    def for_answer(self, caller: Merchant | None, asked_serial: str) -> Platform:
        """Give the key for an answer: the one the request names, else the caller's."""
        certificate = self._certificate
        if asked_serial == self.public_key.serial:
            return self.public_key
        if certificate is not None and asked_serial == certificate.key.serial:
            return certificate.key
        return self._key(CERTIFICATE if self._uses_certificate(caller) else PUBLIC_KEY)

    def for_callback(self, merchant: Merchant) -> Platform:
        """Give the key for a callback; in mixed mode they take turns."""
        mode = self._mode or merchant.signs_with
        return self._key(next(self._turns) if mode == MIXED else mode)

    def certificates(self, caller: Merchant) -> dict[str, object]:
        """Give the certificate list, sealed for its merchant.

        Raises ApiRefused RESOURCE_NOT_EXISTS for an account in public-key mode.
        """
        certificate = self._certificate
        if certificate is None or not self._uses_certificate(caller):
            raise ApiRefused(404, "RESOURCE_NOT_EXISTS", say("api.no_certificate"))
        nonce = secrets.token_hex(6)
        pem = certificate.pem.encode()
        sealed = {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": crypto.seal(caller.api_v3_key, pem, nonce, "certificate"),
        }
        entry = {
            "serial_no": certificate.key.serial,
            "effective_time": certificate.starts_at.isoformat(timespec="seconds"),
            "expire_time": certificate.ends_at.isoformat(timespec="seconds"),
            "encrypt_certificate": sealed,
        }
        return {"data": [entry]}

    def _uses_certificate(self, caller: Merchant | None) -> bool:
        mode = self._mode or (caller.signs_with if caller else PUBLIC_KEY)
        return mode != PUBLIC_KEY

    def _key(self, mode: str) -> Platform:
        if mode == PUBLIC_KEY or self._certificate is None:
            return self.public_key
        return self._certificate.key


def _load_certificate(config: PlatformConfig) -> PlatformCertificate | None:
    """Load the certificate and its key, which must belong together; raises ValueError."""
    if config.certificate is None:
        return None
    settings = config.certificate
    certificate = x509.load_pem_x509_certificate(settings.pem.encode())
    key = crypto.load_private_key(settings.private_key_pem)
    if certificate.public_key() != key.public_key():
        raise ValueError("platform.certificate_private_key_pem is not the certificate's key")
    if certificate.serial_number != int(settings.serial, 16):
        raise ValueError("platform.certificate_serial is not the certificate's serial number")
    return PlatformCertificate(
        pem=settings.pem,
        starts_at=certificate.not_valid_before_utc.astimezone(SHANGHAI),
        ends_at=certificate.not_valid_after_utc.astimezone(SHANGHAI),
        key=Platform(settings.serial.upper(), key),
    )
