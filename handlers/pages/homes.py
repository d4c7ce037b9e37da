"""What is owed: the viewer's homes, one home with its unpaid bills, one bill with its lines."""

from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bank_accounts import transfer_instructions
from billing.bill_lines import list_lines
from billing.bills import BillState, get_bills, list_unpaid
from billing.errors import NotFound
from billing.homes import Home, list_homes
from billing.money import Money
from billing.payment_channels import Place
from billing.people import Follower
from billing.prepayments import balance
from billing.sightings import Sight, note_sightings
from handlers.pages.choice import total_owed
from handlers.pages.forms import Attempt, Wanted, find_elsewhere, pay_form, read_wanted
from handlers.pages.places import here
from handlers.pages.queries import (
    list_payments_of_bill,
    list_running,
    sees_bill,
    visit_home,
)
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.sightings import note_sight
from handlers.pages.tokens import payment_token
from handlers.pages.viewer import Viewer, ordered_it, require_viewer, signed_in
from handlers.services import Services
from notify.links import BillRef, HomeRef


@dataclass(frozen=True, slots=True)
class HomeSummary:
    """A home of the viewer with what is owed on it."""

    home: Home
    token: str
    owed: Money
    bills: int


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
    if len(homes) > 1:  # the only home opens at once
        note_sightings(
            session,
            [(home.community_id, home.unit_id) for home in homes],
            Sight.BILLS,
            services.clock(),
            follower_id=follower_id,
        )
    summaries = []
    for home in homes:
        unpaid = list_unpaid(session, home.community_id, [home.unit_id], home.seen)
        token = services.links.home_token(HomeRef(home.community_id, home.unit_id))
        summaries.append(HomeSummary(home, token, total_owed(unpaid), len(unpaid)))
    return summaries


def home(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/home/<token>`: what is owed at a home, with the form to pay it."""
    if is_unknown_phone(services):
        return redirect(url_for("pages.scan", token=token))
    openid = require_viewer(services)
    begins = read_wanted(request.args.get("period", ""), request.args.get("amount", ""))
    ref = services.links.read_home(token)
    return show_home(services, Viewer(openid, openid), ref, begins=begins)


def is_unknown_phone(services: Services) -> bool:
    """Whether this is a phone outside WeChat on which nobody is signed in: it has no second phone
    to scan a code with, so it is only asked to pay.
    """
    return here() in {Place.ALIPAY, Place.PHONE} and signed_in(services.clock()) is None


def show_home(
    services: Services,
    viewer: Viewer,
    ref: HomeRef | None,
    attempt: Attempt | None = None,
    begins: Wanted = Wanted(),  # noqa: B008  # it never changes
) -> str:
    """A home's page, or for a stranger the page to pay for it; again after a refused attempt.

    Raises:
        Refused: no such home.
    """
    now = services.clock()
    with services.database.transaction() as session:
        visit = visit_home(session, viewer.openid, ref)
        note_sight(session, visit, Sight.BILLS, now)
        unpaid = list_unpaid(session, visit.unit.community_id, [visit.unit.id], visit.seen)
        lines = list_lines(session, visit.unit.community_id, [bill.id for bill in unpaid])
        running = list_running(session, visit, now)
        form = (
            pay_form(session, services, visit, viewer, unpaid, attempt, begins) if unpaid else None
        )
        has_prepaid = balance(session, visit.unit.community_id, visit.unit.id)
    own = [one for one in running if ordered_it(one, visit.follower_id)]
    return render_template(
        "pages/home.html" if visit.bound else "pages/helper.html",
        visit=visit,
        today=services.today(),
        home_token=services.links.home_token(visit.ref),
        form=form,
        lines={bill.id: [one for one in lines if one.bill_id == bill.id] for bill in unpaid},
        running=[(payment.amount, payment_token(payment)) for payment in own],
        others_pay=bool(unpaid) and len(own) < len(running),
        prepaid=has_prepaid if visit.is_present else None,
    )


def bill(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/bill/<token>`: a bill with every line and its arithmetic, and the form to pay it."""
    if is_unknown_phone(services):
        return redirect(url_for("pages.scan", token=token))
    openid = require_viewer(services)
    viewer = Viewer(openid, openid)
    with services.database.transaction() as session:
        found = get_bill(session, services.links.read_bill(token))
        visit = visit_home(session, openid, HomeRef(found.community_id, found.unit_id))
        if not sees_bill(session, visit, found.id):
            raise Refused(Refusal.NOT_YOURS)
        note_sight(session, visit, Sight.BILLS, services.clock())
        lines = list_lines(session, found.community_id, [found.id])
        payments = list_payments_of_bill(session, visit, found.id)
        unpaid = list_unpaid(session, found.community_id, [found.unit_id], visit.seen)
        payable = [one for one in unpaid if one.id == found.id]
        form = pay_form(session, services, visit, viewer, payable) if payable else None
        printed = find_elsewhere(session, services, visit, []) if payable else None
        transfer = transfer_instructions(session, services.vault, found.community_id, found.unit_id)
    if not visit.bound:
        return show_home(services, viewer, visit.ref)
    return render_template(
        "pages/bill.html",
        visit=visit,
        bill=found,
        lines=lines,
        today=services.today(),
        home_token=services.links.home_token(visit.ref),
        others=[one for one in unpaid if one.id != found.id],
        receipts=[(payment, receipt, payment_token(payment)) for payment, receipt in payments],
        form=form,
        printed=printed,
        transfer=transfer if payable else None,
    )


def get_bill(session: Session, ref: BillRef | None) -> BillState:
    """The bill a link names.

    Raises:
        Refused: no token of ours, or a bill that is not issued.
    """
    if ref is None:
        raise Refused(Refusal.BROKEN_LINK)
    try:
        return get_bills(session, ref.community_id, [ref.bill_id])[0]
    except NotFound:
        raise Refused(Refusal.BROKEN_LINK) from None
