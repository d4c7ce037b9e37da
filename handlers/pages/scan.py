"""What a code on paper or a shared link opens: a home to pay for, wherever it is scanned."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from handlers.pages.homes import get_bill, show_home
from handlers.pages.queries import visit_home
from handlers.pages.viewer import Viewer, welcome_anyone
from handlers.services import Services
from notify.links import HomeRef


def scan(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/scan/<home or bill token>`: community, masked room and total, and the ways to pay it
    that are open where it was scanned. Who lives there goes on to his own page.
    """
    viewer = welcome_anyone(services)
    with services.database.transaction() as session:
        ref = _home_of(session, services, token)
        is_his = viewer.openid is not None and visit_home(session, viewer.openid, ref).bound
    if is_his:
        is_home = services.links.read_home(token) is not None
        return redirect(url_for("pages.home" if is_home else "pages.bill", token=token))
    return show_home(services, viewer, ref)


def _home_of(session: Session, services: Services, token: str) -> HomeRef:
    home = services.links.read_home(token)
    if home is not None:
        return home
    found = get_bill(session, services.links.read_bill(token))
    return HomeRef(found.community_id, found.unit_id)


def way_back(services: Services, viewer: Viewer, ref: HomeRef) -> str:
    """The page on which this viewer can pay for the home again."""
    name = "pages.scan" if viewer.openid is None else "pages.home"
    return url_for(name, token=services.links.home_token(ref))
