"""What is owed: the viewer's homes, one home with its unpaid bills, one bill with its lines."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bills import BillState, get_bills, list_lines, list_unpaid
from billing.bindings import Home, list_homes
from billing.errors import NotFound
from billing.money import Money
from billing.payments import new_out_trade_no
from billing.people import Follower
from handlers.pages.choice import total_owed
from handlers.pages.qr import qr_image
from handlers.pages.queries import (
    Visit,
    list_payments_of_bill,
    list_running,
    sees_bill,
    visit_home,
)
from handlers.pages.refusals import Objection, Refusal, Refused
from handlers.pages.tokens import order_token, payment_token
from handlers.pages.viewer import in_wechat, require_viewer
from handlers.services import Services
from notify.links import BillRef, HomeRef


@dataclass(frozen=True, slots=True)
class HomeSummary:
    """A home of the viewer with what is owed on it."""

    home: Home
    token: str
    owed: Money
    bills: int


@dataclass(frozen=True, slots=True)
class Choice:
    """An unpaid bill on the form."""

    bill: BillState
    token: str
    checked: bool


@dataclass(frozen=True, slots=True)
class PayForm:
    """What the payment form shows; `code` is the QR code offered outside WeChat."""

    home_token: str
    order: str
    choices: list[Choice]
    amount: Money
    objection: Objection | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the viewer sent before, when the form is shown again."""

    objection: Objection
    chosen_ids: Collection[int]


def index(services: Services) -> ResponseReturnValue:
    """`GET /o/`: the viewer's homes; the only home opens at once."""
    openid = require_viewer(services)
    with services.database.transaction() as session:
        homes = _list_summaries(session, services, openid)
    if len(homes) == 1:
        return redirect(url_for("pages.home", token=homes[0].token))
    return render_template("pages/index.html", homes=homes)


def _list_summaries(session: Session, services: Services, openid: str) -> list[HomeSummary]:
    follower_id = session.scalar(select(Follower.id).where(Follower.openid == openid))
    homes = list_homes(session, follower_id) if follower_id is not None else []
    summaries = []
    for home in homes:
        unpaid = list_unpaid(session, home.community_id, [home.unit_id], home.seen)
        token = services.links.home_token(HomeRef(home.community_id, home.unit_id))
        summaries.append(HomeSummary(home, token, total_owed(unpaid), len(unpaid)))
    return summaries


def home(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/home/<token>`: what is owed at a home, with the form to pay it."""
    openid = require_viewer(services)
    return show_home(services, openid, services.links.read_home(token))


def show_home(
    services: Services, openid: str, ref: HomeRef | None, attempt: Attempt | None = None
) -> str:
    """A home's page, or for a stranger the page to pay for it; again after a refused attempt.

    Raises:
        Refused: no such home.
    """
    now = services.clock()
    with services.database.transaction() as session:
        visit = visit_home(session, openid, ref)
        unpaid = list_unpaid(session, visit.unit.community_id, [visit.unit.id], visit.seen)
        lines = list_lines(session, visit.unit.community_id, [bill.id for bill in unpaid])
        running = list_running(session, visit, now)
    return render_template(
        "pages/home.html" if visit.bound else "pages/helper.html",
        visit=visit,
        today=services.today(),
        home_token=services.links.home_token(visit.ref),
        form=_pay_form(
            services, visit, openid, unpaid, services.links.home_url(visit.ref), attempt
        ),
        lines={bill.id: [one for one in lines if one.bill_id == bill.id] for bill in unpaid},
        running=[(payment.amount, payment_token(payment)) for payment in running],
    )


def bill(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/bill/<token>`: a bill with every line and its arithmetic, and the form to pay it."""
    openid = require_viewer(services)
    with services.database.transaction() as session:
        found = _get_bill(session, services.links.read_bill(token))
        visit = visit_home(session, openid, HomeRef(found.community_id, found.unit_id))
        if not sees_bill(session, visit, found.id):
            raise Refused(Refusal.NOT_YOURS)
        lines = list_lines(session, found.community_id, [found.id])
        payments = list_payments_of_bill(session, visit, found.id)
        unpaid = list_unpaid(session, found.community_id, [found.unit_id], visit.seen)
    if not visit.bound:
        return show_home(services, openid, visit.ref)
    payable = [one for one in unpaid if one.id == found.id]
    scan_url = services.links.bill_url(BillRef(found.community_id, found.id))
    return render_template(
        "pages/bill.html",
        visit=visit,
        bill=found,
        lines=lines,
        today=services.today(),
        home_token=services.links.home_token(visit.ref),
        others=[one for one in unpaid if one.id != found.id],
        receipts=[(payment, receipt, payment_token(payment)) for payment, receipt in payments],
        form=_pay_form(services, visit, openid, payable, scan_url),
    )


def _get_bill(session: Session, ref: BillRef | None) -> BillState:
    if ref is None:
        raise Refused(Refusal.BROKEN_LINK)
    try:
        return get_bills(session, ref.community_id, [ref.bill_id])[0]
    except NotFound:
        raise Refused(Refusal.BROKEN_LINK) from None


def _pay_form(
    services: Services,
    visit: Visit,
    openid: str,
    unpaid: Sequence[BillState],
    scan_url: str,
    attempt: Attempt | None = None,
) -> PayForm | None:
    """The form for these bills with a fresh order number; None when nothing is owed.

    Args:
        scan_url: the same page, for the phone of somebody who reads it on a computer.
    """
    if not unpaid:
        return None
    wanted = {bill.id for bill in unpaid}
    if attempt is not None and visit.bound:
        # What was chosen stays chosen; if nothing of it is owed any more, everything is offered.
        wanted = wanted.intersection(attempt.chosen_ids) or wanted
    return PayForm(
        home_token=services.links.home_token(visit.ref),
        order=order_token(new_out_trade_no(), openid, visit.ref),
        choices=[
            Choice(
                one,
                services.links.bill_token(BillRef(one.community_id, one.id)),
                one.id in wanted,
            )
            for one in unpaid
        ],
        amount=total_owed([one for one in unpaid if one.id in wanted]),
        objection=attempt.objection if attempt else None,
        code=None if in_wechat() else qr_image(scan_url),
    )
