"""Tables of tickets (工单): what an owner wants looked into, and everything said about it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.tariffs import FeeKind


class TicketKind(LabelEnum):
    """What a ticket is for."""

    DISPUTE = "dispute", "费用异议"
    HUMAN = "human", "求助"
    COMPLAINT = "complaint", "投诉"


class TicketState(LabelEnum):
    """Life of a ticket. Only an open dispute holds dunning back."""

    OPEN = "open", "待处理"
    ANSWERED = "answered", "已答复"
    CLOSED = "closed", "已关闭"


class Ticket(Base):
    """One matter of one follower; a disputed line has at most one open ticket."""

    __tablename__ = "ticket"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        ForeignKeyConstraint(
            ["community_id", "bill_line_id"], ["bill_line.community_id", "bill_line.id"]
        ),
        CheckConstraint("(bill_id IS NULL) = (bill_line_id IS NULL)", name="line_has_bill"),
        CheckConstraint("bill_line_id IS NULL OR kind = 'dispute'", name="line_is_disputed"),
        CheckConstraint("bill_line_id IS NULL OR unit_id IS NOT NULL", name="line_has_unit"),
        CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL)"
            " AND (answer IS NULL) = (answered_by IS NULL)"
            " AND (state <> 'answered' OR answer IS NOT NULL)",
            name="answered_has_answer",
        ),
        CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)"
            " AND (closed_at IS NULL) = (closed_by IS NULL)",
            name="closed_has_time",
        ),
        # Read by disputes: what is being disputed on these bills now.
        Index(
            "uq_ticket_line",
            "community_id",
            "bill_line_id",
            unique=True,
            postgresql_where=text("state = 'open' AND bill_line_id IS NOT NULL"),
        ),
        Index("ix_ticket_follower", "follower_id", "opened_at"),
        {"comment": "Tickets (工单): disputes, requests for a person, complaints"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int | None]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"), comment="who opened it")
    kind: Mapped[TicketKind]
    bill_id: Mapped[int | None]
    bill_line_id: Mapped[int | None] = mapped_column(comment="the disputed line")
    fee: Mapped[FeeKind | None] = mapped_column(comment="the fee it is about, if one was named")
    state: Mapped[TicketState]
    opened_at: Mapped[datetime]
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(comment="the owner is told it")
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    closed_at: Mapped[datetime | None]


class TicketSentence(Base):
    """Something a follower said about a ticket, the first one opened it."""

    __tablename__ = "ticket_sentence"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "ticket_id"], ["ticket.community_id", "ticket.id"]),
        Index("ix_ticket_sentence_ticket", "community_id", "ticket_id"),
        {"comment": "What was said about tickets, encrypted, and masked for lists and notices"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    ticket_id: Mapped[int]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"))
    said_at: Mapped[datetime]
    sealed: Mapped[str]
    masked: Mapped[str]
