"""Sending approved refunds to their provider, and asking about those whose end is not known.

Run by cron and by the command line. Prepare → call → record: no transaction is open while the
provider is asked. A refund keeps its number in every repetition, and what may have reached the
provider is asked about before it is sent again, so it goes back once.
"""

from collections import Counter
from datetime import timedelta

import structlog

from billing.channels.base import (
    Channel,
    ChannelError,
    ChannelRefused,
    ChannelUnreachable,
    RefundAnswer,
    RefundRequest,
    RefundState,
)
from billing.errors import Conflict
from billing.merchants import MerchantAccount
from billing.payment_tables import Payment
from billing.refund_outcomes import (
    SENDABLE_STAGES,
    RefundOutcome,
    begin_call,
    list_unsettled,
    record_answer,
    record_asked,
    record_lost,
    record_refused,
)
from billing.refund_tables import Refund
from handlers.services import Services

log = structlog.get_logger(__name__)

ASK_AGAIN = timedelta(seconds=60)
REFUNDS_PER_ROUND_MAX = 100
SILENCES_MAX = 3


def settle_refunds(services: Services) -> dict[str, int]:
    """One round over refunds that are not settled: sent, or asked about; what came of them.

    A merchant account whose provider is silent three times running is left alone for the rest of
    the round.
    """
    now = services.clock()
    with services.database.transaction() as session:
        waiting = [
            (refund, payment, session.get_one(MerchantAccount, payment.merchant_id))
            for refund, payment in list_unsettled(
                session, now=now, ask_again=ASK_AGAIN, limit=REFUNDS_PER_ROUND_MAX
            )
        ]
    counts: Counter[str] = Counter()
    silences: Counter[str] = Counter()
    for refund, payment, merchant in waiting:
        if silences[merchant.code] >= SILENCES_MAX:
            continue
        try:
            if refund.state in SENDABLE_STAGES:
                outcome = send_refund(services, refund)
            else:
                outcome = ask_refund(services, refund, payment, merchant)
            counts[outcome.value] += 1
            del silences[merchant.code]
        except Conflict:
            continue  # another worker was through with it
        except ChannelError as error:
            counts["unreachable"] += 1
            if isinstance(error, ChannelUnreachable):
                silences[merchant.code] += 1
            log.warning("refund_unsettled", out_refund_no=refund.out_refund_no, reason=str(error))
            with services.database.transaction() as session:
                record_asked(session, refund.community_id, refund.id, now)
    return dict(counts)


def send_refund(services: Services, refund: Refund) -> RefundOutcome:
    """Have the provider give an approved refund back, and write down what it says. Safe to repeat:
    it goes by the same number, and is asked about first when it may have been sent before.

    Raises:
        Conflict: it is not waiting to be sent, or no provider collected the payment.
        ChannelUnreachable: no trustworthy answer, the refund is UNKNOWN; or no keys to ask with.
    """
    with services.database.transaction() as session:
        refund, payment, may_be_there = begin_call(
            session, refund.community_id, refund.id, services.clock()
        )
        merchant = session.get_one(MerchantAccount, payment.merchant_id)
        # Inside, so that what was not sent for want of keys does not look as if it had been.
        channel = _channel(services, merchant)
    if may_be_there:
        answer = channel.query_refund(payment.out_trade_no, refund.out_refund_no)
        if answer.state is not RefundState.MISSING:
            return _record(services, merchant, answer)
    try:
        answer = channel.refund(
            RefundRequest(
                out_trade_no=payment.out_trade_no,
                out_refund_no=refund.out_refund_no,
                amount=refund.amount,
                total=payment.amount,
                reason=refund.reason,
                notify_url=services.callback_url(merchant),
            )
        )
    except ChannelRefused as refusal:
        return _refused(services, merchant, channel, refund, payment, refusal, may_be_there)
    return _record(services, merchant, answer)


def ask_refund(
    services: Services, refund: Refund, payment: Payment, merchant: MerchantAccount
) -> RefundOutcome:
    """Ask the provider about a refund it has taken, and write down the answer.

    Raises:
        ChannelError: no trustworthy answer, or no keys to ask with; nothing was changed.
    """
    channel = _channel(services, merchant)
    answer = channel.query_refund(payment.out_trade_no, refund.out_refund_no)
    outcome = _record(services, merchant, answer)
    if outcome in (RefundOutcome.MISSING, RefundOutcome.DISCREPANCY):
        write = record_lost if outcome is RefundOutcome.MISSING else record_asked
        with services.database.transaction() as session:
            write(session, refund.community_id, refund.id, services.clock())
    return outcome


def _channel(services: Services, merchant: MerchantAccount) -> Channel:
    channel = services.channels.get(merchant.code)
    if channel is None:
        raise ChannelUnreachable(f"no keys for merchant {merchant.code}")
    return channel


def _refused(
    services: Services,
    merchant: MerchantAccount,
    channel: Channel,
    refund: Refund,
    payment: Payment,
    refusal: ChannelRefused,
    may_be_there: bool,
) -> RefundOutcome:
    """The provider said no. Where an earlier try got no answer that one may have arrived since."""
    if may_be_there:
        answer = channel.query_refund(payment.out_trade_no, refund.out_refund_no)
        if answer.state is not RefundState.MISSING:
            return _record(services, merchant, answer)
    log.warning("refund_refused", out_refund_no=refund.out_refund_no, reason=str(refusal))
    with services.database.transaction() as session:
        return record_refused(
            session, refund.community_id, refund.id, str(refusal), services.clock()
        )


def _record(services: Services, merchant: MerchantAccount, answer: RefundAnswer) -> RefundOutcome:
    with services.database.transaction() as session:
        return record_answer(session, merchant, answer, services.clock())
