"""Coming and going: the way back from WeChat's OAuth, sign-in by scanning on a computer, sign-out."""

import structlog
from flask import jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from handlers.pages.qr import qr_image
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.viewer import (
    BACK,
    SignInNeeded,
    in_wechat,
    remember,
    signed_in,
    take_back_path,
)
from handlers.services import Services
from handlers.sign_in import REQUEST_SECONDS, SignIn, SignInState, open_request, scene, take

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
        openid, is_snapshot = services.wechat.oauth_identity(code)
    except WeChatError as error:
        log.warning("oauth_failed", reason=str(error))
        raise Refused(Refusal.WECHAT_SILENT, back) from error
    if is_snapshot:
        raise Refused(Refusal.SNAPSHOT, back)
    remember(openid, services.clock())
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
    return render_template(
        "pages/sign_in.html",
        state=state.value,
        code=qr_image(session[REQUEST]["scan_url"]) if REQUEST in session else None,
        minutes=REQUEST_SECONDS // 60,
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
        ticket = services.wechat.create_scene_qr(scene(nonce), REQUEST_SECONDS)
    except WeChatError as error:
        log.warning("scene_qr_failed", reason=str(error))
        raise Refused(Refusal.WECHAT_SILENT, url_for("pages.sign_in")) from error
    session[REQUEST] = {"nonce": nonce, "scan_url": ticket.scan_url}


def _advance(services: Services) -> tuple[SignInState, str | None]:
    """Take the chat's answer to this browser's request; a confirmed one signs the viewer in.

    Returns:
        The state and, when signed in just now, the path to go on to.
    """
    pending = session.get(REQUEST)
    answer = take(services.redis, pending["nonce"]) if pending else SignIn(SignInState.EXPIRED)
    if answer.state is not SignInState.WAITING:
        session.pop(REQUEST, None)
    if answer.openid is None:
        return answer.state, None
    back: str = session.pop(BACK, None) or url_for("pages.index")
    remember(answer.openid, services.clock())
    return answer.state, back
