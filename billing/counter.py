"""Money taken by hand at the counter (柜台): cash, cards, slips; and taken back while the shift is
open, by reversal only.
"""

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import exists, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, aliased

from billing.booking import book
from billing.business_day import BEIJING, business_date
from billing.closing import first_open_day
from billing.counter_tables import CashierShift, CounterPayment
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.fapiao_tables import LIVING, Fapiao, FapiaoPayment
from billing.ledger import EntryKind, JournalEntry, reverse_entries
from billing.money import ZERO, Money
from billing.owed_lines import list_own_unpaid
from billing.payment_channels import CHANNELS
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState
from billing.payments import (
    OWN_NUMBERS,
    SLIP_PREFIX,
    check_designation,
    list_targets,
    lock_home,
    refuse_in_flight,
    write_targets,
)
from billing.people import Staff
from billing.prepayments import balance
from billing.property import Unit
from billing.refund_tables import COUNTED_STAGES
from billing.refunds import refunded_of
from billing.shifts import hold_open, refuse_strangers
from billing.statements.slips import refuse_booked

AMOUNT_MAX = Money(10**11)
"""Above a thousand million yuan somebody mistyped."""

NUMBER_CHARACTERS_MAX = 64
BANK_CHARACTERS_MAX = 40
REASON_CHARACTERS_MAX = 200
SLIP_AGE_MAX = timedelta(days=366)
"""A slip older than a year is a mistyped date."""


def take_payment(
    session: Session,
    shift: CashierShift,
    *,
    unit_id: int,
    amount: Money,
    channel: PaymentChannel,
    number: str,
    designated: Mapping[int, Money] | None = None,
    bank: str | None = None,
    payer_name_sealed: str | None = None,
    paid_on: date | None = None,
    now: datetime,
) -> Payment:
    """Book money that a cashier has in his hands, at once.

    Called again with the same number and the same facts it books nothing and returns the same
    payment.

    Args:
        number: of the paper handed out, the POS print-out or, with `bank`, the slip; unique in the
            community.
        designated: bill id → amount; what is above them is meant as a prepayment. None: what is
            owed is paid, the oldest first, and the rest is a prepayment (民法典 560/561).
        bank: whose slip it is; for slips alone.
        payer_name_sealed: of somebody else than the owner, sealed by the vault.
        paid_on: the date on the slip; for slips alone, by default today.

    Raises:
        InvalidInput: an amount not above zero or absurd, less than is designated, a channel that is
            not booked by hand, a number or bank that is empty, too long or one of ours, a date to
            come or over a year ago.
        NotFound: no such home, or a bill that is not an issued bill of it.
        Conflict: the shift is closed, the number stands for another payment, or the transfer of a
            slip came with the bank's statement before.
        InFlight: another open payment is for one of these bills; end it at its provider first.
    """
    key, number, bank = _read_paper(channel, number, bank)
    paid_at = _paid_at(channel, paid_on, now)
    if not ZERO < amount <= AMOUNT_MAX:
        raise InvalidInput("amount", f"{amount.yuan} is not an amount that can be taken")
    community_id = shift.community_id
    hold_open(session, community_id, shift.id)
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    lock_home(session, community_id, unit_id)
    known = _find(session, community_id, key)
    if known is not None:
        _refuse_another(session, known, unit_id, amount, channel, designated)
        return known
    _check_wishes(session, community_id, unit_id, amount, designated)
    payment = _insert(
        session,
        community_id=community_id,
        out_trade_no=key,
        unit_id=unit_id,
        channel=channel,
        amount=amount,
        is_designated=designated is not None,
        confirmed_at=now,
        paid_at=paid_at,
    )
    refuse_booked(session, payment, number)
    write_targets(session, community_id, payment.id, designated or {})
    beside = CounterPayment(community_id=community_id, payment_id=payment.id, shift_id=shift.id)
    beside.number, beside.bank = number, bank
    beside.payer_name_sealed = payer_name_sealed
    session.add(beside)
    book(session, payment, now)
    return payment


def _check_wishes(
    session: Session,
    community_id: int,
    unit_id: int,
    amount: Money,
    designated: Mapping[int, Money] | None,
) -> None:
    """Refuse what cannot be paid as wished, or is being paid already."""
    if designated is None:
        owed = [bill.id for bill in list_own_unpaid(session, community_id, [unit_id])]
    else:
        owed = list(designated)
        prepaid = amount - sum(designated.values(), ZERO)
        check_designation(session, community_id, unit_id, designated, prepaid)
    refuse_in_flight(session, community_id, unit_id, owed)


def _find(session: Session, community_id: int, key: str) -> Payment | None:
    return session.scalar(
        select(Payment).where(Payment.community_id == community_id, Payment.out_trade_no == key)
    )


