"""Who tries to be let in to homes: counted, so that guessing is slow and noticed.

A wrong code is a try; a name with a telephone number is one whether it is right or not, so that a
lock tells nothing about it.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, raise_alert
from billing.people import BindingAttempt, Follower

TRIES_MAX_PER_FOLLOWER = 5
TRIES_ALERT_TOTAL = 50
TRIES_WINDOW = timedelta(hours=1)


def is_locked_out(session: Session, follower_id: int, now: datetime) -> bool:
    """Whether a follower tried five times within the last hour. Tries of one follower wait for
    each other from here to the end of the transaction, or five at once would pass as one.
    """
    session.scalars(select(Follower).where(Follower.id == follower_id).with_for_update()).one()
    return _count(session, now, follower_id) >= TRIES_MAX_PER_FOLLOWER


def count_try(session: Session, follower_id: int, now: datetime) -> None:
    """Count one; the fiftieth of all followers within an hour raises an alert."""
    session.add(BindingAttempt(follower_id=follower_id, at=now))
    session.flush()  # counted by the next line
    total = _count(session, now)
    if total >= TRIES_ALERT_TOTAL:
        raise_alert(
            session,
            AlertKind.CODE_GUESSING,
            key="code guessing",
            community_id=None,
            data={"wrong_codes_last_hour": total},
            now=now,
        )


def _count(session: Session, now: datetime, follower_id: int | None = None) -> int:
    query = select(func.count()).where(BindingAttempt.at > now - TRIES_WINDOW)
    if follower_id is not None:
        query = query.where(BindingAttempt.follower_id == follower_id)
    return session.execute(query).scalar_one()
