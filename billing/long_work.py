"""Long work that staff ask for: what is to be done, how far it is, and what came of it.

A row is written with what asks for it, and a worker finds it there: an emptied queue loses nothing.
Whoever works on a row holds an advisory lock; with his connection the lock ends, so that a row
that is begun and not locked was left by a worker who died. It is taken up again, a few times.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.advisory import is_held
from billing.db import Base, CommunityId, Database, LocalId
from billing.errors import Conflict, NotFound
from billing.labels import LabelEnum

WORK_LOCK = 20261120
"""First key of the advisory lock of a worker; the second is the row's id."""
TRIES_MAX = 3
"""Work whose workers died so often is given up: it is likelier the cause than the victim."""
FILE_KEPT = timedelta(days=7)
"""A workbook that was uploaded and not imported is full of names and telephone numbers."""


class WorkKind(LabelEnum):
    """What is done."""

    DRAFT = "draft", "起草账单"
    PUBLISH = "publish", "发布账单"
    VOID_RUN = "void_run", "作废整批账单"
    TRIAL = "trial", "全小区试算"
    CHECK = "check", "检查导入文件"
    IMPORT = "import", "导入资料"


class WorkState(LabelEnum):
    """How far it is."""

    WAITING = "waiting", "排队中"
    RUNNING = "running", "进行中"
    DONE = "done", "已完成"
    FAILED = "failed", "未完成"


