"""What became of messages: the result of each attempt. What is reported later is in `reports`.

A report may come before our own send is recorded; both write one row per msgid, and whoever comes
second applies the report. Both take locks in the order msgid, then message.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, raise_alert
from billing.db import key_array
from billing.people import Follower
from notify.catalog import UNFOLLOWED_KINDS, Transport
from notify.claim import Parcel, settle
from notify.consents import give_back, use_up
from notify.outbox import (
    DeliveredMessage,
    Delivery,
    Message,
    MessageState,
    Outcome,
    Reason,
)
from notify.reports import apply_report, failure_of, next_transport, requeue
from notify.sending import Result
from notify.wechat import Action

log = structlog.get_logger(__name__)

REFUSALS_MAX = 12
"""Refusals of a message before we give up; hours at the pauses below. Outages do not count."""

BACKOFF_FIRST = timedelta(seconds=5)
BACKOFF_FACTOR = 3
BACKOFF_STEPS_MAX = 10
BACKOFF_MAX = timedelta(minutes=30)
TOO_OFTEN_PAUSE = timedelta(hours=3)
ERRMSG_CHARACTERS_MAX = 200

NO_CONSENT = 43101
ALERTING = {Action.STOP, Action.REFRESH_TOKEN, Action.STOP_TEMPLATE, Action.PAUSE_DAY}
OPEN = {MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN}
"""States in which news of an acceptance is still news."""


def backoff(attempts: int) -> timedelta:
    """Pause before the next attempt: 5 s, 15 s, 45 s, … up to half an hour."""
    # Bounded before the power, which would outgrow a timedelta.
    factor: int = BACKOFF_FACTOR ** min(attempts - 1, BACKOFF_STEPS_MAX)
    return min(BACKOFF_FIRST * factor, BACKOFF_MAX)


def record(session: Session, results: Sequence[Result], now: datetime) -> None:
    """Write down how attempts ended. Safe to repeat; an acceptance counts however late it comes."""
    if not results:
        return
    reports = _tie_msgids(session, results)
    messages = _lock(session, [result.parcel for result in results])
    session.execute(update(Delivery), [_attempt_row(result, now) for result in results])
    for result in results:
        parcel = result.parcel
        message = messages[parcel.community_id, parcel.message_id]
        if result.outcome is Outcome.ACCEPTED:
            if message.state in OPEN and message.transport is parcel.transport:
                message.state, message.reason, message.lease_until = MessageState.SENT, None, None
            report = reports.get(result.msgid or "")
            if report is not None:
                apply_report(session, message, parcel.transport, failure_of(report), now)
        elif message.state is MessageState.SENDING and message.attempts == parcel.attempt:
            _after_failure(session, message, result, now)
        if result.action in ALERTING and result.line is not None:
            _alert(session, result, now)


def _tie_msgids(session: Session, results: Sequence[Result]) -> dict[str, str]:
    """Note which message each msgid is; returns the reports that came before us."""
    rows = [
        {
            "msgid": result.msgid,
            "community_id": result.parcel.community_id,
            "message_id": result.parcel.message_id,
        }
        for result in sorted(results, key=lambda result: result.msgid or "")
        if result.msgid
    ]
    if not rows:
        return {}
    # A repeat that WeChat recognised may be answered with the msgid of the first send.
    unique = list({row["msgid"]: row for row in rows}.values())
    tie = insert(DeliveredMessage).values(unique)
    found = session.execute(
        tie.on_conflict_do_update(
            index_elements=["msgid"],
            set_={
                "community_id": tie.excluded.community_id,
                "message_id": tie.excluded.message_id,
            },
        ).returning(DeliveredMessage.msgid, DeliveredMessage.status)
    )
    return {row.msgid: row.status for row in found if row.status is not None}


def _lock(session: Session, parcels: Sequence[Parcel]) -> dict[tuple[int, int], Message]:
    keys = {(parcel.community_id, parcel.message_id) for parcel in parcels}
    found = session.scalars(
        select(Message)
        .where(tuple_(Message.community_id, Message.id).in_(key_array(keys)))
        .order_by(Message.community_id, Message.id)
        .with_for_update()
    )
    return {(message.community_id, message.id): message for message in found}


def _attempt_row(result: Result, now: datetime) -> dict[str, Any]:
    """Key and new values of the attempt's `Delivery`, for an UPDATE by primary key."""
    parcel = result.parcel
    return {
        "community_id": parcel.community_id,
        "message_id": parcel.message_id,
        "attempt": parcel.attempt,
        "finished_at": now,
        "outcome": result.outcome,
        "errcode": result.errcode,
        "errmsg": (result.errmsg or "")[:ERRMSG_CHARACTERS_MAX] or None,
    }


