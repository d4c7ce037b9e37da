"""`POST /o/pay`: prepare → call → record, and the cashier page that opens WeChat Pay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import ChannelRefused, ChannelUnreachable
from billing.errors import Conflict
from billing.merchants import MerchantAccount, Provider, find_merchant
from billing.money import Money
from billing.payment_tables import OPEN_STATES, Payment, PaymentChannel
from billing.payments import (
    ORDER_LIFE,
    InFlight,
    prepare,
)
from billing.privacy import mask_room
from handlers.ordering import Superseded, alone, order
from handlers.pages.choice import choose, designate, designate_whole, read_amount
from handlers.pages.homes import Attempt, show_home
from handlers.pages.qr import qr_image
from handlers.pages.queries import Visit, find_payment, visit_home
from handlers.pages.refusals import Objected, Objection, Refusal, Refused
from handlers.pages.tokens import payment_token, read_order
from handlers.pages.viewer import in_wechat, require_viewer
from handlers.services import Services
from notify.links import HomeRef

DESCRIPTION_CHARACTERS_MAX = 127
"""WeChat Pay's limit on an order's description."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says, read but not yet believed."""

    home: HomeRef
    out_trade_no: str
    chosen_ids: frozenset[int]
    typed: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A payment on record, ready to be offered to the payer."""

    visit: Visit
    payment: Payment
    merchant: MerchantAccount


def pay(services: Services) -> ResponseReturnValue:
    """Order the payment and show the cashier. The same form sent again orders nothing new."""
    openid = require_viewer(services)
    wish = _read_wish(services, openid)
    now = services.clock()
    try:
        prepared = alone(services, lambda session: _prepare(session, services, openid, wish, now))
    except InFlight:
        back = url_for("pages.home", token=services.links.home_token(wish.home))
        raise Refused(Refusal.BEING_PAID, back) from None
    except Objected as objected:
        attempt = Attempt(objected.objection, wish.chosen_ids)
        return show_home(services, openid, wish.home, attempt), 422
    payment = prepared.payment
    token = payment_token(payment)
    if _is_over(payment, now):
        return redirect(url_for("pages.paid", token=token), 303)
    try:
        call = _order(services, prepared, openid)
    except ChannelUnreachable:
        return render_template(
            "pages/order_unknown.html", prepared=prepared, wish=request.form
        ), 503
    return render_template(
        "pages/cashier.html",
        prepared=prepared,
        call=call,
        token=token,
        home_token=services.links.home_token(wish.home),
        code=None if in_wechat() else qr_image(services.links.home_url(wish.home)),
    )


def pay_reopened(services: Services) -> ResponseReturnValue:
    """`GET /o/pay`: a phone that restored its browser asks for the cashier without its form."""
    return redirect(url_for("pages.index"))


def _read_wish(services: Services, openid: str) -> Wish:
    home = services.links.read_home(request.form.get("home", ""))
    if home is None:
        raise Refused(Refusal.BROKEN_LINK)
    out_trade_no = read_order(request.form.get("order", ""), openid, home)
    bills = [services.links.read_bill(token) for token in request.form.getlist("bill")]
    if out_trade_no is None or any(
        bill is None or bill.community_id != home.community_id for bill in bills
    ):
        raise Refused(Refusal.FORM_STALE, url_for("pages.home", token=request.form["home"]))
    chosen = frozenset(bill.bill_id for bill in bills if bill is not None)
    return Wish(home, out_trade_no, chosen, request.form.get("amount", ""))


def _prepare(
    session: Session, services: Services, openid: str, wish: Wish, now: datetime
) -> Prepared:
    """The payment this form stands for: the one it made before, or a new one.

    Raises:
        Objected: the form cannot be accepted; nothing is written.
        Refused: the home is gone, or nobody collects for its community.
        InFlight: an earlier payment of these bills is still open.
    """
    visit = visit_home(session, openid, wish.home)
    merchant = find_merchant(session, visit.community.id, Provider.WECHAT_PAY)
    if merchant is None or merchant.code not in services.channels:
        raise Refused(Refusal.NOT_COLLECTING, url_for("pages.index"))
    payer = see_follower(session, openid, now)
    known = find_payment(session, wish.home.community_id, wish.out_trade_no)
    if known is not None and _is_over(known, now):
        return Prepared(visit, known, merchant)
    designated = _designate(session, visit, wish)
    try:
        payment = prepare(
            session,
            community_id=wish.home.community_id,
            unit_id=wish.home.unit_id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=merchant.id,
            payer_id=payer.id,
            designated=designated,
            out_trade_no=wish.out_trade_no,
            now=now,
        )
    except InFlight:
        raise
    except Conflict:
        raise Objected(Objection.ORDERED_OTHERWISE) from None
    return Prepared(visit, payment, merchant)


def _designate(session: Session, visit: Visit, wish: Wish) -> Mapping[int, Money]:
    unpaid = list_unpaid(session, visit.unit.community_id, [visit.unit.id], visit.seen)
    amount = read_amount(wish.typed)
    if not visit.bound:
        return designate_whole(unpaid, amount)
    return designate(choose(unpaid, wish.chosen_ids), amount)


def _is_over(payment: Payment, now: datetime) -> bool:
    """True when this number can no longer be offered: paid, closed, or past its life."""
    return payment.state not in OPEN_STATES or payment.prepared_at <= now - ORDER_LIFE


def _order(services: Services, prepared: Prepared, openid: str) -> dict[str, Any]:
    """Register the order with the provider, and refuse in words what it refuses.

    Raises:
        ChannelUnreachable: no trustworthy answer; the form may be sent again.
        Refused: the provider said no, or another payment took its place.
    """
    back = url_for("pages.home", token=services.links.home_token(prepared.visit.ref))
    try:
        return order(
            services,
            prepared.payment,
            prepared.merchant,
            description=_describe(services, prepared.visit),
            payer_openid=openid,
        )
    except ChannelRefused as refusal:
        raise Refused(Refusal.ORDER_REFUSED, back) from refusal
    except Superseded:
        raise Refused(Refusal.SUPERSEDED, back) from None


def _describe(services: Services, visit: Visit) -> str:
    """What WeChat Pay shows the payer; masked, as it may be a stranger and must never vary."""
    text = services.text.get_template("pages/order_description.txt").render(
        community=visit.community.name, room=mask_room(visit.unit.room)
    )
    return text.strip()[:DESCRIPTION_CHARACTERS_MAX]
