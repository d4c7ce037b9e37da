"""Names on pages that nobody can invent, signed with the application's key, which Flask has; and
the proof that is printed on receipts, whichever page prints them.
"""

from dataclasses import dataclass

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from billing.payment_tables import Payment


@dataclass(frozen=True, slots=True)
class PaymentRef:
    """A payment, named by a token."""

    community_id: int
    payment_id: int


def receipt_token(payment: Payment) -> str:
    """Token of the receipt of a payment, printed on it for anybody; it opens nothing else."""
    return sign("receipt-proof", [payment.community_id, payment.id])


def read_receipt(token: str) -> PaymentRef | None:
    """The payment whose receipt a token proves, or None for a token we did not make."""
    match read_signed("receipt-proof", token):
        case [int(community_id), int(payment_id)]:
            return PaymentRef(community_id, payment_id)
    return None


def sign(salt: str, content: list[object]) -> str:
    """A token of this content."""
    return str(_signer(salt).dumps(content))


def read_signed(salt: str, token: str) -> object:
    """The content of a token, or None for one we did not make."""
    try:
        content: object = _signer(salt).loads(token)
    except BadSignature:
        return None
    return content


def _signer(salt: str) -> URLSafeSerializer:
    key = current_app.secret_key
    if not key:
        raise RuntimeError("the application has no secret key")
    return URLSafeSerializer(key, salt=salt)
