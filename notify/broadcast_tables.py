"""Table of broadcasts (群发): what staff send to many, from the draft to its sending."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from notify.audiences import Audience


class BroadcastState(LabelEnum):
    """Life of a broadcast. What was read cannot be taken back; what has not left yet, can."""

    DRAFT = "draft", "待确认"
    WAITING = "waiting", "待复核"
    QUEUED = "queued", "待发送"
    SENT = "sent", "已发出"
    STOPPED = "stopped", "已中止"
    CANCELLED = "cancelled", "已取消"


class Broadcast(Base):
    """One text for many homes. Its words and audience never change: other words are another one."""

    __tablename__ = "broadcast"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        CheckConstraint("recipients >= 0", name="recipients_not_negative"),
        CheckConstraint("approved_by IS NULL OR approved_by <> drafted_by", name="two_people"),
        CheckConstraint(
            "NOT needs_second OR state NOT IN ('queued', 'sent', 'stopped')"
            " OR approved_by IS NOT NULL",
            name="second_has_approved",
        ),
        CheckConstraint(
            "state NOT IN ('queued', 'sent') OR queued_at IS NOT NULL", name="queued_has_time"
        ),
        CheckConstraint(
            "(state IN ('sent', 'stopped')) = (sent_at IS NOT NULL)", name="sent_has_time"
        ),
        CheckConstraint(
            "(state IN ('cancelled', 'stopped')) = (cancelled_at IS NOT NULL)"
            " AND (cancelled_at IS NULL) = (cancelled_by IS NULL)",
            name="cancelled_has_time",
        ),
        CheckConstraint("per_minute > 0", name="per_minute"),
        # Read by broadcasts.send_due: what waits to be sent, the oldest first.
        Index("ix_broadcast_queued", "queued_at", postgresql_where=text("state = 'queued'")),
        {"comment": "Broadcasts (群发): from the draft to the sending"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    audience: Mapped[str] = mapped_column(comment="audiences.Audience as text")
    body: Mapped[str]
    state: Mapped[BroadcastState]
    recipients: Mapped[int] = mapped_column(
        comment="followers: counted with the draft, again when confirmed and when sent"
    )
    send_at: Mapped[datetime | None] = mapped_column(
        comment="not before; null: a minute after it was confirmed"
    )
    per_minute: Mapped[int | None] = mapped_column(
        comment="messages; null: as its community has it when it leaves"
    )
    needs_second: Mapped[bool] = mapped_column(comment="a second member of staff must approve it")
    drafted_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    drafted_at: Mapped[datetime]
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    queued_at: Mapped[datetime | None]
    cancelled_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    cancelled_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None] = mapped_column(comment="when its notices were written")

    @property
    def meant(self) -> Audience:
        """Whom it is for."""
        return Audience.parse(self.audience)
