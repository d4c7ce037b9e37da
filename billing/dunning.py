"""Demands for what is overdue (催缴), kept as evidence.

A debt lapses three years after it fell due unless it is demanded: a demand that reaches the debtor
begins the three years anew (Civil Code 188, 195). So nothing here is ever changed or deleted; a
letter's delivery is a row of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bills import BillState
from billing.disputes import disputed_amounts
from billing.dunning_tables import Dunning, DunningBill, DunningWay
from billing.errors import Conflict, InvalidInput
from billing.money import ZERO, Money
from billing.owed_lines import list_own_unpaid
from billing.people import Staff, StaffRole, require_role
from billing.privacy import Vault

DUNNERS = frozenset({StaffRole.MANAGER, StaffRole.ACCOUNTANT, StaffRole.CASHIER, StaffRole.SERVICE})
"""Who may ask owners for money."""

NOTE_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Demanded:
    """An overdue bill, and how much of what is owed on it is disputed and so not asked for."""

    bill: BillState
    disputed: Money = ZERO

    @property
    def amount(self) -> Money:
        """What is asked for, fen."""
        return self.bill.outstanding - self.disputed


def list_demandable(
    session: Session, community_id: int, unit_id: int, today: date
) -> list[Demanded]:
    """The overdue bills the present owner may be asked for, the oldest due date first.

    Left out: what is not yet due, what a former owner owes at least a part of, and bills that are
    disputed as a whole.
    """
    unpaid = list_own_unpaid(session, community_id, [unit_id])
    overdue = [bill for bill in unpaid if bill.due_on < today]
    disputed = disputed_amounts(session, {(community_id, bill.id) for bill in overdue})
    asked = [Demanded(bill, disputed.get((community_id, bill.id), ZERO)) for bill in overdue]
    return [one for one in asked if one.amount > ZERO]


def require_demandable(
    session: Session, community_id: int, unit_id: int, today: date
) -> list[Demanded]:
    """As `list_demandable`, of a home that has something to be asked for.

    Raises:
        Conflict: nothing is overdue, or all of it is disputed or a former owner's.
    """
    asked = list_demandable(session, community_id, unit_id, today)
    if not asked:
        raise Conflict(
            "nothing to demand: no bill of the home is overdue, or what is overdue is disputed or"
            " owed by a former owner"
        )
    return asked


def record_call(
    session: Session,
    vault: Vault,
    community_id: int,
    unit_id: int,
    *,
    way: DunningWay,
    on: date,
    note: str,
    by: Staff,
    today: date,
    now: datetime,
) -> Dunning:
    """Keep that somebody was called or visited about what is overdue. What he was asked for is what
    is overdue today.

    Raises:
        InvalidInput: `by` may not, a day to come, nothing or too much said, another way.
        Conflict: nothing is overdue.
    """
    require_role(by, community_id, DUNNERS)
    if way not in {DunningWay.PHONE, DunningWay.VISIT}:
        raise InvalidInput("how", "must be phone or visit; letters are printed")
    if on > today:
        raise InvalidInput("on", f"{on} has not come yet")
    asked = [
        one
        for one in require_demandable(session, community_id, unit_id, today)
        if one.bill.due_on < on
    ]
    if not asked:
        raise Conflict(f"nothing of what is overdue today was overdue on {on}")
    note_sealed = vault.seal(clean_note(note))
    return record_demand(session, asked, way, made_on=on, by=by, now=now, note_sealed=note_sealed)


def record_demand(
    session: Session,
    asked: Collection[Demanded],
    way: DunningWay,
    *,
    made_on: date,
    by: Staff,
    now: datetime,
    **values: Any,
) -> Dunning:
    """Write a demand and the bills it asks for; `values` are columns of `Dunning`."""
    bills = [one.bill for one in asked]
    dunning = Dunning(
        community_id=bills[0].community_id,
        unit_id=bills[0].unit_id,
        way=way,
        made_on=made_on,
        amount=sum((one.amount for one in asked), ZERO),
        made_by=by.id,
        recorded_at=now,
        **values,
    )
    session.add(dunning)
    session.flush()  # its bills refer to it
    session.add_all(
        DunningBill(
            community_id=dunning.community_id,
            dunning_id=dunning.id,
            bill_id=one.bill.id,
            outstanding=one.amount,
        )
        for one in asked
    )
    session.flush()
    return dunning


def clean_note(note: str) -> str:
    """A note on one line.

    Raises:
        InvalidInput: nothing said, or too much.
    """
    said = " ".join(note.split())
    if not 0 < len(said) <= NOTE_CHARACTERS_MAX:
        raise InvalidInput("note", f"must have 1 to {NOTE_CHARACTERS_MAX} characters")
    return said


def list_dunnings(session: Session, community_id: int, unit_id: int) -> list[Dunning]:
    """Every demand people made of a home, the oldest first."""
    return list(
        session.scalars(
            select(Dunning)
            .where(Dunning.community_id == community_id, Dunning.unit_id == unit_id)
            .order_by(Dunning.made_on, Dunning.id)
        )
    )
