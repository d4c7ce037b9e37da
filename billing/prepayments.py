"""Prepayments (预存): an owner's money with us, what it was used for, and how more is paid in.

It is a liability, never income. Its automatic use for new bills is `deduction`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, and_, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from billing.bills import Bill
from billing.booking import book
from billing.db import Base, CommunityId
from billing.errors import Conflict, InvalidInput, NotFound
from billing.ledger import Account, EntryKind, FixedAccount, JournalEntry, Posting
from billing.ledger import balance as account_balance
from billing.money import ZERO, Money
from billing.payment_channels import CHANNELS
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import lock_home
from billing.period import Period
from billing.property import Unit
from billing.tariffs import ChargeItem

TOP_UP_MAX = Money(10**11)
"""Above a thousand million yuan somebody mistyped."""

NUMBER_CHARACTERS_MAX = 64
PREPAID_PREFIX = "PRE-"
"""Numbers of payments from prepayments; no other payment may have one like it."""


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


def top_up(
    session: Session,
    *,
    community_id: int,
    unit_id: int,
    amount: Money,
    channel: PaymentChannel,
    number: str,
    paid_at: datetime,
    now: datetime,
) -> Payment:
    """Book money paid in without a word what for: what is owed is paid, the oldest first, and the
    rest becomes the home's prepayment (民法典 560/561).

    Called again with the same number and the same facts it books nothing and returns the same
    payment.

    Args:
        channel: where the money came from without a provider: the counter.
        number: of the slip, unique in the community.

    Raises:
        InvalidInput: an amount not above zero or absurd, a channel whose money a provider or the
            journal itself confirms, or a number that is empty, too long or one of ours.
        NotFound: no such home.
        Conflict: the number stands for another payment.
    """
    number = _check_top_up(amount, channel, number)
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    lock_home(session, community_id, unit_id)
    known = session.scalar(
        select(Payment).where(Payment.community_id == community_id, Payment.out_trade_no == number)
    )
    if known is not None:
        same = (known.unit_id, known.amount, known.channel) == (unit_id, amount, channel)
        if not same:
            raise Conflict(f"number {number} stands for another payment; use another number")
        return known
    # Another home may be using the number at this moment; its row decides.
    payment: Payment | None = session.scalar(
        upsert(Payment)
        .values(
            community_id=community_id,
            out_trade_no=number,
            unit_id=unit_id,
            channel=channel,
            state=PaymentState.CONFIRMED,
            amount=amount,
            prepared_at=now,
            confirmed_at=now,
            paid_at=paid_at,
        )
        .on_conflict_do_nothing(index_elements=["community_id", "out_trade_no"])
        .returning(Payment)
    )
    if payment is None:
        raise Conflict(f"number {number} stands for another payment; use another number")
    book(session, payment, now)
    return payment


def _check_top_up(amount: Money, channel: PaymentChannel, number: str) -> str:
    if not ZERO < amount <= TOP_UP_MAX:
        raise InvalidInput("amount", f"{amount.yuan} is not an amount that can be paid in")
    if not CHANNELS[channel].by_hand:
        raise InvalidInput("channel", f"money by {channel.value} is not booked by hand")
    text = number.strip()
    if not 0 < len(text) <= NUMBER_CHARACTERS_MAX:
        raise InvalidInput("number", f"must have 1 to {NUMBER_CHARACTERS_MAX} characters")
    if text.startswith(PREPAID_PREFIX):
        raise InvalidInput("number", f"{PREPAID_PREFIX}… is kept for used prepayments")
    return text


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
