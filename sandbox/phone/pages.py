"""What a person sees: the phone page, the in-app browser, the cashier."""

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.account import scenes
from sandbox.account.menu import find_menu
from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.pay import PayBook, PayRefused
from sandbox.phone.addresses import is_sign_in
from sandbox.phone.control import BadRequestError, read_since, refuse_strangers
from sandbox.phone.inbox import list_messages
from sandbox.phone.people import find_phone
from sandbox.phone.rewrite import rewrite_page
from sandbox.phone.webview import Loaded, Visit, WebError, WebView
from sandbox.store import Store
from sandbox.wording import say

RECENT_CODES_S = 15 * 60
_PASSED_ON = (
    *("content-type", "content-disposition", "content-language", "cache-control"),
    *("referrer-policy", "x-content-type-options"),
)
_OWN_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'"
# The in-app browser is a frame here, so what forbids framing or plain http has to go.
_NOT_IN_A_FRAME = ("frame-ancestors", "upgrade-insecure-requests")


def page_routes(
    config: SandboxConfig, store: Store, clock: Clock, webview: WebView, book: PayBook
) -> Blueprint:
    """Give the blueprint of everything a person looks at."""
    blueprint = Blueprint("pages", __name__)
    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(BadRequestError)
    def refuse(error: BadRequestError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.get("/")
    def home() -> AnyResponse:
        return redirect("/phone/")

    @blueprint.get("/phone/")
    def phone() -> Response:
        page = make_response(render_template("phone.html", account=config.account))
        page.headers["Content-Security-Policy"] = _OWN_POLICY
        return page

    @blueprint.get("/q/<path>")
    def scanned(path: str) -> tuple[str, int] | AnyResponse:
        """Offer a QR code somebody opened in a browser to the phone page."""
        with store.transaction() as db:
            code = scenes.find_path(db, path)
        if code is None:
            return render_template("only_in_wechat.html"), 404
        return redirect(f"/phone/#scan={code.scene}")

    _add_chat(blueprint, store, clock)
    _add_browser(blueprint, webview)
    _add_cashier(blueprint, book)
    return blueprint


def _add_chat(blueprint: Blueprint, store: Store, clock: Clock) -> None:
    @blueprint.get("/phone/<openid:openid>/chat")
    def chat(openid: str) -> Response:
        """Give what the phone page polls: new messages of both sides, following, the menu."""
        with store.transaction() as db:
            phone = find_phone(db, openid)
            messages = list_messages(db, openid, read_since())
            buttons = find_menu(db)
        return jsonify(
            {
                "follows": bool(phone and phone.follows),
                "menu": buttons,
                "messages": [message.to_json() for message in messages],
            }
        )

    @blueprint.get("/codes")
    def codes() -> Response:
        """Give the living QR codes made lately, for the phone page's scanner."""
        now = clock.now().timestamp()
        with store.transaction() as db:
            recent = scenes.list_recent(db, now, RECENT_CODES_S)
        shown = [{"scene": code.scene, "age_s": round(now - code.created_at)} for code in recent]
        return jsonify({"codes": shown})


def _add_browser(blueprint: Blueprint, webview: WebView) -> None:
    @blueprint.get("/phone/<openid:openid>/open")
    def open_address(openid: str) -> AnyResponse | tuple[str, int]:
        """Open any absolute address in the in-app browser."""
        url = request.args.get("url", "")
        addresses = webview.addresses(openid)
        try:
            if is_sign_in(url):
                url = webview.sign_in(openid, url)
        except WebError as error:
            return _notice("web.sign_in_refused", str(error))
        if not addresses.is_service(url):
            return _notice("web.outside", url)
        return redirect(addresses.inside(url))

    @blueprint.route("/phone/<openid:openid>/web/", defaults={"path": ""}, methods=["GET", "POST"])
    @blueprint.route("/phone/<openid:openid>/web/<path:path>", methods=["GET", "POST"])
    def web(openid: str, path: str) -> AnyResponse | tuple[str, int]:
        """Show the service's page as WeChat's browser would."""
        addresses = webview.addresses(openid)
        wanted = str(request.environ.get("RAW_URI") or request.full_path.removesuffix("?"))
        del path  # the address must reach the service as it was written, still escaped
        visit = Visit(
            url=addresses.outside(wanted.removeprefix(addresses.prefix)),
            method=request.method,
            body=request.get_data(),
            headers=_asked(addresses.prefix, addresses.service_url),
        )
        try:
            loaded = webview.load(openid, visit)
        except WebError as error:
            return _notice("web.unreachable", str(error))
        return _answer(openid, webview, loaded)


def _asked(prefix: str, service_url: str) -> dict[str, str]:
    """Give the request headers a browser would send to the service itself."""
    asked = {
        name: value
        for name, value in request.headers.items()
        if name in ("Accept", "Content-Type")
        or (name.startswith("X-") and not name.startswith(("X-Forwarded", "X-Real")))
    }
    if "Origin" in request.headers:
        asked["Origin"] = service_url
    before, found, path = request.headers.get("Referer", "").partition(prefix)
    if found and before.count("/") == 2:
        asked["Referer"] = service_url + path
    return asked


def _answer(openid: str, webview: WebView, loaded: Loaded) -> AnyResponse | tuple[str, int]:
    addresses = webview.addresses(openid)
    target = loaded.redirect
    if target is not None and is_sign_in(target):
        try:
            target = webview.sign_in(openid, target)
        except WebError as error:
            return _notice("web.sign_in_refused", str(error))
    body = loaded.body
    if loaded.is_html:
        body = rewrite_page(loaded.text, addresses.rewrite).encode()
    headers = {name: loaded.headers[name] for name in _PASSED_ON if name in loaded.headers}
    policy = loaded.headers.get("content-security-policy")
    if policy:
        headers["content-security-policy"] = frameable(policy)
    if target is not None:
        headers["location"] = addresses.inside(target)
    return Response(body, loaded.status, headers)


def frameable(policy: str) -> str:
    """Give a content security policy without the directives that forbid the phone's frame."""
    kept = [part.strip() for part in policy.split(";") if part.strip()]
    return "; ".join(part for part in kept if part.split()[0].lower() not in _NOT_IN_A_FRAME)


def _notice(name: str, detail: str) -> tuple[str, int]:
    return render_template("notice.html", text=say(name), detail=detail), 502


def _add_cashier(blueprint: Blueprint, book: PayBook) -> None:
    @blueprint.post("/phone/<openid:openid>/cashier/open")
    def open_cashier(openid: str) -> tuple[Response, int]:
        """Show what is to be paid, for a page's getBrandWCPayRequest parameters."""
        params = request.get_json(silent=True)
        if not isinstance(params, dict) or not all(isinstance(v, str) for v in params.values()):
            raise BadRequestError("the bridge's parameters must be texts")
        try:
            checkout = book.checkout(params, openid)
        except PayRefused as refusal:
            return jsonify({"error": str(refusal)}), 409
        return jsonify(vars(checkout)), 200

    @blueprint.post("/phone/<openid:openid>/cashier/scan")
    def open_scanned(openid: str) -> tuple[Response, int]:
        """Show what is to be paid, for the scanned code of a Native order."""
        del openid
        body: Any = request.get_json(silent=True)
        code_url = body.get("code_url") if isinstance(body, dict) else None
        if not isinstance(code_url, str):
            raise BadRequestError("code_url must be some text")
        try:
            checkout = book.scan(code_url)
        except PayRefused as refusal:
            return jsonify({"error": str(refusal)}), 409
        return jsonify(vars(checkout)), 200

    @blueprint.post("/phone/<openid:openid>/cashier/confirm")
    def confirm(openid: str) -> tuple[Response, int]:
        """Pay what the cashier shows."""
        body: Any = request.get_json(silent=True)
        prepay_id = body.get("prepay_id") if isinstance(body, dict) else None
        if not isinstance(prepay_id, str):
            raise BadRequestError("prepay_id must be some text")
        try:
            paid = book.confirm(prepay_id, openid)
        except PayRefused as refusal:
            return jsonify({"error": str(refusal)}), 409
        return jsonify(vars(paid)), 200
