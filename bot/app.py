"""The web application: blueprints, security headers, error pages, health and metrics."""

import secrets
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Flask, Response, abort, g, jsonify, render_template, request, session
from flask_compress import Compress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFError, CSRFProtect
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    TooManyRequests,
)
from werkzeug.middleware.proxy_fix import ProxyFix

from bot.program import Program
from bot.webhook import webhook
from handlers.api import api, caller, problem
from handlers.callbacks import callbacks, sms_reports
from handlers.console import console
from handlers.console.filters import FILTERS as CONSOLE_FILTERS
from handlers.console.filters import TESTS as CONSOLE_TESTS
from handlers.pages import pages
from handlers.pages.viewer import OPENID
from notify.wording import FILTERS, TEMPLATES

API = "/api/v1"
REQUEST_BYTES_MAX = 64 * 1024
PAGES_RATE = "300/minute"
"""Of one address, all owners' pages together; many phones share the address of a carrier."""

SIGN_IN_RATE = "20/minute"
"""Of one address: every fresh code to scan costs a call to WeChat."""

OPEN_PAGES_RATE = "60/minute"
"""Of one address: pages that need no sign-in outside WeChat, so that nobody walks through homes."""

FIND_RATE = "60/hour"
"""Of one address, tries to find a home without being signed in: a browser may have five, and is
another one as soon as it forgets its cookie.
"""

ENTER_RATE = "20/minute"
"""Of one address, tries to sign in to the console: each costs a password hash."""

API_ADDRESS_RATE = "3000/minute"
"""Of one address, whatever tokens it sends: one may be invented for every call."""

API_RATE = "600/minute"
"""Of one token; without one, of one address."""

OPEN_PAGES = ("pages.scan", "pages.find", "pages.find_home")

IPV6_NETWORK_BITS = 64
"""What a provider gives a single customer, at least."""

PAGES_AT_ONCE_MAX = 12
"""Of the 16 threads of `serve`. A page may wait for WeChat or for the payment provider; when those
are slow on the day of the bills, pushes and payment callbacks still find a thread.
"""

log = structlog.get_logger(__name__)


def create_app(program: Program) -> Flask:
    """The WSGI application of the service."""
    settings = program.settings
    app = Flask(
        "mingzhang",
        template_folder=str(TEMPLATES),
        static_folder=str(TEMPLATES.parent / "handlers" / "static"),
        static_url_path="/static",
    )
    secure = settings.base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="__Host-session" if secure else "session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        MAX_CONTENT_LENGTH=REQUEST_BYTES_MAX,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.jinja_env.filters.update(FILTERS | CONSOLE_FILTERS)
    app.jinja_env.tests.update(CONSOLE_TESTS)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    Compress(app)
    Talisman(
        app,
        force_https=False,  # the proxy in front ends TLS
        strict_transport_security=secure,
        session_cookie_secure=secure,
        content_security_policy={
            "default-src": "'self'",
            "img-src": ["'self'", "data:", _origin(settings.wechat_qr_base)],
            "frame-ancestors": "'self'",
            "form-action": "'self'",
            "base-uri": "'none'",
        },
        referrer_policy="no-referrer",
    )
    csrf = CSRFProtect(app)
    door = webhook(program.services, settings, program.registry)
    money_in = callbacks(program.services, program.registry)
    told = sms_reports(program.services, program.registry)
    others = api(program.services)
    for machine_door in (door, money_in, told, others):
        csrf.exempt(machine_door)
    app.register_blueprint(door)
    app.register_blueprint(money_in, url_prefix="/callbacks")
    app.register_blueprint(told, url_prefix="/callbacks")
    owner_pages = pages(program.services)
    _bound_pages_at_once(owner_pages)
    app.register_blueprint(owner_pages, url_prefix="/o")
    app.register_blueprint(console(program.services), url_prefix="/console")
    app.register_blueprint(others, url_prefix=API)
    _limit_rates(app, owner_pages, others, program.services.redis)
    _add_operations(app, program)
    _add_error_pages(app)
    if settings.proxies:
        # Each proxy appends to X-Forwarded-For; of the scheme only the last one's word counts.
        proxied = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=1)
        app.wsgi_app = proxied  # type: ignore[method-assign]
    return app


