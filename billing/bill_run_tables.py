"""Tables of bill runs. Apart from `bill_run`, because bills read them and runs write bills."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.period import Period


class ChunkState(LabelEnum):
    """Life of a chunk, and so of every bill in it."""

    DRAFT = "draft", "草稿"
    ISSUED = "issued", "已出账"


class BillRun(Base):
    """One pass that drafted the bills still missing for a period."""

    __tablename__ = "bill_run"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        {"comment": "Bill runs (出账批次)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    period: Mapped[Period]
    started_at: Mapped[datetime]
    summary: Mapped[dict[str, Any]] = mapped_column(comment="created, existing, skipped, parked")


class BillRunChunk(Base):
    """Some hundred bills of a run, issued together in one transaction."""

    __tablename__ = "bill_run_chunk"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "run_id"], ["bill_run.community_id", "bill_run.id"]),
        CheckConstraint(
            "(state = 'draft') = (issued_on IS NULL) AND (issued_on IS NULL) = (due_on IS NULL)",
            name="issued_has_dates",
        ),
        {"comment": "Chunks of bill runs; their state is the state of their bills"},
    )

    community_id: Mapped[CommunityId]
    run_id: Mapped[int] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[ChunkState]
    issued_on: Mapped[date | None]
    due_on: Mapped[date | None]
