"""`POST /o/pay`: prepare → call → record, and the page that leads the payer to his cashier."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import ChannelRefused, ChannelUnreachable
from billing.errors import Conflict
from billing.merchants import MerchantAccount
from billing.money import ZERO, Money
from billing.payment_tables import OPEN_STATES, Payment, PaymentChannel
from billing.payments import ORDER_LIFE, InFlight, prepare
from billing.privacy import mask_room
from handlers.ordering import Superseded, alone, order
from handlers.pages.choice import (
    check_prepaid,
    choose,
    designate,
    designate_whole,
    prepaid_part,
    read_amount,
)
from handlers.pages.forms import Attempt
from handlers.pages.homes import show_home
from handlers.pages.places import here
from handlers.pages.prepayment import show_prepayment
from handlers.pages.queries import Visit, find_payment, get_merchant, visit_home
from handlers.pages.refusals import Objected, Objection, Refusal, Refused
from handlers.pages.scan import way_back
from handlers.pages.tokens import payment_token, read_order
from handlers.pages.viewer import Viewer, in_wechat, remember_order, welcome_anyone
from handlers.qr import qr_image
from handlers.services import Services
from handlers.ways import Way, offered_ways
from notify.links import HomeRef

DESCRIPTION_CHARACTERS_MAX = 127
"""WeChat Pay's limit on an order's description."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says, read but not yet believed.

    Attributes:
        way: the channel chosen; empty where the form did not ask.
        tops_up: no bill is meant, all of it is a prepayment.
    """

    home: HomeRef
    out_trade_no: str
    chosen_ids: frozenset[int]
    typed: str
    way: str
    tops_up: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A payment on record, ready to be offered to the payer.

    Attributes:
        prepaid: what of it becomes a prepayment by his own wish.
    """

    visit: Visit
    payment: Payment
    merchant: MerchantAccount
    prepaid: Money = ZERO


def pay(services: Services) -> ResponseReturnValue:
    """Order the payment and lead to the cashier. The same form sent again orders nothing new."""
    viewer = welcome_anyone(services)
    wish = _read_wish(services, viewer)
    now = services.clock()
    try:
        prepared = alone(services, lambda session: _prepare(session, services, viewer, wish, now))
    except InFlight:
        raise Refused(Refusal.BEING_PAID, way_back(services, viewer, wish.home)) from None
    except Objected as objected:
        attempt = Attempt(objected.objection, wish.chosen_ids)
        show = show_prepayment if wish.tops_up else show_home
        return show(services, viewer, wish.home, attempt), 422
    remember_order(prepared.payment)
    if _is_over(prepared.payment, now):
        return redirect(url_for("pages.paid", token=payment_token(prepared.payment)), 303)
    try:
        call = _order(services, prepared, viewer)
    except ChannelUnreachable:
        return render_template(
            "pages/order_unknown.html", prepared=prepared, wish=request.form
        ), 503
    return _lead_on(services, viewer, prepared, call)


def pay_reopened(services: Services) -> ResponseReturnValue:
    """`GET /o/pay`: a phone that restored its browser asks for the cashier without its form."""
    return redirect(url_for("pages.index"))


def _lead_on(
    services: Services, viewer: Viewer, prepared: Prepared, call: Mapping[str, Any]
) -> ResponseReturnValue:
    """The page from which the payer goes to his provider."""
    token = payment_token(prepared.payment)
    if "code_url" in call:
        return redirect(url_for("pages.paid", token=token), 303)  # shows the code, and the result
    if "redirect_url" in call:
        return render_template(
            "pages/leaving.html",
            prepared=prepared,
            target=call["redirect_url"],
            token=token,
            back=way_back(services, viewer, prepared.visit.ref),
        )
    code = None if in_wechat() else qr_image(services.links.scan_url(prepared.visit.ref))
    return render_template(
        "pages/cashier.html",
        prepared=prepared,
        call=call,
        token=token,
        back=way_back(services, viewer, prepared.visit.ref),
        code=code,
    )


