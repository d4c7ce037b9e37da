"""The one door of the API: whose token is it, may it, one transaction, what it did written down."""

import json
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any

import orjson
from flask import Blueprint, Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.api_access import find_token, note_call
from billing.api_tables import ApiToken
from billing.errors import BillingError, Conflict, InvalidInput, NotFound
from billing.property import Community
from handlers.api.call import Call
from handlers.api.description import describe
from handlers.api.fields import read_object, read_query
from handlers.api.problems import problem
from handlers.api.routes import PLACES, ROUTES, Route
from handlers.services import Services

BEARER = "Bearer "
SECRET_CHARACTERS_MAX = 200
JSON = "application/json"


class _Refused(BillingError):
    """The call is not answered; the answer is."""

    def __init__(self, answer: Response) -> None:
        super().__init__(f"refused with {answer.status_code}")
        self.answer = answer


@dataclass(slots=True)
class _Who:
    """Whose call it is and about what, as far as we got; outlives its transaction."""

    token_id: int | None = None
    community_id: int | None = None


def api(services: Services) -> Blueprint:
    """The API, to be registered under /api/v1."""
    blueprint = Blueprint("api", __name__)
    described = orjson.dumps(describe(services.base_url))

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(described, mimetype=JSON)

    for route in ROUTES:
        answer = update_wrapper(partial(_answer, services, route), route.view)
        blueprint.add_url_rule(route.rule, route.name, answer, methods=[route.method])
    return blueprint


def caller() -> str | None:
    """What the caller says his token is; None when he says nothing. For counting calls."""
    given = request.headers.get("Authorization", "")
    secret = given.removeprefix(BEARER).strip()
    fits = given.startswith(BEARER) and 0 < len(secret) <= SECRET_CHARACTERS_MAX
    return secret if fits and secret.isascii() else None


def _answer(services: Services, route: Route, **values: Any) -> Response:
    """One call: everything it does is done, and written down, or nothing is but the refusal."""
    who = _Who()
    try:
        with services.database.transaction() as session:
            token = _token(services, session, route, who)
            call = _read(services, session, route, token, values, who)
            answer, status = route.view(call, **values)
            response = Response(orjson.dumps(answer), status, mimetype=JSON)
            _write_down(services, session, who, response)
            return response
    except BillingError as error:
        response = _refusal(error)
    with services.database.transaction() as session:
        _write_down(services, session, who, response)
    return response


def _token(services: Services, session: Session, route: Route, who: _Who) -> ApiToken:
    secret = caller()
    token = find_token(session, secret, services.clock()) if secret else None
    if token is None:
        raise _Refused(
            problem(
                401,
                "send `Authorization: Bearer <token>` with a token that was not revoked",
                headers={"WWW-Authenticate": "Bearer"},
            )
        )
    who.token_id = token.id
    if route.scope.value not in token.scopes:
        raise _Refused(problem(403, f"this token has no scope {route.scope.value}"))
    return token


def _read(
    services: Services,
    session: Session,
    route: Route,
    token: ApiToken,
    values: dict[str, Any],
    who: _Who,
) -> Call:
    """Everything that was sent, read; `values` loses the community."""
    for name, value in values.items():
        PLACES[name][0].read(name, value)
    code = values.pop("code", None)
    community = None
    if code is not None:
        community = session.scalar(select(Community).where(Community.code == code))
        if community is None or token.community_id not in (None, community.id):
            raise NotFound(f"no community {code!r} for this token")
        who.community_id = community.id
    given = read_query(route.query, request.args)
    if route.body:
        given |= read_object(route.body, _body())
    return Call(
        session=session,
        services=services,
        token=token,
        now=services.clock(),
        given=given,
        _community=community,
    )


def _body() -> Any:
    if request.mimetype != JSON:
        raise _Refused(problem(415, f"send a body of Content-Type {JSON}"))
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise _Refused(problem(400, "the body is not JSON")) from None


def _refusal(error: BillingError) -> Response:
    match error:
        case _Refused():
            return error.answer
        case InvalidInput():
            return problem(422, error.reason, field=error.field)
        case NotFound():
            return problem(404, str(error))
        case Conflict():
            return problem(409, str(error))
        case _:
            raise error


def _write_down(services: Services, session: Session, who: _Who, response: Response) -> None:
    """Of whom we do not know there is nothing to write down."""
    if who.token_id is None:
        return
    note_call(
        session,
        who.token_id,
        community_id=who.community_id,
        method=request.method,
        subject=request.full_path.rstrip("?").replace("\x00", "?"),
        status=response.status_code,
        address=request.remote_addr or "",
        now=services.clock(),
    )
