"""Receipts: a page to print for who paid, and one for whoever scans the code on the paper."""

from flask import render_template
from flask.typing import ResponseReturnValue

from billing.payment_tables import PaymentState
from billing.privacy import mask_room
from billing.property import Community, Unit
from billing.receipts import number_waiting
from billing.refund_tables import RefundStage
from billing.refunds import refunded_of
from billing.sightings import Sight
from handlers.pages.queries import get_payment
from handlers.pages.rating_panel import payment_panel
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.results import visit_payment
from handlers.pages.sightings import note_sight
from handlers.pages.tokens import read_payment
from handlers.pages.viewer import welcome_anyone
from handlers.receipt_paper import lay_out
from handlers.services import Services
from handlers.signing import read_receipt

RECEIPTS_AT_ONCE = 500


def receipt(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/receipt/<token>`: proof of a payment, to print; without lines for a stranger."""
    openid = welcome_anyone(services).openid
    with services.database.transaction() as session:
        record, visit = visit_payment(session, openid, read_payment(token))
        if record.receipt is None:
            # Who looks for his receipt before the workers numbered it does not wait for them.
            number_waiting(session, services.clock(), limit=RECEIPTS_AT_ONCE)
            record, visit = visit_payment(session, openid, read_payment(token))
        if record.receipt is None:
            raise Refused(Refusal.BROKEN_LINK)
        if visit.bound:  # who paid for a stranger's home sees his own payment only
            note_sight(session, visit, Sight.HISTORY, services.clock())
        paper = lay_out(services, session, record.payment, record.receipt)
        panel = payment_panel(session, services, record.payment, visit.follower_id)
    return render_template(
        "pages/receipt.html",
        visit=visit,
        paper=paper,
        panel=panel,
        home_token=services.links.home_token(visit.ref),
    )


def verify(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/verify/<token>`: whether a receipt somebody holds is ours and stands. For anybody, so
    it says nothing that is not on the paper, and less.
    """
    ref = read_receipt(token)
    if ref is None:
        raise Refused(Refusal.NOT_OUR_RECEIPT)
    with services.database.transaction() as session:
        record = get_payment(session, ref)
        payment = record.payment
        community = session.get_one(Community, payment.community_id)
        unit = session.get_one(Unit, (payment.community_id, payment.unit_id))
        refunded = refunded_of(session, payment, (RefundStage.DONE,))
    if record.receipt is None:
        raise Refused(Refusal.NOT_OUR_RECEIPT)
    return render_template(
        "pages/verify.html",
        receipt=record.receipt,
        payment=payment,
        is_void=payment.state is PaymentState.REVERSED,
        refunded=refunded,
        community=community,
        room=mask_room(unit.room),
    )
