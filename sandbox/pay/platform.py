"""One of the platform's keys, and its signature on answers and callbacks."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.pay import crypto


@dataclass(frozen=True)
class Platform:
    """Signs as WeChat Pay; `serial` names the key: a certificate's number, or `PUB_KEY_ID_…`."""

    serial: str
    private_key: RSAPrivateKey

    def signed_headers(self, body: bytes, now: datetime) -> dict[str, str]:
        """Give the five signature headers and the Request-ID for this body, sent `now`."""
        timestamp = str(int(now.timestamp()))
        nonce = secrets.token_hex(16)
        message = crypto.answer_message(timestamp, nonce, body)
        return {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": crypto.sign(self.private_key, message),
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Signature-Type": crypto.SIGNATURE_TYPE,
            "Request-ID": secrets.token_hex(20).upper(),
        }
