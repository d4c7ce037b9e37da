"""What was demanded of whom, when and how (催缴): the evidence a debt is kept alive with."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class DunningWay(LabelEnum):
    """How somebody was asked to pay what is overdue."""

    MESSAGE = "message", "消息提醒"
    LETTER = "letter", "催缴函"
    PHONE = "phone", "电话催缴"
    VISIT = "visit", "上门催缴"


class ServiceWay(LabelEnum):
    """How a letter was brought to its addressee (送达方式)."""

    SIGNED = "signed", "当面签收"
    LEFT = "left", "留置送达"
    POSTED = "posted", "邮寄送达"


class Dunning(Base):
    """A demand made by people: a letter, a call, a visit. Reminders are messages of the outbox."""

    __tablename__ = "dunning"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("way <> 'message'", name="by_people"),
        CheckConstraint(
            "(way = 'letter') = (no IS NOT NULL) AND (way = 'letter') = (year IS NOT NULL)"
            " AND (way = 'letter') = (paper_sealed IS NOT NULL)"
            " AND (way = 'letter') = (respond_by IS NOT NULL)",
            name="letter_is_whole",
        ),
        Index(
            "uq_dunning_letter",
            "community_id",
            "year",
            "no",
            unique=True,
            postgresql_where=text("way = 'letter'"),
        ),
        Index("ix_dunning_unit", "community_id", "unit_id"),
        {"comment": "Demands made by people (催缴): letters, calls, visits; only grows"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int]
    way: Mapped[DunningWay]
    made_on: Mapped[date] = mapped_column(comment="of a letter: the date it bears")
    amount: Mapped[Money] = mapped_column(comment="demanded, fen")
    year: Mapped[int | None] = mapped_column(comment="letters are numbered by year")
    no: Mapped[int | None]
    respond_by: Mapped[date | None] = mapped_column(comment="the reasonable period of a letter")
    paper_sealed: Mapped[str | None] = mapped_column(comment="the letter as printed, encrypted")
    note_sealed: Mapped[str | None] = mapped_column(comment="what was said, encrypted")
    made_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    recorded_at: Mapped[datetime]


class DunningBill(Base):
    """A bill that was demanded, with what was owed on it then."""

    __tablename__ = "dunning_bill"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "dunning_id"], ["dunning.community_id", "dunning.id"]
        ),
        ForeignKeyConstraint(["community_id", "bill_id"], ["bill.community_id", "bill.id"]),
        CheckConstraint("outstanding > 0", name="outstanding"),
        Index("ix_dunning_bill_bill", "community_id", "bill_id"),
        {"comment": "Bills that were demanded, once per demand; only grows"},
    )

    community_id: Mapped[CommunityId]
    dunning_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bill_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outstanding: Mapped[Money] = mapped_column(comment="demanded of it, fen")


class LetterService(Base):
    """A letter was brought to its addressee. It may be tried again another way."""

    __tablename__ = "letter_service"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "dunning_id"], ["dunning.community_id", "dunning.id"]
        ),
        CheckConstraint("way <> 'posted' OR tracking_number IS NOT NULL", name="post_has_number"),
        Index(
            "uq_letter_service",
            "community_id",
            "dunning_id",
            "way",
            "served_on",
            unique=True,
        ),
        {"comment": "How and when letters were delivered (送达); only grows"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    dunning_id: Mapped[int]
    way: Mapped[ServiceWay]
    served_on: Mapped[date]
    tracking_number: Mapped[str | None] = mapped_column(comment="of what was posted")
    note_sealed: Mapped[str | None] = mapped_column(comment="who signed or witnessed, encrypted")
    recorded_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    recorded_at: Mapped[datetime]