def _limit_rates(app: Flask, owner_pages: Blueprint, others: Blueprint, redis: Redis) -> None:
    """Limit what one visitor may ask for; counted in Redis, or here while Redis is down.

    A signed-in viewer is counted by himself: a whole estate may stand behind one address.
    """
    limiter = Limiter(
        _address,
        app=app,
        storage_uri="redis://",  # only says what kind of store; the pool knows where it is
        storage_options={"connection_pool": redis.connection_pool},  # type: ignore[dict-item]
        key_prefix="rate",
        in_memory_fallback_enabled=True,
    )
    limiter.shared_limit(PAGES_RATE, scope="pages", key_func=_visitor)(owner_pages)
    # Addresses first: once one has called too often, its tokens are not even counted.
    limiter.shared_limit(API_ADDRESS_RATE, scope="api addresses")(others)
    limiter.shared_limit(API_RATE, scope="api", key_func=_system)(others)
    rates = [
        ("pages.sign_in", SIGN_IN_RATE, _address),
        ("console.sign_in_enter", ENTER_RATE, _address),
        ("pages.find_home", FIND_RATE, _visitor),
        *((view, OPEN_PAGES_RATE, _address) for view in OPEN_PAGES),
    ]
    for view, rate, key in rates:
        limited = limiter.limit(rate, key_func=key, override_defaults=False)
        app.view_functions[view] = limited(app.view_functions[view])  # type: ignore[assignment]


def _address() -> str:
    """Where a visitor is. Of IPv6 his network: he may choose any of its 2**64 addresses."""
    given = get_remote_address()
    try:
        found = ip_address(given)
    except ValueError:  # a proxy may write anything
        return given
    if not isinstance(found, IPv6Address):
        return given
    return str(found.ipv4_mapped or ip_network((int(found), IPV6_NETWORK_BITS), strict=False))


def _visitor() -> str:
    openid = session.get(OPENID)
    return f"viewer {openid}" if openid else _address()


def _system() -> str:
    """The same token is counted wherever it comes from; Redis does not learn it."""
    secret = caller()
    return sha256(secret.encode()).hexdigest() if secret else _address()


def _bound_pages_at_once(owner_pages: Blueprint) -> None:
    """Turn a page away when too many are being made already; its visitor is told to come back."""
    places = BoundedSemaphore(PAGES_AT_ONCE_MAX)

    @owner_pages.before_request
    def take_place() -> None:
        if not places.acquire(blocking=False):
            abort(503)
        g.has_place = True

    @owner_pages.teardown_request
    def give_place_back(_error: BaseException | None) -> None:
        if g.pop("has_place", False):
            places.release()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _add_operations(app: Flask, program: Program) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        parts = {"database": _database_answers(program), "redis": _redis_answers(program)}
        well = all(parts.values())
        answer = jsonify(status="ok" if well else "down", parts=parts)
        answer.status_code = 200 if well else 503
        return answer

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(program.registry), content_type=CONTENT_TYPE_LATEST)


def _database_answers(program: Program) -> bool:
    try:
        with program.services.database.transaction() as session:
            session.execute(text("SELECT 1 FROM community LIMIT 1"))
    except SQLAlchemyError:
        return False
    return True


def _redis_answers(program: Program) -> bool:
    try:
        return bool(program.services.redis.ping())
    except RedisError:
        return False


def _add_error_pages(app: Flask) -> None:
    @app.errorhandler(CSRFError)
    def expired_form(error: CSRFError) -> tuple[str, int]:
        return render_template("errors/expired.html"), 400

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Any:
        if request.path.startswith(("/wechat", "/callbacks", "/static")):
            return error
        status = error.code or 500
        if request.path.startswith(f"{API}/"):
            return _refuse_system(error, status)
        return render_template("errors/error.html", status=status, reference=None), status

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Any:
        """A person gets a sentence and a number; the operator gets the traceback under it."""
        reference = secrets.token_hex(4).upper()
        log.exception("request_failed", reference=reference, path=request.path, exc_info=error)
        if request.path.startswith(("/wechat", "/callbacks")):
            return f"failed, reference {reference}", InternalServerError.code
        if request.path.startswith(f"{API}/"):
            detail = "something went wrong here; nothing was done"
            return problem(InternalServerError.code, detail, reference=reference)
        return render_template("errors/error.html", status=500, reference=reference), 500


def _refuse_system(error: HTTPException, status: int) -> Response:
    """What the web server refuses, in the manner of the API."""
    headers = {}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = "60"
    return problem(status, error.description or error.name, headers=headers)
