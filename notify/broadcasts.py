"""Broadcasts (群发): drafted, confirmed, approved, taken back or stopped.
`broadcast_sending` writes their notices.

Nobody broadcasts alone to more than a thousand: a second member of staff reads it and approves it.
"""

import re
import unicodedata
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.labels import LabelEnum
from billing.people import Staff, StaffRole, require_role
from notify.audiences import Audience
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.catalog import NoticeKind
from notify.outbox import Message, MessageState, Notice, Reason
from notify.quiet_hours import next_allowed
from notify.recipients import count_readers, unknown_places

BROADCASTERS = frozenset({StaffRole.MANAGER, StaffRole.SERVICE})
"""Who may draft, approve and cancel broadcasts."""

ALONE_MAX = 1000
"""Recipients above which a second member of staff must approve."""

TAKEN_BACK_WITHIN = timedelta(seconds=60)
BODY_CHARACTERS_MAX = 400
"""What a reply of 2,048 bytes shows whole in its preview."""

BODY_BYTES_MAX = 1300
AHEAD_MAX = timedelta(days=60)
"""A broadcast is scheduled for so long ahead at most."""

PER_MINUTE_MAX = 10_000
ZERO_WIDTH_JOINER = "\u200d"
BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


class CutOff(LabelEnum):
    """What Civil Code 944 forbids as a means to press for payment."""

    WATER = "water", "停水"
    NO_WATER = "no_water", "断水"
    POWER = "power", "停电"
    NO_POWER = "no_power", "断电"
    GAS = "gas", "停气"
    NO_GAS = "no_gas", "断气"
    HEATING = "heating", "停暖"
    LESS_WATER = "less_water", "限水"
    LESS_POWER = "less_power", "限电"
    DOOR = "door", "门禁"


def clean_body(typed: str) -> str:
    """The words as they will be sent: without control and invisible characters, at most one empty
    line in a row.

    Raises:
        InvalidInput: field `body`: nothing is left, or more than a message takes.
    """
    lines = typed.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    kept = "".join(character for character in lines if _is_shown(character))
    body = BLANK_LINES.sub("\n\n", kept).strip()
    if not body:
        raise InvalidInput("body", "says nothing; write what is to be sent")
    if len(body) > BODY_CHARACTERS_MAX or len(body.encode()) > BODY_BYTES_MAX:
        raise InvalidInput(
            "body", f"has {len(body)} characters; at most {BODY_CHARACTERS_MAX} are sent"
        )
    return body


def _is_shown(character: str) -> bool:
    if character in ("\n", ZERO_WIDTH_JOINER):
        return True
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def presses_unlawfully(audience: Audience, body: str) -> bool:
    """Whether who owes is told of a cut-off: staff are to read it again before they send it."""
    return audience.overdue and any(means.label in body for means in CutOff)


def takes_two(recipients: int) -> bool:
    """Whether a broadcast to so many has to be approved by a second person."""
    return recipients > ALONE_MAX


def draft_broadcast(
    session: Session,
    *,
    community_id: int,
    audience: Audience,
    body: str,
    by: Staff,
    now: datetime,
    send_at: datetime | None = None,
    per_minute: int | None = None,
) -> Broadcast:
    """Write down what may be sent, with how many would read it. Nothing is sent by it; every call
    makes another draft.

    Args:
        send_at: not before; moved on to an hour in which people are awake.
        per_minute: messages; None: what its community has when it leaves.

    Raises:
        InvalidInput: field `by`, `body`, `send_at`, `per_minute`, or `audience`: a place or a tag
            the community does not have.
    """
    require_role(by, community_id, BROADCASTERS)
    missing = unknown_places(session, community_id, audience)
    if missing:
        raise InvalidInput("audience", f"there is no {', '.join(missing)}")
    broadcast = Broadcast(
        community_id=community_id,
        audience=str(audience),
        body=clean_body(body),
        state=BroadcastState.DRAFT,
        send_at=check_time(send_at, now),
        per_minute=check_speed(per_minute),
        recipients=count_readers(session, community_id, audience, now).people,
        needs_second=False,
        drafted_by=by.id,
        drafted_at=now,
    )
    broadcast.needs_second = takes_two(broadcast.recipients)
    session.add(broadcast)
    session.flush()  # its number is told
    return broadcast


