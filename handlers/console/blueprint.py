"""The routes of the console, in one table; and the one door in front of them: who is it, may he,
one transaction, what he did written down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, update_wrapper

from flask import Blueprint, Response, abort, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.audit import audit
from billing.errors import NotFound
from billing.property import Community
from billing.staff_access import SignedIn, find_session
from handlers.console import (
    account,
    approvals,
    codes,
    homes,
    homes_bill,
    homes_deposits,
    homes_people,
    homes_statement,
    homes_terms,
    members,
    overview,
    sign_in,
)
from handlers.console.desk import Desk
from handlers.console.permissions import PERMISSIONS, Permission
from handlers.services import Services

View = Callable[..., ResponseReturnValue]
SECRET_FIELDS = frozenset({"csrf_token", "password", "old", "new", "again", "totp"})
PERSONAL_FIELDS = frozenset({"person_name", "person_phone"})
"""Kept sealed in the books, so not in the log."""
ERRORS_FROM = 400
NUL = chr(0)
"""No key types it, and the database takes no text with it."""


@dataclass(frozen=True, slots=True)
class Route:
    """A page or an order of the console.

    Attributes:
        rule: of the address; `<code>` is the community's.
        permission: what it takes; None: to be signed in.
    """

    method: str
    rule: str
    view: View
    permission: Permission | None

    @property
    def name(self) -> str:
        """Name of the endpoint: module and function."""
        return f"{self.view.__module__.rpartition('.')[2]}_{self.view.__name__}"


ROUTES: tuple[Route, ...] = (
    Route("GET", "/", overview.index, None),
    Route("GET", "/account", account.show, None),
    Route("POST", "/account/password", account.change, None),
    Route("POST", "/account/sessions/<int:number>/end", account.end, None),
    Route("POST", "/sign-out", account.sign_out, None),
    Route("GET", "/staff", members.index, Permission.STAFF),
    Route("GET", "/staff/new", members.new, Permission.STAFF),
    Route("POST", "/staff/new", members.add, Permission.STAFF),
    Route("GET", "/staff/<int:number>", members.show, Permission.STAFF),
    Route("POST", "/staff/<int:number>", members.change, Permission.STAFF),
    Route("POST", "/staff/<int:number>/account", members.issue, Permission.STAFF),
    Route("POST", "/staff/<int:number>/leave", members.leave, Permission.STAFF),
    Route("GET", "/audit", members.log, Permission.AUDIT),
    Route("GET", "/<code>/", overview.community, Permission.LOOK),
    Route("GET", "/<code>/homes", homes.index, Permission.LOOK),
    # Homes, people and accounts
    Route("GET", "/<code>/homes/<int:number>", homes.show, Permission.LOOK),
    Route("GET", "/<code>/homes/<int:number>/bills", homes_bill.index, Permission.LOOK),
    Route("GET", "/<code>/homes/<int:number>/statement", homes_statement.show, Permission.LOOK),
    Route("GET", "/<code>/bills/<int:number>", homes_bill.show, Permission.LOOK),
    Route("GET", "/<code>/bills/<int:number>/paper", homes_bill.paper, Permission.LOOK),
    Route("POST", "/<code>/bills/<int:number>/adjust", homes_bill.adjust, Permission.CORRECT),
    Route("POST", "/<code>/bills/<int:number>/reverse", homes_bill.reverse, Permission.CORRECT),
    Route("POST", "/<code>/bills/<int:number>/share", homes_bill.share, Permission.CORRECT),
    Route("GET", "/<code>/homes/<int:number>/deposits", homes_deposits.show, Permission.LOOK),
    Route("POST", "/<code>/homes/<int:number>/deposits", homes_deposits.take, Permission.COLLECT),
    Route(
        "POST", "/<code>/homes/<int:number>/deposits/give", homes_deposits.give, Permission.COLLECT
    ),
    Route("GET", "/<code>/homes/<int:number>/people", homes_people.show, Permission.LOOK),
    Route(
        "POST", "/<code>/homes/<int:number>/people/reveal", homes_people.reveal, Permission.PERSONAL
    ),
    Route("POST", "/<code>/homes/<int:number>/people", homes_people.enter, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/people/leave", homes_people.leave, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/hand-over", homes_people.hand, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/unbind", homes_people.unbind, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/code", homes_people.code, Permission.PEOPLE),
    Route("GET", "/<code>/homes/<int:number>/terms", homes_terms.show, Permission.LOOK),
    Route("POST", "/<code>/homes/<int:number>/freeze", homes_terms.stop, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/unfreeze", homes_terms.resume, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/discount", homes_terms.grant, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/price", homes_terms.price, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/terms/end", homes_terms.end, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/deduction", homes_terms.deduct, Permission.CORRECT),
    Route("GET", "/<code>/approvals", approvals.index, Permission.LOOK),
    Route(
        "POST",
        "/<code>/approvals/adjustments/<int:number>",
        approvals.adjustment,
        Permission.APPROVE,
    ),
    Route("POST", "/<code>/approvals/bindings/<int:number>", approvals.binding, Permission.PEOPLE),
    Route("GET", "/<code>/codes", codes.new, Permission.PEOPLE),
    Route("POST", "/<code>/codes", codes.make, Permission.PEOPLE),
)
MAY_KEEP_PASSWORD = ("account_show", "account_change", "account_sign_out")
"""Where somebody with a temporary password may go before he chose his own."""


def console(services: Services) -> Blueprint:
    """The staff console, to be registered under /console."""
    blueprint = Blueprint("console", __name__)
    for view, method in ((sign_in.show, "GET"), (sign_in.enter, "POST")):
        bound: View = update_wrapper(partial(view, services), view)
        name = f"sign_in_{view.__name__}"
        blueprint.add_url_rule("/sign-in", name, bound, methods=[method])
    for route in ROUTES:
        answer = update_wrapper(partial(_answer, services, route), route.view)
        blueprint.add_url_rule(route.rule, route.name, answer, methods=[route.method])
    blueprint.after_request(_keep_private)
    return blueprint


def _answer(services: Services, route: Route, **values: object) -> ResponseReturnValue:
    """One request: everything it does is done, and written down, or nothing is."""
    if any(NUL in text for text in (request.path, *request.values.values())):
        abort(400)
    now = services.clock()
    with services.database.transaction() as books:
        token = session.get(sign_in.TOKEN)
        found = find_session(books, token, now) if isinstance(token, str) else None
        if found is None:
            return _to_sign_in()
        if found.must_change and route.name not in MAY_KEEP_PASSWORD:
            return redirect(url_for("console.account_show"))
        if route.permission and route.permission not in PERMISSIONS[found.staff.role]:
            abort(403)
        communities = _communities(books, found)
        code = values.pop("code", None)
        desk = Desk(
            session=books,
            services=services,
            staff=found.staff,
            session_id=found.session_id,
            now=now,
            communities=communities,
            _community=_named(communities, str(code)) if code is not None else None,
        )
        try:
            response = make_response(route.view(desk, **values))
        except NotFound:
            abort(404)
        if request.method == "POST" and response.status_code < ERRORS_FROM:
            _write_down(desk, route)
        return response


def _to_sign_in() -> ResponseReturnValue:
    if request.method != "GET":
        abort(401)
    session[sign_in.BACK] = request.full_path.rstrip("?")
    return redirect(url_for("console.sign_in_show"))


def _communities(books: Session, found: SignedIn) -> list[Community]:
    """Those this member of staff works for."""
    query = select(Community).order_by(Community.code)
    if found.staff.community_id is not None:
        query = query.where(Community.id == found.staff.community_id)
    return list(books.scalars(query))


def _named(communities: list[Community], code: str) -> Community:
    """Of another's community he does not even learn that it is one."""
    found = next((one for one in communities if one.code == code), None)
    if found is None:
        abort(404)
    return found


def _write_down(desk: Desk, route: Route) -> None:
    audit(
        desk.session,
        staff_id=desk.staff.id,
        community_id=desk.community_id if "<code>" in route.rule else None,
        action=route.name,
        subject=request.path,
        detail={
            name: text
            for name, text in request.form.items()
            if name not in SECRET_FIELDS | PERSONAL_FIELDS
        },
        address=request.remote_addr or "",
        now=desk.now,
    )


def _keep_private(response: Response) -> Response:
    """Nobody who sits down at the same computer finds a page in its cache."""
    response.headers["Cache-Control"] = "no-store"
    return response
