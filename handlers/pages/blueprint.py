"""The routes of owners' pages, in one table, and what all of them have in common."""

from collections.abc import Callable
from functools import partial, update_wrapper

import structlog
from flask import Blueprint, Response, render_template, url_for
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError

from handlers.pages import (
    arrears,
    broadcasts,
    fapiao,
    find,
    homes,
    pay,
    prepayment,
    ratings,
    receipts,
    records,
    results,
    scan,
    sign_in,
)
from handlers.pages.opens import note_opened
from handlers.pages.places import here
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.viewer import SignInNeeded, in_wechat, lead_to_sign_in, signed_in
from handlers.receipt_paper import capital
from handlers.services import Services
from notify.wording import TEMPLATES, last_day

View = Callable[..., ResponseReturnValue]
log = structlog.get_logger(__name__)

ROUTES: tuple[tuple[str, str, View], ...] = (
    ("GET", "/", homes.index),
    ("GET", "/home/<token>", homes.home),
    ("GET", "/bill/<token>", homes.bill),
    ("GET", "/scan/<token>", scan.scan),
    ("GET", "/find", find.find),
    ("POST", "/find", find.find_home),
    ("GET", "/prepayment/<token>", prepayment.prepayment),
    ("POST", "/prepayment/<token>", prepayment.deduct),
    ("POST", "/pay", pay.pay),
    ("GET", "/pay", pay.pay_reopened),
    ("GET", "/paid/<token>", results.paid),
    ("GET", "/history/<token>", records.history),
    ("GET", "/tariffs/<token>", records.tariffs),
    ("GET", "/receipt/<token>", receipts.receipt),
    ("GET", "/verify/<token>", receipts.verify),
    ("GET", "/rate/<token>", ratings.show_rating),
    ("POST", "/rate/<token>", ratings.send_rating),
    ("GET", "/fapiao/<token>", fapiao.fapiao),
    ("GET", "/fapiao/<token>/file", fapiao.fapiao_file),
    ("GET", "/arrears/<token>", arrears.arrears),
    ("GET", "/notice/<token>", broadcasts.notice),
    ("GET", "/enter", sign_in.enter),
    ("GET", "/sign-in", sign_in.sign_in),
    ("GET", "/sign-in/status", sign_in.sign_in_status),
    ("POST", "/sign-out", sign_in.sign_out),
)
"""Method, path under `/o`, view. A view gets the services and what the path names."""


def pages(services: Services) -> Blueprint:
    """Blueprint of owners' pages, mounted at `/o`."""
    blueprint = Blueprint("pages", __name__, template_folder=str(TEMPLATES))
    for method, path, view in ROUTES:
        bound = update_wrapper(partial(view, services), view)
        blueprint.add_url_rule(path, view.__name__, bound, methods=[method])
    blueprint.register_error_handler(SignInNeeded, partial(lead_to_sign_in, services))
    blueprint.register_error_handler(Refused, _refused)
    blueprint.register_error_handler(RedisError, _sign_in_away)
    blueprint.after_request(partial(note_opened, services))
    blueprint.after_request(_keep_private)
    blueprint.context_processor(partial(_about_viewer, services))
    blueprint.add_app_template_filter(capital, "capital")
    blueprint.add_app_template_filter(last_day, "last_day")
    return blueprint


def _about_viewer(services: Services) -> dict[str, object]:
    """What every page knows of who looks at it."""
    return {
        "place": here().value,
        "in_wechat": in_wechat(),
        "subscribe_page": services.subscribe_page if in_wechat() else None,
        "is_known": signed_in(services.clock()) is not None,
    }


def _refused(refused: Refused) -> tuple[str, int]:
    refusal = refused.refusal
    page = render_template("pages/refused.html", refusal=refusal.key, back=refused.back)
    return page, refusal.status


def _sign_in_away(error: RedisError) -> tuple[str, int]:
    """Only the sign-in by scanning cannot do without Redis."""
    log.warning("sign_in_away", reason=type(error).__name__)
    return _refused(Refused(Refusal.SIGN_IN_AWAY, url_for("pages.sign_in")))


def _keep_private(response: Response) -> Response:
    """Nobody who borrows the phone finds a bill in a cache."""
    response.headers["Cache-Control"] = "no-store"
    return response
