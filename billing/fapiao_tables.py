"""Tables of fapiao (发票): who wants one for which payments, what became of it, and its file."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.money import Money


class TitleKind(LabelEnum):
    """In whose name a fapiao is."""

    PERSONAL = "personal", "个人"
    COMPANY = "company", "公司"


class FapiaoState(LabelEnum):
    """Life of a fapiao. After REJECTED and REVERSED its payments may be asked for again."""

    REQUESTED = "requested", "待开具"
    ISSUED = "issued", "已开具"
    REJECTED = "rejected", "未通过"
    REVERSED = "reversed", "已红冲"


LIVING = (FapiaoState.REQUESTED, FapiaoState.ISSUED)
"""States in which its payments are taken."""


class FileKind(LabelEnum):
    """What a fapiao's file is, by its content."""

    PDF = "pdf", "PDF 文件"
    OFD = "ofd", "OFD 文件"
    PNG = "png", "图片"


class Fapiao(Base):
    """One fapiao somebody asked for. Each step happens at most once, so the row is its history."""

    __tablename__ = "fapiao"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "(title_kind = 'company') = (tax_number IS NOT NULL)", name="companies_have_a_number"
        ),
        CheckConstraint(
            "(state IN ('issued', 'reversed')) = (issued_at IS NOT NULL)"
            " AND (issued_at IS NULL) = (number IS NULL)"
            " AND (issued_at IS NULL) = (issued_by IS NULL)",
            name="issued_has_number",
        ),
        CheckConstraint(
            "(state IN ('rejected', 'reversed')) = (ended_at IS NOT NULL)"
            " AND (ended_at IS NULL) = (end_reason IS NULL)"
            " AND (ended_at IS NULL) = (ended_by IS NULL)",
            name="ended_has_reason",
        ),
        CheckConstraint(
            "(state = 'reversed') = (red_number IS NOT NULL)", name="reversed_has_red_number"
        ),
        Index(
            "uq_fapiao_number",
            "community_id",
            "number",
            unique=True,
            postgresql_where=text("number IS NOT NULL"),
        ),
        Index("ix_fapiao_unit", "community_id", "unit_id"),
        Index("ix_fapiao_follower", "follower_id", "requested_at"),
        {"comment": "Fapiao (发票) asked for and issued; personal data encrypted"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"), comment="who asked")
    title_kind: Mapped[TitleKind]
    title_sealed: Mapped[str] = mapped_column(comment="抬头")
    tax_number: Mapped[str | None]
    email_sealed: Mapped[str | None]
    amount: Mapped[Money] = mapped_column(comment="sum of its payments' parts, fen")
    state: Mapped[FapiaoState]
    requested_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    number: Mapped[str | None] = mapped_column(comment="发票号码")
    ended_at: Mapped[datetime | None] = mapped_column(comment="when it was rejected or reversed")
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    end_reason: Mapped[str | None]
    red_number: Mapped[str | None] = mapped_column(comment="of the red fapiao (红字发票)")


class FapiaoPayment(Base):
    """What part of a payment a fapiao is for."""

    __tablename__ = "fapiao_payment"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "fapiao_id"], ["fapiao.community_id", "fapiao.id"]),
        ForeignKeyConstraint(
            ["community_id", "payment_id"], ["payment.community_id", "payment.id"]
        ),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_fapiao_payment_payment", "community_id", "payment_id"),
        {"comment": "Which payments a fapiao is for"},
    )

    community_id: Mapped[CommunityId]
    fapiao_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payment_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    amount: Mapped[Money]


class FapiaoFile(Base):
    """The file of an issued fapiao (版式文件)."""

    __tablename__ = "fapiao_file"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "fapiao_id"], ["fapiao.community_id", "fapiao.id"]),
        {"comment": "Files of issued fapiao"},
    )

    community_id: Mapped[CommunityId]
    fapiao_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[FileKind]
    content: Mapped[bytes]
