"""create_app: where the sandbox's parts meet."""

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from sandbox.account.credentials import Credentials
from sandbox.account.office import Office
from sandbox.account.refusals import ApiError
from sandbox.account.routes import account_routes
from sandbox.alipay import AlipayBook, alipay_control_routes, alipay_routes
from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.faults import Faults
from sandbox.ids import MessageIds
from sandbox.pay import PayBook, pay_routes
from sandbox.phone.acts import Acts
from sandbox.phone.control import control_routes, world_routes
from sandbox.phone.h5_page import h5_routes
from sandbox.phone.pages import page_routes
from sandbox.phone.pay_control import pay_control_routes
from sandbox.phone.payer import Payer
from sandbox.phone.people import OPENID_PATTERN
from sandbox.phone.webview import WebView
from sandbox.push.courier import ANSWER_WITHIN_S, Courier
from sandbox.push.line import Lines
from sandbox.push.pusher import Pusher
from sandbox.sms import SmsDesk, sms_routes
from sandbox.store import Store
from sandbox.visitor import Visitors, visitor_routes

BODY_BYTES_MAX = 10_000_000


class _OpenidConverter(BaseConverter):
    regex = OPENID_PATTERN


class Sandbox:
    """The living parts behind the app, which must be stopped."""

    def __init__(
        self, config: SandboxConfig, clock: Clock, answer_within_s: float = ANSWER_WITHIN_S
    ):
        self.config = config
        self.clock = clock
        self.faults = Faults()
        self.store = Store(config.state_file)
        self.lines = Lines()
        self.book = PayBook(config, self.clock, self.faults, config.state_file)
        self.alipay = AlipayBook(config, self.clock, self.faults, self.store, self.book.calendar)
        ids = MessageIds(self.clock)
        courier = Courier(f"{config.service_url}/wechat", answer_within_s)
        pusher = Pusher(config.account, self.clock, courier)
        self.acts = Acts(self.store, self.clock, ids, pusher, self.lines, self.faults)
        self.office = Office(
            config,
            self.clock,
            self.store,
            ids,
            self.acts.report_delivery,
            self.acts.report_subscription,
        )
        self.sms = SmsDesk(config, self.clock, self.store, ids, self.lines, self.faults)
        self.webview = WebView(config, self.store, self.clock)

    def stop(self) -> None:
        """Stop the threads and close the state file."""
        self.lines.stop()
        self.book.stop()
        self.alipay.stop()
        self.store.close()


def create_app(config: SandboxConfig) -> Flask:
    """Make the sandbox's app, with threads of its own; one per process."""
    return make_app(Sandbox(config, Clock(config.clock_rate)))


def make_app(sandbox: Sandbox) -> Flask:
    """Put the sandbox's routes together."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # of DefaultJSONProvider
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["openid"] = _OpenidConverter
    config, store, book = sandbox.config, sandbox.store, sandbox.book
    alipay = sandbox.alipay
    credentials = Credentials(config.account, sandbox.clock)
    payer = Payer(sandbox.webview, book, config.service_url)
    for blueprint in (
        account_routes(sandbox.office, credentials, store, sandbox.faults),
        pay_routes(book),
        control_routes(sandbox.acts, payer, store),
        pay_control_routes(book),
        h5_routes(book),
        alipay_routes(alipay),
        alipay_control_routes(alipay),
        visitor_routes(Visitors(config, (book, alipay))),
        sms_routes(sandbox.sms),
        world_routes(config, sandbox.office, (book, alipay), sandbox.faults),
        page_routes(config, store, sandbox.clock, sandbox.webview, book),
    ):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _refuse)
    return app


def _refuse(error: HTTPException) -> tuple[Response, int] | HTTPException:
    """Answer what fits no route: in WeChat's words on its API, in JSON on the control API."""
    if request.url_rule is None and request.path.startswith(("/cgi-bin/", "/sns/")):
        return jsonify(ApiError(40066).body()), 200
    return jsonify({"error": error.description or error.name}), error.code or 500
