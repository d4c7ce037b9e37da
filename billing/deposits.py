"""Deposits (押金): taken, returned, or kept for damage. Somebody else's money until then."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.closing import first_open_day
from billing.db import Base, CommunityId, LocalId
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.labels import LabelEnum
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.money import ZERO, Money
from billing.payments import lock_home
from billing.property import Unit
from billing.shifts import hold_drawer

DEPOSIT_MAX = Money(10**11)
"""Above a thousand million yuan somebody mistyped."""

TEXT_CHARACTERS_MAX = 200


class DepositMove(LabelEnum):
    """What happens to a deposit."""

    TAKEN = "taken", "收取"
    RETURNED = "returned", "退还"
    FORFEITED = "forfeited", "抵扣"


class Deposit(Base):
    """A deposit of one home for one purpose, e.g. 装修押金."""

    __tablename__ = "deposit"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        UniqueConstraint("community_id", "number"),
        Index("ix_deposit_unit", "community_id", "unit_id"),
        {"comment": "Deposits (押金)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    number: Mapped[str] = mapped_column(comment="of the paper handed out; taking it twice is seen")
    unit_id: Mapped[int]
    purpose: Mapped[str]


class DepositMovement(Base):
    """One movement of a deposit, positive. What is held is taken − returned − forfeited, never
    below zero.
    """

    __tablename__ = "deposit_movement"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "deposit_id"], ["deposit.community_id", "deposit.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "shift_id"], ["cashier_shift.community_id", "cashier_shift.id"]
        ),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_deposit_movement_deposit", "community_id", "deposit_id"),
        # Read when a shift is closed: what its drawer must hold.
        Index(
            "ix_deposit_movement_shift",
            "community_id",
            "shift_id",
            postgresql_where=text("shift_id IS NOT NULL"),
        ),
        {"comment": "Movements of deposits"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    deposit_id: Mapped[int]
    move: Mapped[DepositMove]
    amount: Mapped[Money]
    moved_on: Mapped[date]
    reason: Mapped[str]
    moved_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    moved_at: Mapped[datetime]
    shift_id: Mapped[int | None] = mapped_column(
        comment="the open shift whose drawer the cash went through; null: none, or no cash"
    )


@dataclass(frozen=True, slots=True)
class DepositState:
    """A deposit with what happened to it, fen."""

    community_id: int
    id: int
    unit_id: int
    room: str
    number: str
    purpose: str
    taken_on: date
    taken: Money
    returned: Money
    forfeited: Money

    @property
    def held(self) -> Money:
        """What is still held of it; the home's money."""
        return self.taken - self.returned - self.forfeited


_DEBITED = MappingProxyType(
    {
        DepositMove.TAKEN: FixedAccount.CASH,
        DepositMove.RETURNED: FixedAccount.DEPOSITS,
        DepositMove.FORFEITED: FixedAccount.DEPOSITS,
    }
)
_CREDITED = MappingProxyType(
    {
        DepositMove.TAKEN: FixedAccount.DEPOSITS,
        DepositMove.RETURNED: FixedAccount.CASH,
        DepositMove.FORFEITED: FixedAccount.FORFEITS,
    }
)
_FACTS = MappingProxyType(
    {
        DepositMove.TAKEN: FactKind.DEPOSIT_TAKEN,
        DepositMove.RETURNED: FactKind.DEPOSIT_RETURNED,
        DepositMove.FORFEITED: FactKind.DEPOSIT_FORFEITED,
    }
)


def take_deposit(
    session: Session,
    *,
    community_id: int,
    unit_id: int,
    number: str,
    purpose: str,
    amount: Money,
    by: int,
    on: date,
    now: datetime,
) -> Deposit:
    """Take a deposit in cash, into the drawer of the open shift of `by` if he has one. Called again
    with the same facts it takes nothing and returns the same deposit.

    Args:
        number: of the paper handed out, unique in the community.
        by: id of the member of staff.

    Raises:
        InvalidInput: a number or purpose that is empty or too long, an amount not above zero.
        NotFound: no such home.
        Conflict: the number stands for another deposit.
    """
    number, purpose = _text("number", number), _text("purpose", purpose)
    _check_amount(amount)
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    drawer = hold_drawer(session, community_id, by)
    lock_home(session, community_id, unit_id)
    known = session.scalar(
        select(Deposit).where(Deposit.community_id == community_id, Deposit.number == number)
    )
    if known is not None:
        [state] = list_deposits(session, community_id, deposit_ids=[known.id])
        if (state.unit_id, state.purpose, state.taken) != (unit_id, purpose, amount):
            raise Conflict(f"number {number} stands for another deposit; use another number")
        return known
    # Another home may be taking the number at this moment; its row decides.
    deposit: Deposit | None = session.scalar(
        insert(Deposit)
        .values(community_id=community_id, number=number, unit_id=unit_id, purpose=purpose)
        .on_conflict_do_nothing(index_elements=["community_id", "number"])
        .returning(Deposit)
    )
    if deposit is None:
        raise Conflict(f"number {number} stands for another deposit; use another number")
    _move(session, deposit, DepositMove.TAKEN, amount, purpose, drawer, by=by, on=on, now=now)
    return deposit


