"""Sentences to learn from: not understood, asked back about, or corrected by who said them.

Kept masked and without a follower, for staff to label with what was meant; forgotten after 90 days,
labelled or not: what is worth keeping is exported before.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, GlobalId
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.people import Staff

KEPT = timedelta(days=90)


class HeardReason(LabelEnum):
    """Why a sentence is worth learning from."""

    NOT_UNDERSTOOD = "not_understood", "未听懂"
    ASKED_BACK = "asked_back", "反问确认"
    CORRECTED = "corrected", "用户更正"


class Heard(Base):
    """One sentence, what was made of it, and what it meant once somebody said so."""

    __tablename__ = "heard"
    __table_args__ = (
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        CheckConstraint(
            "(label IS NULL) = (labelled_at IS NULL) AND (label IS NULL) = (labelled_by IS NULL)",
            name="labelled_has_time",
        ),
        Index("ix_heard_at", "at"),
        {"comment": "Sentences to learn from, masked, of nobody in particular; kept for 90 days"},
    )

    id: Mapped[GlobalId]
    masked: Mapped[str]
    guessed: Mapped[str] = mapped_column(comment="intent that was understood")
    confidence: Mapped[Decimal] = mapped_column(Numeric(4, 3), comment="0 to 1")
    slots: Mapped[dict[str, Any]] = mapped_column(
        comment="what else was understood, without the room"
    )
    is_staff: Mapped[bool]
    reason: Mapped[HeardReason]
    answered: Mapped[str] = mapped_column(comment="route that answered")
    at: Mapped[datetime]
    label: Mapped[str | None] = mapped_column(comment="intent that was meant")
    labelled_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    labelled_at: Mapped[datetime | None]
