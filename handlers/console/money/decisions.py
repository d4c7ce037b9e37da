"""What waits for a decision about money (待办): each kind with its count, and the way there."""

from flask.typing import ResponseReturnValue
from sqlalchemy import select

from billing.decisions import Decision, list_waiting
from billing.payment_tables import Payment
from billing.people import Staff
from billing.property import Unit
from billing.refund_tables import Refund, RefundStage
from handlers.console.desk import Desk

REFUNDS_SHOWN = 20


def index(desk: Desk) -> ResponseReturnValue:
    """Everything that waits, and the refunds to be approved by name."""
    refunds = desk.session.execute(
        select(Refund, Unit.room, Payment.channel, Staff.name)
        .join(
            Payment,
            (Payment.community_id == Refund.community_id) & (Payment.id == Refund.payment_id),
        )
        .join(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .join(Staff, Staff.id == Refund.requested_by)
        .where(Refund.community_id == desk.community_id, Refund.state == RefundStage.REQUESTED)
        .order_by(Refund.id)
        .limit(REFUNDS_SHOWN)
    ).all()
    return desk.page(
        "money/decisions.html",
        waiting=list_waiting(desk.session, desk.community_id, desk.today),
        refunds=refunds,
        Decision=Decision,
    )
