"""How a refund ends: by what its provider says, by what was paid out, or by being given up. Each
is booked once.
"""

from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, ClosedBecause, close_alerts, raise_alert
from billing.business_day import business_date
from billing.channels.base import RefundAnswer, RefundState
from billing.closing import first_open_day
from billing.discrepancies import DiscrepancyKind, heal_discrepancies, record_discrepancy
from billing.errors import Conflict, InvalidInput
from billing.facts import FactKind
from billing.ledger import EntryKind, FixedAccount, JournalEntry, Leg, post, reverse
from billing.merchants import MerchantAccount, ProviderOrder
from billing.payment_channels import CHANNELS
from billing.payment_tables import Payment
from billing.payments import PATIENCE
from billing.people import BOOKKEEPERS, TELLERS, Staff, require_role
from billing.refund_tables import HELD_STAGES, Refund, RefundStage
from billing.refunds import held_key, lock_payment, lock_refund, tell
from billing.shifts import hold_drawer

REFERENCE_CHARACTERS_MAX = 64
CLOSED_BY_PROVIDER = "closed by the provider"
SENDABLE_STAGES = (RefundStage.APPROVED, RefundStage.UNKNOWN)


class RefundOutcome(Enum):
    """What `record_answer` did."""

    DONE = "refund_done"
    FAILED = "refund_failed"
    ABNORMAL = "refund_abnormal"
    PROCESSING = "refund_processing"
    MISSING = "refund_missing"
    """The provider does not know the number; nothing was changed."""

    ALREADY_KNOWN = "refund_already_known"
    DISCREPANCY = "refund_discrepancy"


def record_answer(
    session: Session, merchant: MerchantAccount, answer: RefundAnswer, now: datetime
) -> RefundOutcome:
    """Book what a provider says about a refund: by callback, query or statement, in any order, any
    number of times.

    An answer about a refund we did not send, another merchant or amount, or one that contradicts
    what was booked becomes a Discrepancy and moves nothing. What is held until then goes out when
    it is done, becomes a prepayment again when it failed, and stays held while the payer's account
    cannot take it.
    """
    order = session.get(ProviderOrder, (merchant.id, answer.out_trade_no))
    if answer.state is RefundState.MISSING:
        return RefundOutcome.MISSING
    payment = refund = None
    if order is not None:
        payment = lock_payment(session, order.community_id, order.payment_id)
        refund = session.scalar(
            select(Refund)
            .where(
                Refund.community_id == payment.community_id,
                Refund.payment_id == payment.id,
                Refund.out_refund_no == answer.out_refund_no,
            )
            .execution_options(populate_existing=True)
        )
    objection = _objection(merchant, refund, answer)
    if payment is None or refund is None or objection is not None:
        _disagree(session, merchant, order, refund, answer, objection or "missing_here", now)
        return RefundOutcome.DISCREPANCY
    refund.asked_at = now
    refund.refund_id = refund.refund_id or answer.refund_id
    refund.called_at = refund.called_at or now
    return _move(session, payment, refund, answer, now)


def _objection(
    merchant: MerchantAccount, refund: Refund | None, answer: RefundAnswer
) -> str | None:
    """Why this answer must not be booked, in a word for the discrepancy; None when it fits."""
    if answer.mchid != merchant.mchid:
        return "merchant"
    if refund is None:
        return "missing_here"
    if answer.amount is not None and answer.amount != refund.amount:
        return "amount"
    contradiction = {
        RefundStage.DONE: {RefundState.CLOSED},
        RefundStage.FAILED: {RefundState.DONE},
        # Nobody told the provider of it.
        RefundStage.REQUESTED: set(RefundState),
        RefundStage.REJECTED: set(RefundState),
    }
    return "state" if answer.state in contradiction.get(refund.state, set()) else None


def _disagree(
    session: Session,
    merchant: MerchantAccount,
    order: ProviderOrder | None,
    refund: Refund | None,
    answer: RefundAnswer,
    reason: str,
    now: datetime,
) -> None:
    kind = DiscrepancyKind.WRONG_MERCHANT if reason == "merchant" else DiscrepancyKind.REFUND
    record_discrepancy(
        session,
        kind,
        merchant_id=merchant.id,
        community_id=order.community_id if order else None,
        out_trade_no=answer.out_trade_no,
        out_refund_no=answer.out_refund_no,
        transaction_id=answer.refund_id,
        data={
            "reason": reason,
            "out_refund_no": answer.out_refund_no,
            "provider_state": answer.state.value,
            "provider_fen": answer.amount.fen if answer.amount else None,
            "state": refund.state.value if refund else None,
            "booked_fen": refund.amount.fen if refund else None,
        },
        now=now,
    )


