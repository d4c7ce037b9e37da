"""Due notices become messages whose content never changes again.

Safe to run twice and from many workers: a notice is locked while it is merged, and merged once.
"""

import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from jinja2 import Environment
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    Text,
    cast,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from billing.business_day import business_date
from notify.approved import Approved, read_approved
from notify.caps import REMINDERS_PER_DAY, Reminded, asleep
from notify.catalog import NoticeKind, Urgency
from notify.learning import Wordings
from notify.links import Links, MessageRef
from notify.matters import Matters, objection, read_matters
from notify.merge import group, tell
from notify.outbox import Message, MessageState, Notice, NoticeState
from notify.render import render

NEXT_IDS = text(
    "SELECT nextval(pg_get_serial_sequence('message', 'id')) FROM generate_series(1, :count)"
)
"""Taken beforehand: a message's links name it."""


class Press:
    """Freezes what is to be told into messages: links, words and approved templates in one hand."""

    def __init__(
        self,
        links: Links,
        environment: Environment,
        defaults: Approved,
        reminders_per_day: int = REMINDERS_PER_DAY,
    ) -> None:
        self._links = links
        self._environment = environment
        self._defaults = defaults
        self._reminders_per_day = reminders_per_day

    def freeze_due(self, session: Session, now: datetime, limit: int, urgency: Urgency) -> int:
        """Merge notices of one urgency that are due, oldest first; returns how many were dealt
        with.

        A notice that no longer holds is suppressed with its reason instead, and a reminder beyond
        the day's number waits for the next day.
        """
        notices = _lock_due(session, now, limit, urgency)
        if not notices:
            return 0
        matters = read_matters(session, notices)
        holding, ended = [], []
        for notice in notices:
            reason = objection(notice, matters, now)
            if reason is None:
                holding.append(notice)
            else:
                ended.append(_row(notice, state=NoticeState.SUPPRESSED, reason=reason))
        reminded = Reminded.of(session, holding, now, self._reminders_per_day)
        groups = [own for own in group(holding) if reminded.takes(own)]
        ids = session.scalars(NEXT_IDS, {"count": len(groups)}).all()
        wordings = Wordings.of(session, (own[0].community_id for own in groups))
        approved = read_approved(session, self._defaults)
        messages = [
            self._freeze(message_id, own, matters, wordings, approved, now)
            for message_id, own in zip(ids, groups, strict=True)
        ]
        merged = [
            _row(notice, state=NoticeState.MERGED, message_id=message_id)
            for message_id, own in zip(ids, groups, strict=True)
            for notice in own
        ]
        for statement, rows in (
            (insert(Message), messages),
            (update(Notice), ended),
            (update(Notice), merged),
        ):
            if rows:
                session.execute(statement, rows)
        return len(notices)

    def _freeze(
        self,
        message_id: int,
        notices: list[Notice],
        matters: Matters,
        wordings: Wordings,
        approved: Approved,
        now: datetime,
    ) -> dict[str, Any]:
        """The values of a message."""
        first = notices[0]
        telling = tell(notices, matters, self._links, business_date(now))
        if telling.url is not None:
            carrying = self._links.carrying(telling.url, MessageRef(first.community_id, message_id))
            telling = replace(telling, url=carrying)
        content = render(
            telling,
            self._environment,
            approved.templates,
            approved.subscriptions,
            approved.sms,
            wordings.choose(first.community_id, first.follower_id, first.kind, business_date(now)),
            approved.route(first.kind),
        )
        return {
            "community_id": first.community_id,
            "id": message_id,
            "follower_id": first.follower_id,
            "kind": first.kind,
            "urgency": first.urgency,
            "transport": approved.route(first.kind)[0],
            "content": content.as_json(),
            "client_msg_id": secrets.token_hex(16),
            "state": MessageState.QUEUED,
            "created_at": now,
            "expires_at": max(notice.expires_at for notice in notices),
            "next_attempt_at": now,
            "attempts": 0,
        }


def _row(notice: Notice, **values: Any) -> dict[str, Any]:
    """Key and new values of a notice, for an UPDATE by primary key."""
    return {"community_id": notice.community_id, "id": notice.id, **values}


def _lock_due(session: Session, now: datetime, limit: int, urgency: Urgency) -> list[Notice]:
    """The oldest due notices, and everything else that is due for the same people. At night those
    that let people sleep are passed over: their words are of the day on which they are sent.
    """
    due = (
        Notice.state == NoticeState.QUEUED,
        Notice.urgency == urgency,
        Notice.not_before <= now,
        Notice.kind.not_in(asleep(now)),
    )
    person = tuple_(Notice.community_id, Notice.follower_id, cast(Notice.kind, Text))
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
            .where(
                *due,
                person.in_(
                    _people_array({(row.community_id, row.follower_id, row.kind) for row in oldest})
                ),
            )
            .order_by(Notice.id)
            .with_for_update(skip_locked=True)
        )
    )


def _people_array(
    people: Collection[tuple[int, int, NoticeKind]],
) -> Select[tuple[int, int, str]]:
    """Community, follower and kind as three parameters, however many people there are."""
    communities, followers, kinds = zip(*people, strict=True)
    return select(
        func.unnest(cast(list(communities), ARRAY(BigInteger))),
        func.unnest(cast(list(followers), ARRAY(BigInteger))),
        func.unnest(cast([kind.value for kind in kinds], ARRAY(Text))),
    )
