"""Consents to subscription notices (订阅通知): counted per follower and template, one per notice.

Rule: developers.weixin.qq.com, subscription notices: each time somebody accepts in the pop-up, one
notice of that template may be sent, whenever we like; a refusal, there or in the settings, ends it.
We count what we hear; when WeChat counts otherwise it answers 43101, and then WeChat is right.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base

Pair = tuple[int, str]
"""(follower, template id)."""


class SubscriptionConsent(Base):
    """How many notices of a template a follower still lets us send."""

    __tablename__ = "subscription_consent"
    __table_args__ = (
        CheckConstraint("remaining >= 0", name="remaining"),
        {"comment": "Consents to subscription notices (订阅次数)"},
    )

    follower_id: Mapped[int] = mapped_column(
        ForeignKey("follower.id"), primary_key=True, autoincrement=False
    )
    template_id: Mapped[str] = mapped_column(primary_key=True)
    remaining: Mapped[int]
    changed_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a follower said to one template, in the pop-up or in the settings."""

    template_id: str
    accepted: bool


def note_answers(
    session: Session, follower_id: int, answers: Iterable[Answer], now: datetime
) -> None:
    """An acceptance adds one, a refusal takes all away. The caller hears each answer once."""
    for answer in sorted(answers, key=lambda answer: answer.template_id):
        row = insert(SubscriptionConsent).values(
            follower_id=follower_id,
            template_id=answer.template_id,
            remaining=int(answer.accepted),
            changed_at=now,
        )
        more = SubscriptionConsent.remaining + 1 if answer.accepted else 0
        session.execute(
            row.on_conflict_do_update(
                index_elements=["follower_id", "template_id"],
                set_={"remaining": more, "changed_at": now},
            )
        )


def lock_consents(session: Session, pairs: Collection[Pair]) -> dict[Pair, SubscriptionConsent]:
    """The consents that are left of these, locked in one order until the transaction ends."""
    if not pairs:
        return {}
    found = session.scalars(
        select(SubscriptionConsent)
        .where(
            tuple_(SubscriptionConsent.follower_id, SubscriptionConsent.template_id).in_(pairs),
            SubscriptionConsent.remaining > 0,
        )
        .order_by(SubscriptionConsent.follower_id, SubscriptionConsent.template_id)
        .with_for_update()
    )
    return {(consent.follower_id, consent.template_id): consent for consent in found}


def give_back(session: Session, pair: Pair, now: datetime) -> None:
    """A notice that took a consent was certainly not sent."""
    _change(session, pair, SubscriptionConsent.remaining + 1, now)


def use_up(session: Session, pair: Pair, now: datetime) -> None:
    """WeChat knows of no consent."""
    _change(session, pair, 0, now)


def _change(session: Session, pair: Pair, remaining: object, now: datetime) -> None:
    session.execute(
        update(SubscriptionConsent)
        .where(
            SubscriptionConsent.follower_id == pair[0], SubscriptionConsent.template_id == pair[1]
        )
        .values(remaining=remaining, changed_at=now)
    )
