"""What the other side reports about messages after they were sent, and what nobody ever reports.

A report of failure sends the message on to the next transport: it certainly did not arrive, so
nothing is told twice, and `claim` looks again whether it still makes sense. When no transport is
left, it has failed and its reader is marked as one nothing reaches.

What is UNKNOWN is settled by a report or by asking (SMS). After half an hour it is settled by
policy, the same for all kinds, because nothing is sent again blindly: a receipt stays as it is, for
the payment is on the page, and of a bill the next rung of the ladder reminds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.people import Follower
from notify.approved import route_of
from notify.catalog import Transport
from notify.claim import notices_of, settle
from notify.outbox import DeliveredMessage, Message, MessageState, Reason
from notify.reach import find_phones
from notify.sms import SmsFate

UNKNOWN_FOR = timedelta(minutes=30)
"""How long a message of which we know nothing is asked about."""

ASK_AFTER = timedelta(minutes=1)
"""A provider needs a moment until it knows its own messages."""

ASK_AGAIN_AFTER = timedelta(minutes=5)

MATCHED_WITHIN = timedelta(days=1)
"""A report without our number is of a message sent within so long."""

DELIVERED = "success"
FAILURES = {
    "userblock": Reason.USER_BLOCK,
    "systemfailed": Reason.SYSTEM_FAILED,
    "freqlimit": Reason.FREQ_LIMIT,
}
"""Reported failures without `failed:` and spaces, which WeChat's documents write differently."""

CLOSED = {MessageState.DELIVERED, MessageState.FAILED, MessageState.SUPPRESSED}


@dataclass(frozen=True, slots=True)
class SubscriptionReport:
    """What WeChat says about a subscription notice. `msgid` is a number we were never told."""

    template_id: str
    msgid: str
    status: str


@dataclass(frozen=True, slots=True)
class SmsReport:
    """What a provider of SMS says about a message. `out_id` is our `client_msg_id`."""

    out_id: str
    number: str
    is_delivered: bool
    status: str


def failure_of(status: str) -> Reason | None:
    """What a reported status means; None: it was delivered."""
    normal = "".join(status.lower().split()).removeprefix("failed:")
    return None if normal == DELIVERED else FAILURES.get(normal, Reason.NOT_DELIVERED)


def record_result(session: Session, msgid: str, status: str, now: datetime) -> None:
    """Write down WeChat's report (TEMPLATESENDJOBFINISH). The same report twice changes nothing.

    Args:
        msgid: `MsgID` of the event; may be one we have not recorded yet.
        status: `success`, `failed:user block`, …
    """
    if not msgid:
        return
    report = insert(DeliveredMessage).values(msgid=msgid, status=status, reported_at=now)
    row = session.execute(
        report.on_conflict_do_update(
            index_elements=["msgid"],
            set_={"status": report.excluded.status, "reported_at": report.excluded.reported_at},
            where=DeliveredMessage.status.is_(None),
        ).returning(DeliveredMessage.community_id, DeliveredMessage.message_id)
    ).one_or_none()
    if row is None or row.message_id is None:
        return
    message = session.get(
        Message, (row.community_id, row.message_id), with_for_update=True, populate_existing=True
    )
    if message is not None:
        apply_report(session, message, Transport.TEMPLATE, failure_of(status), now)


def record_subscription(
    session: Session, follower_id: int, report: SubscriptionReport, now: datetime
) -> None:
    """Write down WeChat's report about a subscription notice. The same twice changes nothing.

    bizsend gives no number, so the oldest notice of this template to this person that nobody has
    reported on is the one: WeChat reports in the order in which it sends.
    """
    if not report.msgid:
        return
    row = insert(DeliveredMessage).values(msgid=report.msgid, status=report.status, reported_at=now)
    is_news = session.execute(
        row.on_conflict_do_nothing(index_elements=["msgid"]).returning(DeliveredMessage.msgid)
    ).one_or_none()
    if is_news is None:
        return
    message = session.scalars(
        select(Message)
        .where(
            Message.follower_id == follower_id,
            Message.transport == Transport.SUBSCRIBE,
            Message.state.in_((MessageState.SENDING, MessageState.SENT, MessageState.UNKNOWN)),
            Message.content["subscribe_id"].astext == report.template_id,
            Message.first_sent_at > now - MATCHED_WITHIN,
        )
        .order_by(Message.first_sent_at, Message.id)
        .limit(1)
        .with_for_update()
    ).one_or_none()
    if message is None:
        return
    session.execute(
        update(DeliveredMessage)
        .where(DeliveredMessage.msgid == report.msgid)
        .values(community_id=message.community_id, message_id=message.id)
    )
    apply_report(session, message, Transport.SUBSCRIBE, failure_of(report.status), now)


