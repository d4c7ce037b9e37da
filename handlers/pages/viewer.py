"""Who looks at the page: an openid in the signed session cookie, put there by WeChat or by a scan.

Inside WeChat an unknown viewer is sent through silent OAuth and comes back to `/o/enter`; elsewhere
he is sent to the sign-in page. Neither road takes an address from the client: where to go back to
is the path we were asked for, kept in the session.
"""

import secrets
from datetime import datetime, timedelta
from urllib.parse import quote

from flask import redirect, request, session, url_for
from werkzeug.wrappers import Response

from handlers.pages.refusals import Refusal, Refused
from handlers.services import Services

WECHAT_BROWSER = "MicroMessenger"
SIGNED_IN_FOR = timedelta(hours=12)
OAUTH_STATES_MAX = 4
"""Pages an unknown viewer may open at once, each with its own way back."""

OPENID, SINCE, STATES, BACK = "openid", "since", "oauth", "back"


class SignInNeeded(Exception):
    """Nobody is signed in; after signing in the viewer goes on to `back`, a path of ours."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


def in_wechat() -> bool:
    """True in WeChat's own browser, on a phone or a computer."""
    return WECHAT_BROWSER in request.headers.get("User-Agent", "")


def signed_in(now: datetime) -> str | None:
    """The viewer's openid, or None when nobody signed in within the last twelve hours."""
    since = session.get(SINCE)
    if not isinstance(since, int) or now.timestamp() - since > SIGNED_IN_FOR.total_seconds():
        return None
    openid = session.get(OPENID)
    return openid if isinstance(openid, str) else None


def require_viewer(services: Services) -> str:
    """The viewer's openid.

    Raises:
        SignInNeeded: nobody is signed in and the page can be opened again afterwards.
        Refused: nobody is signed in and a form was sent; what it said is not carried over.
    """
    openid = signed_in(services.clock())
    if openid is None and request.method == "POST":
        raise Refused(Refusal.SIGN_IN_AGAIN)
    if openid is None:
        raise SignInNeeded(quote(request.path))  # what a messenger added to the link stays behind
    return openid


def remember(openid: str, now: datetime) -> None:
    """Sign the viewer in; whoever was signed in before is forgotten with everything of his."""
    if session.get(OPENID) not in {None, openid}:
        session.clear()
    session[OPENID] = openid
    session[SINCE] = int(now.timestamp())


def lead_to_sign_in(services: Services, needed: SignInNeeded) -> Response:
    """Send an unknown viewer where he can sign in, with his way back in the session."""
    if not in_wechat():
        session[BACK] = needed.back
        return redirect(url_for("pages.sign_in"))
    state = secrets.token_hex(16)
    pending = [*session.get(STATES, []), [state, needed.back]]
    session[STATES] = pending[-OAUTH_STATES_MAX:]
    return redirect(services.wechat.oauth_url(f"{services.base_url}/o/enter", state))


def take_back_path(state: str) -> str | None:
    """Where the OAuth round that returns with `state` began; each state is good once."""
    pending = session.get(STATES, [])
    session[STATES] = [pair for pair in pending if pair[0] != state]
    return next((back for pending_state, back in pending if pending_state == state), None)
