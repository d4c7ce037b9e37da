"""`GET /o/paid/<token>`: has the money arrived? Asks the provider when the callback is late."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

import structlog
from flask import render_template, request
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from billing.channels.base import ChannelError
from billing.merchants import MerchantAccount
from billing.money import ZERO, Money
from billing.paid_lines import prepaid_parts
from billing.payment_tables import OPEN_STATES, Payment, PaymentState
from billing.payments import ORDER_LIFE
from handlers.pages.queries import (
    PaymentRecord,
    Visit,
    get_payment,
    is_settled,
    sees_payment,
    visit_home,
)
from handlers.pages.rating_panel import Panel, payment_panel
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.scan import way_back
from handlers.pages.tokens import read_payment
from handlers.pages.viewer import SignInNeeded, Viewer, ordered_it, welcome_anyone
from handlers.qr import qr_image
from handlers.services import Services
from handlers.settlement import settle
from handlers.signing import PaymentRef
from notify.links import HomeRef

FRESH = timedelta(minutes=2)
RELOAD_SECONDS, RELOAD_SECONDS_LATER = 3, 15
"""How often a waiting page reloads while the payment is fresh, and later."""

ASK_SECONDS = 3
"""How often one payment may be asked about, however many pages wait for it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """A payment as its page tells of it.

    Attributes:
        is_his: whether the viewer may see more than whether it arrived.
        prepaid: of a booked one, what became a prepayment by his wish.
        moved: of a booked one, what became a prepayment because its bills were paid meanwhile.
        settled: of a closed one, whether its bills are paid all the same.
        panel: of a booked one, the form to rate it.
    """

    record: PaymentRecord
    visit: Visit
    is_his: bool
    prepaid: Money = ZERO
    moved: Money = ZERO
    settled: bool = False
    panel: Panel | None = None


def paid(services: Services, token: str) -> ResponseReturnValue:
    """The result of a payment, for its payer and for the home it was made for.

    The provider may bring the payer back in another browser than the one he came from. Outside
    WeChat that one is told whether the money arrived, and nothing else.
    """
    viewer = welcome_anyone(services)
    ref = read_payment(token)
    result = _look(services, viewer, ref)
    merchant = result.record.merchant
    if (
        result.record.payment.state in OPEN_STATES
        and merchant
        and _may_ask(services, result.record)
    ):
        _ask(services, result.record, merchant)
        result = _look(services, viewer, ref)
    payment = result.record.payment
    fresh = services.clock() - payment.prepared_at < FRESH
    waiting = payment.state in OPEN_STATES
    code_url = (payment.call or {}).get("code_url") if waiting and result.is_his else None
    return render_template(
        "pages/paid.html",
        visit=result.visit,
        result=result,
        record=result.record,
        token=token,
        waiting=waiting,
        code=qr_image(code_url) if code_url else None,
        reload_seconds=RELOAD_SECONDS if fresh else RELOAD_SECONDS_LATER,
        expires_at=payment.prepared_at + ORDER_LIFE,
        back=way_back(services, viewer, result.visit.ref),
    )


def _look(services: Services, viewer: Viewer, ref: PaymentRef | None) -> Result:
    with services.database.transaction() as session:
        record = get_payment(session, ref)
        payment = record.payment
        home = HomeRef(payment.community_id, payment.unit_id)
        visit = visit_home(session, viewer.openid, home)
        if not _may_see(session, visit, payment):
            if viewer.openid is not None:
                raise Refused(Refusal.NOT_YOURS)
            return Result(record, visit, is_his=False)
        if payment.state is PaymentState.CONFIRMED:
            prepaid, moved = prepaid_parts(session, payment)
            panel = payment_panel(session, services, payment, visit.follower_id)
            return Result(record, visit, is_his=True, prepaid=prepaid, moved=moved, panel=panel)
        return Result(record, visit, is_his=True, settled=is_settled(session, payment))


def visit_payment(
    session: Session, openid: str | None, ref: PaymentRef | None
) -> tuple[PaymentRecord, Visit]:
    """A payment and its home, for the one who paid and for those who see what it paid.

    Raises:
        SignInNeeded: we do not know who asks, and this browser did not order it.
        Refused: no token of ours, or somebody else's payment.
    """
    record = get_payment(session, ref)
    payment = record.payment
    visit = visit_home(session, openid, HomeRef(payment.community_id, payment.unit_id))
    if not _may_see(session, visit, payment):
        if openid is None:
            raise SignInNeeded(quote(request.path))
        raise Refused(Refusal.NOT_YOURS)
    return record, visit


def _may_see(session: Session, visit: Visit, payment: Payment) -> bool:
    return ordered_it(payment, visit.follower_id) or sees_payment(session, visit, payment)


def _may_ask(services: Services, record: PaymentRecord) -> bool:
    """Whether it is time to ask again. Without Redis it is: then nobody else asks either."""
    payment = record.payment
    key = f"asked:{payment.community_id}:{payment.id}"
    try:
        return bool(services.redis.set(key, b"1", nx=True, ex=ASK_SECONDS))
    except RedisError as error:
        log.warning("asking_not_limited", reason=type(error).__name__)
        return True


def _ask(services: Services, record: PaymentRecord, merchant: MerchantAccount) -> None:
    try:
        settle(services, record.payment, merchant)
    except ChannelError as error:
        # The page waits and asks again; so does the worker when the page is closed.
        log.warning("payment_unasked", out_trade_no=record.payment.out_trade_no, reason=str(error))
