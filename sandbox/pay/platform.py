"""The platform's own signature, on every answer and every callback."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.pay import crypto


@dataclass(frozen=True)
class Platform:
    """Signs as WeChat Pay in public-key mode (serial `PUB_KEY_ID_…`)."""

    public_key_id: str
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
            "Wechatpay-Serial": self.public_key_id,
            "Wechatpay-Signature-Type": crypto.SIGNATURE_TYPE,
            "Request-ID": secrets.token_hex(20).upper(),
        }
