"""One tap that says how it was: after a payment, an answered dispute, a closed ticket."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.errors import Conflict, InvalidInput, NotFound
from billing.people import Follower
from billing.property import Community
from billing.rating_tables import RatedKind, Score
from billing.ratings import Rateable, find_rateable, rate, spoke_in
from billing.sightings import Sight
from billing.tickets import get_ticket
from handlers.pages.queries import visit_home
from handlers.pages.rating_panel import thing_panel
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.results import visit_payment
from handlers.pages.sightings import note_sight
from handlers.pages.tokens import payment_token
from handlers.pages.viewer import require_viewer
from handlers.services import Services
from handlers.signing import PaymentRef
from notify.links import HomeRef


def show_rating(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/rate/<token>`: what was done, and the form to rate it."""
    return _page(services, require_viewer(services), token)


def send_rating(services: Services, token: str) -> ResponseReturnValue:
    """`POST /o/rate/<token>`: rate it; again on the same day changes it, later is declined.

    Raises:
        Refused: not his, or a form nobody drew.
    """
    openid = require_viewer(services)
    words = request.form.get("words", "")
    try:
        score = Score(request.form.get("score", ""))
    except ValueError:
        raise Refused(Refusal.FORM_STALE, url_for("pages.show_rating", token=token)) from None
    try:
        with services.database.transaction() as session:
            thing, follower_id, _ = _find(session, services, openid, token)
            rate(
                session,
                services.vault,
                thing,
                follower_id,
                score,
                words=words,
                now=services.clock(),
            )
    except InvalidInput:
        # Outside: the page opens a transaction of its own, and would wait for this one.
        return _page(services, openid, token, refused=words), 422
    except Conflict:
        return redirect(url_for("pages.show_rating", token=token, late="1"), 303)
    return redirect(url_for("pages.show_rating", token=token, saved="1"), 303)


def _page(services: Services, openid: str, token: str, refused: str | None = None) -> str:
    with services.database.transaction() as session:
        thing, follower_id, shown = _find(session, services, openid, token)
        panel = thing_panel(session, services, thing, follower_id)
    if refused is not None:
        panel = replace(panel, words=refused, is_too_long=True)
    return render_template(
        "pages/rating.html",
        panel=panel,
        thing=thing,
        saved="saved" in request.args,
        late="late" in request.args,
        **shown,
    )


def _find(
    session: Session, services: Services, openid: str, token: str
) -> tuple[Rateable, int, Mapping[str, Any]]:
    """The thing a link names, the follower, and what the page says of it.

    Raises:
        Refused: no link of ours, nothing that is done, or somebody else's.
    """
    ref = services.links.read_rated(token)
    follower_id = session.scalar(select(Follower.id).where(Follower.openid == openid))
    if ref is None:
        raise Refused(Refusal.BROKEN_LINK)
    if follower_id is None:
        raise Refused(Refusal.NOT_YOURS)
    if ref.kind is not RatedKind.RECEIPT and not spoke_in(
        session, ref.community_id, ref.subject_id, follower_id
    ):
        raise Refused(Refusal.NOT_YOURS)
    try:
        thing = find_rateable(session, ref.community_id, ref.kind, ref.subject_id)
    except NotFound:
        raise Refused(Refusal.BROKEN_LINK) from None
    shown: dict[str, Any] = {"community": session.get_one(Community, ref.community_id)}
    if ref.kind is RatedKind.RECEIPT:
        paid = PaymentRef(ref.community_id, ref.subject_id)
        record, shown["visit"] = visit_payment(session, openid, paid)
        shown |= {"record": record, "receipt_token": payment_token(record.payment)}
    else:
        shown["ticket"] = get_ticket(session, ref.community_id, ref.subject_id)
        if thing.unit_id is not None:
            home = HomeRef(ref.community_id, thing.unit_id)
            shown["visit"] = visit_home(session, openid, home)
            note_sight(session, shown["visit"], Sight.BILLS, services.clock())
    return thing, follower_id, shown
