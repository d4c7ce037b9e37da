"""Paying for somebody else's home without a link: by its room and the end of a telephone number."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.homes import list_homes
from billing.lookups import TRIES_MAX, LookedUp, look_up_home, read_digits, read_room_parts
from billing.people import Follower
from billing.property import Community
from handlers.pages.viewer import Viewer, welcome_anyone
from handlers.services import Services
from notify.links import HomeRef

COMMUNITIES_LISTED_MAX = 50


def find(services: Services) -> ResponseReturnValue:
    """`GET /o/find`: the form; `?community=<code>` chooses one."""
    viewer = welcome_anyone(services)
    return _show(services, viewer, request.args.get("community", ""))


def find_home(services: Services) -> ResponseReturnValue:
    """`POST /o/find`: on to the page that pays for the home, or the form again with a sentence."""
    viewer = welcome_anyone(services)
    code, room = request.form.get("community", ""), request.form.get("room", "")
    digits = read_digits(request.form.get("digits", ""))
    if digits is None or not read_room_parts(room):
        return _show(services, viewer, code, room, "incomplete"), 422
    with services.database.transaction() as session:
        community = session.scalar(select(Community).where(Community.code == code))
        if community is not None:
            lookup = look_up_home(
                session,
                services.vault,
                community=community,
                typed_room=room,
                digits=digits,
                payer=viewer.name,
                now=services.clock(),
            )
    if community is None:
        return _show(services, viewer, code, room, "no_community"), 422
    if lookup.unit_id is None:
        locked = lookup.outcome is LookedUp.LOCKED
        return _show(services, viewer, code, room, lookup.outcome.value), 429 if locked else 422
    token = services.links.home_token(HomeRef(community.id, lookup.unit_id))
    return redirect(url_for("pages.scan", token=token), 303)


def _show(
    services: Services, viewer: Viewer, code: str, room: str = "", answer: str | None = None
) -> str:
    with services.database.transaction() as session:
        communities = list(
            session.scalars(select(Community).order_by(Community.id).limit(COMMUNITIES_LISTED_MAX))
        )
        own = _community_of(session, viewer)
    return render_template(
        "pages/find.html",
        communities=communities,
        chosen=code or own,
        room=room,
        answer=answer,
        tries=TRIES_MAX,
    )


def _community_of(session: Session, viewer: Viewer) -> str | None:
    """Code of the community in which the viewer has his own home."""
    follower_id = session.scalar(select(Follower.id).where(Follower.openid == viewer.openid))
    homes = list_homes(session, follower_id) if follower_id is not None else []
    return session.get_one(Community, homes[0].community_id).code if homes else None
