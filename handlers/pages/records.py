"""What was: past bills and payments, fee standards, printable receipts."""

import cn2an
from flask import render_template
from flask.typing import ResponseReturnValue

from billing.bills import list_bills
from billing.late_fee_policy import list_policies
from billing.money import Money
from billing.payments import list_confirmed
from billing.receipts import number_waiting
from billing.tariffs import FeeKind, list_tariffs
from handlers.pages.queries import (
    list_paid_lines,
    prepaid_parts,
    require_bound,
    sum_paid,
    visit_home,
)
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.results import visit_payment
from handlers.pages.tokens import payment_token, read_payment
from handlers.pages.viewer import require_viewer, welcome_anyone
from handlers.services import Services
from notify.links import BillRef

PAYMENTS_SHOWN_MAX = 60
RECEIPTS_AT_ONCE = 500


def history(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/history/<token>`: every bill of a home and its latest payments, newest first."""
    openid = require_viewer(services)
    with services.database.transaction() as session:
        visit = visit_home(session, openid, services.links.read_home(token))
        require_bound(visit)
        bills = list_bills(session, visit.unit.community_id, [visit.unit.id], visit.seen)
        payments = list_confirmed(
            session,
            visit.unit.community_id,
            [visit.unit.id],
            limit=PAYMENTS_SHOWN_MAX,
            seen=visit.seen,
        )
    return render_template(
        "pages/history.html",
        visit=visit,
        today=services.today(),
        home_token=token,
        bills=[
            (bill, services.links.bill_token(BillRef(bill.community_id, bill.id)))
            for bill in reversed(bills)
        ],
        payments=[(payment, receipt, payment_token(payment)) for payment, receipt in payments],
    )


def tariffs(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/tariffs/<token>`: the community's fee standards, public to whoever signed in."""
    openid = require_viewer(services)
    today = services.today()
    with services.database.transaction() as session:
        visit = visit_home(session, openid, services.links.read_home(token))
        items = list_tariffs(session, visit.unit.community_id, today)
        late_fees = list_policies(session, visit.unit.community_id)
    return render_template(
        "pages/tariffs.html",
        visit=visit,
        items=[entry for entry in items if entry.item.fee is not FeeKind.LATE_FEE],
        late_fees=late_fees[::-1],
        today=today,
        home_token=token,
    )


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
        lines = list_paid_lines(session, record.payment)
        _, moved = prepaid_parts(session, record.payment)
    return render_template(
        "pages/receipt.html",
        visit=visit,
        payment=record.payment,
        receipt=record.receipt,
        lines=lines if visit.bound else [],
        prepaid=record.payment.amount - sum_paid(lines),
        moved=moved,
        home_token=services.links.home_token(visit.ref),
    )


def capital(amount: Money) -> str:
    """The amount in the characters that cannot be altered on paper (大写金额)."""
    return str(cn2an.an2cn(amount.yuan, "rmb"))