def _move(
    session: Session, payment: Payment, refund: Refund, answer: RefundAnswer, now: datetime
) -> RefundOutcome:
    """Follow a fitting answer, if it says anything new."""
    if refund.state not in HELD_STAGES:
        return RefundOutcome.ALREADY_KNOWN
    if answer.state is RefundState.DONE:
        complete(session, payment, refund, answer.at or now, now)
        _close_abnormal(session, refund, now, ClosedBecause.REFUND_DONE)
        # A refund begun on the provider's own site was a discrepancy until it was written down.
        heal_discrepancies(session, payment.merchant_id, refund.out_refund_no, now)
        return RefundOutcome.DONE
    if answer.state is RefundState.CLOSED:
        give_up(session, payment, refund, CLOSED_BY_PROVIDER, now)
        _close_abnormal(session, refund, now, ClosedBecause.REFUND_ENDED)
        _alert(session, AlertKind.REFUND_FAILED, payment, refund, now)
        return RefundOutcome.FAILED
    if refund.state is RefundStage.ABNORMAL:
        return RefundOutcome.ALREADY_KNOWN
    if answer.state is RefundState.ABNORMAL:
        refund.state = RefundStage.ABNORMAL
        _alert(session, AlertKind.REFUND_ABNORMAL, payment, refund, now)
        return RefundOutcome.ABNORMAL
    was, refund.state = refund.state, RefundStage.PROCESSING
    is_news = was is not RefundStage.PROCESSING
    return RefundOutcome.PROCESSING if is_news else RefundOutcome.ALREADY_KNOWN


def complete(
    session: Session, payment: Payment, refund: Refund, done_at: datetime, now: datetime
) -> None:
    """Book that held money went back to the payer. The payment is locked."""
    refund.state = RefundStage.DONE
    refund.done_at, refund.ended_at = done_at, now
    post(
        session,
        refund.community_id,
        kind=EntryKind.REFUND,
        key=f"refund:{refund.out_refund_no}",
        source_id=refund.id,
        effective_on=first_open_day(session, refund.community_id, business_date(done_at)),
        now=now,
        legs=[
            Leg(FixedAccount.REFUNDS, debit=refund.amount, unit_id=payment.unit_id),
            Leg(CHANNELS[payment.channel].account, credit=refund.amount),
        ],
    )
    tell(session, FactKind.REFUND_DONE, payment, refund, now)


def give_up(
    session: Session, payment: Payment, refund: Refund, failure: str, now: datetime
) -> None:
    """The money stays with us: what was held is the home's prepayment again. The payment is
    locked.
    """
    refund.state = RefundStage.FAILED
    refund.failure, refund.ended_at = failure, now
    held = session.scalars(
        select(JournalEntry.id).where(
            JournalEntry.community_id == refund.community_id,
            JournalEntry.idempotency_key == held_key(refund),
        )
    ).one()
    reverse(
        session,
        refund.community_id,
        held,
        key=f"reversal:{held_key(refund)}",
        effective_on=first_open_day(session, refund.community_id, business_date(now)),
        now=now,
    )
    tell(session, FactKind.REFUND_FAILED, payment, refund, now)


def _alert(
    session: Session, kind: AlertKind, payment: Payment, refund: Refund, now: datetime
) -> None:
    raise_alert(
        session,
        kind,
        key=_alert_key(kind, refund),
        community_id=refund.community_id,
        data={
            "refund": refund.id,
            "out_refund_no": refund.out_refund_no,
            "out_trade_no": payment.out_trade_no,
            "amount_fen": refund.amount.fen,
            "failure": refund.failure,
        },
        now=now,
    )


def _close_abnormal(
    session: Session, refund: Refund, now: datetime, because: ClosedBecause
) -> None:
    """What could not be given back has come to an end: nobody need see to it any more."""
    close_alerts(session, [_alert_key(AlertKind.REFUND_ABNORMAL, refund)], now, because)


def _alert_key(kind: AlertKind, refund: Refund) -> str:
    return f"{kind.value}:{refund.community_id}:{refund.id}"


def reject_refund(
    session: Session, community_id: int, refund_id: int, *, by: Staff, reason: str, now: datetime
) -> Refund:
    """Refuse a request, or give up one that was approved and that no provider was told of; then its
    money becomes the home's prepayment again.

    Raises:
        NotFound: no such refund.
        InvalidInput: no reason, `by` asked for it or may not decide.
        Conflict: it may be on its way, or has ended.
    """
    require_role(by, community_id, BOOKKEEPERS)
    if not reason.strip():
        raise InvalidInput("reason", "say why")
    payment, refund = lock_refund(session, community_id, refund_id)
    if by.id == refund.requested_by:
        raise InvalidInput("by", f"{by.login} asked for refund {refund_id}; another must decide")
    is_unsent = refund.state is RefundStage.APPROVED and refund.called_at is None
    if refund.state is not RefundStage.REQUESTED and not is_unsent:
        raise Conflict(f"refund {refund_id} is {refund.state.value}: too late to refuse it")
    refund.rejected_by = by.id
    if is_unsent:
        give_up(session, payment, refund, reason.strip(), now)
    else:
        refund.state, refund.ended_at = RefundStage.REJECTED, now
        refund.failure = reason.strip()
    return refund


