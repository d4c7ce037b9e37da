"""Payments whose callback did not come: ask the provider, book what arrived, close what is stale;
and close those that somebody else's payment replaces.

Run by cron and by the pages. Prepare → call → record: no transaction is open while the provider is
asked. Safe to run at once from two places: `confirm` books once and closing is repeatable.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from billing.channels.base import (
    Channel,
    ChannelError,
    ChannelRefused,
    ChannelUnreachable,
    ProviderAnswer,
    ProviderState,
)
from billing.confirmation import Outcome, confirm
from billing.merchants import MerchantAccount
from billing.payment_tables import Payment
from billing.payments import ORDER_LIFE, list_unsettled, record_asked, record_closed
from handlers.services import Services

log = structlog.get_logger(__name__)

CALLBACK_GRACE = timedelta(seconds=20)
"""How long a fresh payment is left to its callback before we ask."""

ASK_AGAIN = timedelta(seconds=60)
PAYMENTS_PER_ROUND_MAX = 200
SILENCES_MAX = 3


def settle_open_payments(services: Services) -> dict[str, int]:
    """One round over open payments: how many were booked, closed, are still open, unreachable.

    A merchant account whose provider is silent three times running is left alone for the rest of
    the round, or its time-outs would hold up everybody's notices.
    """
    now = services.clock()
    with services.database.transaction() as session:
        waiting = [
            (payment, session.get_one(MerchantAccount, payment.merchant_id))
            for payment in list_unsettled(
                session,
                now=now,
                older_than=CALLBACK_GRACE,
                ask_again=ASK_AGAIN,
                limit=PAYMENTS_PER_ROUND_MAX,
            )
        ]
    counts = {"booked": 0, "closed": 0, "open": 0, "unreachable": 0}
    silences: Counter[str] = Counter()
    for payment, merchant in waiting:
        if silences[merchant.code] >= SILENCES_MAX:
            continue
        try:
            counts[settle(services, payment, merchant)] += 1
            del silences[merchant.code]
        except ChannelError as error:
            counts["unreachable"] += 1
            if isinstance(error, ChannelUnreachable):
                silences[merchant.code] += 1
            log.warning("payment_unsettled", out_trade_no=payment.out_trade_no, reason=str(error))
            with services.database.transaction() as session:
                record_asked(session, payment, now)
    return counts


def make_way(services: Services, payments: Iterable[Payment]) -> bool:
    """End open payments, so that another one may be made for their bills: book what was paid,
    close the rest at its provider. False when one of them cannot be ended now.
    """
    for payment in payments:
        if payment.merchant_id is None:
            return False  # the bank has it already; its file will say
        with services.database.transaction() as session:
            merchant = session.get_one(MerchantAccount, payment.merchant_id)
        try:
            if settle(services, payment, merchant, at_once=True) == "open":
                return False
        except ChannelError as error:
            log.warning("payment_not_ended", out_trade_no=payment.out_trade_no, reason=str(error))
            return False
    return True


def settle(
    services: Services, payment: Payment, merchant: MerchantAccount, *, at_once: bool = False
) -> str:
    """Ask about one payment and write down the answer: `booked`, `closed` or `open`.

    Args:
        at_once: close it if it is not paid, though its life is not over.

    Raises:
        ChannelError: no trustworthy answer, or no keys to ask with; nothing was changed.
    """
    channel = services.channels.get(merchant.code)
    if channel is None:
        raise ChannelUnreachable(f"no keys for merchant {merchant.code}")
    ends = at_once or _expired(services, payment)
    answer = channel.query(payment.out_trade_no)
    if answer.state is ProviderState.WAITING and ends:
        answer = _close(channel, payment)
    with services.database.transaction() as session:
        return _record(session, services, payment, merchant, answer, ends=ends)


def _expired(services: Services, payment: Payment) -> bool:
    return payment.prepared_at < services.clock() - ORDER_LIFE


def _close(channel: Channel, payment: Payment) -> ProviderAnswer:
    """Close a stale order; if it was paid at the last moment, the answer says so."""
    try:
        channel.close(payment.out_trade_no)
    except ChannelRefused:
        return channel.query(payment.out_trade_no)
    return ProviderAnswer(channel.mchid, payment.out_trade_no, ProviderState.CLOSED)


def _record(
    session: Session,
    services: Services,
    payment: Payment,
    merchant: MerchantAccount,
    answer: ProviderAnswer,
    *,
    ends: bool,
) -> str:
    now = services.clock()
    if answer.state is ProviderState.PAID:
        outcome = confirm(session, merchant, answer, now)
        if outcome is not Outcome.DISCREPANCY:
            return "booked"
        record_asked(session, payment, now)
        return "open"
    gone = answer.state is ProviderState.CLOSED or (
        # An order the provider never heard of is not offered any more: `record_call` will find it
        # closed. Should it be paid all the same, `confirm` books what arrives.
        answer.state is ProviderState.MISSING and ends
    )
    if gone:
        record_closed(session, payment, now)
        return "closed"
    record_asked(session, payment, now)
    return "open"
