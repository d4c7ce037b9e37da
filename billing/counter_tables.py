"""Tables of the counter: shifts of cashiers, and what they took by hand."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.money import Money


class CashierShift(Base):
    """One cashier's time at the counter (班次), from the cash he began with to the cash he counted.

    While it is open its payments can be cancelled. Never changed once it is closed.
    """

    __tablename__ = "cashier_shift"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        CheckConstraint("opening_float >= 0 AND counted >= 0", name="cash"),
        CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (counted IS NULL)"
            " AND (closed_at IS NULL) = (expected IS NULL)",
            name="closed_is_counted",
        ),
        CheckConstraint("counted = expected OR reason <> ''", name="difference_has_reason"),
        Index(
            "uq_cashier_shift_open",
            "community_id",
            "cashier_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        {"comment": "Shifts of cashiers (班次), one open per cashier and community"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    cashier_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    opened_at: Mapped[datetime]
    opening_float: Mapped[Money] = mapped_column(comment="cash in the drawer at the start, fen")
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    expected: Mapped[Money | None] = mapped_column(comment="what the books say is in the drawer")
    counted: Mapped[Money | None] = mapped_column(comment="what was counted (实点)")
    reason: Mapped[str | None] = mapped_column(comment="why counted and expected differ")


class CounterPayment(Base):
    """What a cashier wrote down beside a payment he took, and who cancelled it if anybody did."""

    __tablename__ = "counter_payment"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "shift_id"], ["cashier_shift.community_id", "cashier_shift.id"]
        ),
        CheckConstraint(
            "(cancelled_at IS NULL) = (cancelled_by IS NULL)"
            " AND (cancelled_at IS NULL) = (cancel_reason IS NULL)",
            name="cancelled_has_reason",
        ),
        Index("ix_counter_payment_shift", "community_id", "shift_id"),
        Index("ix_counter_payment_number", "community_id", "number"),
        {"comment": "Payments taken by hand (柜台收款)"},
    )

    community_id: Mapped[CommunityId]
    payment_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shift_id: Mapped[int]
    number: Mapped[str] = mapped_column(comment="of the paper, POS print-out or slip")
    bank: Mapped[str | None] = mapped_column(comment="whose slip it is")
    payer_name_sealed: Mapped[str | None]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    cancel_reason: Mapped[str | None]
