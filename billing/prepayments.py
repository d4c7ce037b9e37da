"""Prepayments (预存): an owner's money with us, and what it was used for.

It is a liability, never income. It comes as what a payment brings beyond its bills; its automatic
use for new bills is `deduction`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ForeignKeyConstraint, and_, delete, func, insert, select, tuple_
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from billing.bills import Bill
from billing.db import Base, CommunityId, key_array
from billing.errors import NotFound
from billing.ledger import Account, EntryKind, FixedAccount, JournalEntry, Posting
from billing.ledger import balance as account_balance
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import lock_home
from billing.period import Period
from billing.property import Unit
from billing.tariffs import ChargeItem


class AutoDeduction(Base):
    """Bills of this home are paid from its prepayment when they are issued (自动抵扣)."""

    __tablename__ = "auto_deduction"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        {"comment": "Charge items paid from a home's prepayment (预存自动抵扣)"},
    )

    community_id: Mapped[CommunityId]
    unit_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


@dataclass(frozen=True, slots=True)
class PrepaymentMovement:
    """A change of what a home has with us.

    Attributes:
        amount: positive for money that came, negative for money that was used, fen.
        why: the kind of entry: a payment, a released bill, a correction.
        number: of the payment that brought or used it; None where there was none.
        channel: of that payment.
        periods: of the bills it was used for, or that released it; empty when money came.
    """

    on: date
    amount: Money
    why: EntryKind
    number: str | None
    channel: PaymentChannel | None
    periods: tuple[Period, ...]


def balance(session: Session, community_id: int, unit_id: int) -> Money:
    """What a home has with us, fen; never negative."""
    return -account_balance(session, community_id, FixedAccount.PREPAYMENTS, unit_id)


def list_balances(
    session: Session, homes: Collection[tuple[int, int]]
) -> dict[tuple[int, int], Money]:
    """The same of many homes, by (community, home); one that never had anything is left out."""
    found = session.execute(
        select(
            Posting.community_id,
            Posting.unit_id,
            func.sum(Posting.credit - Posting.debit).label("money"),
        )
        .join(
            Account,
            (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
        )
        .where(
            Account.code == FixedAccount.PREPAYMENTS,
            tuple_(Posting.community_id, Posting.unit_id).in_(key_array(homes)),
        )
        .group_by(Posting.community_id, Posting.unit_id)
    )
    return {(row.community_id, row.unit_id): Money(int(row.money)) for row in found}


def list_movements(
    session: Session, community_id: int, unit_id: int, *, limit: int = 100
) -> list[PrepaymentMovement]:
    """Changes of a home's prepayment, newest first, from the journal."""
    other = aliased(Posting)
    periods = (
        select(func.array_agg(Bill.period.distinct()))
        .join(other, (other.community_id == Bill.community_id) & (other.bill_id == Bill.id))
        .where(other.community_id == JournalEntry.community_id, other.entry_id == JournalEntry.id)
        .correlate(JournalEntry)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            JournalEntry.effective_on,
            Posting.credit,
            Posting.debit,
            JournalEntry.kind,
            Payment.out_trade_no,
            Payment.channel,
            periods.label("periods"),
        )
        .join_from(
            Posting,
            JournalEntry,
            (JournalEntry.community_id == Posting.community_id)
            & (JournalEntry.id == Posting.entry_id),
        )
        .join(
            Account,
            (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
        )
        .outerjoin(
            Payment,
            and_(
                JournalEntry.kind == EntryKind.PAYMENT,
                Payment.community_id == JournalEntry.community_id,
                Payment.id == JournalEntry.source_id,
            ),
        )
        .where(
            Posting.community_id == community_id,
            Account.code == FixedAccount.PREPAYMENTS,
            Posting.unit_id == unit_id,
        )
        .order_by(JournalEntry.effective_on.desc(), JournalEntry.id.desc())
        .limit(limit)
    )
    return [_movement(row) for row in rows]


def _movement(row: Any) -> PrepaymentMovement:
    amount = row.credit - row.debit
    # What else a payment paid is not what its remainder is for.
    is_remainder = row.kind is EntryKind.PAYMENT and amount > ZERO
    return PrepaymentMovement(
        on=row.effective_on,
        amount=amount,
        why=row.kind,
        number=row.out_trade_no,
        channel=row.channel,
        periods=() if is_remainder else _periods(row.periods),
    )


def _periods(texts: list[str] | None) -> tuple[Period, ...]:
    return tuple(sorted(Period(str(text)) for text in texts or ()))


def list_auto_deduction(session: Session, community_id: int, unit_id: int) -> list[str]:
    """Codes of the charge items that are paid from a home's prepayment when they are billed."""
    return list(
        session.scalars(
            select(ChargeItem.code)
            .join(
                AutoDeduction,
                (AutoDeduction.community_id == ChargeItem.community_id)
                & (AutoDeduction.item_id == ChargeItem.id),
            )
            .where(AutoDeduction.community_id == community_id, AutoDeduction.unit_id == unit_id)
            .order_by(ChargeItem.id)
        )
    )


def set_auto_deduction(
    session: Session, community_id: int, unit_id: int, item_codes: Collection[str]
) -> None:
    """Pay exactly these items of a home from its prepayment from the next bills on; none: stop.

    Safe to call twice.

    Raises:
        NotFound: no such home, or an item that the community does not charge.
    """
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    lock_home(session, community_id, unit_id)
    rows = session.execute(
        select(ChargeItem.code, ChargeItem.id).where(
            ChargeItem.community_id == community_id, ChargeItem.code.in_(item_codes)
        )
    )
    ids = {row.code: row.id for row in rows}
    missing = sorted(set(item_codes) - set(ids))
    if missing:
        raise NotFound(f"no charge item {', '.join(missing)} in community {community_id}")
    session.execute(
        delete(AutoDeduction).where(
            AutoDeduction.community_id == community_id, AutoDeduction.unit_id == unit_id
        )
    )
    if ids:
        session.execute(
            insert(AutoDeduction),
            [
                {"community_id": community_id, "unit_id": unit_id, "item_id": item_id}
                for item_id in ids.values()
            ],
        )
