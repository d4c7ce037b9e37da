"""The daily walk up the reminder ladder: unpaid bills on a rung become notices.

Bills of one chunk share their dates, so their community's ladder is climbed once per chunk and the
rest is one statement. On a public holiday nothing is written: its rungs were moved (`ladder`). A
reminder waits for its reader's hour of that day: the one he chose, else the one that was learned of
him, else of his community (`learning`). Who is not bound, was told before, disputes all that he
owes, or is just being debited, is counted and not told.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.business_day import BEIJING, business_date
from billing.direct_debit.batches import ordered_bills
from billing.disputes import disputed_amounts
from billing.sight import sees_bill
from notify.catalog import NOTICES, NoticeKind
from notify.holidays import read_holidays
from notify.ladder import DEFAULT, Ladder, Rung
from notify.ladders import read_ladders
from notify.lost import is_lost
from notify.quiet_hours import midnight_after, next_allowed
from notify.timing import is_weekend

LOST_OWNER = is_lost("binding")
IS_TRIAL = """(
    chosen.hour IS NULL AND own.trial_is_weekend = :is_weekend
    AND coalesce(own.tried_on, CAST(:day AS date)) = CAST(:day AS date)
)"""
"""An unlikely hour is tried on one day, however often that day is walked."""

LEARNED_HOUR = """CASE WHEN :is_weekend THEN coalesce(own.weekend_hour, habit.weekend_hour)
                             ELSE coalesce(own.weekday_hour, habit.weekday_hour) END"""
SEEN = sees_bill("owed.community_id", "owed.id", "binding.sees_from", "binding.sees_to")

WRITE_REMINDERS = text(
    f"""
    WITH standing AS (
        SELECT * FROM unnest(
            CAST(:communities AS bigint[]), CAST(:runs AS bigint[]), CAST(:chunks AS bigint[]),
            CAST(:kinds AS text[]), CAST(:codes AS text[]), CAST(:ends AS timestamptz[])
        ) AS standing (community_id, run_id, chunk_no, kind, code, expires_at)
    ),
    disputed AS (
        SELECT * FROM unnest(
            CAST(:disputed_communities AS bigint[]), CAST(:disputed_bills AS bigint[]),
            CAST(:disputed_fen AS bigint[])
        ) AS disputed (community_id, bill_id, amount)
    ),
    debited AS (
        SELECT * FROM unnest(
            CAST(:debited_communities AS bigint[]), CAST(:debited_bills AS bigint[])
        ) AS debited (community_id, bill_id)
    ),
    unpaid AS (
        SELECT bill.community_id, bill.id, bill.unit_id, kind, code, expires_at, bill.amount + (
            SELECT coalesce(sum(change.amount), 0) FROM adjustment change
            WHERE change.community_id = bill.community_id AND change.bill_id = bill.id
              AND change.state = 'approved'
        ) - (
            SELECT coalesce(sum(part.amount), 0) FROM payment_allocation part
            WHERE part.community_id = bill.community_id AND part.bill_id = bill.id
        ) AS outstanding
        FROM standing JOIN bill USING (community_id, run_id, chunk_no)
        WHERE NOT EXISTS (
            SELECT FROM bill_void void
            WHERE void.community_id = bill.community_id AND void.bill_id = bill.id
        )
    ),
    owed AS (  -- nobody is pressed for what he disputes, or what the bank is just taking
        SELECT unpaid.*, disputed.bill_id IS NOT NULL
           AND unpaid.outstanding <= disputed.amount AS is_disputed,
               debited.bill_id IS NOT NULL AS is_debited
        FROM unpaid
        LEFT JOIN disputed ON disputed.community_id = unpaid.community_id
         AND disputed.bill_id = unpaid.id
        LEFT JOIN debited ON debited.community_id = unpaid.community_id
         AND debited.bill_id = unpaid.id
        WHERE unpaid.outstanding > 0
    ),
    reached AS (
        SELECT owed.*, follower.id AS follower_id, own.follower_id IS NOT NULL AND {IS_TRIAL}
                   AS is_trial,
               coalesce(chosen.hour, CASE WHEN {IS_TRIAL} THEN own.trial_hour END,
                        {LEARNED_HOUR}) AS hour,
               owed.kind = 'due_soon' AND coalesce(chosen.is_off, false) AS is_off,
               coalesce(chosen.paused_until > CAST(:today AS date), false) AS is_paused
        FROM owed
        JOIN binding ON binding.community_id = owed.community_id
         AND binding.unit_id = owed.unit_id AND binding.state = 'active' AND {SEEN}
        JOIN follower ON follower.id = binding.follower_id
        JOIN community ON community.id = owed.community_id
        LEFT JOIN notice_preference chosen ON chosen.follower_id = follower.id
        LEFT JOIN community_timing habit ON habit.community_id = owed.community_id
         AND habit.is_on AND coalesce(chosen.by_habit, true)
        LEFT JOIN owner_timing own ON own.community_id = habit.community_id
         AND own.follower_id = follower.id
        WHERE NOT owed.is_disputed AND NOT owed.is_debited
          AND (follower.unfollowed_at IS NULL
               OR (owed.kind = 'overdue' AND community.sms_unfollowed AND {LOST_OWNER}))
    ),
    told AS (SELECT * FROM reached WHERE NOT is_off AND NOT is_paused),
    written AS (
        INSERT INTO notice (community_id, follower_id, kind, urgency, fact_key, unit_id, ref_id,
                            data, state, created_at, not_before, expires_at)
        SELECT community_id, follower_id, kind, :urgency, 'bill:' || id || ':' || code, unit_id, id,
               jsonb_build_object('on', CAST(:today AS text)), 'queued', :now,
               greatest(:not_before, (CAST(CAST(:not_before AS timestamptz) AT TIME ZONE :zone
                                      AS date) + make_interval(hours => hour::int))
                                     AT TIME ZONE :zone),
               expires_at
        FROM told
        ORDER BY id, follower_id
        ON CONFLICT (community_id, follower_id, kind, fact_key) DO NOTHING
        RETURNING community_id, follower_id, kind
    ),
    tried AS (
        UPDATE owner_timing own SET tried_on = CAST(:day AS date), since_trial = 0
        FROM (SELECT DISTINCT community_id, follower_id FROM told WHERE is_trial) trial
        WHERE own.community_id = trial.community_id AND own.follower_id = trial.follower_id
          AND own.tried_on IS NULL
    )
    SELECT
        (SELECT count(*) FROM written WHERE kind = 'due_soon') AS due,
        (SELECT count(*) FROM written WHERE kind = 'overdue') AS overdue,
        (SELECT count(DISTINCT (community_id, follower_id, kind)) FROM written) AS merged_into,
        (SELECT count(*) FROM owed WHERE is_disputed) AS disputed,
        (SELECT count(*) FROM owed WHERE is_debited AND NOT is_disputed) AS being_debited,
        (SELECT count(*) FROM owed WHERE NOT is_disputed AND NOT is_debited AND NOT EXISTS (
            SELECT 1 FROM reached
            WHERE reached.community_id = owed.community_id AND reached.id = owed.id
        )) AS nobody_bound,
        (SELECT count(*) FROM reached WHERE is_off OR is_paused) AS not_wanted,
        (SELECT count(*) FROM told) - (SELECT count(*) FROM written) AS already_told
    """  # noqa: S608  # constant text
)


@dataclass(frozen=True, slots=True)
class RemindSummary:
    """What one walk did. `due` and `overdue` count notices, `nobody_bound`, `disputed` and
    `being_debited` bills, `not_wanted` who switched reminders off or paused them.
    """

    due: int
    overdue: int
    merged_into: int
    disputed: int
    being_debited: int
    nobody_bound: int
    not_wanted: int
    already_told: int

    def as_json(self) -> dict[str, Any]:
        """The shape of `mingzhang remind`."""
        reasons = {
            "disputed": self.disputed,
            "being_debited": self.being_debited,
            "nobody_bound": self.nobody_bound,
            "not_wanted": self.not_wanted,
            "already_told": self.already_told,
        }
        return {
            "due": self.due,
            "overdue": self.overdue,
            "merged_into": self.merged_into,
            "suppressed": {reason: count for reason, count in reasons.items() if count},
        }


def remind(session: Session, today: date, now: datetime) -> RemindSummary:
    """Write the reminders of this business date; safe to run twice and from two places at once.

    Args:
        today: the date the ladder is climbed for, usually that of `now`.
        now: from when quiet hours and expiry count.
    """
    standing = _standing(session, today)
    disputed, debited = disputed_amounts(session), ordered_bills(session)
    not_before = next_allowed(now)
    row = session.execute(
        WRITE_REMINDERS,
        {
            "communities": [chunk.community_id for chunk, _ in standing],
            "runs": [chunk.run_id for chunk, _ in standing],
            "chunks": [chunk.no for chunk, _ in standing],
            "kinds": [rung.kind.value for _, rung in standing],
            "codes": [rung.code for _, rung in standing],
            "ends": [_expires_at(chunk, rung, today, now) for chunk, rung in standing],
            "disputed_communities": [community for community, _ in disputed],
            "disputed_bills": [bill for _, bill in disputed],
            "disputed_fen": [amount.fen for amount in disputed.values()],
            "debited_communities": [community for community, _ in debited],
            "debited_bills": [bill for _, bill in debited],
            "today": today.isoformat(),
            "now": now,
            "not_before": not_before,
            "day": business_date(not_before),
            "is_weekend": is_weekend(business_date(not_before)),
            "zone": BEIJING.key,
            "urgency": NOTICES[NoticeKind.DUE_SOON].urgency.value,
        },
    ).one()
    return RemindSummary(**row._mapping)


def _standing(session: Session, today: date) -> list[tuple[BillRunChunk, Rung]]:
    """Every chunk whose bills stand on a rung today, with that rung."""
    holidays = read_holidays(session)
    if today in holidays:
        return []
    ladders = read_ladders(session)
    longest = max(ladder.first_days_before for ladder in (DEFAULT, *ladders.values()))
    while today + timedelta(days=longest + 1) in holidays:
        longest += 1  # what falls on the holidays may be told before them
    return [
        (chunk, rung)
        for chunk in _issued_chunks(session, today + timedelta(days=longest))
        if (rung := _rung(chunk, ladders.get(chunk.community_id, DEFAULT), today, holidays))
    ]


def _issued_chunks(session: Session, due_by: date) -> list[BillRunChunk]:
    return list(
        session.scalars(
            select(BillRunChunk)
            .where(BillRunChunk.state == ChunkState.ISSUED, BillRunChunk.due_on <= due_by)
            .order_by(BillRunChunk.community_id, BillRunChunk.run_id, BillRunChunk.no)
        )
    )


def _rung(
    chunk: BillRunChunk, ladder: Ladder, today: date, holidays: Collection[date]
) -> Rung | None:
    if chunk.due_on is None or chunk.issued_on is None:
        return None
    return ladder.latest_rung(chunk.due_on, today, issued_on=chunk.issued_on, holidays=holidays)


def _expires_at(chunk: BillRunChunk, rung: Rung, today: date, now: datetime) -> datetime:
    """A due-soon reminder is no use after the due date; an overdue one has its kind's life."""
    if rung.kind is NoticeKind.DUE_SOON and chunk.due_on is not None:
        return midnight_after(business_date(now) + (chunk.due_on - today))
    return now + NOTICES[rung.kind].life
