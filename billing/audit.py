"""Who did what: one row for each thing a member of staff changed, never altered (操作日志).

What was looked at is in `sightings`. The rows are guarded by a database trigger, as the journal is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, GlobalId

VALUE_CHARACTERS_MAX = 200


class AuditEntry(Base):
    """Something a member of staff did, or tried at the door."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_community", "community_id", "id"),
        Index("ix_audit_entry_staff", "staff_id", "id"),
        {"comment": "Who did what in the console (操作日志); append-only"},
    )

    id: Mapped[GlobalId]
    at: Mapped[datetime]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    community_id: Mapped[int | None] = mapped_column(ForeignKey("community.id"))
    action: Mapped[str] = mapped_column(comment="name of what was done, as in the table of routes")
    subject: Mapped[str] = mapped_column(comment="what it was done to: the path")
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="what was sent, secrets left out")
    address: Mapped[str] = mapped_column(comment="of the network")


def audit(
    session: Session,
    *,
    staff_id: int,
    community_id: int | None,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    address: str,
    now: datetime,
) -> None:
    """Write down what somebody did, in the transaction that does it.

    Args:
        detail: each value cut to `VALUE_CHARACTERS_MAX`; a list stays one.
    """
    session.add(
        AuditEntry(
            at=now,
            staff_id=staff_id,
            community_id=community_id,
            action=action,
            subject=subject,
            detail={key: _cut(value) for key, value in detail.items()},
            address=address,
        )
    )


def _cut(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [str(one)[:VALUE_CHARACTERS_MAX] for one in value]
    return str(value)[:VALUE_CHARACTERS_MAX]