def _insert(session: Session, **values: Any) -> Payment:
    """Another home may be using the number at this moment; its row decides."""
    payment: Payment | None = session.scalar(
        upsert(Payment)
        .values(state=PaymentState.CONFIRMED, prepared_at=values["confirmed_at"], **values)
        .on_conflict_do_nothing(index_elements=["community_id", "out_trade_no"])
        .returning(Payment)
    )
    if payment is None:
        raise _used(values["out_trade_no"])
    return payment


def _used(key: str) -> Conflict:
    return Conflict(f"number {key} stands for another payment; use another number")


def _refuse_another(
    session: Session,
    known: Payment,
    unit_id: int,
    amount: Money,
    channel: PaymentChannel,
    designated: Mapping[int, Money] | None,
) -> None:
    wanted = (unit_id, amount, channel, designated is not None, dict(designated or {}))
    targets = list_targets(session, known)
    if (known.unit_id, known.amount, known.channel, known.is_designated, targets) != wanted:
        raise _used(known.out_trade_no)
    if known.state is PaymentState.REVERSED:
        raise Conflict(f"payment {known.out_trade_no} was cancelled; use another number")


def _read_paper(
    channel: PaymentChannel, number: str, bank: str | None
) -> tuple[str, str, str | None]:
    """Our number, the paper's and its bank. Slips of two banks may carry the same number."""
    if not CHANNELS[channel].by_hand:
        raise InvalidInput("channel", f"money by {channel.value} is not booked by hand")
    number = _text("number", number, NUMBER_CHARACTERS_MAX)
    if channel is not PaymentChannel.SLIP:
        if bank is not None:
            raise InvalidInput("bank", f"only a slip has a bank, {channel.value} has none")
        if OWN_NUMBERS.match(number):
            raise InvalidInput("number", f"{number} is like one that we give ourselves")
        return number, number, None
    bank = _text("bank", bank or "", BANK_CHARACTERS_MAX)
    if "/" in bank:
        raise InvalidInput("bank", "a bank's name has no stroke in it")
    return f"{SLIP_PREFIX}{bank}/{number}", number, bank


def _text(field: str, value: str, characters_max: int) -> str:
    text = " ".join(unicodedata.normalize("NFKC", value).split())
    if not 0 < len(text) <= characters_max or not text.isprintable():
        raise InvalidInput(field, f"must have 1 to {characters_max} characters that can be printed")
    return text


def _paid_at(channel: PaymentChannel, paid_on: date | None, now: datetime) -> datetime:
    today = business_date(now)
    if paid_on is None or paid_on == today:
        return now
    if channel is not PaymentChannel.SLIP:
        raise InvalidInput("paid_on", f"{channel.value} is taken today, {today}")
    if not today - SLIP_AGE_MAX <= paid_on < today:
        raise InvalidInput("paid_on", f"{paid_on} cannot be the date of a slip shown on {today}")
    return datetime.combine(paid_on, time(12), BEIJING)


def find_counter_payment(session: Session, payment: Payment) -> CounterPayment | None:
    """What the cashier wrote down beside a payment; None for money that came otherwise."""
    return session.get(CounterPayment, (payment.community_id, payment.id), populate_existing=True)


def find_cashier(session: Session, payment: Payment) -> Staff | None:
    """Who took a payment at the counter; None for money that came otherwise."""
    return session.scalar(
        select(Staff)
        .join(CashierShift, CashierShift.cashier_id == Staff.id)
        .join(
            CounterPayment,
            (CounterPayment.community_id == CashierShift.community_id)
            & (CounterPayment.shift_id == CashierShift.id),
        )
        .where(
            CounterPayment.community_id == payment.community_id,
            CounterPayment.payment_id == payment.id,
        )
    )


def get_taken(session: Session, community_id: int, number: str) -> Payment:
    """The payment taken at the counter under this number, our own or the paper's.

    Raises:
        NotFound: there is none.
        Conflict: slips of several banks have it; use our own number.
    """
    found = session.scalars(
        select(Payment)
        .join(
            CounterPayment,
            (CounterPayment.community_id == Payment.community_id)
            & (CounterPayment.payment_id == Payment.id),
        )
        .where(
            Payment.community_id == community_id,
            (Payment.out_trade_no == number) | (CounterPayment.number == number),
        )
    ).all()
    if not found:
        raise NotFound(f"nothing was taken at the counter under number {number!r}")
    exact = [payment for payment in found if payment.out_trade_no == number]
    if len(found) > 1 and not exact:
        keys = ", ".join(payment.out_trade_no for payment in found)
        raise Conflict(f"{number} is several payments: {keys}; name one of them")
    return (exact or list(found))[0]