def _after_failure(session: Session, message: Message, result: Result, now: datetime) -> None:
    if result.outcome is Outcome.REFUSED:
        log.warning(
            "message_refused",
            message=message.id,
            kind=message.kind.value,
            errcode=result.errcode,
            errmsg=result.errmsg,
        )
    _return_consent(session, message, result, now)
    if not result.may_have_arrived:
        message.first_sent_at = result.parcel.sent_before
    elif message.transport is not Transport.TEMPLATE:
        settle(message, MessageState.UNKNOWN, Reason.NO_ANSWER, now)
        return
    match result.action:
        case Action.NOT_FOLLOWING:
            _mark_unfollowed(session, message.follower_id, now)
            if message.kind not in UNFOLLOWED_KINDS or not next_transport(message, now):
                settle(message, MessageState.FAILED, Reason.UNFOLLOWED, now)
        case Action.GIVE_UP:
            settle(message, MessageState.FAILED, Reason.REFUSED, now)
        case Action.STOP_TEMPLATE if next_transport(message, now):
            pass  # the template is mended by people; until then another transport tells
        case Action.NEXT_TRANSPORT:
            if not next_transport(message, now):
                settle(message, MessageState.FAILED, Reason.REFUSED, now)
        case Action.RETRY if _refusals(session, message) >= REFUSALS_MAX:
            settle(message, MessageState.FAILED, Reason.GAVE_UP, now)
        case _:
            requeue(message, now + _pause(message, result))


def _return_consent(session: Session, message: Message, result: Result, now: datetime) -> None:
    """A subscription notice that was certainly not sent used up no consent."""
    pair = (message.follower_id, result.parcel.content.subscribe_id or "")
    if message.transport is not Transport.SUBSCRIBE or result.may_have_arrived:
        return
    if result.errcode == NO_CONSENT:
        use_up(session, pair, now)
    else:
        give_back(session, pair, now)


def _refusals(session: Session, message: Message) -> int:
    return session.execute(
        select(func.count()).where(
            Delivery.community_id == message.community_id,
            Delivery.message_id == message.id,
            Delivery.outcome == Outcome.REFUSED,
        )
    ).scalar_one()


def _pause(message: Message, result: Result) -> timedelta:
    if result.action is Action.TOO_OFTEN:
        return TOO_OFTEN_PAUSE
    if result.outcome is Outcome.NOT_TRIED or result.wait_seconds:
        return timedelta(seconds=result.wait_seconds)
    return backoff(message.attempts)


def _mark_unfollowed(session: Session, follower_id: int, now: datetime) -> None:
    session.execute(
        update(Follower)
        .where(Follower.id == follower_id, Follower.unfollowed_at.is_(None))
        .values(unfollowed_at=now)
    )


def _alert(session: Session, result: Result, now: datetime) -> None:
    raise_alert(
        session,
        AlertKind.SENDING_STOPPED,
        key=f"sending stopped: {result.line}",
        community_id=None,
        data={"line": result.line, "errcode": result.errcode, "errmsg": result.errmsg},
        now=now,
    )
