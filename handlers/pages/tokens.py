"""Names on owners' pages that nobody can invent: payments, and the order number of a form.

Signed with the application's key, which Flask already has. As in `notify.links`, a token names a
thing and does not open it.
"""

from dataclasses import dataclass

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from billing.payment_tables import Payment
from notify.links import HomeRef


@dataclass(frozen=True, slots=True)
class PaymentRef:
    """A payment, named by a token."""

    community_id: int
    payment_id: int


def payment_token(payment: Payment) -> str:
    """Token naming a payment."""
    return _dump("owner-payment", [payment.community_id, payment.id])


def read_payment(token: str) -> PaymentRef | None:
    """The payment a token names, or None for a token we did not make."""
    match _load("owner-payment", token):
        case [int(community_id), int(payment_id)]:
            return PaymentRef(community_id, payment_id)
    return None


def receipt_token(payment: Payment) -> str:
    """Token of the receipt of a payment, printed on it for anybody; it opens nothing else."""
    return _dump("receipt-proof", [payment.community_id, payment.id])


def read_receipt(token: str) -> PaymentRef | None:
    """The payment whose receipt a token proves, or None for a token we did not make."""
    match _load("receipt-proof", token):
        case [int(community_id), int(payment_id)]:
            return PaymentRef(community_id, payment_id)
    return None


def order_token(out_trade_no: str, viewer: str, home: HomeRef) -> str:
    """An order number made for this viewer and this home, so that the client cannot choose one.

    Args:
        viewer: his openid, or what names his browser.
    """
    return _dump("owner-order", [out_trade_no, viewer, home.community_id, home.unit_id])


def read_order(token: str, viewer: str, home: HomeRef) -> str | None:
    """The order number, or None when it was not made by us for this viewer and this home."""
    match _load("owner-order", token):
        case [str(out_trade_no), *rest] if rest == [viewer, home.community_id, home.unit_id]:
            return out_trade_no
    return None


def _signer(salt: str) -> URLSafeSerializer:
    key = current_app.secret_key
    if not key:
        raise RuntimeError("the application has no secret key")
    return URLSafeSerializer(key, salt=salt)


def _dump(salt: str, content: list[object]) -> str:
    return str(_signer(salt).dumps(content))


def _load(salt: str, token: str) -> object:
    try:
        content: object = _signer(salt).loads(token)
    except BadSignature:
        return None
    return content
