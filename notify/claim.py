"""Claiming messages: lock, look again whether they still make sense, and set out to send them.

All in one transaction that ends before the first call to WeChat. From its commit on, a message may
have arrived (`first_sent_at`), so a worker that dies is never mistaken for one that did nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, tuple_
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.db import key_array
from billing.people import Follower
from notify.caps import held_back
from notify.catalog import Transport, Urgency
from notify.matters import Matters, objection, outstanding, read_matters
from notify.outbox import Delivery, Message, MessageState, Notice, NoticeState, Reason
from notify.reach import Reach, read_reach
from notify.render import Content

SAME_MESSAGE = timedelta(minutes=10) - timedelta(seconds=30)
"""WeChat shows one message per openid and client_msg_id for ten minutes; less a call's time."""

REPORTED = frozenset(
    {Reason.USER_BLOCK, Reason.SYSTEM_FAILED, Reason.FREQ_LIMIT, Reason.NOT_DELIVERED}
)
"""Reasons a report gave: the person was written to in vain."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One attempt to make: all a thread without a database needs.

    Attributes:
        attempt: fences this attempt off from later ones of the same message.
        sent_before: since when an earlier attempt may have arrived.
        lease_until: another worker may take over from here on.
        phone_sealed: the number of an SMS, sealed.
    """

    community_id: int
    message_id: int
    attempt: int
    transport: Transport
    openid: str
    content: Content
    client_msg_id: str
    sent_before: datetime | None
    lease_until: datetime
    phone_sealed: str | None = None

    def __repr__(self) -> str:
        """Keep the openid and the content out of logs."""
        return f"Parcel({self.community_id}, {self.message_id}, attempt={self.attempt})"


@dataclass(frozen=True, slots=True)
class Claimed:
    """How many messages were looked at, and those of them that are to be sent."""

    count: int
    parcels: list[Parcel]


def claim(
    session: Session,
    now: datetime,
    limit: int,
    lease: timedelta,
    urgency: Urgency,
    *,
    by_sms: bool = False,
    only_sms: bool = False,
) -> Claimed:
    """Take messages of one urgency that are due, and what crashed workers left; two workers never
    take the same.

    What no longer holds is suppressed, what cannot be sent fails, what may have arrived and cannot
    be repeated safely becomes UNKNOWN: each with its reason. What may not set out at this hour or
    on this day stays queued, however it came to be late.

    Args:
        by_sms: there is a provider of SMS.
        only_sms: the account may send nothing now, so what is to go through it is left alone.
    """
    messages = _lock(session, now, limit, urgency, only_sms=only_sms)
    if not messages:
        return Claimed(0, [])
    told = notices_of(session, messages)
    matters = read_matters(session, [notice for own in told.values() for notice in own])
    reach = read_reach(session, messages, told, business_date(now), by_sms=by_sms)
    parcels = []
    for message in messages:
        own = told[message.community_id, message.id]
        if not _still_holds(message, own, matters, now):
            continue
        follower = matters.people[message.follower_id]
        transport = reach.first_usable(message, follower, now)
        if transport is None:
            _give_up(message, follower, now)
            continue
        message.transport = transport
        parcels.append(_start(message, follower, reach, now, lease))
    if parcels:
        session.execute(insert(Delivery), [_attempt_row(parcel, now) for parcel in parcels])
    return Claimed(len(messages), parcels)


def settle(message: Message, state: MessageState, reason: Reason | None, now: datetime) -> None:
    """Give a message its final state; an UNKNOWN one is still asked about for a while."""
    message.state = state
    message.reason = reason
    message.settled_at = None if state is MessageState.UNKNOWN else now
    message.lease_until = None


def _give_up(message: Message, follower: Follower, now: datetime) -> None:
    """No transport is left: for the reason of the last report, if one failed it."""
    settle(message, MessageState.FAILED, message.reason or Reason.NO_TRANSPORT, now)
    if message.reason in REPORTED and follower.unreachable_at is None:
        follower.unreachable_at = now


