"""Broadcasts (群发): drafted, confirmed, for a minute taken back, then written as notices.

Nobody broadcasts alone to more than a thousand: a second member of staff reads it and approves it.
"""

import re
import unicodedata
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.errors import Conflict, InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.people import Staff, StaffRole, require_role
from notify.audiences import (
    RECIPIENTS,
    Audience,
    count_recipients,
    recipient_parameters,
    unknown_places,
)
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.catalog import NOTICES, NoticeKind
from notify.quiet_hours import next_allowed

BROADCASTERS = frozenset({StaffRole.MANAGER, StaffRole.SERVICE})
"""Who may draft, approve and cancel broadcasts."""

ALONE_MAX = 1000
"""Recipients above which a second member of staff must approve."""

TAKEN_BACK_WITHIN = timedelta(seconds=60)
BODY_CHARACTERS_MAX = 400
"""What a reply of 2,048 bytes shows whole in its preview."""

BODY_BYTES_MAX = 1300
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


def draft_broadcast(
    session: Session,
    *,
    community_id: int,
    audience: Audience,
    body: str,
    by: Staff,
    now: datetime,
) -> Broadcast:
    """Write down what may be sent, with how many would read it. Nothing is sent by it; every call
    makes another draft.

    Raises:
        InvalidInput: field `by`, `body`, or `audience`: a place the community does not have.
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
        recipients=count_recipients(session, community_id, audience, business_date(now)),
        needs_second=False,
        drafted_by=by.id,
        drafted_at=now,
    )
    broadcast.needs_second = broadcast.recipients > ALONE_MAX
    session.add(broadcast)
    session.flush()  # its number is told
    return broadcast


def get_broadcast(
    session: Session, community_id: int, broadcast_id: int, *, lock: bool = False
) -> Broadcast:
    """A broadcast of a community.

    Raises:
        NotFound: it has none of this number.
    """
    found = session.get(Broadcast, (community_id, broadcast_id), with_for_update=lock or None)
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
        Conflict: it was cancelled, or nobody would read it.
    """
    require_role(by, community_id, BROADCASTERS)
    found = get_broadcast(session, community_id, broadcast_id, lock=True)
    if found.state is BroadcastState.CANCELLED:
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
    audience = Audience.parse(draft.audience)
    today = business_date(now)
    draft.recipients = count_recipients(session, draft.community_id, audience, today)
    draft.needs_second = draft.recipients > ALONE_MAX
    if not draft.recipients:
        raise Conflict("nobody of its audience is bound and follows; it would reach nobody")
    if draft.needs_second:
        draft.state = BroadcastState.WAITING
    else:
        _queue(draft, now)


def _queue(broadcast: Broadcast, now: datetime) -> None:
    broadcast.state = BroadcastState.QUEUED
    broadcast.queued_at = now


def sent_from(broadcast: Broadcast) -> datetime | None:
    """When the notices of a queued broadcast go out: a minute later, in no one's sleep."""
    if broadcast.queued_at is None:
        return None
    return next_allowed(broadcast.queued_at + TAKEN_BACK_WITHIN)


def cancel_broadcast(
    session: Session, community_id: int, broadcast_id: int, *, by: Staff, now: datetime
) -> Broadcast:
    """Take a broadcast back before its notices are written. Safe to repeat.

    Raises:
        NotFound: no such broadcast.
        InvalidInput: field `by`.
        Conflict: it is sent.
    """
    require_role(by, community_id, BROADCASTERS)
    found = get_broadcast(session, community_id, broadcast_id, lock=True)
    if found.state is BroadcastState.SENT:
        raise Conflict(f"broadcast {broadcast_id} is sent; what was read cannot be taken back")
    if found.state is not BroadcastState.CANCELLED:
        found.state = BroadcastState.CANCELLED
        found.cancelled_by = by.id
        found.cancelled_at = now
    return found


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


WRITE_NOTICES = text(
    f"""
    WITH written AS (
        INSERT INTO notice (community_id, follower_id, kind, urgency, fact_key, ref_id, data, state,
                            created_at, not_before, expires_at)
        SELECT :community_id, recipient.follower_id, :kind, :urgency, :fact_key, :ref_id,
               '{{}}', 'queued', :now, :not_before, :expires_at
        FROM ({RECIPIENTS}) recipient
        ORDER BY recipient.follower_id
        ON CONFLICT (community_id, follower_id, kind, fact_key) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608  # constant text
)


def send_due(session: Session, now: datetime) -> int:
    """Write the notices of the oldest broadcast whose minute is over, for those who are its
    audience now; returns how many broadcasts that was: 1 or 0.

    Safe to run twice and from many workers: the broadcast is locked, and sent once.
    """
    found = session.scalars(
        select(Broadcast)
        .where(
            Broadcast.state == BroadcastState.QUEUED,
            Broadcast.queued_at <= now - TAKEN_BACK_WITHIN,
        )
        .order_by(Broadcast.queued_at, Broadcast.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if found is None:
        return 0
    rule = NOTICES[NoticeKind.BROADCAST]
    not_before = next_allowed(now)
    audience = Audience.parse(found.audience)
    parameters: dict[str, Any] = {
        **recipient_parameters(found.community_id, audience, business_date(now)),
        "kind": NoticeKind.BROADCAST.value,
        "urgency": rule.urgency.value,
        "fact_key": f"{rule.matter.value}:{found.id}",
        "ref_id": found.id,
        "now": now,
        "not_before": not_before,
        "expires_at": not_before + rule.life,
    }
    found.state = BroadcastState.SENT
    found.sent_at = now
    found.recipients = int(session.execute(WRITE_NOTICES, parameters).scalar_one())
    return 1
