"""Who looks at the page: an openid in the signed session cookie, put there by WeChat or by a scan.

Inside WeChat an unknown viewer is sent through silent OAuth and comes back to `/o/enter`; elsewhere
he is sent to the sign-in page. Neither road takes an address from the client: where to go back to
is the path we were asked for, kept in the session.

To pay, nobody has to be known outside WeChat: then the browser itself is the payer, by a number in
its session, and what it ordered is remembered there.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from flask import redirect, request, session, url_for
from werkzeug.wrappers import Response

from billing.payment_channels import Place
from billing.payment_tables import Payment
from handlers.pages.places import here
from handlers.pages.refusals import Refusal, Refused
from handlers.services import Services
from notify.links import OPENED

SIGNED_IN_FOR = timedelta(hours=12)
OAUTH_STATES_MAX = 4
"""Pages an unknown viewer may open at once, each with its own way back."""

ORDERS_REMEMBERED_MAX = 8
"""Payments a browser remembers having ordered."""

QUERY = frozenset({"amount", "community", OPENED, "period"})
"""What our own links say behind the path."""

OPENID, SINCE, STATES, BACK = "openid", "since", "oauth", "back"
BROWSER, ORDERS = "browser", "orders"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is about to pay: a follower, or a browser nobody signed in at.

    Attributes:
        name: what the order numbers of his forms are bound to.
        openid: None for a browser.
    """

    name: str
    openid: str | None


class SignInNeeded(Exception):
    """Nobody is signed in; after signing in the viewer goes on to `back`, a path of ours."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


def in_wechat() -> bool:
    """True in WeChat's own browser, on a phone or a computer."""
    return here() is Place.WECHAT


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
        # What a messenger added to the link stays behind.
        ours = {name: value for name, value in request.args.items() if name in QUERY}
        raise SignInNeeded(quote(request.path) + (f"?{urlencode(ours)}" if ours else ""))
    return openid


def welcome_anyone(services: Services) -> Viewer:
    """The viewer of a page that needs no sign-in outside WeChat.

    Raises:
        SignInNeeded: inside WeChat, where it costs him nothing.
        Refused: a form was sent, and whoever it was made for is no longer known here.
    """
    if in_wechat() or signed_in(services.clock()) is not None:
        openid = require_viewer(services)
        return Viewer(openid, openid)
    if BROWSER not in session:
        if request.method == "POST":
            raise Refused(Refusal.SIGN_IN_AGAIN)
        session[BROWSER] = secrets.token_hex(16)
    return Viewer(f"browser:{session[BROWSER]}", None)


def remember_order(payment: Payment) -> None:
    """Keep in the session that this browser ordered a payment."""
    ordered = [payment.community_id, payment.id]
    others = [pair for pair in session.get(ORDERS, []) if pair != ordered]
    session[ORDERS] = [*others, ordered][-ORDERS_REMEMBERED_MAX:]


def ordered_it(payment: Payment, follower_id: int | None) -> bool:
    """Whether this viewer ordered the payment, by himself or in this browser."""
    if follower_id is not None and payment.payer_id == follower_id:
        return True
    return [payment.community_id, payment.id] in session.get(ORDERS, [])


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
