"""The official account's API on the wire: HTTP 200, JSON, `errcode` and `errmsg`."""

from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, render_template, request

from sandbox.account import scenes
from sandbox.account.credentials import Credentials, Token
from sandbox.account.oauth import AUTHORIZE_PATH
from sandbox.account.office import Office
from sandbox.account.refusals import ApiError
from sandbox.faults import Faults
from sandbox.store import Store
from sandbox.wire_faults import cut_connection, suffer

_OPEN = {"account.token", "account.stable_token", "account.show_qr_code", "account.authorize"}
_TARGETS = {
    "account.token": "token",
    "account.stable_token": "token",
    "account.send_template": "template_send",
    "account.send_subscription": "subscribe_send",
}


def account_routes(
    office: Office, credentials: Credentials, store: Store, faults: Faults
) -> Blueprint:
    """Give the blueprint serving /cgi-bin, /sns and the sign-in page."""
    blueprint = Blueprint("account", __name__)

    @blueprint.before_request
    def admit() -> None:
        endpoint = str(request.endpoint)
        g.is_lost = suffer(faults, _TARGETS.get(endpoint, "api"))
        if endpoint in _OPEN or endpoint == "account.redeem":
            return
        with store.transaction() as db:
            credentials.check_token(db, request.args.get("access_token"))

    @blueprint.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        return jsonify(error.body())

    _add_tokens(blueprint, credentials, store)
    _add_messages(blueprint, office)
    _add_templates(blueprint, office)
    _add_menu(blueprint, office)
    _add_people(blueprint, office, credentials)
    _add_qr_codes(blueprint, office, store)
    return blueprint


def _add_tokens(blueprint: Blueprint, credentials: Credentials, store: Store) -> None:
    @blueprint.get("/cgi-bin/token")
    def token() -> Response:
        if request.args.get("grant_type") != "client_credential":
            raise ApiError(40002)
        credentials.check_app(request.args.get("appid"), request.args.get("secret"))
        with store.transaction() as db:
            return _token(credentials.issue_classic(db))

    @blueprint.post("/cgi-bin/stable_token")
    def stable_token() -> Response:
        body = _body()
        if body.get("grant_type") != "client_credential":
            raise ApiError(40002)
        credentials.check_app(body.get("appid"), body.get("secret"))
        with store.transaction() as db:
            return _token(credentials.issue_stable(db, force=body.get("force_refresh") is True))


def _add_messages(blueprint: Blueprint, office: Office) -> None:
    @blueprint.post("/cgi-bin/message/template/send")
    def send_template() -> Response:
        return _answer(_ok(msgid=office.send_template(_body())))

    @blueprint.post("/cgi-bin/message/subscribe/bizsend")
    def send_subscription() -> Response:
        office.send_subscription(_body())
        return _answer(_ok())

    @blueprint.post("/cgi-bin/message/custom/send")
    def send_service_message() -> Response:
        office.send_service_message(_body())
        return _ok()


def _add_templates(blueprint: Blueprint, office: Office) -> None:
    @blueprint.get("/cgi-bin/template/get_all_private_template")
    def list_templates() -> Response:
        return jsonify({"template_list": office.list_templates()})

    @blueprint.get("/wxaapi/newtmpl/gettemplate")
    def list_subscriptions() -> Response:
        return _ok(data=office.list_subscriptions())


def _add_menu(blueprint: Blueprint, office: Office) -> None:
    @blueprint.post("/cgi-bin/menu/create")
    def create_menu() -> Response:
        office.create_menu(_body())
        return _ok()

    @blueprint.get("/cgi-bin/menu/get")
    def get_menu() -> Response:
        return jsonify(office.get_menu())

    @blueprint.get("/cgi-bin/menu/delete")
    def delete_menu() -> Response:
        office.delete_menu()
        return _ok()


def _add_people(blueprint: Blueprint, office: Office, credentials: Credentials) -> None:
    @blueprint.get("/cgi-bin/user/info")
    def get_user() -> Response:
        return jsonify(office.get_user(request.args.get("openid")))

    @blueprint.get("/sns/oauth2/access_token")
    def redeem() -> Response:
        if request.args.get("grant_type") != "authorization_code":
            raise ApiError(40002)
        credentials.check_app(request.args.get("appid"), request.args.get("secret"))
        return jsonify(office.redeem_oauth_code(request.args.get("code")))

    @blueprint.get(AUTHORIZE_PATH)
    def authorize() -> str:
        """Refuse every browser but the phone's, which never asks here: see phone.webview."""
        return render_template("only_in_wechat.html")


def _add_qr_codes(blueprint: Blueprint, office: Office, store: Store) -> None:
    @blueprint.post("/cgi-bin/qrcode/create")
    def create_qr_code() -> Response:
        return jsonify(office.create_qr_code(_body()))

    @blueprint.get("/cgi-bin/showqrcode")
    def show_qr_code() -> Response:
        with store.transaction() as db:
            code = scenes.find_ticket(db, request.args.get("ticket", ""))
        if code is None:
            abort(404)
        return Response(scenes.picture(office.qr_url(code)), mimetype="image/png")


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ApiError(47001)
    return body


def _answer(answer: Response) -> Response:
    """The answer, or none at all after a call that is to be carried out and lost."""
    if g.is_lost:
        cut_connection()
    return answer


def _ok(**values: object) -> Response:
    return jsonify({"errcode": 0, "errmsg": "ok", **values})


def _token(token: Token) -> Response:
    return jsonify({"access_token": token.value, "expires_in": token.expires_in})
