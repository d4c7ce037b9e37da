"""Payments: prepare → call the provider → record → confirm, once.

`prepare` writes our number before anybody outside hears of it; the caller then talks to the
channel with no transaction open and records the outcome here. Booking money is `confirmation`.
"""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from billing.bills import get_bills
from billing.errors import Conflict, InvalidInput, NotFound
from billing.merchants import ProviderOrder
from billing.money import ZERO, Money
from billing.payment_tables import (
    OPEN_STATES,
    Payment,
    PaymentChannel,
    PaymentState,
    PaymentTarget,
    Receipt,
)
from billing.period import EVERY_DAY, DayWindow
from billing.sight import payment_within

ORDER_LIFE = timedelta(hours=2)
"""How long a prepared payment may be paid; afterwards it is closed at the provider."""

PREPAID_PREFIX, BANK_PREFIX, DEBIT_PREFIX, SLIP_PREFIX = "PRE-", "BANK-", "TS", "SLIP/"
OUTSIDE_PREFIX = "EXT/"
"""How the numbers begin that we give to used prepayments, rows of bank statements, orders of direct
debit batches (then the day), slips and what other systems received. No paper of a cashier's may
take one of them.
"""

OWN_NUMBERS = re.compile(
    f"{PREPAID_PREFIX}|{BANK_PREFIX}|{DEBIT_PREFIX}[0-9]{{8}}-|{SLIP_PREFIX}|{OUTSIDE_PREFIX}"
)

PATIENCE = timedelta(days=1)
"""How long an open payment is asked about at the usual pace."""


class InFlight(Conflict):
    """Bills that are to be paid may already be being paid by `payments`; those must be closed at
    their provider, or booked, first.
    """

    def __init__(self, payments: Sequence[Payment]) -> None:
        numbers = ", ".join(payment.out_trade_no for payment in payments)
        super().__init__(f"still open for the same bills: {numbers}")
        self.payments = tuple(payments)


LOCK_HOMES = text(
    """
    SELECT id FROM unit
    WHERE community_id = :community_id AND id = ANY(CAST(:unit_ids AS bigint[]))
    ORDER BY id FOR NO KEY UPDATE
    """
)


def new_out_trade_no() -> str:
    """A fresh order number: 28 characters, unguessable, within WeChat's 6–32 of `[0-9A-Za-z_-]`."""
    return "MZ" + secrets.token_hex(13)


def lock_home(session: Session, community_id: int, unit_id: int) -> None:
    """Let nobody else prepare or book a payment of this home until the caller commits.

    Lock order: payment, unit, community.
    """
    lock_homes(session, community_id, [unit_id])


def lock_homes(session: Session, community_id: int, unit_ids: Collection[int]) -> None:
    """The same for several homes; in the order of ids, so that two who lock several homes never
    wait for each other.
    """
    session.execute(LOCK_HOMES, {"community_id": community_id, "unit_ids": list(unit_ids)})


def prepare(
    session: Session,
    *,
    community_id: int,
    unit_id: int,
    channel: PaymentChannel,
    merchant_id: int | None,
    payer_id: int | None,
    designated: Mapping[int, Money],
    prepaid: Money = ZERO,
    out_trade_no: str,
    now: datetime,
) -> Payment:
    """Write down a payment that is about to be offered to the payer. Moves nothing.

    Called again with the same number and the same wishes it returns the same payment, so a
    double click orders once, also when both clicks come at once: the home's row is locked until
    the caller commits.

    Args:
        merchant_id: the account that collects; None for a channel without a provider, whose money
            a file of the bank confirms.
        payer_id: follower; None for somebody we do not know.
        designated: bill id → amount, each above zero and at most what is owed on the bill now.
        prepaid: what is meant as a prepayment of the home, on top.

    Raises:
        InvalidInput: nothing to pay, or more for a bill than is owed on it.
        NotFound: a bill that is not an issued bill of this home.
        Conflict: the number was already used for something else, or is closed or paid.
        InFlight: another open payment is for one of these bills.
    """
    lock_home(session, community_id, unit_id)
    known = session.scalar(
        select(Payment).where(
            Payment.community_id == community_id, Payment.out_trade_no == out_trade_no
        )
    )
    if known is not None:
        amount = sum(designated.values(), prepaid)
        same = (known.unit_id, known.payer_id, known.channel, known.merchant_id, known.amount) == (
            unit_id,
            payer_id,
            channel,
            merchant_id,
            amount,
        )
        return _same_or_conflict(session, known, designated, same=same)
    check_designation(session, community_id, unit_id, designated, prepaid)
    refuse_in_flight(session, community_id, unit_id, designated)
    payment = Payment(
        community_id=community_id,
        merchant_id=merchant_id,
        out_trade_no=out_trade_no,
        unit_id=unit_id,
        payer_id=payer_id,
        channel=channel,
        state=PaymentState.PREPARED,
        amount=sum(designated.values(), prepaid),
        is_designated=True,
        prepared_at=now,
    )
    session.add(payment)
    session.flush()  # what follows names its id
    if merchant_id is not None:
        _write_order(session, payment)
    write_targets(session, community_id, payment.id, designated)
    return payment


