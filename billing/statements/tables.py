"""Tables of bank accounts and their statements."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class RowState(LabelEnum):
    """What became of a row of a statement."""

    WAITING = "waiting", "待匹配"
    MATCHED = "matched", "已匹配"
    UNDERPAID = "underpaid", "少付"
    OVERPAID = "overpaid", "多付"
    RECORDED = "recorded", "柜台已登记"
    AMBIGUOUS = "ambiguous", "待确认"
    UNKNOWN = "unknown", "无法识别"
    IGNORED = "ignored", "非物业费"
    OUTGOING = "outgoing", "支出"


BOOKED_ROWS = (RowState.MATCHED, RowState.UNDERPAID, RowState.OVERPAID)
"""States of rows that were booked as a payment of their own."""

OPEN_ROWS = (RowState.WAITING, RowState.AMBIGUOUS, RowState.UNKNOWN)
"""States of money in the bank that is in no home's account yet."""


class BankAccount(Base):
    """An account of the property company that owners transfer to. Its number is sealed."""

    __tablename__ = "bank_account"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "code"),
        UniqueConstraint("community_id", "number_hash"),
        {"comment": "Bank accounts that owners transfer to (收款账户)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    code: Mapped[str] = mapped_column(comment="what staff call it, e.g. icbc")
    holder: Mapped[str] = mapped_column(comment="the company the account is in the name of")
    bank: Mapped[str] = mapped_column(comment="bank and branch, as owners write them")
    number_sealed: Mapped[str]
    number_hash: Mapped[str] = mapped_column(comment="keyed hash, one row per number")
    last_four: Mapped[str]
    added_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    added_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(comment="no longer shown to owners")


class BankStatementMapping(Base):
    """Which column of a bank's statement is what; remembered from the last file that was read."""

    __tablename__ = "bank_statement_mapping"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        {"comment": "Columns of each bank's statements (对账单列映射)"},
    )

    community_id: Mapped[CommunityId]
    bank: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[dict[str, Any]] = mapped_column(comment="date, amount, … → headings")
    confirmed_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    confirmed_at: Mapped[datetime]


class BankStatement(Base):
    """One file that was imported. What it says stands in its rows."""

    __tablename__ = "bank_statement"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "account_id"], ["bank_account.community_id", "bank_account.id"]
        ),
        CheckConstraint("from_on <= to_on", name="dates_ascend"),
        Index("ix_bank_statement_account", "community_id", "account_id", "from_on"),
        {"comment": "Imported bank statements (银行对账单)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    account_id: Mapped[int]
    from_on: Mapped[date] = mapped_column(comment="first day of its rows")
    to_on: Mapped[date] = mapped_column(comment="last day of its rows, included")
    keyed_by: Mapped[str] = mapped_column(comment="the columns that tell its rows apart")
    imported_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    imported_at: Mapped[datetime]


class BankRow(Base):
    """One movement of the account. Who paid and what he wrote are sealed."""

    __tablename__ = "bank_row"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "statement_id"], ["bank_statement.community_id", "bank_statement.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "account_id"], ["bank_account.community_id", "bank_account.id"]
        ),
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        UniqueConstraint("community_id", "account_id", "key"),
        UniqueConstraint("community_id", "payment_id"),
        CheckConstraint("(state = 'outgoing') = (amount < 0)", name="outgoing_is_negative"),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint(
            "(state IN ('matched', 'underpaid', 'overpaid', 'recorded'))"
            " = (payment_id IS NOT NULL)",
            name="booked_has_payment",
        ),
        CheckConstraint(
            "state IN ('waiting', 'outgoing') OR decided_at IS NOT NULL", name="decided_has_time"
        ),
        # Read by reconciliation: what came on a day.
        Index("ix_bank_row_day", "community_id", "value_on"),
        # Read by matching and by staff: what nobody has decided about.
        Index(
            "ix_bank_row_open",
            "community_id",
            "value_at",
            "id",
            postgresql_where=text("state IN ('waiting', 'ambiguous', 'unknown')"),
        ),
        {"comment": "Rows of bank statements (银行流水)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    account_id: Mapped[int]
    statement_id: Mapped[int]
    key: Mapped[str] = mapped_column(comment="the same row in another file has the same key")
    value_at: Mapped[datetime] = mapped_column(comment="when the bank says the money came")
    value_on: Mapped[date] = mapped_column(comment="the day of it in Beijing")
    amount: Mapped[Money] = mapped_column(comment="negative: outgoing")
    serial: Mapped[str | None] = mapped_column(comment="the bank's number of the movement")
    details_sealed: Mapped[str] = mapped_column(comment="payer, his account, remark; sealed JSON")
    state: Mapped[RowState]
    unit_id: Mapped[int | None] = mapped_column(comment="the home it was booked to")
    payment_id: Mapped[int | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(comment="homes in question, points and why")
    reason: Mapped[str | None] = mapped_column(comment="why somebody decided so")
    decided_by: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="null: by matching"
    )
    decided_at: Mapped[datetime | None]
