"""Double entry under everything.

An entry announces how many postings it has and their total; a statement-level trigger (migration
0001) refuses any INSERT whose postings do not complete and balance their entries to exactly that,
and UPDATE, DELETE and TRUNCATE are refused. So postings are written by one INSERT … SELECT FROM
unnest here, or by COPY in chunks cut at entry borders; never row by row. Corrections are reversals.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.errors import NotNullViolation
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, LocalId, MoneyColumn, id_array
from billing.errors import Conflict, LedgerError, NotFound
from billing.labels import LabelEnum
from billing.money import ZERO, Money


class AccountRoot(LabelEnum):
    """The five roots of the chart of accounts."""

    ASSETS = "assets", "资产"
    LIABILITIES = "liabilities", "负债"
    INCOME = "income", "收入"
    EXPENSES = "expenses", "费用"
    EQUITY = "equity", "权益"


class EntryKind(LabelEnum):
    """Why an entry was posted."""

    BILL_ISSUED = "bill_issued", "出账"
    PAYMENT = "payment", "收款"
    REVERSAL = "reversal", "冲红"
    OPENING = "opening", "期初"
    WAIVER = "waiver", "减免"
    ADJUSTMENT = "adjustment", "调账"
    RELEASE = "release", "转预存"
    DEPOSIT = "deposit", "押金"
    REFUND_HELD = "refund_held", "退款预留"
    REFUND = "refund", "退款"
    CASH_DIFFERENCE = "cash_difference", "长短款"


class FixedAccount(LabelEnum):
    """Accounts every community has; income accounts are added per charge item."""

    RECEIVABLE = "assets:receivable", "应收账款"
    WECHAT_CLEARING = "assets:wechat_clearing", "微信待清算"
    ALIPAY_CLEARING = "assets:alipay_clearing", "支付宝待清算"
    POS_CLEARING = "assets:pos_clearing", "刷卡待清算"
    EXTERNAL_CLEARING = "assets:external_clearing", "外部系统待清算"
    BANK = "assets:bank", "银行存款"
    CASH = "assets:cash", "现金"
    PREPAYMENTS = "liabilities:prepayments", "预存款"
    DEPOSITS = "liabilities:deposits", "押金"
    REFUNDS = "liabilities:refunds", "待退款"
    WAIVERS = "expenses:waivers", "减免"
    CASH_DIFFERENCES = "expenses:cash_differences", "现金长短款"
    FORFEITS = "income:forfeited_deposits", "押金抵扣收入"
    OPENING = "equity:opening_balances", "期初余额"


class Account(Base):
    """An account of one community's chart."""

    __tablename__ = "account"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "code"),
        {"comment": "Chart of accounts (科目)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    code: Mapped[str]
    name: Mapped[str]


class JournalEntry(Base):
    """A balanced set of postings (凭证)."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "idempotency_key"),
        CheckConstraint("postings >= 2", name="two_sides"),
        CheckConstraint("total > 0", name="total_positive"),
        # An entry is taken back once; also how `voids` finds what is still in force.
        Index(
            "uq_journal_entry_reverses",
            "community_id",
            "reverses_id",
            unique=True,
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
        {"comment": "Journal entries (凭证), append-only"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    kind: Mapped[EntryKind]
    idempotency_key: Mapped[str] = mapped_column(comment="a sentence, e.g. payment:<out_trade_no>")
    source_id: Mapped[int] = mapped_column(comment="bill, payment, adjustment, … by kind")
    effective_on: Mapped[date]
    posted_at: Mapped[datetime]
    postings: Mapped[int]
    total: Mapped[Money] = mapped_column(comment="sum of the debits = sum of the credits, fen")
    reverses_id: Mapped[int | None]


class Posting(Base):
    """One side of an entry (分录): positive debit or positive credit, never both."""

    __tablename__ = "posting"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "entry_id"], ["journal_entry.community_id", "journal_entry.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "account_id"], ["account.community_id", "account.id"]
        ),
        CheckConstraint(
            "debit >= 0 AND credit >= 0 AND (debit = 0) <> (credit = 0)", name="one_side"
        ),
        Index("ix_posting_unit", "community_id", "account_id", "unit_id"),
        {"comment": "Postings (分录), append-only"},
    )

    community_id: Mapped[CommunityId]
    entry_id: Mapped[int] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    unit_id: Mapped[int | None]
    bill_id: Mapped[int | None]
    debit: Mapped[Money]
    credit: Mapped[Money]


@dataclass(frozen=True, slots=True)
class Leg:
    """One posting to be made. Exactly one of `debit` and `credit` is above zero."""

    account: str
    debit: Money = ZERO
    credit: Money = ZERO
    unit_id: int | None = None
    bill_id: int | None = None


def ensure_accounts(session: Session, community_id: int, income_items: dict[str, str]) -> None:
    """Create the fixed accounts and one income account per charge item (code → name).

    Safe to call twice: existing accounts stay as they are.
    """
    wanted = {account.value: account.label for account in FixedAccount}
    wanted |= {income_account(code): name for code, name in income_items.items()}
    have = set(
        session.scalars(select(Account.code).where(Account.community_id == community_id)).all()
    )
    for code, name in wanted.items():
        if code not in have:
            session.add(Account(community_id=community_id, code=code, name=name))
    session.flush()  # later set-based statements join these rows


def income_account(item_code: str) -> str:
    """Code of the income account of a charge item."""
    return f"{AccountRoot.INCOME}:{item_code}"


POST = text(
    """
    WITH entry AS (
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        VALUES (:community_id, :kind, :key, :source_id, :effective_on, :now, :postings, :total)
        RETURNING id
    ),
    sides AS (
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id, debit,
                             credit)
        SELECT :community_id, entry.id, leg.no, account.id, leg.unit_id, leg.bill_id, leg.debit,
               leg.credit
        FROM entry
        CROSS JOIN unnest(CAST(:accounts AS text[]), CAST(:unit_ids AS bigint[]),
                          CAST(:bill_ids AS bigint[]), CAST(:debits AS bigint[]),
                          CAST(:credits AS bigint[]))
              WITH ORDINALITY AS leg (code, unit_id, bill_id, debit, credit, no)
        LEFT JOIN account ON account.community_id = :community_id AND account.code = leg.code
    )
    SELECT id FROM entry
    """
)
"""One statement: an entry and all its postings. A code that is no account leaves NULL, which the
table refuses.
"""


def post(
    session: Session,
    community_id: int,
    *,
    kind: EntryKind,
    key: str,
    source_id: int,
    effective_on: date,
    now: datetime,
    legs: Sequence[Leg],
) -> int:
    """Post one balanced entry and return its id.

    `key` is unique per community: a second call with the same key is refused by the database, so
    the caller decides under its own lock whether the fact was already booked.

    Raises:
        LedgerError: fewer than two legs, a leg with both or neither side, an unknown account, or
            sides that differ.
    """
    debits, credits_ = sum_sides(legs)
    if len(legs) < 2 or debits != credits_ or debits <= ZERO:
        raise LedgerError(f"{key}: debits {debits.yuan} and credits {credits_.yuan} do not balance")
    session.flush()  # rows the entry refers to
    parameters = {
        "community_id": community_id,
        "kind": kind.value,
        "key": key,
        "source_id": source_id,
        "effective_on": effective_on,
        "now": now,
        "postings": len(legs),
        "total": debits.fen,
        "accounts": [str(leg.account) for leg in legs],
        "unit_ids": [leg.unit_id for leg in legs],
        "bill_ids": [leg.bill_id for leg in legs],
        "debits": [leg.debit.fen for leg in legs],
        "credits": [leg.credit.fen for leg in legs],
    }
    try:
        return int(session.execute(POST, parameters).scalar_one())
    except IntegrityError as error:
        if isinstance(error.orig, NotNullViolation):
            codes = ", ".join(sorted({str(leg.account) for leg in legs}))
            raise LedgerError(f"not all accounts of community {community_id}: {codes}") from None
        raise


def sum_sides(legs: Sequence[Leg]) -> tuple[Money, Money]:
    """Total debit and total credit; refuses a leg that is not one-sided.

    Raises:
        LedgerError: a leg is negative, empty or two-sided.
    """
    for leg in legs:
        if leg.debit < ZERO or leg.credit < ZERO or (leg.debit == ZERO) == (leg.credit == ZERO):
            raise LedgerError(f"a posting to {leg.account} must be a debit or a credit above zero")
    return Money(sum(leg.debit.fen for leg in legs)), Money(sum(leg.credit.fen for leg in legs))


REVERSE_ENTRIES = [
    text(statement)
    for statement in (
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total, reverses_id)
        SELECT entry.community_id, :kind, wanted.key, entry.source_id, :effective_on, :now,
               entry.postings, entry.total, entry.id
        FROM unnest(CAST(:entry_ids AS bigint[]), CAST(:keys AS text[])) AS wanted(entry_id, key)
        JOIN journal_entry entry ON entry.community_id = :community_id
         AND entry.id = wanted.entry_id
        ORDER BY entry.id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                             debit, credit)
        SELECT side.community_id, reversal.id, side.no, side.account_id, side.unit_id,
               side.bill_id, side.credit, side.debit
        FROM unnest(CAST(:entry_ids AS bigint[])) AS wanted(entry_id)
        JOIN journal_entry reversal ON reversal.community_id = :community_id
         AND reversal.reverses_id = wanted.entry_id
        JOIN posting side ON side.community_id = reversal.community_id
         AND side.entry_id = wanted.entry_id
        """,
    )
]


