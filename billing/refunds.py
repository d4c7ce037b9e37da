"""Refunds (退款): asked for → approved, the money held → sent or paid out → done, or freed again.

Money goes back by the way it came, once per refund number, and never more than was paid. Approving
takes it out of the home's prepayment into 待退款, so that nobody spends it meanwhile; what of it
paid bills is released from them first, and they are owed again. Every step locks the payment, then
the home. What a provider says of a refund is `record_answer`, whatever way it came.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.adjustments import REQUESTERS
from billing.bills import Bill
from billing.closing import first_open_day
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.fapiao_tables import LIVING, Fapiao, FapiaoPayment
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState
from billing.payments import lock_home
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.prepayments import balance as prepayment_balance
from billing.property import Community
from billing.refund_tables import COUNTED_STAGES, HELD_STAGES, Refund, RefundStage
from billing.releases import Part, release_parts

TEXT_CHARACTERS_MAX = 80
"""What WeChat Pay takes as the reason of a refund."""


def new_out_refund_no() -> str:
    """A fresh refund number: 28 characters, within WeChat's 64 of `[0-9A-Za-z_-]`."""
    return "RF" + secrets.token_hex(13)


def request_refund(
    session: Session,
    community_id: int,
    payment_id: int,
    amount: Money,
    *,
    reason: str,
    release_bills: bool,
    by: Staff,
    now: datetime,
    out_refund_no: str,
    is_begun: bool = False,
) -> Refund:
    """Ask to give back money of a payment. Books nothing. The same number with the same wishes
    again returns the same refund.

    Args:
        release_bills: bills the payment paid may become owed again, the newest first, when its
            money is no prepayment any more.
        is_begun: the provider has a refund of this number already, begun on its own site; it will
            be asked about before anything is sent.

    Raises:
        NotFound: no such payment.
        InvalidInput: an amount not above zero, no reason or one too long, or `by` may not ask.
        Conflict: the payment brought no money or was taken back, more than is left of it, a fapiao
            is for it, the money was used, or the number stands for another refund.
    """
    require_role(by, community_id, REQUESTERS)
    reason = _text("reason", reason)
    if amount <= ZERO:
        raise InvalidInput("amount", f"{amount.yuan} cannot be given back")
    payment = lock_payment(session, community_id, payment_id)
    known = session.scalar(
        select(Refund).where(
            Refund.community_id == community_id, Refund.out_refund_no == out_refund_no
        )
    )
    if known is not None:
        if (known.payment_id, known.amount) != (payment_id, amount):
            raise Conflict(f"number {out_refund_no} stands for another refund")
        return known
    _refuse_unrefundable(payment, is_begun)
    left = payment.amount - refunded_of(session, payment, COUNTED_STAGES)
    if amount > left:
        raise Conflict(
            f"{amount.yuan} of payment {payment.out_trade_no}, of which {left.yuan} is left"
        )
    if not is_begun:
        _refuse_invoiced(session, payment, left - amount)
    _find_money(session, payment, amount, release_bills=release_bills)
    refund = Refund(
        community_id=community_id,
        payment_id=payment_id,
        out_refund_no=out_refund_no,
        amount=amount,
        release_bills=release_bills,
        released=ZERO,
        reason=reason,
        state=RefundStage.REQUESTED,
        requested_by=by.id,
        requested_at=now,
        called_at=now if is_begun else None,
    )
    session.add(refund)
    session.flush()
    return refund


def approve_refund(
    session: Session, community_id: int, refund_id: int, *, by: Staff, today: date, now: datetime
) -> Refund:
    """Approve a request. Above the community's limit it takes a second person, and stays requested
    until then; the last approval releases bills where that was asked for, and holds the money.

    Raises:
        NotFound: no such refund.
        InvalidInput: `by` asked for it, approved it before, or may not decide.
        Conflict: it was decided already, or meanwhile the money was used or invoiced.
    """
    require_role(by, community_id, BOOKKEEPERS)
    payment, refund = lock_refund(session, community_id, refund_id)
    if refund.state is not RefundStage.REQUESTED:
        raise Conflict(f"refund {refund_id} is {refund.state.value} already")
    if by.id == refund.requested_by:
        raise InvalidInput("by", f"{by.login} asked for refund {refund_id}; another must approve")
    if by.id == refund.approved_by:
        raise InvalidInput("by", f"{by.login} approved refund {refund_id}; a second one must too")
    if refund.approved_by is None:
        refund.approved_by, refund.approved_at = by.id, now
        if refund.amount > _limit(session, community_id):
            return refund
    else:
        refund.second_approved_by, refund.second_approved_at = by.id, now
    if refund.called_at is None:
        left = payment.amount - refunded_of(session, payment, COUNTED_STAGES)
        _refuse_invoiced(session, payment, left)
    day = first_open_day(session, community_id, today)
    _release(session, payment, refund, day, now)
    refund.state = RefundStage.APPROVED
    post(
        session,
        community_id,
        kind=EntryKind.REFUND_HELD,
        key=held_key(refund),
        source_id=refund.id,
        effective_on=day,
        now=now,
        legs=[
            Leg(FixedAccount.PREPAYMENTS, debit=refund.amount, unit_id=payment.unit_id),
            Leg(FixedAccount.REFUNDS, credit=refund.amount, unit_id=payment.unit_id),
        ],
    )
    tell(session, FactKind.REFUND_APPROVED, payment, refund, now)
    return refund


