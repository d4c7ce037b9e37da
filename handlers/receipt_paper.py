"""What is on a receipt (收据), whichever page shows or prints it."""

from dataclasses import dataclass

import cn2an
from flask import url_for
from sqlalchemy.orm import Session

from billing.counter import find_cashier
from billing.money import Money
from billing.paid_lines import PaidLine, list_paid_lines, prepaid_parts, sum_paid
from billing.payment_tables import Payment, PaymentState, Receipt
from billing.property import Community, Unit
from billing.refund_tables import RefundStage
from billing.refunds import refunded_of
from handlers.qr import qr_image
from handlers.services import Services
from handlers.signing import receipt_token


@dataclass(frozen=True, slots=True)
class Paper:
    """A receipt as it is laid out.

    Attributes:
        cashier: who took the money at the counter.
        refunded: what of it went back since.
        prepaid: what of it paid no line.
        moved: what of that was meant for bills that somebody else paid first.
        code: image of the code by which anybody proves the paper.
    """

    community: Community
    room: str
    payment: Payment
    receipt: Receipt
    cashier: str | None
    refunded: Money
    lines: list[PaidLine]
    prepaid: Money
    moved: Money
    code: str

    @property
    def is_void(self) -> bool:
        """Whether the cashier took the payment back."""
        return self.payment.state is PaymentState.REVERSED


def lay_out(services: Services, session: Session, payment: Payment, receipt: Receipt) -> Paper:
    """The receipt of a booked payment."""
    lines = list_paid_lines(session, payment)
    _, moved = prepaid_parts(session, payment)
    cashier = find_cashier(session, payment)
    proof = url_for("pages.verify", token=receipt_token(payment))
    return Paper(
        community=session.get_one(Community, payment.community_id),
        room=session.get_one(Unit, (payment.community_id, payment.unit_id)).room,
        payment=payment,
        receipt=receipt,
        cashier=cashier.name if cashier else None,
        refunded=refunded_of(session, payment, (RefundStage.DONE,)),
        lines=lines,
        prepaid=payment.amount - sum_paid(lines),
        moved=moved,
        code=qr_image(f"{services.base_url}{proof}"),
    )


def capital(amount: Money) -> str:
    """The amount in the characters that cannot be altered on paper (大写金额)."""
    return str(cn2an.an2cn(amount.yuan, "rmb"))