def pay_out_refund(
    session: Session,
    community_id: int,
    refund_id: int,
    *,
    by: Staff,
    reference: str,
    now: datetime,
) -> Refund:
    """Book that a refund without a provider was given back by hand, by the way the money came; cash
    out of the drawer of the open shift of `by`, if he has one. Not safe to call twice: the second
    is refused.

    Args:
        reference: number of the slip the payer signed, or of the transfer.

    Raises:
        NotFound: no such refund.
        InvalidInput: an empty reference or one too long, or `by` may not handle money.
        Conflict: it is not approved, paid out already, or its provider gives it back.
    """
    require_role(by, community_id, TELLERS)
    number = reference.strip()
    if not 0 < len(number) <= REFERENCE_CHARACTERS_MAX:
        raise InvalidInput("reference", f"must have 1 to {REFERENCE_CHARACTERS_MAX} characters")
    drawer = hold_drawer(session, community_id, by.id)
    payment, refund = lock_refund(session, community_id, refund_id)
    if payment.merchant_id is not None:
        raise Conflict(f"refund {refund_id} goes back through {payment.channel.value}: send it")
    if refund.state is not RefundStage.APPROVED:
        raise Conflict(f"refund {refund_id} is {refund.state.value}: only an approved one is paid")
    refund.paid_out_by, refund.reference = by.id, number
    if CHANNELS[payment.channel].account is FixedAccount.CASH:
        refund.shift_id = drawer
    complete(session, payment, refund, now, now)
    return refund


def begin_call(
    session: Session, community_id: int, refund_id: int, now: datetime
) -> tuple[Refund, Payment, bool]:
    """About to tell the provider: from the commit on it may have refunded, whatever becomes of us.

    Returns the refund, its payment, and whether the provider may know the number already and must
    be asked first.

    Raises:
        NotFound: no such refund.
        Conflict: it is not waiting to be sent, or no provider collected the payment.
    """
    payment, refund = lock_refund(session, community_id, refund_id)
    if payment.merchant_id is None:
        raise Conflict(f"refund {refund_id} is paid out by hand: {payment.channel.value}")
    if refund.state not in SENDABLE_STAGES:
        raise Conflict(f"refund {refund_id} is {refund.state.value}: nothing to send")
    ask_first = refund.called_at is not None
    refund.called_at = refund.called_at or now
    refund.asked_at = now
    refund.state = RefundStage.UNKNOWN
    return refund, payment, ask_first


def record_refused(
    session: Session, community_id: int, refund_id: int, failure: str, now: datetime
) -> RefundOutcome:
    """The provider will not refund, for good, and does not know the number."""
    payment, refund = lock_refund(session, community_id, refund_id)
    if refund.state is not RefundStage.UNKNOWN:
        return RefundOutcome.ALREADY_KNOWN  # a callback was faster
    give_up(session, payment, refund, failure, now)
    _alert(session, AlertKind.REFUND_FAILED, payment, refund, now)
    return RefundOutcome.FAILED


def record_asked(session: Session, community_id: int, refund_id: int, now: datetime) -> None:
    """The provider was asked and nothing new was learned."""
    _, refund = lock_refund(session, community_id, refund_id)
    refund.asked_at = now


def record_lost(session: Session, community_id: int, refund_id: int, now: datetime) -> None:
    """The provider had taken a refund and does not know it any more: it may be sent again, by the
    same number.
    """
    _, refund = lock_refund(session, community_id, refund_id)
    refund.asked_at = now
    if refund.state is RefundStage.PROCESSING:
        refund.state = RefundStage.UNKNOWN


def list_unsettled(
    session: Session, *, now: datetime, ask_again: timedelta, limit: int
) -> list[tuple[Refund, Payment]]:
    """Refunds a provider must be told of or asked about, those unattended longest first.

    Args:
        ask_again: leave alone what was asked about more recently. After a day the pause grows with
            the age, as for payments.
    """
    rested = text(
        "refund.asked_at + greatest(CAST(:ask_again AS interval),"
        " (refund.asked_at - refund.approved_at - CAST(:patience AS interval)) / 4) < :now"
    ).bindparams(ask_again=ask_again, patience=PATIENCE, now=now)
    rows = session.execute(
        select(Refund, Payment)
        .join(
            Payment,
            (Payment.community_id == Refund.community_id) & (Payment.id == Refund.payment_id),
        )
        .where(
            Refund.state.in_(HELD_STAGES),
            Payment.merchant_id.is_not(None),
            or_(Refund.asked_at.is_(None), rested),
        )
        .order_by(func.coalesce(Refund.asked_at, Refund.approved_at), Refund.id)
        .limit(limit)
    )
    return [(refund, payment) for refund, payment in rows]
