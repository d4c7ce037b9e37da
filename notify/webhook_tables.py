"""Other systems that want to hear of changes, and every delivery to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from billing.db import Base, CommunityId, GlobalId, LocalId
from billing.labels import LabelEnum


class DeliveryState(LabelEnum):
    """Life of a delivery."""

    QUEUED = "queued", "待发送"
    SENDING = "sending", "发送中"
    DELIVERED = "delivered", "已送达"
    GIVEN_UP = "given_up", "多次尝试未成功"


def delivery_number(community_id: int, delivery_id: int, created_at: datetime) -> str:
    """What a receiver knows a delivery by, the same for every attempt and when it is sent again.

    The moment it was written down is part of it: a restore puts the sequence of keys back, and a
    receiver does nothing about a number it has seen, so keys alone would hide changes from it.

    >>> delivery_number(1, 7, datetime.fromisoformat("2026-11-23T02:30:00+00:00"))
    '1-7-1795401000'
    """
    return f"{community_id}-{delivery_id}-{int(created_at.timestamp())}"


class Webhook(Base):
    """Where an outside system wants to hear of which changes. Its secret is sealed."""

    __tablename__ = "webhook"
    __table_args__ = ({"comment": "Outside systems that hear of changes; secrets encrypted"},)

    id: Mapped[GlobalId]
    name: Mapped[str] = mapped_column(unique=True, comment="of the system, for people")
    url: Mapped[str]
    secret_sealed: Mapped[str] = mapped_column(comment="signs what is sent")
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="facts.FactKind")
    community_id: Mapped[int | None] = mapped_column(
        ForeignKey("community.id"), comment="null: every community"
    )
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One change to be told to one system; the same change is written down for it once."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("community_id", "webhook_id", "fact_id"),
        # Read by webhooks.claim_deliveries: what may be sent now.
        Index(
            "ix_webhook_delivery_due",
            "next_attempt_at",
            "id",
            postgresql_where=text("state IN ('queued', 'sending')"),
        ),
        # Read by list and replay: what one system was told.
        Index("ix_webhook_delivery_webhook", "webhook_id", "id"),
        {"comment": "Changes told to outside systems, at least once each"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id"))
    fact_id: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(comment="what is sent, never changed")
    state: Mapped[DeliveryState]
    attempts: Mapped[int] = mapped_column(comment="claims so far; also fences late workers off")
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime] = mapped_column(comment="first, or again; tried a day from then")
    next_attempt_at: Mapped[datetime] = mapped_column(
        comment="not tried before; while sending, when another worker may take over"
    )
    settled_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(comment="of the last attempt: a status or a reason")

    @property
    def number(self) -> str:
        """What its receiver knows it by."""
        return delivery_number(self.community_id, self.id, self.created_at)