def _lock(
    session: Session, now: datetime, limit: int, urgency: Urgency, *, only_sms: bool
) -> list[Message]:
    """Expired leases first: their ten minutes are running. So are those of what is repeated after
    a lost answer, which is why the hour holds back only what has not set out yet.
    """
    lines = [Message.transport == Transport.SMS] if only_sms else []
    left_behind = session.scalars(
        select(Message)
        .where(
            Message.state == MessageState.SENDING,
            Message.urgency == urgency,
            Message.lease_until <= now,
            *lines,
        )
        .order_by(Message.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    due = session.scalars(
        select(Message)
        .where(
            Message.state == MessageState.QUEUED,
            Message.urgency == urgency,
            Message.next_attempt_at <= now,
            or_(Message.kind.not_in(held_back(session, now)), Message.first_sent_at.is_not(None)),
            *lines,
        )
        .order_by(Message.next_attempt_at, Message.id)
        .limit(limit - len(left_behind))
        .with_for_update(skip_locked=True)
    ).all()
    return [*left_behind, *due]


def notices_of(
    session: Session, messages: Sequence[Message]
) -> dict[tuple[int, int], list[Notice]]:
    """What each of these messages tells, by (community, message)."""
    told: dict[tuple[int, int], list[Notice]] = defaultdict(list)
    keys = {(message.community_id, message.id) for message in messages}
    if keys:
        notices = select(Notice).where(
            tuple_(Notice.community_id, Notice.message_id).in_(key_array(keys))
        )
        for notice in session.scalars(notices.order_by(Notice.id)):
            if notice.message_id is not None:
                told[notice.community_id, notice.message_id].append(notice)
    return told


def _still_holds(
    message: Message, notices: Sequence[Notice], matters: Matters, now: datetime
) -> bool:
    """Look again. Settles the message when it must not be sent any more."""
    objections = [objection(notice, matters, now) for notice in notices]
    reasons = [reason for reason in objections if reason is not None]
    stated = message.content["total_fen"]
    changed = stated is not None and stated != outstanding(notices, matters).fen
    if not reasons and not changed:
        if _may_be_repeated(message, now):
            return True
        settle(message, MessageState.UNKNOWN, Reason.NO_ANSWER, now)
    elif message.first_sent_at is not None:
        # An earlier attempt may have arrived; saying something else now would be a second message.
        settle(message, MessageState.UNKNOWN, Reason.NO_ANSWER, now)
    elif len(reasons) == len(notices):
        settle(message, MessageState.SUPPRESSED, reasons[0], now)
    else:
        settle(message, MessageState.SUPPRESSED, Reason.SUPERSEDED, now)
        for notice in notices:
            notice.state, notice.message_id = NoticeState.QUEUED, None
    return False


def _may_be_repeated(message: Message, now: datetime) -> bool:
    """Whether another attempt cannot be seen twice."""
    if message.first_sent_at is None:
        return True
    repeatable = message.transport is Transport.TEMPLATE
    return repeatable and now < message.first_sent_at + SAME_MESSAGE


def _attempt_row(parcel: Parcel, now: datetime) -> dict[str, Any]:
    """The attempt as it is written down before it is made."""
    return {
        "community_id": parcel.community_id,
        "message_id": parcel.message_id,
        "attempt": parcel.attempt,
        "transport": parcel.transport,
        "started_at": now,
    }


def _start(
    message: Message,
    follower: Follower,
    reach: Reach,
    now: datetime,
    lease: timedelta,
) -> Parcel:
    if message.transport is Transport.SUBSCRIBE:
        reach.take_consent(message, now)
    by_sms = message.transport is Transport.SMS
    sent_before = message.first_sent_at
    message.state = MessageState.SENDING
    message.attempts += 1
    message.lease_until = now + lease
    message.first_sent_at = sent_before or now
    return Parcel(
        community_id=message.community_id,
        message_id=message.id,
        attempt=message.attempts,
        transport=message.transport,
        openid=follower.openid,
        content=Content.from_json(message.content),
        client_msg_id=message.client_msg_id,
        sent_before=sent_before,
        lease_until=now + lease,
        phone_sealed=reach.phones[message.community_id, message.id] if by_sms else None,
    )