def _write_order(session: Session, payment: Payment) -> None:
    session.execute(
        insert(ProviderOrder).values(
            merchant_id=payment.merchant_id,
            out_trade_no=payment.out_trade_no,
            community_id=payment.community_id,
            payment_id=payment.id,
            created_at=payment.prepared_at,
        )
    )


def write_targets(
    session: Session, community_id: int, payment_id: int, designated: Mapping[int, Money]
) -> None:
    """Write down what the payer meant a payment for, once."""
    if not designated:
        return
    session.execute(
        insert(PaymentTarget),
        [
            {
                "community_id": community_id,
                "payment_id": payment_id,
                "bill_id": bill_id,
                "amount": amount,
            }
            for bill_id, amount in designated.items()
        ],
    )


def _same_or_conflict(
    session: Session, payment: Payment, designated: Mapping[int, Money], *, same: bool
) -> Payment:
    same = same and list_targets(session, payment) == dict(designated)
    if not same or payment.state not in OPEN_STATES:
        raise Conflict(f"order number {payment.out_trade_no} was already used")
    return payment


def check_designation(
    session: Session,
    community_id: int,
    unit_id: int,
    designated: Mapping[int, Money],
    prepaid: Money,
) -> None:
    """Refuse a wish that cannot be booked as it is; the caller has locked the home.

    Raises:
        InvalidInput: nothing to pay, or more for a bill than is owed on it.
        NotFound: a bill that is not an issued bill of this home.
    """
    if prepaid < ZERO or (not designated and prepaid == ZERO):
        raise InvalidInput("designated", "nothing to pay")
    if not designated:
        return
    for bill in get_bills(session, community_id, designated.keys()):
        if bill.unit_id != unit_id:
            raise NotFound(f"bill {bill.id} does not belong to home {unit_id}")
        wanted = designated[bill.id]
        if wanted <= ZERO or wanted > bill.outstanding:
            raise InvalidInput(
                "amount", f"{wanted.yuan} for bill {bill.id}, which owes {bill.outstanding.yuan}"
            )


def refuse_in_flight(
    session: Session, community_id: int, unit_id: int, bill_ids: Collection[int]
) -> None:
    """One payment at a time for a bill, or two people would pay it. Raises InFlight."""
    open_payments = list_in_flight(session, community_id, unit_id, bill_ids)
    if open_payments:
        for payment in open_payments:
            session.expunge(payment)  # the caller reads them after this transaction failed
        raise InFlight(open_payments)


def list_in_flight(
    session: Session, community_id: int, unit_id: int, bill_ids: Collection[int]
) -> list[Payment]:
    """Open payments of a home for any of these bills, the oldest first."""
    meant = select(PaymentTarget.payment_id).where(
        PaymentTarget.community_id == community_id, PaymentTarget.bill_id.in_(bill_ids)
    )
    return list(
        session.scalars(
            select(Payment)
            .where(
                Payment.community_id == community_id,
                Payment.unit_id == unit_id,
                Payment.state.in_(OPEN_STATES),
                Payment.id.in_(meant),
            )
            .order_by(Payment.id)
        )
    )


def list_targets(session: Session, payment: Payment) -> dict[int, Money]:
    """What the payer designated this payment for: bill id → amount."""
    rows = session.execute(
        select(PaymentTarget.bill_id, PaymentTarget.amount)
        .where(
            PaymentTarget.community_id == payment.community_id,
            PaymentTarget.payment_id == payment.id,
        )
        .order_by(PaymentTarget.bill_id)
    )
    return {row.bill_id: row.amount for row in rows}


