"""Broadcasts that leave: for those who are their audience then, as fast as they may."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from billing.business_day import BEIJING, business_date
from billing.property import Community
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import TAKEN_BACK_WITHIN, takes_two, wait_for_second
from notify.catalog import NOTICES, NoticeKind
from notify.quiet_hours import DAY_BEGINS, DAY_ENDS, next_allowed
from notify.recipients import RECIPIENTS, count_readers, recipient_parameters

MINUTES_A_DAY = (DAY_ENDS.hour - DAY_BEGINS.hour) * 60
"""In which messages may leave."""

WRITE_NOTICES = text(
    f"""
    WITH told AS (
        SELECT follower_id, CASE WHEN CAST(:per_minute AS bigint) IS NULL THEN 0
            ELSE (row_number() OVER (ORDER BY follower_id) - 1) / :per_minute
        END AS minute
        FROM ({RECIPIENTS}) recipient
    ),
    timed AS (  -- what a day does not take goes on the next morning
        SELECT follower_id, CAST(:now AS timestamptz) + make_interval(
            days => CAST((:minute_of_day + minute) / :minutes_a_day AS int),
            mins => CAST((:minute_of_day + minute) % :minutes_a_day - :minute_of_day AS int)
        ) AS not_before
        FROM told
    ),
    written AS (
        INSERT INTO notice (community_id, follower_id, kind, urgency, fact_key, ref_id, data, state,
                            created_at, not_before, expires_at)
        SELECT :community_id, follower_id, :kind, :urgency, :fact_key, :ref_id,
               '{{}}', 'queued', :now, not_before, not_before + CAST(:life AS interval)
        FROM timed
        ORDER BY follower_id
        ON CONFLICT (community_id, follower_id, kind, fact_key) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608  # constant text
)


def send_due(session: Session, now: datetime) -> int:
    """Write the notices of the oldest broadcast whose minute is over and whose time has come, for
    those who are its audience now; returns how many broadcasts that was: 1 or 0. While people
    sleep none leaves: its readers and its time are those of the morning.

    One that has come to need a second person meanwhile waits for him instead. Safe to run twice
    and from many workers: the broadcast is locked, and sent once.
    """
    if next_allowed(now) != now:
        return 0
    found = session.scalars(
        select(Broadcast)
        .where(
            Broadcast.state == BroadcastState.QUEUED,
            Broadcast.queued_at <= now - TAKEN_BACK_WITHIN,
            func.coalesce(Broadcast.send_at, now) <= now,
        )
        .order_by(Broadcast.queued_at, Broadcast.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if found is None:
        return 0
    if found.approved_by is None:
        found.recipients = count_readers(session, found.community_id, found.meant, now).people
        if takes_two(found.recipients):
            found.needs_second = True
            wait_for_second(session, found, now)
            return 1
    found.state = BroadcastState.SENT
    found.sent_at = now
    found.recipients = _write(session, found, now)
    return 1


def _write(session: Session, broadcast: Broadcast, now: datetime) -> int:
    """Write the notices, at an hour in which they may be told; returns how many they are."""
    rule = NOTICES[NoticeKind.BROADCAST]
    local = now.astimezone(BEIJING)
    community = session.get_one(Community, broadcast.community_id)
    parameters: dict[str, Any] = {
        **recipient_parameters(broadcast.community_id, broadcast.meant, business_date(now)),
        "kind": NoticeKind.BROADCAST.value,
        "urgency": rule.urgency.value,
        "fact_key": f"{rule.matter.value}:{broadcast.id}",
        "ref_id": broadcast.id,
        "now": now,
        "life": rule.life,
        "per_minute": broadcast.per_minute or community.broadcasts_per_minute,
        "minute_of_day": (local.hour - DAY_BEGINS.hour) * 60 + local.minute,
        "minutes_a_day": MINUTES_A_DAY,
    }
    return int(session.execute(WRITE_NOTICES, parameters).scalar_one())