def return_deposit(
    session: Session,
    community_id: int,
    number: str,
    amount: Money,
    *,
    reason: str,
    by: int,
    on: date,
    now: datetime,
    seen: Money | None = None,
) -> DepositState:
    """Give back a deposit or a part of it, in cash.

    Args:
        seen: what was held when this was decided; a second call finds less and is refused. Without
            it a part is given back again as long as enough is held.

    Raises:
        InvalidInput: an empty reason, an amount not above zero.
        NotFound: no deposit with this number.
        Conflict: less is held, or not what was seen.
    """
    move = DepositMove.RETURNED
    return _give_up(
        session, community_id, number, move, amount, reason, by=by, on=on, now=now, seen=seen
    )


def forfeit_deposit(
    session: Session,
    community_id: int,
    number: str,
    amount: Money,
    *,
    reason: str,
    by: int,
    on: date,
    now: datetime,
    seen: Money | None = None,
) -> DepositState:
    """Keep a deposit or a part of it, for damage say; it becomes income. Refuses as
    `return_deposit` does, and is no safer to call twice.
    """
    move = DepositMove.FORFEITED
    return _give_up(
        session, community_id, number, move, amount, reason, by=by, on=on, now=now, seen=seen
    )


def _give_up(
    session: Session,
    community_id: int,
    number: str,
    move: DepositMove,
    amount: Money,
    reason: str,
    *,
    by: int,
    on: date,
    now: datetime,
    seen: Money | None,
) -> DepositState:
    reason = _text("reason", reason)
    _check_amount(amount)
    deposit = session.scalar(
        select(Deposit).where(
            Deposit.community_id == community_id, Deposit.number == number.strip()
        )
    )
    if deposit is None:
        raise NotFound(f"no deposit {number!r} in community {community_id}")
    drawer = hold_drawer(session, community_id, by) if move is DepositMove.RETURNED else None
    lock_home(session, community_id, deposit.unit_id)
    [state] = list_deposits(session, community_id, deposit_ids=[deposit.id])
    if seen is not None and state.held != seen:
        raise Conflict(
            f"deposit {number} held {seen.yuan} when you looked and holds {state.held.yuan}"
        )
    if amount > state.held:
        raise Conflict(f"{amount.yuan} of deposit {number}, of which {state.held.yuan} is held")
    if on < state.taken_on:
        raise InvalidInput("on", f"{on} is before {state.taken_on}, when it was taken")
    _move(session, deposit, move, amount, reason, drawer, by=by, on=on, now=now)
    return list_deposits(session, community_id, deposit_ids=[deposit.id])[0]


def _move(
    session: Session,
    deposit: Deposit,
    move: DepositMove,
    amount: Money,
    reason: str,
    shift_id: int | None,
    *,
    by: int,
    on: date,
    now: datetime,
) -> None:
    movement = DepositMovement(
        community_id=deposit.community_id,
        deposit_id=deposit.id,
        move=move,
        amount=amount,
        moved_on=on,
        reason=reason,
        moved_by=by,
        moved_at=now,
        shift_id=shift_id,
    )
    session.add(movement)
    session.flush()  # the entry names its id
    unit_of = {FixedAccount.DEPOSITS: deposit.unit_id}
    debited, credited = _DEBITED[move], _CREDITED[move]
    post(
        session,
        deposit.community_id,
        kind=EntryKind.DEPOSIT,
        key=f"deposit:{deposit.number}:{movement.id}",
        source_id=movement.id,
        effective_on=first_open_day(session, deposit.community_id, on),
        now=now,
        legs=[
            Leg(debited, debit=amount, unit_id=unit_of.get(debited)),
            Leg(credited, credit=amount, unit_id=unit_of.get(credited)),
        ],
    )
    record(
        session,
        _FACTS[move],
        community_id=deposit.community_id,
        unit_id=deposit.unit_id,
        ref_id=deposit.id,
        amount=amount,
        at=now,
    )


def list_deposits(
    session: Session,
    community_id: int,
    *,
    unit_ids: Collection[int] | None = None,
    deposit_ids: Collection[int] | None = None,
) -> list[DepositState]:
    """Deposits of the community, or of these homes, in the order they were taken."""

    def total(move: DepositMove) -> Any:
        counted = func.sum(DepositMovement.amount).filter(DepositMovement.move == move)
        return func.coalesce(counted, 0).label(move.value)

    query = (
        select(
            Deposit.community_id,
            Deposit.id,
            Deposit.unit_id,
            Unit.room,
            Deposit.number,
            Deposit.purpose,
            func.min(DepositMovement.moved_on).label("taken_on"),
            *(total(move) for move in DepositMove),
        )
        .join(
            DepositMovement,
            (DepositMovement.community_id == Deposit.community_id)
            & (DepositMovement.deposit_id == Deposit.id),
        )
        .join(Unit, (Unit.community_id == Deposit.community_id) & (Unit.id == Deposit.unit_id))
        .where(Deposit.community_id == community_id)
        .group_by(Deposit.community_id, Deposit.id, Unit.room)
        .order_by(Deposit.id)
    )
    if unit_ids is not None:
        query = query.where(Deposit.unit_id.in_(unit_ids))
    if deposit_ids is not None:
        query = query.where(Deposit.id.in_(deposit_ids))
    return [DepositState(**row) for row in session.execute(query).mappings()]


def _text(field: str, value: str) -> str:
    stripped = value.strip()
    if not 0 < len(stripped) <= TEXT_CHARACTERS_MAX:
        raise InvalidInput(field, f"must have 1 to {TEXT_CHARACTERS_MAX} characters")
    return stripped


def _check_amount(amount: Money) -> None:
    if not ZERO < amount <= DEPOSIT_MAX:
        raise InvalidInput("amount", f"{amount.yuan} is not an amount that can change hands")
