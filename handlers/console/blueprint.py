"""The one door in front of the console's routes: who is it, may he, one transaction, what he did
written down.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial, update_wrapper
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.db import expect_lists
from billing.errors import NotFound
from billing.property import Community
from billing.staff_access import SignedIn, find_session
from handlers.console import sign_in
from handlers.console.desk import Desk, Outside
from handlers.console.logged import log_action
from handlers.console.permissions import PERMISSIONS
from handlers.console.routes import ROUTES, Route
from handlers.services import Services

ERRORS_FROM = 400
NUL = chr(0)
"""No key types it, and the database takes no text with it."""

NUMBER_MAX = (1 << 63) - 1
"""The database counts no further."""

MAY_KEEP_PASSWORD = ("account_show", "account_change", "account_sign_out")
"""Where somebody with a temporary password may go before he chose his own."""


def console(services: Services) -> Blueprint:
    """The staff console, to be registered under /console."""
    blueprint = Blueprint("console", __name__)
    for view, method in ((sign_in.show, "GET"), (sign_in.enter, "POST")):
        bound: Callable[..., ResponseReturnValue] = update_wrapper(partial(view, services), view)
        name = f"sign_in_{view.__name__}"
        blueprint.add_url_rule("/sign-in", name, bound, methods=[method])
    for route in ROUTES:
        answer = update_wrapper(partial(_answer, services, route), route.view)
        blueprint.add_url_rule(route.rule, route.name, answer, methods=[route.method])
    sizes = {f"console.{route.name}": route.upload_bytes for route in ROUTES if route.upload_bytes}
    blueprint.url_value_preprocessor(partial(_let_files_in, sizes))
    blueprint.after_request(_keep_private)
    return blueprint


def _let_files_in(sizes: Mapping[str, int], endpoint: str | None, _values: Any) -> None:
    """Larger forms where files are uploaded, for whoever signed in; set before the form is read."""
    size = sizes.get(endpoint or "")
    if size is not None and sign_in.TOKEN in session:
        request.max_content_length = size


def _answer(services: Services, route: Route, **values: object) -> ResponseReturnValue:
    """One request: everything it does is done, and written down, or nothing is."""
    if any(NUL in text for text in _texts()):
        abort(400)
    now = services.clock()
    with services.database.transaction() as books:
        expect_lists(books)
        token = session.get(sign_in.TOKEN)
        found = _who(books, token, now, is_click=not route.asks_itself)
        if found is None:
            return _to_sign_in()
        if found.must_change and route.name not in MAY_KEEP_PASSWORD:
            return redirect(url_for("console.account_show"))
        if route.permission and route.permission not in PERMISSIONS[found.staff.role]:
            abort(403)
        if any(isinstance(value, int) and value > NUMBER_MAX for value in values.values()):
            abort(404)
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
            answer = route.view(desk, **values)
        except NotFound:
            abort(404)
        outside = answer if isinstance(answer, Outside) else None
        response = make_response("" if isinstance(answer, Outside) else answer)
        is_logged = outside is None or outside.is_logged
        if request.method == "POST" and is_logged and response.status_code < ERRORS_FROM:
            log_action(desk, books)
    for left in desk.afterwards:
        left()
    return response if outside is None else outside.act()


def _texts() -> Iterator[str]:
    """Everything that was sent: names as well as values, each as often as it is there."""
    yield request.path
    for sent in (request.args, request.form):
        for name, text in sent.items(multi=True):
            yield from (name, text)
    for name, file in request.files.items(multi=True):
        yield from (name, file.filename or "")


def _who(books: Session, token: object, now: datetime, *, is_click: bool) -> SignedIn | None:
    if not isinstance(token, str):
        return None
    return find_session(books, token, now, is_click=is_click)


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


def _keep_private(response: Response) -> Response:
    """Nobody who sits down at the same computer finds a page in its cache."""
    response.headers["Cache-Control"] = "no-store"
    return response
