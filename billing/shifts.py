"""A cashier's shift (交班): opened with a float, closed with counted cash, which is an assertion.

What is missing or too much is posted, never hidden by changing what was taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Select, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.business_day import BEIJING, business_date
from billing.closing import first_open_day
from billing.counter_tables import CashierShift, CounterPayment
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.labels import LabelEnum
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.people import TELLERS, Staff, StaffRole, require_role

FLOAT_MAX = Money(10**9)
"""Ten million yuan: nobody begins with more in a drawer."""

CASH_OF_SHIFT = text(
    """
    SELECT way, count(*) AS times, sum(amount) AS amount FROM (
        SELECT 'payment' AS way, payment.amount
        FROM counter_payment taken
        JOIN payment ON payment.community_id = taken.community_id
         AND payment.id = taken.payment_id
        WHERE taken.community_id = :community_id AND taken.shift_id = :shift_id
          AND payment.channel = 'cash' AND payment.state = 'confirmed'
        UNION ALL
        SELECT CASE move WHEN 'taken' THEN 'deposit_taken' ELSE 'deposit_returned' END,
               CASE move WHEN 'taken' THEN amount ELSE -amount END
        FROM deposit_movement
        WHERE community_id = :community_id AND shift_id = :shift_id
        UNION ALL
        SELECT 'refund', -amount FROM refund
        WHERE community_id = :community_id AND shift_id = :shift_id AND state = 'done'
    ) moved GROUP BY way
    """
)
"""What came into the drawer of a shift, and what went out, negative, by `CashWay`: the one place
that knows every way cash takes.
"""


class CashWay(LabelEnum):
    """How cash comes into a drawer or leaves it."""

    PAYMENT = "payment", "现金收款"
    DEPOSIT_TAKEN = "deposit_taken", "收取押金"
    DEPOSIT_RETURNED = "deposit_returned", "退还押金"
    REFUND = "refund", "现金退款"


@dataclass(frozen=True, slots=True)
class CashMoved:
    """How often and how much cash went one way; `amount` is negative when it left the drawer."""

    way: CashWay
    times: int
    amount: Money


@dataclass(frozen=True, slots=True)
class ChannelTotal:
    """What a shift took by one channel: standing payments, and those cancelled again."""

    channel: PaymentChannel
    payments: int
    amount: Money
    cancelled: int
    cancelled_amount: Money


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """A shift as it stands. `expected` is what must be in the drawer: the float and all of `cash`.
    `counted` of the shift is None while it is open.
    """

    shift: CashierShift
    channels: tuple[ChannelTotal, ...]
    cash: tuple[CashMoved, ...]
    expected: Money

    @property
    def difference(self) -> Money:
        """Counted less expected: negative when cash is missing, zero while open."""
        return ZERO if self.shift.counted is None else self.shift.counted - self.expected


def open_shift(
    session: Session, community_id: int, cashier: Staff, *, opening_float: Money, now: datetime
) -> CashierShift:
    """Begin a shift with this much cash in the drawer.

    Raises:
        InvalidInput: the cashier's role does not allow it, or the float is absurd.
        Conflict: this cashier has an open shift in the community.
    """
    require_role(cashier, community_id, TELLERS)
    if not ZERO <= opening_float <= FLOAT_MAX:
        raise InvalidInput("float", f"{opening_float.yuan} cannot be in a drawer")
    # Two at once: the unique index decides.
    shift: CashierShift | None = session.scalar(
        insert(CashierShift)
        .values(
            community_id=community_id,
            cashier_id=cashier.id,
            opened_at=now,
            opening_float=opening_float,
        )
        .on_conflict_do_nothing(
            index_elements=["community_id", "cashier_id"],
            index_where=text("closed_at IS NULL"),
        )
        .returning(CashierShift)
    )
    if shift is None:
        raise Conflict(f"{cashier.login} has an open shift; close it first")
    return shift


def _open_of(community_id: int, cashier_id: int) -> Select[CashierShift]:
    return select(CashierShift).where(
        CashierShift.community_id == community_id,
        CashierShift.cashier_id == cashier_id,
        CashierShift.closed_at.is_(None),
    )


def find_open_shift(session: Session, community_id: int, cashier: Staff) -> CashierShift | None:
    """The open shift of a cashier; None when he has none."""
    return session.scalar(_open_of(community_id, cashier.id))


def get_shift(session: Session, community_id: int, shift_id: int) -> CashierShift:
    """This shift.

    Raises:
        NotFound: there is none.
    """
    found = session.get(CashierShift, (community_id, shift_id))
    if found is None:
        raise NotFound(f"no shift {shift_id} in community {community_id}")
    return found


def get_open_shift(session: Session, community_id: int, cashier: Staff) -> CashierShift:
    """The open shift of a cashier.

    Raises:
        Conflict: there is none.
    """
    shift = find_open_shift(session, community_id, cashier)
    if shift is None:
        raise Conflict(f"{cashier.login} has no open shift; open one first")
    return shift


def hold_drawer(session: Session, community_id: int, cashier_id: int) -> int | None:
    """The open shift whose drawer a member of staff has before him, which nobody closes until the
    caller's transaction ends; None when he has none.

    Lock order: shift, payment, unit, community.
    """
    shift = session.scalar(
        _open_of(community_id, cashier_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    return None if shift is None else shift.id


def hold_open(session: Session, community_id: int, shift_id: int) -> CashierShift:
    """This shift, which nobody closes until the caller's transaction ends.

    Raises:
        NotFound: no such shift.
        Conflict: it is closed.
    """
    shift = _lock(session, community_id, shift_id, read=True)
    if shift.closed_at is not None:
        raise Conflict(f"shift {shift_id} is closed")
    return shift


def _lock(session: Session, community_id: int, shift_id: int, *, read: bool) -> CashierShift:
    shift = session.scalar(
        select(CashierShift)
        .where(CashierShift.community_id == community_id, CashierShift.id == shift_id)
        .with_for_update(read=read)
        .execution_options(populate_existing=True)
    )
    if shift is None:
        raise NotFound(f"no shift {shift_id} in community {community_id}")
    return shift


def close_shift(
    session: Session,
    community_id: int,
    shift_id: int,
    *,
    counted: Money,
    reason: str = "",
    by: Staff,
    now: datetime,
) -> ShiftReport:
    """End a shift with the cash that was counted; a difference is posted as such.

    Waits for payments and cancellations under way; afterwards none is possible.

    Args:
        reason: why the count differs from what is expected; may be empty when it does not.

    Raises:
        NotFound: no such shift.
        InvalidInput: `by` is neither its cashier nor a manager, a negative count, or a difference
            without a reason.
        Conflict: it is closed already.
    """
    shift = _lock(session, community_id, shift_id, read=False)
    refuse_strangers(shift, by)
    if shift.closed_at is not None:
        raise Conflict(f"shift {shift_id} is closed already")
    if counted < ZERO:
        raise InvalidInput("counted", f"{counted.yuan} cannot be in a drawer")
    expected = expected_cash(session, shift)
    if counted != expected and not reason.strip():
        raise InvalidInput(
            "reason",
            f"{counted.yuan} was counted, {expected.yuan} is expected: say why, or count again",
        )
    shift.closed_at = now
    shift.closed_by = by.id
    shift.expected = expected
    shift.counted = counted
    shift.reason = reason.strip() or None
    session.flush()  # the entry below names it
    _post_difference(session, shift, counted - expected, now)
    record(
        session,
        FactKind.SHIFT_CLOSED,
        community_id=community_id,
        ref_id=shift_id,
        amount=counted,
        at=now,
        data={"expected_fen": expected.fen},
    )
    return report_shift(session, shift)


def refuse_strangers(shift: CashierShift, by: Staff) -> None:
    """A shift is its cashier's; a manager may act in it.

    Raises:
        InvalidInput: somebody else.
    """
    require_role(by, shift.community_id, TELLERS)
    if by.id != shift.cashier_id and by.role is not StaffRole.MANAGER:
        raise InvalidInput("by", f"{by.login}: this takes the shift's own cashier, or a manager")


def expected_cash(session: Session, shift: CashierShift) -> Money:
    """What the drawer of a shift must hold: its float, what came in, less what went out."""
    return sum((part.amount for part in _cash_of(session, shift)), shift.opening_float)


def _cash_of(session: Session, shift: CashierShift) -> tuple[CashMoved, ...]:
    rows = session.execute(
        CASH_OF_SHIFT, {"community_id": shift.community_id, "shift_id": shift.id}
    )
    moved = {
        row.way: CashMoved(CashWay(row.way), row.times, Money(int(row.amount))) for row in rows
    }
    return tuple(moved[way] for way in CashWay if way in moved)


def _post_difference(
    session: Session, shift: CashierShift, difference: Money, now: datetime
) -> None:
    if difference == ZERO:
        return
    short = difference < ZERO
    amount = -difference if short else difference
    debited, credited = FixedAccount.CASH, FixedAccount.CASH_DIFFERENCES
    if short:
        debited, credited = credited, debited
    post(
        session,
        shift.community_id,
        kind=EntryKind.CASH_DIFFERENCE,
        key=f"shift:{shift.id}",
        source_id=shift.id,
        effective_on=first_open_day(session, shift.community_id, business_date(now)),
        now=now,
        legs=[Leg(debited, debit=amount), Leg(credited, credit=amount)],
    )


def report_shift(session: Session, shift: CashierShift) -> ShiftReport:
    """What a shift took by channel, what went through its drawer, and what that must hold."""
    totals: dict[PaymentChannel, list[tuple[PaymentState, Money]]] = {}
    rows = session.execute(
        select(Payment.channel, Payment.state, Payment.amount)
        .join(
            CounterPayment,
            (CounterPayment.community_id == Payment.community_id)
            & (CounterPayment.payment_id == Payment.id),
        )
        .where(
            CounterPayment.community_id == shift.community_id, CounterPayment.shift_id == shift.id
        )
    )
    for channel, state, amount in rows:
        totals.setdefault(channel, []).append((state, amount))
    cash = _cash_of(session, shift)
    moved = sum((part.amount for part in cash), shift.opening_float)
    return ShiftReport(
        shift,
        tuple(_total(channel, totals[channel]) for channel in PaymentChannel if channel in totals),
        cash,
        moved if shift.expected is None else shift.expected,
    )


def _total(channel: PaymentChannel, taken: list[tuple[PaymentState, Money]]) -> ChannelTotal:
    stand = [amount for state, amount in taken if state is PaymentState.CONFIRMED]
    gone = [amount for state, amount in taken if state is PaymentState.REVERSED]
    return ChannelTotal(channel, len(stand), sum(stand, ZERO), len(gone), sum(gone, ZERO))


def list_shifts(session: Session, community_id: int, *, limit: int = 50) -> list[ShiftReport]:
    """The latest shifts of a community, the newest first."""
    shifts = session.scalars(
        select(CashierShift)
        .where(CashierShift.community_id == community_id)
        .order_by(CashierShift.id.desc())
        .limit(limit)
    )
    return [report_shift(session, shift) for shift in shifts]


def list_shifts_of_day(session: Session, community_id: int, day: date) -> list[ShiftReport]:
    """Shifts that were opened on a day, the first one first: the counter's day report."""
    begins = datetime.combine(day, time(), BEIJING)
    shifts = session.scalars(
        select(CashierShift)
        .where(
            CashierShift.community_id == community_id,
            CashierShift.opened_at >= begins,
            CashierShift.opened_at < begins + timedelta(days=1),
        )
        .order_by(CashierShift.id)
    )
    return [report_shift(session, shift) for shift in shifts]


def sum_channels(reports: Sequence[ShiftReport]) -> tuple[ChannelTotal, ...]:
    """What several shifts took by channel, together."""
    totals: dict[PaymentChannel, ChannelTotal] = {}
    for one in (total for report in reports for total in report.channels):
        known = totals.get(one.channel, ChannelTotal(one.channel, 0, ZERO, 0, ZERO))
        totals[one.channel] = ChannelTotal(
            one.channel,
            known.payments + one.payments,
            known.amount + one.amount,
            known.cancelled + one.cancelled,
            known.cancelled_amount + one.cancelled_amount,
        )
    return tuple(totals[channel] for channel in PaymentChannel if channel in totals)


def sum_cash(reports: Sequence[ShiftReport]) -> tuple[CashMoved, ...]:
    """What went through the drawers of several shifts by way, together."""
    parts = [part for report in reports for part in report.cash]
    return tuple(
        CashMoved(
            way,
            sum(part.times for part in parts if part.way is way),
            sum((part.amount for part in parts if part.way is way), ZERO),
        )
        for way in CashWay
        if any(part.way is way for part in parts)
    )