def check_time(send_at: datetime | None, now: datetime) -> datetime | None:
    """When a broadcast that is scheduled for this leaves: in no one's sleep.

    Raises:
        InvalidInput: field `send_at`: it is over, or too far ahead.
    """
    if send_at is None:
        return None
    if send_at <= now:
        raise InvalidInput("send_at", "is over; name a time to come, or none to send it now")
    if send_at > now + AHEAD_MAX:
        raise InvalidInput("send_at", f"is more than {AHEAD_MAX.days} days ahead")
    return next_allowed(send_at)


def check_speed(per_minute: int | None) -> int | None:
    """How many messages a minute may take.

    Raises:
        InvalidInput: field `per_minute`.
    """
    if per_minute is not None and not 1 <= per_minute <= PER_MINUTE_MAX:
        raise InvalidInput("per_minute", f"is none of 1 to {PER_MINUTE_MAX}")
    return per_minute


def get_broadcast(
    session: Session, community_id: int, broadcast_id: int, *, lock: bool = False
) -> Broadcast:
    """A broadcast of a community; with `lock` as it is once nobody else decides about it, even
    where this session has read it before.

    Raises:
        NotFound: it has none of this number.
    """
    found = session.get(
        Broadcast,
        (community_id, broadcast_id),
        with_for_update=lock or None,
        populate_existing=lock,
    )
    if found is None:
        raise NotFound(f"no broadcast {broadcast_id} in community {community_id}")
    return found


def confirm_broadcast(
    session: Session, community_id: int, broadcast_id: int, *, by: Staff, now: datetime
) -> Broadcast:
    """Say yes to a broadcast: its author queues it, or leaves it to a second person if it has more
    than `ALONE_MAX` recipients now; then somebody else queues it. Safe to repeat.

    Raises:
        NotFound: no such broadcast.
        InvalidInput: field `by`: the wrong role, or the wrong one of the two people.
        Conflict: it was cancelled or stopped, or nobody would read it.
    """
    require_role(by, community_id, BROADCASTERS)
    found = get_broadcast(session, community_id, broadcast_id, lock=True)
    if found.state in (BroadcastState.CANCELLED, BroadcastState.STOPPED):
        raise Conflict(f"broadcast {broadcast_id} was cancelled")
    if found.state is BroadcastState.DRAFT:
        _confirm_draft(session, found, by, now)
    elif found.state is BroadcastState.WAITING:
        if by.id == found.drafted_by:
            raise InvalidInput("by", f"{by.login} wrote it; somebody else approves it")
        found.approved_by = by.id
        _queue(found, now)
    return found


def _confirm_draft(session: Session, draft: Broadcast, by: Staff, now: datetime) -> None:
    if by.id != draft.drafted_by:
        raise InvalidInput("by", f"{by.login} did not write it; its author confirms it first")
    draft.recipients = count_readers(session, draft.community_id, draft.meant, now).people
    draft.needs_second = takes_two(draft.recipients)
    if not draft.recipients:
        raise Conflict("nobody of its audience is bound and follows; it would reach nobody")
    if draft.needs_second:
        wait_for_second(session, draft, now)
    else:
        _queue(draft, now)


def wait_for_second(session: Session, broadcast: Broadcast, now: datetime) -> None:
    """Leave a broadcast to a second person, and tell everybody who may be that at once."""
    broadcast.state = BroadcastState.WAITING
    broadcast.queued_at = None
    record(
        session,
        FactKind.BROADCAST_WAITING,
        community_id=broadcast.community_id,
        ref_id=broadcast.id,
        at=now,
        data={"by": broadcast.drafted_by},
    )


def _queue(broadcast: Broadcast, now: datetime) -> None:
    broadcast.state = BroadcastState.QUEUED
    broadcast.queued_at = now


def sent_from(broadcast: Broadcast) -> datetime | None:
    """When the notices of a queued broadcast go out: a minute later or when it is scheduled for,
    in no one's sleep.
    """
    if broadcast.queued_at is None:
        return None
    earliest = broadcast.queued_at + TAKEN_BACK_WITHIN
    return next_allowed(max(earliest, broadcast.send_at or earliest))