def cancel_payment(
    session: Session, payment: Payment, *, by: Staff, reason: str, now: datetime
) -> None:
    """Take back a payment of a shift that is still open, as if the money had never come.

    Its entry is mirrored, dated today or the first open day; what it paid is owed again, from the
    day it was paid, so that late fees count as if it had not been. The receipt stays and is shown
    as void. The number cannot be used again.

    Raises:
        InvalidInput: no reason, or `by` is neither the shift's cashier nor a manager.
        Conflict: it was not taken at the counter, its shift is closed, it was cancelled already, a
            fapiao was asked for or issued for it, it is refunded or asked back, or its prepayment
            was used meanwhile.
    """
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise InvalidInput("reason", f"say why, in at most {REASON_CHARACTERS_MAX} characters")
    taken = find_counter_payment(session, payment)
    if taken is None:
        raise Conflict(f"payment {payment.out_trade_no} was not taken at the counter; refund it")
    community_id = payment.community_id
    shift = hold_open(session, community_id, taken.shift_id)
    refuse_strangers(shift, by)
    session.refresh(payment, with_for_update=True)
    lock_home(session, community_id, payment.unit_id)
    _refuse_settled(session, payment)
    payment.state = PaymentState.REVERSED
    taken.cancelled_at = now
    taken.cancelled_by = by.id
    taken.cancel_reason = reason.strip()
    session.flush()
    _take_back_entries(session, payment, now)
    _take_back_allocations(session, payment)
    record(
        session,
        FactKind.PAYMENT_REVERSED,
        community_id=community_id,
        unit_id=payment.unit_id,
        ref_id=payment.id,
        amount=payment.amount,
        at=now,
        data={"payer_id": payment.payer_id},
    )


def _refuse_settled(session: Session, payment: Payment) -> None:
    """What happened since that a cancellation would contradict."""
    if payment.state is PaymentState.REVERSED:
        raise Conflict(f"payment {payment.out_trade_no} was cancelled already")
    invoiced = session.scalar(
        select(Fapiao.id)
        .join(
            FapiaoPayment,
            (FapiaoPayment.community_id == Fapiao.community_id)
            & (FapiaoPayment.fapiao_id == Fapiao.id),
        )
        .where(
            FapiaoPayment.community_id == payment.community_id,
            FapiaoPayment.payment_id == payment.id,
            Fapiao.state.in_(LIVING),
        )
    )
    if invoiced is not None:
        raise Conflict(
            f"fapiao {invoiced} covers payment {payment.out_trade_no}: reject or reverse it first"
        )
    refunded = refunded_of(session, payment, COUNTED_STAGES)
    if refunded > ZERO:
        raise Conflict(
            f"{refunded.yuan} of payment {payment.out_trade_no} is refunded, or asked back"
        )
    applied = session.scalar(
        select(func.sum(PaymentAllocation.amount)).where(
            PaymentAllocation.community_id == payment.community_id,
            PaymentAllocation.payment_id == payment.id,
        )
    )
    prepaid = payment.amount - (applied or ZERO)
    kept = balance(session, payment.community_id, payment.unit_id)
    if kept < prepaid:
        raise Conflict(
            f"{prepaid.yuan} of payment {payment.out_trade_no} became a prepayment, of which"
            f" {kept.yuan} is left"
        )


def _take_back_entries(session: Session, payment: Payment, now: datetime) -> None:
    """Mirror what the payment posted, and what voids of its bills released since."""
    mirror = aliased(JournalEntry)
    booked = session.execute(
        select(JournalEntry.id, JournalEntry.idempotency_key).where(
            JournalEntry.community_id == payment.community_id,
            JournalEntry.kind.in_([EntryKind.PAYMENT, EntryKind.RELEASE]),
            JournalEntry.source_id == payment.id,
            ~exists().where(
                mirror.community_id == JournalEntry.community_id,
                mirror.reverses_id == JournalEntry.id,
            ),
        )
    )
    reverse_entries(
        session,
        payment.community_id,
        {entry.id: f"reversal:{entry.idempotency_key}" for entry in booked},
        effective_on=first_open_day(session, payment.community_id, business_date(now)),
        now=now,
    )


def _take_back_allocations(session: Session, payment: Payment) -> None:
    applied = PaymentAllocation
    session.execute(
        insert(applied).from_select(
            ["community_id", "payment_id", "bill_line_id", "bill_id", "amount", "effective_on"],
            select(
                applied.community_id,
                applied.payment_id,
                applied.bill_line_id,
                applied.bill_id,
                -func.sum(applied.amount),
                func.min(applied.effective_on),
            )
            .where(applied.community_id == payment.community_id, applied.payment_id == payment.id)
            .group_by(
                applied.community_id, applied.payment_id, applied.bill_line_id, applied.bill_id
            )
            .having(func.sum(applied.amount) != ZERO),
        )
    )
