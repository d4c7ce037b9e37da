"""Names on owners' pages that nobody can invent: payments, and the order number of a form.

Signed with the application's key, which Flask already has. As in `notify.links`, a token names a
thing and does not open it.
"""

from billing.payment_tables import Payment
from handlers.signing import PaymentRef, read_signed, sign
from notify.links import HomeRef


def payment_token(payment: Payment) -> str:
    """Token naming a payment."""
    return sign("owner-payment", [payment.community_id, payment.id])


def read_payment(token: str) -> PaymentRef | None:
    """The payment a token names, or None for a token we did not make."""
    match read_signed("owner-payment", token):
        case [int(community_id), int(payment_id)]:
            return PaymentRef(community_id, payment_id)
    return None


def order_token(out_trade_no: str, viewer: str, home: HomeRef) -> str:
    """An order number made for this viewer and this home, so that the client cannot choose one.

    Args:
        viewer: his openid, or what names his browser.
    """
    return sign("owner-order", [out_trade_no, viewer, home.community_id, home.unit_id])


def read_order(token: str, viewer: str, home: HomeRef) -> str | None:
    """The order number, or None when it was not made by us for this viewer and this home."""
    match read_signed("owner-order", token):
        case [str(out_trade_no), *rest] if rest == [viewer, home.community_id, home.unit_id]:
            return out_trade_no
    return None
