"""`GET /o/paid/<token>`: has the money arrived? Asks the provider when the callback is late."""

from datetime import timedelta

import structlog
from flask import render_template
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from billing.channels.base import ChannelError
from billing.merchants import MerchantAccount
from billing.payment_tables import OPEN_STATES
from billing.payments import ORDER_LIFE
from handlers.pages.queries import PaymentRecord, Visit, get_payment, sees_payment, visit_home
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.tokens import PaymentRef, read_payment
from handlers.pages.viewer import require_viewer
from handlers.services import Services
from handlers.settlement import settle
from notify.links import HomeRef

FRESH = timedelta(minutes=2)
RELOAD_SECONDS, RELOAD_SECONDS_LATER = 3, 15
"""How often a waiting page reloads while the payment is fresh, and later."""

ASK_SECONDS = 3
"""How often one payment may be asked about, however many pages wait for it."""

log = structlog.get_logger(__name__)


def paid(services: Services, token: str) -> ResponseReturnValue:
    """The result of a payment, for its payer and for the home it was made for."""
    openid = require_viewer(services)
    ref = read_payment(token)
    with services.database.transaction() as session:
        record, visit = visit_payment(session, openid, ref)
    merchant = record.merchant
    if record.payment.state in OPEN_STATES and merchant and _may_ask(services, record):
        _ask(services, record, merchant)
        with services.database.transaction() as session:
            record, visit = visit_payment(session, openid, ref)
    payment = record.payment
    fresh = services.clock() - payment.prepared_at < FRESH
    return render_template(
        "pages/paid.html",
        visit=visit,
        record=record,
        token=token,
        waiting=payment.state in OPEN_STATES,
        reload_seconds=RELOAD_SECONDS if fresh else RELOAD_SECONDS_LATER,
        expires_at=payment.prepared_at + ORDER_LIFE,
        home_token=services.links.home_token(visit.ref),
    )


def visit_payment(
    session: Session, openid: str, ref: PaymentRef | None
) -> tuple[PaymentRecord, Visit]:
    """A payment and its home, for the one who paid and for those who see what it paid.

    Raises:
        Refused: no token of ours, or somebody else's payment.
    """
    record = get_payment(session, ref)
    payment = record.payment
    visit = visit_home(session, openid, HomeRef(payment.community_id, payment.unit_id))
    if not sees_payment(session, visit, payment):
        raise Refused(Refusal.NOT_YOURS)
    return record, visit


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
