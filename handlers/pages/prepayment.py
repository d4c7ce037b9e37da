"""What a home has with us: balance, movements, paying more in, and what is deducted by itself."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from billing.errors import NotFound
from billing.people import ResidentRole
from billing.prepayments import (
    PrepaymentMovement,
    balance,
    list_auto_deduction,
    list_movements,
    set_auto_deduction,
)
from billing.sightings import Sight
from billing.tariffs import FeeKind, list_tariffs
from handlers.pages.choice import read_amount
from handlers.pages.forms import Attempt, pay_form
from handlers.pages.queries import Visit, visit_home
from handlers.pages.refusals import Objected, Refusal, Refused
from handlers.pages.sightings import note_sight
from handlers.pages.viewer import Viewer, require_viewer
from handlers.services import Services
from notify.links import HomeRef

MOVEMENTS_SHOWN_MAX = 100


def prepayment(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/prepayment/<home token>`, for those whose home it is; `?amount=` fills the form."""
    openid = require_viewer(services)
    return show_prepayment(services, Viewer(openid, openid), services.links.read_home(token))


def show_prepayment(
    services: Services, viewer: Viewer, ref: HomeRef | None, attempt: Attempt | None = None
) -> str:
    """The page; again after a refused attempt to pay in.

    Raises:
        Refused: no such home, or not his.
    """
    with services.database.transaction() as session:
        visit = _visit(session, viewer.openid, ref)
        note_sight(session, visit, Sight.BALANCE, services.clock())
        community_id, unit_id = visit.unit.community_id, visit.unit.id
        movements = list_movements(session, community_id, unit_id, limit=MOVEMENTS_SHOWN_MAX)
        items = list_tariffs(session, community_id, services.today())
        shown = {
            "balance": balance(session, community_id, unit_id),
            "deducted": list_auto_deduction(session, community_id, unit_id),
            "form": pay_form(session, services, visit, viewer, [], attempt),
        }
    return render_template(
        "pages/prepayment.html",
        visit=visit,
        home_token=services.links.home_token(visit.ref),
        movements=[one for one in movements if _sees(visit, one)],
        items=[one.item for one in items if one.item.fee is not FeeKind.LATE_FEE],
        decides=decides(visit),
        amount=_wanted_amount(),
        saved="saved" in request.args,
        **shown,
    )


def deduct(services: Services, token: str) -> ResponseReturnValue:
    """`POST /o/prepayment/<home token>`: which items are deducted from now on; the owner decides.

    Raises:
        Refused: somebody else's home, a tenant or member of the family, or an item that is gone.
    """
    openid = require_viewer(services)
    with services.database.transaction() as session:
        visit = _visit(session, openid, services.links.read_home(token))
        if not decides(visit):
            raise Refused(Refusal.OWNER_ONLY, url_for("pages.prepayment", token=token))
        try:
            set_auto_deduction(
                session, visit.unit.community_id, visit.unit.id, request.form.getlist("item")
            )
        except NotFound:
            back = url_for("pages.prepayment", token=token)
            raise Refused(Refusal.FORM_STALE, back) from None
    return redirect(url_for("pages.prepayment", token=token, saved="1"), 303)


def decides(visit: Visit) -> bool:
    """Whether the viewer may say what the home's money is used for: its owner alone."""
    return visit.role is ResidentRole.OWNER


def _visit(session: Session, openid: str | None, ref: HomeRef | None) -> Visit:
    visit = visit_home(session, openid, ref)
    if not visit.is_present:
        raise Refused(Refusal.NOT_YOURS)
    return visit


def _sees(visit: Visit, movement: PrepaymentMovement) -> bool:
    """A tenant, or an owner who bought the home, sees the movements of his own days."""
    return visit.seen.start is None or movement.on >= visit.seen.start


def _wanted_amount() -> str:
    """What the form is filled with: an amount named in the chat, or nothing."""
    try:
        amount = read_amount(request.values.get("amount", ""))
    except Objected:
        return ""
    return amount.yuan if amount else ""