def reverse(
    session: Session,
    community_id: int,
    entry_id: int,
    *,
    key: str,
    effective_on: date,
    now: datetime,
) -> int:
    """Take an entry back (冲红): post its mirror, and return the mirror's id.

    The mirror names the source of the entry it takes back. The caller holds the lock of whatever
    the entry is about; without it the database refuses the second of two at once.

    Raises:
        NotFound: no such entry in the community.
        Conflict: it was taken back already, or is itself a reversal.
    """
    entry = session.get(JournalEntry, (community_id, entry_id))
    if entry is None:
        raise NotFound(f"no journal entry {entry_id} in community {community_id}")
    if entry.reverses_id is not None:
        raise Conflict(f"entry {entry_id} is itself a reversal; book what is right instead")
    mirror = select(JournalEntry.id).where(
        JournalEntry.community_id == community_id, JournalEntry.reverses_id == entry_id
    )
    done = session.scalar(mirror)
    if done is not None:
        raise Conflict(f"entry {entry_id} was reversed already, by entry {done}")
    reverse_entries(session, community_id, {entry_id: key}, effective_on=effective_on, now=now)
    return session.scalars(mirror).one()


def reverse_entries(
    session: Session,
    community_id: int,
    keys: Mapping[int, str],
    *,
    effective_on: date,
    now: datetime,
) -> None:
    """Take many entries back at once, in two statements: entry id → key of its reversal.

    For a caller who knows, under its own lock, that none of them was reversed; the database refuses
    the whole statement otherwise.
    """
    parameters = {
        "community_id": community_id,
        "kind": EntryKind.REVERSAL.value,
        "entry_ids": list(keys),
        "keys": list(keys.values()),
        "effective_on": effective_on,
        "now": now,
    }
    for statement in REVERSE_ENTRIES:
        session.execute(statement, parameters)


def balance(session: Session, community_id: int, account: str, unit_id: int | None = None) -> Money:
    """Debits minus credits of an account, of one home if given. Positive for what is owed to us."""
    query = (
        select(
            func.coalesce(func.sum(Posting.debit), 0), func.coalesce(func.sum(Posting.credit), 0)
        )
        .join(
            Account,
            (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
        )
        .where(Posting.community_id == community_id, Account.code == account)
    )
    if unit_id is not None:
        query = query.where(Posting.unit_id == unit_id)
    debit, credit = session.execute(query).one()
    return debit - credit


def balances(
    session: Session, community_id: int, account: str, unit_ids: Collection[int]
) -> dict[int, Money]:
    """Debits minus credits of an account by home, fen; homes with nothing booked are left out."""
    rows = session.execute(
        select(
            Posting.unit_id,
            type_coerce(func.sum(Posting.debit - Posting.credit), MoneyColumn()),
        )
        .join(
            Account,
            (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
        )
        .where(
            Posting.community_id == community_id,
            Account.code == account,
            Posting.unit_id.in_(id_array(unit_ids)),
        )
        .group_by(Posting.unit_id)
    )
    return {unit_id: amount for unit_id, amount in rows if unit_id is not None}