def cancel_broadcast(
    session: Session, community_id: int, broadcast_id: int, *, by: Staff, now: datetime
) -> Broadcast:
    """Take a broadcast back; of one that is on its way, what has not left yet is not sent. Safe to
    repeat.

    Raises:
        NotFound: no such broadcast.
        InvalidInput: field `by`.
        Conflict: all of it is sent.
    """
    require_role(by, community_id, BROADCASTERS)
    found = get_broadcast(session, community_id, broadcast_id, lock=True)
    if found.state in (BroadcastState.CANCELLED, BroadcastState.STOPPED):
        return found
    if found.state is BroadcastState.SENT:
        if not _suppress_waiting(session, found, now):
            raise Conflict(f"broadcast {broadcast_id} is sent; what was read cannot be taken back")
        found.state = BroadcastState.STOPPED
    else:
        found.state = BroadcastState.CANCELLED
    found.cancelled_by = by.id
    found.cancelled_at = now
    return found


STOP_NOTICES = text(
    """
    UPDATE notice SET state = 'suppressed', reason = :reason
    WHERE community_id = :community_id AND kind = 'broadcast' AND ref_id = :id
      AND state = 'queued'
    """
)
STOP_MESSAGES = text(
    """
    UPDATE message SET state = 'suppressed', reason = :reason, settled_at = :now
    FROM notice
    WHERE notice.community_id = :community_id AND notice.kind = 'broadcast' AND notice.ref_id = :id
      AND message.community_id = notice.community_id AND message.id = notice.message_id
      AND message.state = 'queued' AND message.first_sent_at IS NULL
    """
)


def _suppress_waiting(session: Session, broadcast: Broadcast, now: datetime) -> int:
    """Suppress what nobody has claimed yet; returns how many readers that spares.

    Notices first: those a worker is freezing meanwhile are waited for, and are messages then.
    """
    named = {
        "community_id": broadcast.community_id,
        "id": broadcast.id,
        "reason": Reason.STOPPED.value,
    }
    notices = session.execute(STOP_NOTICES, named)
    messages = session.execute(STOP_MESSAGES, named | {"now": now})
    return int(notices.rowcount + messages.rowcount)  # type: ignore[attr-defined]


def latest_of(session: Session, staff: Staff) -> Broadcast | None:
    """The broadcast this member of staff confirmed or approved last."""
    return session.scalars(
        select(Broadcast)
        .where(
            (Broadcast.drafted_by == staff.id) | (Broadcast.approved_by == staff.id),
            Broadcast.state != BroadcastState.DRAFT,
        )
        .order_by(Broadcast.id.desc())
        .limit(1)
    ).first()


def find_broadcast(session: Session, staff: Staff, broadcast_id: int) -> Broadcast | None:
    """The broadcast of this number, of a community this member of staff works for."""
    found = session.scalars(select(Broadcast).where(Broadcast.id == broadcast_id)).first()
    is_theirs = found is not None and staff.community_id in (None, found.community_id)
    return found if is_theirs else None


def list_broadcasts(session: Session, community_id: int, limit: int) -> list[Broadcast]:
    """The latest broadcasts of a community, drafts among them, the latest first."""
    found = select(Broadcast).where(Broadcast.community_id == community_id)
    return list(session.scalars(found.order_by(Broadcast.id.desc()).limit(limit)))


def list_waiting(session: Session, staff: Staff) -> list[Broadcast]:
    """The broadcasts that wait for this member of staff as the second person, the oldest first."""
    found = select(Broadcast).where(
        Broadcast.state == BroadcastState.WAITING, Broadcast.drafted_by != staff.id
    )
    if staff.community_id is not None:
        found = found.where(Broadcast.community_id == staff.community_id)
    return list(session.scalars(found.order_by(Broadcast.id)))


def was_told(session: Session, broadcast: Broadcast, follower_id: int) -> bool:
    """Whether this follower was sent the words of a broadcast to approve it."""
    found = session.scalars(
        select(Notice.id)
        .join(
            Message,
            (Message.community_id == Notice.community_id) & (Message.id == Notice.message_id),
        )
        .where(
            Notice.community_id == broadcast.community_id,
            Notice.follower_id == follower_id,
            Notice.kind == NoticeKind.BROADCAST_WAITING,
            Notice.ref_id == broadcast.id,
            Message.state.in_((MessageState.SENT, MessageState.DELIVERED)),
        )
        .limit(1)
    )
    return found.first() is not None
