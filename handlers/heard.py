"""Sentences to learn from: not understood, asked back about, or corrected by who said them.

Kept masked and without a follower, for staff to label with what was meant; forgotten after 90 days,
labelled or not: what is worth keeping is exported before.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, delete, func, select
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


@dataclass(frozen=True, slots=True)
class Said:
    """The sentence before, masked, and what was made of it: to learn from if it was wrong.

    Attributes:
        slots: without the room.
        heard_id: its number where it is kept already.
    """

    masked: str
    guessed: str
    confidence: float
    slots: Mapping[str, Any]
    heard_id: int | None = None


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


def keep(
    session: Session,
    said: Said,
    reason: HeardReason,
    *,
    answered: str,
    is_staff: bool,
    now: datetime,
) -> Said:
    """Keep a sentence; returns it with its number, for a correction that may follow."""
    heard = Heard(
        masked=said.masked,
        guessed=said.guessed,
        confidence=Decimal(str(said.confidence)),
        slots=dict(said.slots),
        is_staff=is_staff,
        reason=reason,
        answered=answered,
        at=now,
    )
    session.add(heard)
    session.flush()  # for its number
    return replace(said, heard_id=heard.id)


def correct(session: Session, said: Said, *, is_staff: bool, now: datetime) -> None:
    """Its follower says that it was understood wrongly. One that is kept already is not kept
    twice.
    """
    heard = session.get(Heard, said.heard_id) if said.heard_id is not None else None
    if heard is None:
        keep(
            session,
            said,
            HeardReason.CORRECTED,
            answered=said.guessed,
            is_staff=is_staff,
            now=now,
        )
    else:
        heard.reason = HeardReason.CORRECTED


def get_heard(session: Session, heard_id: int, *, lock: bool = False) -> Heard:
    """A sentence; with `lock` as it is once nobody else labels it.

    Raises:
        NotFound: no such sentence, or it was forgotten meanwhile.
    """
    heard = session.get(Heard, heard_id, with_for_update=lock or None, populate_existing=lock)
    if heard is None:
        raise NotFound(f"no sentence {heard_id}; they are kept for {KEPT.days} days")
    return heard


def label_heard(session: Session, heard_id: int, intent: str, *, by: Staff, now: datetime) -> Heard:
    """Say what a sentence meant; again to say something else.

    Args:
        intent: a code of `bot.understanding`; the caller has checked it.

    Raises:
        NotFound: no such sentence, or it was forgotten meanwhile.
    """
    heard = get_heard(session, heard_id, lock=True)
    heard.label, heard.labelled_by, heard.labelled_at = intent, by.id, now
    return heard


def list_heard(
    session: Session, *, is_labelled: bool | None = None, limit: int = 200
) -> list[Heard]:
    """Sentences, the latest first; only labelled or unlabelled ones where that is said."""
    query = select(Heard).order_by(Heard.at.desc(), Heard.id.desc()).limit(limit)
    if is_labelled is not None:
        query = query.where(Heard.label.is_not(None) if is_labelled else Heard.label.is_(None))
    return list(session.scalars(query))


def next_unlabelled(session: Session, *, before: int | None = None) -> Heard | None:
    """The latest sentence nobody labelled; with a number the latest of the earlier ones."""
    query = select(Heard).where(Heard.label.is_(None)).order_by(Heard.id.desc()).limit(1)
    return session.scalar(query if before is None else query.where(Heard.id < before))


def count_unlabelled(session: Session) -> int:
    """How many sentences nobody labelled."""
    return session.scalar(select(func.count()).where(Heard.label.is_(None))) or 0


def forget_heard(session: Session, now: datetime) -> int:
    """Delete what was kept for long enough; returns how many. Twice-safe."""
    gone = session.execute(delete(Heard).where(Heard.at <= now - KEPT).returning(Heard.id))
    return len(gone.all())


def report_heard(session: Session) -> dict[str, Any]:
    """How well sentences were understood, of those that are kept.

    Returns:
        Counts by reason; the confusion table `{meant: {guessed: n}}` of labelled ones, and by
        meaning how many of them were guessed right. Sentences that caused no doubt are not in it,
        so it shows where to learn, not how good the understanding is.
    """
    rows = session.execute(
        select(Heard.reason, Heard.label, Heard.guessed, func.count()).group_by(
            Heard.reason, Heard.label, Heard.guessed
        )
    ).all()
    reasons: Counter[str] = Counter()
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, label, guessed, count in rows:
        reasons[reason.value] += count
        if label is not None:
            confusion[label][guessed] += count
    right = {label: (guesses[label], guesses.total()) for label, guesses in confusion.items()}
    return {
        "heard": reasons.total(),
        "reasons": dict(sorted(reasons.items())),
        "labelled": sum(total for _hits, total in right.values()),
        "confusion": {label: dict(sorted(confusion[label].items())) for label in sorted(confusion)},
        "accuracy": {
            label: {"right": hits, "of": total, "share": round(hits / total, 3)}
            for label, (hits, total) in sorted(right.items())
        },
    }