def held_key(refund: Refund) -> str:
    """Key of the entry that holds a refund's money."""
    return f"refund_held:{refund.out_refund_no}"


def tell(session: Session, kind: FactKind, payment: Payment, refund: Refund, now: datetime) -> None:
    """Record what happened to a refund."""
    record(
        session,
        kind,
        community_id=refund.community_id,
        unit_id=payment.unit_id,
        ref_id=refund.id,
        amount=refund.amount,
        at=now,
        data={
            "payer_id": payment.payer_id,
            "payment_id": payment.id,
            "released_fen": refund.released.fen,
        },
    )


def lock_payment(session: Session, community_id: int, payment_id: int) -> Payment:
    """The payment as it is now; it and its home stay so until the caller commits.

    Raises:
        NotFound: no such payment.
    """
    payment = session.scalar(
        select(Payment)
        .where(Payment.community_id == community_id, Payment.id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if payment is None:
        raise NotFound(f"no payment {payment_id} in community {community_id}")
    lock_home(session, community_id, payment.unit_id)
    return payment


def lock_refund(session: Session, community_id: int, refund_id: int) -> tuple[Payment, Refund]:
    """A refund with its payment, both as they are now and until the caller commits.

    Raises:
        NotFound: no such refund.
    """
    refund = get_refund(session, community_id, refund_id)
    payment = lock_payment(session, community_id, refund.payment_id)
    session.refresh(refund)
    return payment, refund


def get_refund(session: Session, community_id: int, refund_id: int) -> Refund:
    """This refund, in whatever state.

    Raises:
        NotFound: there is none in the community.
    """
    found = session.get(Refund, (community_id, refund_id))
    if found is None:
        raise NotFound(f"no refund {refund_id} in community {community_id}")
    return found


def list_refunds(
    session: Session,
    community_id: int,
    *,
    states: Collection[RefundStage] = (),
    payment_id: int | None = None,
) -> Sequence[Refund]:
    """Refunds of a community, the oldest first; none named: in every state."""
    query = select(Refund).where(Refund.community_id == community_id).order_by(Refund.id)
    if states:
        query = query.where(Refund.state.in_(states))
    if payment_id is not None:
        query = query.where(Refund.payment_id == payment_id)
    return session.scalars(query).all()


def refunded_of(
    session: Session,
    payment: Payment,
    stages: Collection[RefundStage] = (*HELD_STAGES, RefundStage.DONE),
) -> Money:
    """What of a payment went back or is about to, fen; with other stages, what is in those."""
    total: Money = session.execute(
        select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.community_id == payment.community_id,
            Refund.payment_id == payment.id,
            Refund.state.in_(stages),
        )
    ).scalar_one()
    return total


def _text(field: str, value: str) -> str:
    text = value.strip()
    if not 0 < len(text) <= TEXT_CHARACTERS_MAX:
        raise InvalidInput(field, f"must have 1 to {TEXT_CHARACTERS_MAX} characters")
    return text


def _limit(session: Session, community_id: int) -> Money:
    return session.scalars(select(Community.refund_limit).where(Community.id == community_id)).one()


def set_refund_limit(session: Session, community_id: int, limit: Money, *, by: Staff) -> None:
    """Say above which amount two people approve a refund; approvals from now on follow it.

    Raises:
        NotFound: no such community.
        InvalidInput: below zero, or `by` may not decide.
    """
    require_role(by, community_id, BOOKKEEPERS)
    if limit < ZERO:
        raise InvalidInput("limit", f"{limit.yuan} is below zero")
    community = session.get(Community, community_id, with_for_update={"key_share": True})
    if community is None:
        raise NotFound(f"no community {community_id}")
    community.refund_limit = limit


def _refuse_unrefundable(payment: Payment, is_begun: bool) -> None:
    if payment.channel is PaymentChannel.PREPAID:
        raise Conflict(
            f"payment {payment.out_trade_no} used a prepayment: refund the payment that brought it"
        )
    if payment.state is not PaymentState.CONFIRMED:
        raise Conflict(
            f"payment {payment.out_trade_no} is {payment.state.value}: nothing to refund"
        )
    if is_begun and payment.merchant_id is None:
        raise InvalidInput("begun", f"no provider collected payment {payment.out_trade_no}")


def _refuse_invoiced(session: Session, payment: Payment, left: Money) -> None:
    """What is left of a locked payment must bear the fapiao that stand for it. What a provider has
    given back already is written down all the same.
    """
    invoiced: Money = session.execute(
        select(func.coalesce(func.sum(FapiaoPayment.amount), 0))
        .join(
            Fapiao,
            (Fapiao.community_id == FapiaoPayment.community_id)
            & (Fapiao.id == FapiaoPayment.fapiao_id),
        )
        .where(
            FapiaoPayment.community_id == payment.community_id,
            FapiaoPayment.payment_id == payment.id,
            Fapiao.state.in_(LIVING),
        )
    ).scalar_one()
    if invoiced > left:
        raise Conflict(
            f"fapiao over {invoiced.yuan} are for payment {payment.out_trade_no}, of which"
            f" {left.yuan} would be left: reject or reverse them first"
        )


def _find_money(
    session: Session, payment: Payment, amount: Money, *, release_bills: bool
) -> list[Part]:
    """What must be released from bills so that this much of a locked payment can go back.

    What of the payment never paid a bill is taken from the home's prepayment, as far as that is
    still there; the rest is taken from the bills it paid, the newest first.

    Raises:
        Conflict: not enough, or only by releasing bills and that was not asked for.
    """
    applied = _applied(session, payment)
    unapplied = payment.amount - sum((part.amount for part in applied), ZERO)
    free = unapplied - refunded_of(session, payment)
    kept = prepayment_balance(session, payment.community_id, payment.unit_id)
    missing = amount - min(amount, kept, max(free, ZERO))
    if missing == ZERO:
        return []
    if not release_bills:
        raise Conflict(
            f"{missing.yuan} of payment {payment.out_trade_no} paid bills or was used since:"
            " let bills be owed again (release bills), or refund less"
        )
    parts = []
    for part in applied:
        taken = min(part.amount, missing)
        if taken > ZERO:
            parts.append(Part(part.line_id, part.bill_id, taken))
            missing -= taken
    if missing > ZERO:
        raise Conflict(
            f"{missing.yuan} of payment {payment.out_trade_no} was used as a prepayment: void the"
            " bills it paid, or refund less"
        )
    return parts


def _applied(session: Session, payment: Payment) -> list[Part]:
    """What of a payment is applied to lines, newest bill first."""
    applied = func.sum(PaymentAllocation.amount)
    rows = session.execute(
        select(PaymentAllocation.bill_line_id, PaymentAllocation.bill_id, applied.label("amount"))
        .join(
            Bill,
            (Bill.community_id == PaymentAllocation.community_id)
            & (Bill.id == PaymentAllocation.bill_id),
        )
        .where(
            PaymentAllocation.community_id == payment.community_id,
            PaymentAllocation.payment_id == payment.id,
        )
        .group_by(PaymentAllocation.bill_line_id, PaymentAllocation.bill_id, Bill.period)
        .having(applied > ZERO)
        .order_by(
            Bill.period.desc(),
            PaymentAllocation.bill_id.desc(),
            PaymentAllocation.bill_line_id.desc(),
        )
    )
    return [Part(row.bill_line_id, row.bill_id, row.amount) for row in rows]


def _release(session: Session, payment: Payment, refund: Refund, day: date, now: datetime) -> None:
    parts = _find_money(session, payment, refund.amount, release_bills=refund.release_bills)
    if not parts:
        return
    release_parts(
        session,
        payment.community_id,
        payment.id,
        parts,
        refund_id=refund.id,
        effective_on=day,
        now=now,
    )
    refund.released = sum((part.amount for part in parts), ZERO)