class LongWork(Base):
    """One piece of work. `request` says what is to be done, `outcome` what came of it."""

    __tablename__ = "long_work"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        CheckConstraint("done >= 0 AND total >= 0 AND tries >= 0", name="counts"),
        CheckConstraint(
            "(state IN ('done', 'failed')) = (ended_at IS NOT NULL)", name="ended_has_time"
        ),
        # Two clicks, or two clerks, do not begin the same work twice.
        Index(
            "uq_long_work_open",
            "community_id",
            "key",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_long_work_kind", "community_id", "kind", "id"),
        {"comment": "Long work staff asked for (后台任务)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    kind: Mapped[WorkKind]
    key: Mapped[str] = mapped_column(comment="what only one piece of work does at a time")
    state: Mapped[WorkState]
    request: Mapped[dict[str, Any]] = mapped_column(JSONB)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    asked_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[datetime]
    began_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default="0", comment="how often it was begun")
    done: Mapped[int] = mapped_column(server_default="0", comment="steps of total")
    total: Mapped[int] = mapped_column(server_default="0")
    file_sealed: Mapped[bytes | None] = mapped_column(comment="uploaded workbook, encrypted")
    report_sealed: Mapped[bytes | None] = mapped_column(
        comment="what is wrong with it, encrypted: it quotes cells"
    )


def ask_work(
    session: Session,
    community_id: int,
    kind: WorkKind,
    *,
    key: str,
    request: Mapping[str, Any],
    staff_id: int,
    now: datetime,
    file_sealed: bytes | None = None,
) -> LongWork:
    """Write down work for the workers; they are to be woken after the commit.

    Raises:
        Conflict: work with this key waits or is under way.
    """
    work: LongWork | None = session.scalar(
        insert(LongWork)
        .values(
            community_id=community_id,
            kind=kind,
            key=key,
            state=WorkState.WAITING,
            request=dict(request),
            asked_by=staff_id,
            asked_at=now,
            file_sealed=file_sealed,
        )
        .on_conflict_do_nothing()
        .returning(LongWork)
    )
    if work is None:
        raise Conflict("the same work is under way already; look at it before asking again")
    return work


def get_work(session: Session, community_id: int, work_id: int) -> LongWork:
    """The work with this number.

    Raises:
        NotFound: there is none in the community.
    """
    found = session.get(LongWork, (community_id, work_id), populate_existing=True)
    if found is None:
        raise NotFound(f"no work {work_id} in community {community_id}")
    return found


def list_open_work(session: Session) -> list[tuple[int, int]]:
    """Community and number of what waits or was left, the oldest first."""
    rows = session.execute(
        select(LongWork.community_id, LongWork.id)
        .where(LongWork.ended_at.is_(None))
        .order_by(LongWork.id)
    )
    return [(community_id, work_id) for community_id, work_id in rows]


def list_under_way(session: Session, community_id: int) -> list[LongWork]:
    """What waits, is under way or was left, of a community, the oldest first."""
    return list(
        session.scalars(
            select(LongWork)
            .where(LongWork.community_id == community_id, LongWork.ended_at.is_(None))
            .order_by(LongWork.id)
        )
    )


def last_work(
    session: Session, community_id: int, kind: WorkKind, key: str, *, state: WorkState
) -> LongWork | None:
    """The latest work of a kind and key that is in a state."""
    return session.scalar(
        select(LongWork)
        .where(
            LongWork.community_id == community_id,
            LongWork.kind == kind,
            LongWork.key == key,
            LongWork.state == state,
        )
        .order_by(LongWork.id.desc())
        .limit(1)
    )


@contextmanager
def at_work(database: Database, work_id: int) -> Iterator[bool]:
    """Be the one who works on it, until the block ends; yields False when somebody else is."""
    keys = {"cls": WORK_LOCK, "work": work_id}
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        taken = connection.scalar(
            text("SELECT pg_try_advisory_lock(CAST(:cls AS int), CAST(:work AS int))"), keys
        )
        try:
            yield bool(taken)
        finally:
            if taken:
                connection.execute(
                    text("SELECT pg_advisory_unlock(CAST(:cls AS int), CAST(:work AS int))"), keys
                )


def is_left(session: Session, work: LongWork) -> bool:
    """Whether it was begun and nobody works on it: its worker died."""
    if work.state is not WorkState.RUNNING:
        return False
    return not is_held(session, WORK_LOCK, work.id)


def begin_work(session: Session, community_id: int, work_id: int, now: datetime) -> LongWork | None:
    """Begin, or begin again what was left; None when it ended meanwhile, or is given up now.

    To be called by whoever holds `at_work`.
    """
    work = session.get_one(
        LongWork, (community_id, work_id), with_for_update=True, populate_existing=True
    )
    if work.ended_at is not None:
        return None
    if work.tries >= TRIES_MAX:
        work.state, work.ended_at = WorkState.FAILED, now
        work.outcome = {"refused": f"its worker died {work.tries} times"}
        return None
    work.state, work.began_at, work.done = WorkState.RUNNING, now, 0
    work.tries += 1
    return work


def note_progress(session: Session, work: LongWork, done: int, total: int) -> None:
    """Write down how far it is."""
    session.execute(
        update(LongWork)
        .where(LongWork.community_id == work.community_id, LongWork.id == work.id)
        .values(done=min(done, total), total=total)
    )


def end_work(
    session: Session,
    work: LongWork,
    outcome: Mapping[str, Any],
    *,
    now: datetime,
    report_sealed: bytes | None = None,
) -> None:
    """Write down what came of it; an outcome with `refused` is a failure, and says why."""
    failed = "refused" in outcome
    session.execute(
        update(LongWork)
        .where(LongWork.community_id == work.community_id, LongWork.id == work.id)
        .values(
            state=WorkState.FAILED if failed else WorkState.DONE,
            outcome=dict(outcome),
            ended_at=now,
            done=LongWork.done if failed else LongWork.total,
            report_sealed=report_sealed,
        )
    )


def ask_again(session: Session, work: LongWork) -> None:
    """Have failed work done again: it waits as if it were new.

    Raises:
        Conflict: it has not failed, or the same work is under way.
    """
    if work.state is not WorkState.FAILED:
        raise Conflict(f"work {work.id} has not failed: it is {work.state.value}")
    same = [one for one in list_under_way(session, work.community_id) if one.key == work.key]
    if same:
        raise Conflict("the same work is under way already; look at it before asking again")
    work.state, work.ended_at, work.outcome, work.tries = WorkState.WAITING, None, None, 0


def forget_files(session: Session, now: datetime) -> int:
    """Forget uploaded files that were kept for long enough; returns how many."""
    gone = session.execute(
        update(LongWork)
        .where(LongWork.ended_at < now - FILE_KEPT, LongWork.file_sealed.is_not(None))
        .values(file_sealed=None, report_sealed=None)
        .returning(LongWork.id)
    )
    return len(gone.all())
