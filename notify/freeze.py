"""Due notices become messages whose content never changes again.

Safe to run twice and from many workers: a notice is locked while it is merged, and merged once.
"""

import secrets
from datetime import datetime

from jinja2 import Environment
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from billing.business_day import business_date
from notify.catalog import NOTICES, Urgency
from notify.links import Links
from notify.matters import Matters, objection, read_matters
from notify.merge import group, tell
from notify.outbox import Message, MessageState, Notice, NoticeState
from notify.render import Templates, render


class Press:
    """Freezes what is to be told into messages: links, words and approved templates in one hand."""

    def __init__(self, links: Links, environment: Environment, templates: Templates) -> None:
        self._links = links
        self._environment = environment
        self._templates = templates

    def freeze_due(self, session: Session, now: datetime, limit: int, urgency: Urgency) -> int:
        """Merge notices of one urgency that are due, oldest first; returns how many were dealt
        with.

        A notice that no longer holds is suppressed with its reason instead.
        """
        notices = _lock_due(session, now, limit, urgency)
        matters = read_matters(session, notices)
        holding = []
        for notice in notices:
            notice.reason = objection(notice, matters, now)
            if notice.reason is None:
                holding.append(notice)
            else:
                notice.state = NoticeState.SUPPRESSED
        frozen = [(self._freeze(own, matters, now), own) for own in group(holding)]
        session.add_all([message for message, _ in frozen])
        session.flush()  # notices name the ids of their messages
        for message, own in frozen:
            for notice in own:
                notice.state = NoticeState.MERGED
                notice.message_id = message.id
        return len(notices)

    def _freeze(self, notices: list[Notice], matters: Matters, now: datetime) -> Message:
        first = notices[0]
        telling = tell(notices, matters, self._links, business_date(now))
        return Message(
            community_id=first.community_id,
            follower_id=first.follower_id,
            kind=first.kind,
            urgency=first.urgency,
            transport=NOTICES[first.kind].transports[0],
            content=render(telling, self._environment, self._templates).as_json(),
            client_msg_id=secrets.token_hex(16),
            state=MessageState.QUEUED,
            created_at=now,
            expires_at=max(notice.expires_at for notice in notices),
            next_attempt_at=now,
            attempts=0,
        )


def _lock_due(session: Session, now: datetime, limit: int, urgency: Urgency) -> list[Notice]:
    """The oldest due notices, and everything else that is due for the same people."""
    due = (
        Notice.state == NoticeState.QUEUED,
        Notice.urgency == urgency,
        Notice.not_before <= now,
    )
    person = tuple_(Notice.community_id, Notice.follower_id, Notice.kind)
    oldest = session.execute(
        select(Notice.community_id, Notice.follower_id, Notice.kind)
        .where(*due)
        .order_by(Notice.not_before, Notice.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not oldest:
        return []
    return list(
        session.scalars(
            select(Notice)
            .where(*due, person.in_({tuple(row) for row in oldest}))
            .order_by(Notice.id)
            .with_for_update(skip_locked=True)
        )
    )
