"""The web application: blueprints, security headers, error pages, health and metrics."""

import secrets
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, jsonify, render_template, request
from flask_compress import Compress
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFError, CSRFProtect
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, InternalServerError

from bot.program import Program
from bot.webhook import webhook
from handlers.callbacks import callbacks
from handlers.pages import pages
from notify.wording import FILTERS, TEMPLATES

REQUEST_BYTES_MAX = 64 * 1024
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
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        MAX_CONTENT_LENGTH=REQUEST_BYTES_MAX,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.jinja_env.filters.update(FILTERS)
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
    for machine_door in (door, money_in):
        csrf.exempt(machine_door)
    app.register_blueprint(door)
    app.register_blueprint(money_in, url_prefix="/callbacks")
    app.register_blueprint(pages(program.services), url_prefix="/o")
    _add_operations(app, program)
    _add_error_pages(app)
    return app


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
        return render_template("errors/error.html", status=status, reference=None), status

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[str, int]:
        """A person gets a sentence and a number; the operator gets the traceback under it."""
        reference = secrets.token_hex(4).upper()
        log.exception("request_failed", reference=reference, path=request.path, exc_info=error)
        if request.path.startswith(("/wechat", "/callbacks")):
            return f"failed, reference {reference}", InternalServerError.code
        return render_template("errors/error.html", status=500, reference=reference), 500
