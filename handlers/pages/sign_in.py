"""Coming and going: back from WeChat's OAuth, sign-in by scanning on a computer, sign-out."""

import structlog
from flask import jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from handlers.pages.refusals import Refusal, Refused
from handlers.pages.viewer import (
    BACK,
    SignInNeeded,
    in_wechat,
    remember,
    signed_in,
    take_back_path,
)
from handlers.qr import qr_image
from handlers.services import Services
from handlers.sign_in import REQUEST_SECONDS, SignInState, open_request, scene, take
from notify.wechat import WeChatError, WeChatUnreachable

REQUEST = "sign_in"
"""Session key of this browser's request: its nonce and what its QR code says."""

log = structlog.get_logger(__name__)


def enter(services: Services) -> ResponseReturnValue:
    """`GET /o/enter`: WeChat sends the viewer back with a code that says who he is, once.

    Raises:
        Refused: a round this browser did not begin, WeChat did not answer, or a snapshot visitor.
    """
    back = take_back_path(request.args.get("state", ""))
    code = request.args.get("code", "")
    if back is None or not code:
        raise Refused(Refusal.SIGN_IN_STALE)
    try:
        identity = services.wechat.oauth_identity(code)
    except (WeChatError, WeChatUnreachable) as error:
        log.warning("oauth_failed", reason=str(error))
        raise Refused(Refusal.WECHAT_SILENT, back) from error
    if identity.is_snapshot:
        raise Refused(Refusal.SNAPSHOT, back)
    remember(identity.openid, services.clock())
    return redirect(back)


def sign_in(services: Services) -> ResponseReturnValue:
    """`GET /o/sign-in`: a code to scan; reloaded, it says what came of it."""
    if in_wechat():
        raise SignInNeeded(session.pop(BACK, None) or url_for("pages.index"))
    if signed_in(services.clock()) is not None:
        return redirect(url_for("pages.index"))
    if REQUEST not in session:
        _begin(services)
    state, back = _advance(services)
    if back is not None:
        return redirect(back)
    code = None
    if state is SignInState.WAITING:
        code = qr_image(session[REQUEST]["scan_url"])
    else:
        session.pop(REQUEST)  # said once; the next visit gets a fresh code
    return render_template(
        "pages/sign_in.html", state=state.value, code=code, minutes=REQUEST_SECONDS // 60
    )


def sign_in_status(services: Services) -> ResponseReturnValue:
    """`GET /o/sign-in/status`: what the page's script asks every two seconds."""
    state, back = _advance(services)
    return jsonify(state=state.value, next=back)


def sign_out(services: Services) -> ResponseReturnValue:
    """`POST /o/sign-out`: forget everything about the viewer."""
    session.clear()
    return render_template("pages/signed_out.html")


def _begin(services: Services) -> None:
    nonce = open_request(services.redis)
    try:
        code = services.wechat.create_scene_qr(scene(nonce), REQUEST_SECONDS)
    except (WeChatError, WeChatUnreachable) as error:
        log.warning("scene_qr_failed", reason=str(error))
        raise Refused(Refusal.WECHAT_SILENT, url_for("pages.sign_in")) from error
    session[REQUEST] = {"nonce": nonce, "scan_url": code.scan_url}


def _advance(services: Services) -> tuple[SignInState, str | None]:
    """Take the chat's answer to this browser's request; a confirmed one signs the viewer in.

    Returns:
        The state and, when signed in just now, the path to go on to.
    """
    request_of_browser = session.get(REQUEST, {})
    if "nonce" not in request_of_browser:
        return SignInState(request_of_browser.get("ended", SignInState.EXPIRED.value)), None
    answer = take(services.redis, request_of_browser["nonce"])
    if answer.openid is not None:
        back: str = session.pop(BACK, None) or url_for("pages.index")
        session.pop(REQUEST)
        remember(answer.openid, services.clock())
        return answer.state, back
    if answer.state is not SignInState.WAITING:
        session[REQUEST] = {"ended": answer.state.value}
    return answer.state, None