def record_sms(session: Session, report: SmsReport, now: datetime) -> bool:
    """Write down a provider's report about an SMS; whether it is about a message of ours. The same
    twice changes nothing.
    """
    key = session.execute(
        select(Message.community_id, Message.id).where(Message.client_msg_id == report.out_id)
    ).one_or_none()
    if key is None:
        return False
    status = DELIVERED if report.is_delivered else f"failed: {report.status}"
    row = insert(DeliveredMessage).values(
        msgid=f"sms:{report.number}",
        community_id=key.community_id,
        message_id=key.id,
        status=status,
        reported_at=now,
    )
    is_news = session.execute(
        row.on_conflict_do_update(
            index_elements=["msgid"],
            set_={"status": row.excluded.status, "reported_at": row.excluded.reported_at},
            where=DeliveredMessage.status.is_(None),
        ).returning(DeliveredMessage.msgid)
    ).one_or_none()
    message = session.get(Message, tuple(key), with_for_update=True, populate_existing=True)
    if is_news is not None and message is not None:
        apply_report(session, message, Transport.SMS, failure_of(status), now)
    return True


def apply_report(
    session: Session,
    message: Message,
    transport: Transport,
    failure: Reason | None,
    now: datetime,
) -> None:
    """Settle a message by what was reported of its sending by this transport. What is settled stays
    so, but for one that arrived after all.
    """
    if failure is None:
        if message.state is not MessageState.SUPPRESSED:
            settle(message, MessageState.DELIVERED, None, now)
            _mark_reached(session, message.follower_id)
        return
    if message.state in CLOSED or message.transport is not transport:
        return
    given_up = message.state is MessageState.UNKNOWN and message.settled_at is not None
    message.first_sent_at = None
    message.reason = failure
    if given_up or not next_transport(message, now):
        settle(message, MessageState.FAILED, failure, now)
        _mark_unreachable(session, message.follower_id, now)


def next_transport(message: Message, now: datetime) -> bool:
    """Have a message go by its next transport; False when this was its last."""
    transports = route_of(message)
    following = transports.index(message.transport) + 1
    if following == len(transports):
        return False
    message.transport = transports[following]
    requeue(message, now)
    return True


def requeue(message: Message, at: datetime) -> None:
    """Try a message again, not before `at`."""
    message.state = MessageState.QUEUED
    message.lease_until = None
    message.settled_at = None
    message.next_attempt_at = at


@dataclass(frozen=True, slots=True)
class Question:
    """An SMS to ask its provider about."""

    community_id: int
    message_id: int
    client_msg_id: str
    phone_sealed: str
    sent_at: datetime

    def __repr__(self) -> str:
        """Keep the number out of logs, sealed or not."""
        return f"Question({self.community_id}, {self.message_id})"


def list_unsettled(session: Session, now: datetime, limit: int) -> list[Question]:
    """SMS that may have arrived and are worth asking about."""
    messages = session.scalars(
        select(Message)
        .where(
            Message.state == MessageState.UNKNOWN,
            Message.settled_at.is_(None),
            Message.transport == Transport.SMS,
            Message.first_sent_at <= now - ASK_AFTER,
            Message.next_attempt_at <= now,
        )
        .order_by(Message.first_sent_at)
        .limit(limit)
    ).all()
    told = notices_of(session, messages)
    phones = find_phones(session, messages, told, business_date(now))
    return [
        Question(*key, message.client_msg_id, phones[key], message.first_sent_at)
        for message in messages
        if (key := (message.community_id, message.id)) in phones and message.first_sent_at
    ]


def put_off(session: Session, question: Question, now: datetime) -> None:
    """Nobody could answer: ask about the others first."""
    session.execute(
        update(Message)
        .where(
            Message.community_id == question.community_id,
            Message.id == question.message_id,
            Message.state == MessageState.UNKNOWN,
        )
        .values(next_attempt_at=now + ASK_AGAIN_AFTER)
    )


def record_fate(session: Session, question: Question, fate: SmsFate, now: datetime) -> None:
    """Write down what the provider answered; nothing, when a report was faster."""
    key = (question.community_id, question.message_id)
    message = session.get(Message, key, with_for_update=True, populate_existing=True)
    if message is None or message.state is not MessageState.UNKNOWN:
        return
    if fate is SmsFate.WAITING:
        message.state, message.reason = MessageState.SENT, None
        return
    failure = None if fate is SmsFate.DELIVERED else Reason.NOT_DELIVERED
    apply_report(session, message, Transport.SMS, failure, now)


def close_unknown(session: Session, now: datetime) -> int:
    """Settle by policy what nobody told us about for half an hour; returns how many."""
    closed = session.execute(
        update(Message)
        .where(
            Message.state == MessageState.UNKNOWN,
            Message.settled_at.is_(None),
            Message.first_sent_at <= now - UNKNOWN_FOR,
        )
        .values(settled_at=now)
        .returning(Message.id)
    )
    return len(closed.all())


def _mark_reached(session: Session, follower_id: int) -> None:
    session.execute(
        update(Follower)
        .where(Follower.id == follower_id, Follower.unreachable_at.is_not(None))
        .values(unreachable_at=None)
    )


def _mark_unreachable(session: Session, follower_id: int, now: datetime) -> None:
    session.execute(
        update(Follower)
        .where(Follower.id == follower_id, Follower.unreachable_at.is_(None))
        .values(unreachable_at=now)
    )
