"""Tables of bill runs. Apart from `bill_run`, because bills read them and runs write bills."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from billing.period import Period


class ChunkState(LabelEnum):
    """Life of a chunk, and so of every bill in it."""

    DRAFT = "draft", "草稿"
    ISSUED = "issued", "已出账"


class RunKind(LabelEnum):
    """Why a run wrote bills."""

    REGULAR = "regular", "常规出账"
    OPENING = "opening", "期初导入"
    LATE_FEE = "late_fee", "违约金"


class RunState(LabelEnum):
    """Whether a run looked at every account. A run that was killed stays open and is resumed."""

    DRAFTING = "drafting", "起草中"
    DRAFTED = "drafted", "已起草"


class BillRun(Base):
    """One pass that drafted the bills still missing for a period."""

    __tablename__ = "bill_run"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        # At most one regular run of a period is under way: the next call resumes it.
        Index(
            "uq_bill_run_drafting",
            "community_id",
            "period",
            unique=True,
            postgresql_where=text("state = 'drafting' AND kind = 'regular'"),
        ),
        {"comment": "Bill runs (出账批次)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    period: Mapped[Period]
    kind: Mapped[RunKind] = mapped_column(server_default=RunKind.REGULAR.value)
    state: Mapped[RunState] = mapped_column(server_default=RunState.DRAFTED.value)
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
    last_unit_id: Mapped[int] = mapped_column(
        server_default="0",
        comment="last account the chunk looked at; a resumed run goes on after it",
    )
    counts: Mapped[dict[str, Any]] = mapped_column(
        server_default="{}", comment="the chunk's part of the run's summary"
    )
    state: Mapped[ChunkState]
    issued_on: Mapped[date | None]
    due_on: Mapped[date | None]
