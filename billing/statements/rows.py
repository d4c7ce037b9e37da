"""What staff do with rows: look at them, say whose they are, or that they are nobody's."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from billing.errors import Conflict, InvalidInput, NotFound
from billing.money import Money
from billing.payment_tables import Payment, PaymentState
from billing.payments import BANK_PREFIX, lock_home
from billing.people import BOOKKEEPERS, Staff, StaffRole, require_role
from billing.privacy import Vault, mask_name
from billing.property import Unit
from billing.statements.deciding import (
    Assigned,
    Details,
    Movement,
    book_movements,
    open_details,
)
from billing.statements.directory import read_owed
from billing.statements.matching import outcome
from billing.statements.slips import find_slip, list_slips, numbers_in
from billing.statements.tables import BankRow, RowState

DECIDERS = BOOKKEEPERS | {StaffRole.CASHIER}
DECIDABLE = (RowState.AMBIGUOUS, RowState.UNKNOWN, RowState.IGNORED, RowState.RECORDED)
REASON_MAX = 200

_LONG_NUMBER = re.compile(r"[0-9]{11,}")


@dataclass(frozen=True, slots=True)
class RowView:
    """A row as staff see it: names and numbers masked, the reasons of matching in full."""

    id: int
    value_at: datetime
    amount: Money
    payer: str
    account_tail: str
    remark: str
    serial: str | None
    state: RowState
    room: str | None
    payment: str | None
    is_reversed: bool
    """Its payment was taken back by the cashier: it may be assigned again."""
    evidence: dict[str, Any]
    reason: str | None
    decided_by: int | None
    decided_at: datetime | None


def list_rows(
    session: Session,
    vault: Vault,
    community_id: int,
    *,
    states: Collection[RowState] = (),
    row_id: int | None = None,
    limit: int = 500,
) -> list[RowView]:
    """Rows of a community, the oldest first; those in some states if given, or one."""
    query = (
        select(BankRow, Unit.room, Payment.out_trade_no, Payment.state.label("payment_state"))
        .outerjoin(Unit, (Unit.community_id == BankRow.community_id) & (Unit.id == BankRow.unit_id))
        .outerjoin(
            Payment,
            (Payment.community_id == BankRow.community_id) & (Payment.id == BankRow.payment_id),
        )
        .where(BankRow.community_id == community_id)
        .order_by(BankRow.value_at, BankRow.key)
        .limit(limit)
    )
    if states:
        query = query.where(BankRow.state.in_(states))
    if row_id is not None:
        query = query.where(BankRow.id == row_id)
    found = []
    for row, room, number, payment_state in session.execute(query):
        details = open_masked(vault, row.details_sealed)
        found.append(
            RowView(
                id=row.id,
                value_at=row.value_at,
                amount=row.amount,
                payer=details.payer,
                account_tail=details.account,
                remark=details.remark,
                serial=row.serial,
                state=row.state,
                room=room,
                payment=number,
                is_reversed=payment_state is PaymentState.REVERSED,
                evidence=row.evidence,
                reason=row.reason,
                decided_by=row.decided_by,
                decided_at=row.decided_at,
            )
        )
    return found


def open_masked(vault: Vault, sealed: str) -> Details:
    """Who paid and what he wrote, as staff see it: the name masked, of the account the last four
    digits, long numbers in the remark by their ends.
    """
    details = open_details(vault, sealed)
    return Details(
        mask_name(details.payer) if details.payer else "",
        details.account[-4:],
        _LONG_NUMBER.sub(_mask_number, details.remark),
    )


def find_next_open(session: Session, community_id: int) -> BankRow | None:
    """The oldest row that matching left to people; None when there is none."""
    return session.scalar(
        select(BankRow)
        .where(
            BankRow.community_id == community_id,
            BankRow.state.in_((RowState.AMBIGUOUS, RowState.UNKNOWN)),
        )
        .order_by(BankRow.value_at, BankRow.id)
        .limit(1)
    )


def count_waiting(session: Session, community_id: int) -> int:
    """How many rows matching has not looked at yet."""
    return (
        session.scalar(
            select(func.count()).where(
                BankRow.community_id == community_id, BankRow.state == RowState.WAITING
            )
        )
        or 0
    )


def list_communities_waiting(session: Session) -> list[int]:
    """Communities with rows that matching has not looked at yet."""
    return list(
        session.scalars(
            select(BankRow.community_id)
            .where(BankRow.state == RowState.WAITING)
            .distinct()
            .order_by(BankRow.community_id)
        )
    )


def _mask_number(match: re.Match[str]) -> str:
    digits = match.group()
    return "*" * (len(digits) - 4) + digits[-4:]


def assign(
    session: Session,
    community_id: int,
    row_id: int,
    unit_id: int,
    *,
    reason: str,
    by: Staff,
    now: datetime,
) -> BankRow:
    """Book a row to a home because somebody says so: what is owed is paid, the oldest first, the
    rest is its prepayment. The same home again books nothing, nor does a transfer that a cashier
    booked for this home by its slip.

    A row that was booked is assigned to another home only after the cashier took its payment back.

    Raises:
        InvalidInput: `by` may not, or no reason.
        NotFound: no such row or home.
        Conflict: the row is outgoing, waits for matching, or is booked.
    """
    row = _decidable(session, community_id, row_id, by, reason)
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    payment = _payment_of(session, row)
    is_free = payment is None or _is_reversed(payment)
    if not is_free and row.unit_id == unit_id:
        return row
    if row.state not in DECIDABLE and (payment is None or not is_free):
        raise Conflict(f"row {row_id} is {row.state.value}; it cannot be assigned")
    lock_home(session, community_id, unit_id)
    row.state, row.payment_id = _recorded(session, row, unit_id) or _book(
        session, row, unit_id, now
    )
    row.unit_id = unit_id
    _sign(row, by, reason, now)
    return row


def _recorded(session: Session, row: BankRow, unit_id: int) -> tuple[RowState, int] | None:
    """The slip of a locked home that the cashier booked meanwhile for this very movement."""
    numbers = numbers_in(row.serial, "")
    slips = list_slips(session, row.community_id, [unit_id], [])
    slip = find_slip(
        slips, amount=row.amount, value_on=row.value_on, unit_ids=[unit_id], numbers=numbers
    )
    return None if slip is None else (RowState.RECORDED, slip.payment_id)


def _book(session: Session, row: BankRow, unit_id: int, now: datetime) -> tuple[RowState, int]:
    """A payment of its own for a locked home."""
    state = outcome(row.amount, read_owed(session, row.community_id, [unit_id])[unit_id])
    movement = Movement(row.id, row.amount, row.value_at, row.value_on, row.serial)
    assigned = Assigned(movement, unit_id, _next_number(session, row))
    [payment_id] = book_movements(session, row.community_id, [assigned], now)
    return state, payment_id


def ignore(
    session: Session, community_id: int, row_id: int, *, reason: str, by: Staff, now: datetime
) -> BankRow:
    """Say that a row is no home's money: interest, a refund, another business of the company. Again
    it changes nothing.

    Raises:
        InvalidInput: `by` may not, or no reason.
        NotFound: no such row.
        Conflict: the row is outgoing, waits for matching, or is booked.
    """
    row = _decidable(session, community_id, row_id, by, reason)
    if row.state is RowState.IGNORED:
        return row
    payment = _payment_of(session, row)
    is_free = row.state in (RowState.AMBIGUOUS, RowState.UNKNOWN)
    if not is_free and (payment is None or not _is_reversed(payment)):
        raise Conflict(f"row {row_id} is {row.state.value}; it cannot be ignored")
    row.state, row.unit_id, row.payment_id = RowState.IGNORED, None, None
    _sign(row, by, reason, now)
    return row


def _decidable(session: Session, community_id: int, row_id: int, by: Staff, reason: str) -> BankRow:
    require_role(by, community_id, DECIDERS)
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise InvalidInput("reason", f"say why, in 1 to {REASON_MAX} characters")
    row = session.get(
        BankRow,
        (community_id, row_id),
        with_for_update={"key_share": True},
        populate_existing=True,
    )
    if row is None:
        raise NotFound(f"no bank row {row_id} in community {community_id}")
    return row


def _payment_of(session: Session, row: BankRow) -> Payment | None:
    if row.payment_id is None:
        return None
    return session.get_one(Payment, (row.community_id, row.payment_id))


def _is_reversed(payment: Payment) -> bool:
    return payment.state is PaymentState.REVERSED


def _next_number(session: Session, row: BankRow) -> str:
    """BANK-7, and BANK-7-2 for the second payment of a row whose first was taken back."""
    number = f"{BANK_PREFIX}{row.id}"
    earlier = session.scalar(
        select(func.count())
        .select_from(Payment)
        .where(
            Payment.community_id == row.community_id,
            or_(Payment.out_trade_no == number, Payment.out_trade_no.startswith(f"{number}-")),
        )
    )
    return f"{number}-{earlier + 1}" if earlier else number


def _sign(row: BankRow, by: Staff, reason: str, now: datetime) -> None:
    row.decided_by, row.reason, row.decided_at = by.id, reason.strip(), now