def _set_open(
    session: Session,
    payment: Payment,
    state: PaymentState,
    *,
    out_of: Collection[PaymentState] = OPEN_STATES,
    **values: Any,
) -> bool:
    """Move a payment between open states; one that was confirmed or closed meanwhile stays so.
    Whether it moved.
    """
    moved = session.execute(
        update(Payment)
        .where(
            Payment.community_id == payment.community_id,
            Payment.id == payment.id,
            Payment.state.in_(out_of),
        )
        .values(state=state, **values)
        .returning(Payment.id)
    )
    return moved.scalar_one_or_none() is not None


def record_call(session: Session, payment: Payment, call: dict[str, Any]) -> bool:
    """The provider accepted the order; `call` is what the payer's phone needs.

    Returns False when the payment was closed meanwhile: it must not be offered any more.
    """
    return _set_open(session, payment, PaymentState.WAITING, call=call)


def record_unknown(session: Session, payment: Payment) -> None:
    """The provider gave no trustworthy answer; it will be asked again, never charged again."""
    _set_open(session, payment, PaymentState.UNKNOWN)


def record_asked(session: Session, payment: Payment, now: datetime) -> None:
    """The provider was asked and says the money has not come."""
    session.execute(
        update(Payment)
        .where(Payment.community_id == payment.community_id, Payment.id == payment.id)
        .values(asked_at=now)
    )


def record_closed(session: Session, payment: Payment, now: datetime) -> None:
    """The number can no longer be paid."""
    _set_open(session, payment, PaymentState.CLOSED, closed_at=now)


def record_refused(session: Session, payment: Payment, now: datetime) -> None:
    """The provider refused the order: the number is closed, unless another try has reached the
    provider; then only that can say that it is over.
    """
    out_of = [PaymentState.PREPARED]
    _set_open(session, payment, PaymentState.CLOSED, out_of=out_of, closed_at=now)


def list_unsettled(
    session: Session, *, now: datetime, older_than: timedelta, ask_again: timedelta, limit: int
) -> list[Payment]:
    """Open payments a provider should be asked about, those unattended longest first, so that
    many that nobody pays do not hide one that was paid.

    Args:
        older_than: leave alone what was prepared more recently; its callback is on the way.
        ask_again: leave alone what was asked about more recently. After a day the pause grows with
            the age, so that a question nobody can answer (a discrepancy) fades away.
    """
    rested = text(
        "payment.asked_at + greatest(CAST(:ask_again AS interval),"
        " (payment.asked_at - payment.prepared_at - CAST(:patience AS interval)) / 4) < :now"
    ).bindparams(ask_again=ask_again, patience=PATIENCE, now=now)
    return list(
        session.scalars(
            select(Payment)
            .where(
                Payment.state.in_(OPEN_STATES),
                Payment.merchant_id.is_not(None),
                Payment.prepared_at < now - older_than,
                or_(Payment.asked_at.is_(None), rested),
            )
            .order_by(func.coalesce(Payment.asked_at, Payment.prepared_at), Payment.id)
            .limit(limit)
        )
    )


def list_confirmed(
    session: Session,
    community_id: int,
    unit_ids: list[int],
    *,
    limit: int,
    seen: DayWindow = EVERY_DAY,
    states: Collection[PaymentState] = (PaymentState.CONFIRMED,),
) -> list[tuple[Payment, Receipt | None]]:
    """Money that came for these homes with its receipts, latest first; with `seen` what somebody
    sees who sees the bills of these days. A receipt is None until it is numbered. With
    `BOOKED_STATES` as `states` also what was cancelled again.
    """
    sight = [] if seen.is_open else [payment_within(seen)]
    rows = session.execute(
        select(Payment, Receipt)
        .outerjoin(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(
            Payment.community_id == community_id,
            Payment.unit_id.in_(unit_ids),
            Payment.state.in_(states),
            Payment.channel != PaymentChannel.PREPAID,
            *sight,
        )
        .order_by(Payment.confirmed_at.desc(), Payment.id.desc())
        .limit(limit)
    )
    return [(payment, receipt) for payment, receipt in rows]