def _read_wish(services: Services, viewer: Viewer) -> Wish:
    home = services.links.read_home(request.form.get("home", ""))
    if home is None:
        raise Refused(Refusal.BROKEN_LINK)
    out_trade_no = read_order(request.form.get("order", ""), viewer.name, home)
    bills = [services.links.read_bill(token) for token in request.form.getlist("bill")]
    if out_trade_no is None or any(
        bill is None or bill.community_id != home.community_id for bill in bills
    ):
        raise Refused(Refusal.FORM_STALE, way_back(services, viewer, home))
    return Wish(
        home=home,
        out_trade_no=out_trade_no,
        chosen_ids=frozenset(bill.bill_id for bill in bills if bill is not None),
        typed=request.form.get("amount", ""),
        way=request.form.get("way", ""),
        tops_up="top_up" in request.form,
    )


def _prepare(
    session: Session, services: Services, viewer: Viewer, wish: Wish, now: datetime
) -> Prepared:
    """The payment this form stands for: the one it made before, or a new one.

    Raises:
        Objected: the form cannot be accepted; nothing is written.
        Refused: the home is gone, or nobody collects for its community.
        InFlight: an earlier payment of these bills is still open.
    """
    visit = visit_home(session, viewer.openid, wish.home)
    payer = see_follower(session, viewer.openid, now) if viewer.openid is not None else None
    known = find_payment(session, wish.home.community_id, wish.out_trade_no)
    if known is not None and _is_over(known, now):
        return Prepared(visit, known, get_merchant(session, known))
    way = _choose_way(session, services, viewer, visit, wish)
    designated, prepaid = _read_amounts(session, visit, wish)
    try:
        payment = prepare(
            session,
            community_id=wish.home.community_id,
            unit_id=wish.home.unit_id,
            channel=way.channel,
            merchant_id=way.merchant.id,
            payer_id=payer.id if payer is not None else None,
            designated=designated,
            prepaid=prepaid,
            out_trade_no=wish.out_trade_no,
            now=now,
        )
    except InFlight:
        raise
    except Conflict:
        raise Objected(Objection.ORDERED_OTHERWISE) from None
    return Prepared(visit, payment, way.merchant, prepaid)


def _choose_way(
    session: Session, services: Services, viewer: Viewer, visit: Visit, wish: Wish
) -> Way:
    """The way the form names, or the first one where it names none."""
    ways = offered_ways(services, session, visit.community.id, here())
    if not ways:
        raise Refused(Refusal.NOT_COLLECTING, way_back(services, viewer, visit.ref))
    if not wish.way:
        return ways[0]
    chosen = next((way for way in ways if way.channel.value == wish.way), None)
    if chosen is None:
        raise Objected(Objection.WAY_GONE)
    return chosen


def _read_amounts(session: Session, visit: Visit, wish: Wish) -> tuple[Mapping[int, Money], Money]:
    """What each bill gets, and what becomes a prepayment."""
    amount = read_amount(wish.typed)
    if wish.tops_up:
        if not visit.is_present:
            raise Refused(Refusal.NOT_YOURS)
        return {}, check_prepaid(amount)
    unpaid = list_unpaid(session, visit.unit.community_id, [visit.unit.id], visit.seen)
    if not visit.bound:
        return designate_whole(unpaid, amount), ZERO
    chosen = choose(unpaid, wish.chosen_ids)
    prepaid = prepaid_part(unpaid, chosen, amount) if visit.is_present else ZERO
    return designate(chosen, amount - prepaid if amount is not None else None), prepaid


def _is_over(payment: Payment, now: datetime) -> bool:
    """True when this number can no longer be offered: paid, closed, or past its life."""
    return payment.state not in OPEN_STATES or payment.prepared_at <= now - ORDER_LIFE


def _order(services: Services, prepared: Prepared, viewer: Viewer) -> dict[str, Any]:
    """Register the order with the provider, and refuse in words what it refuses.

    Raises:
        ChannelUnreachable: no trustworthy answer; the form may be sent again.
        Refused: the provider said no, or another payment took its place.
    """
    back = way_back(services, viewer, prepared.visit.ref)
    payment = prepared.payment
    result = url_for("pages.paid", token=payment_token(payment))
    is_jsapi = payment.channel is PaymentChannel.WECHAT_JSAPI
    try:
        return order(
            services,
            payment,
            prepared.merchant,
            description=_describe(services, prepared.visit),
            payer_openid=viewer.openid if is_jsapi else None,
            payer_ip=request.remote_addr,
            return_url=None if is_jsapi else f"{services.base_url}{result}",
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
