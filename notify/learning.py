"""Counting what came of messages, once each, and choosing the hours by it: the daily job.

Evidence is read from the outbox and the books in one statement per community and day; the pure
arithmetic is `timing`. A community's row says up to when its messages are counted, and is locked
meanwhile: counting twice, or from two places at once, counts once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.db import id_array
from billing.payment_tables import PaymentChannel
from billing.property import Community
from notify.catalog import NoticeKind
from notify.matters import DUNNING
from notify.timing import (
    SETTLES_AFTER,
    SLOTS,
    WINDOW,
    Outcome,
    Slot,
    Tally,
    beliefs,
    best_hour,
    chance_of,
    choose,
    choose_wording,
    community_rates,
    weight,
)
from notify.timing_tables import CommunityTiming, OwnerTiming, Wording

LOOKS_BACK = timedelta(days=180)
"""How far back messages are counted when a community's are counted for the first time."""

STEP = timedelta(days=1)
"""So much of the past is counted in one transaction."""

WORDED = DUNNING
"""Kinds of which there are two wordings."""

NOT_BY_HAND = (PaymentChannel.PREPAID, PaymentChannel.DIRECT_DEBIT, PaymentChannel.IMPORTED)
"""Payments that nobody makes when he reads a message."""

EVIDENCE = text(
    """
    SELECT message.follower_id, message.kind, message.first_sent_at AS sent_at,
           CASE WHEN message.transport <> 'sms' THEN message.content ->> 'wording' END AS wording,
           least(
               (SELECT opened_at FROM message_open open
                WHERE open.community_id = message.community_id AND open.message_id = message.id
                  AND opened_at >= message.first_sent_at
                  AND opened_at < message.first_sent_at + CAST(:window AS interval)),
               (SELECT min(payment.paid_at) FROM notice
                JOIN payment_allocation part ON part.community_id = notice.community_id
                 AND part.bill_id = notice.ref_id AND part.amount > 0
                JOIN payment ON payment.community_id = part.community_id
                 AND payment.id = part.payment_id
                WHERE notice.community_id = message.community_id
                  AND notice.message_id = message.id
                  AND payment.paid_at >= message.first_sent_at
                  AND payment.paid_at < message.first_sent_at + CAST(:window AS interval)
                  AND coalesce(payment.payer_id, message.follower_id) = message.follower_id
                  AND payment.channel <> ALL (CAST(:not_by_hand AS text[])))
           ) AS reacted_at
    FROM message
    LEFT JOIN owner_timing own ON own.community_id = message.community_id
     AND own.follower_id = message.follower_id
    WHERE message.community_id = :community
      AND message.kind IN ('bill_issued', 'due_soon', 'overdue')
      AND message.first_sent_at >= :begins AND message.first_sent_at < :ends
      AND message.state IN ('sent', 'delivered')
      AND (own.forgotten_at IS NULL OR message.first_sent_at >= own.forgotten_at)
      AND NOT EXISTS (SELECT FROM notice_preference chosen
                      WHERE chosen.follower_id = message.follower_id AND NOT chosen.by_habit)
    ORDER BY message.follower_id, message.first_sent_at, message.id
    """
)
"""Reacted: opened or paid, by the reader himself as far as is known, within the window. What may
not have arrived is no evidence.
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A message that has settled."""

    follower_id: int
    kind: NoticeKind
    wording: Wording | None
    outcome: Outcome


def count_settled(session: Session, community_id: int, now: datetime) -> int | None:
    """Count a community's next day of messages and choose anew for whom something was counted.

    Returns:
        How many messages were counted; None when there is no more to count, or the community
        does not want it.
    """
    timing = lock_community(session, community_id, now)
    ends = min(timing.counted_to + STEP, now - SETTLES_AFTER)
    if not timing.is_on or ends <= timing.counted_to:
        return None
    told = _read(session, community_id, timing.counted_to, ends)
    timing.counted_to = ends
    today = business_date(ends + SETTLES_AFTER)
    rates = _count_community(timing, told, today)
    _count_owners(session, community_id, told, rates, today)
    return len(told)


def communities_to_count(session: Session) -> list[int]:
    """Every community."""
    return list(session.scalars(select(Community.id).order_by(Community.id)))


def lock_community(session: Session, community_id: int, now: datetime) -> CommunityTiming:
    """A community's row, locked until the transaction ends; made if there was none."""
    session.execute(
        insert(CommunityTiming)
        .values(blank_community(community_id, now - LOOKS_BACK))
        .on_conflict_do_nothing()
    )
    return session.scalars(
        select(CommunityTiming)
        .where(CommunityTiming.community_id == community_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def blank_community(community_id: int, counted_to: datetime) -> dict[str, object]:
    """Columns of a community of which nothing is known."""
    return {
        "community_id": community_id,
        "is_on": True,
        "counted_to": counted_to,
        "as_of": business_date(counted_to),
        "tries": [0.0] * len(SLOTS),
        "successes": [0.0] * len(SLOTS),
        "weekday_hour": None,
        "weekend_hour": None,
        "wordings": {},
    }


def _read(session: Session, community_id: int, begins: datetime, ends: datetime) -> list[Told]:
    rows = session.execute(
        EVIDENCE,
        {
            "community": community_id,
            "begins": begins,
            "ends": ends,
            "window": WINDOW,
            "not_by_hand": [channel.value for channel in NOT_BY_HAND],
        },
    )
    return [
        Told(
            row.follower_id,
            NoticeKind(row.kind),
            Wording(row.wording) if row.wording else None,
            Outcome(row.sent_at, row.reacted_at, is_reminder=row.kind in DUNNING),
        )
        for row in rows
    ]


def _count_community(timing: CommunityTiming, told: Sequence[Told], today: date) -> list[float]:
    """Count everybody's reminders; returns the community's rates."""
    age = weight((today - timing.as_of).days)
    tally = Tally(timing.as_of, list(timing.tries), list(timing.successes))
    tally.count((one.outcome for one in told if one.outcome.is_reminder), today)
    rates = community_rates(tally)
    timing.as_of, timing.tries, timing.successes = today, tally.tries, tally.successes
    timing.weekday_hour = best_hour(rates, weekend=False)
    timing.weekend_hour = best_hour(rates, weekend=True)
    known = {
        kind: {wording: [tries * age, won * age] for wording, (tries, won) in each.items()}
        for kind, each in timing.wordings.items()
    }
    for one in told:
        if one.kind in WORDED and one.wording is not None:
            worth = weight((today - business_date(one.outcome.sent_at)).days)
            counts = known.setdefault(one.kind.value, {}).setdefault(one.wording.value, [0.0, 0.0])
            counts[0] += worth
            counts[1] += worth * (one.outcome.reacted_at is not None)
    timing.wordings = known
    return rates


def _count_owners(
    session: Session, community_id: int, told: Sequence[Told], rates: Sequence[float], today: date
) -> None:
    people = {one.follower_id for one in told}
    known = find_owners(session, community_id, people, lock=True)
    for follower_id, messages in groupby(told, key=attrgetter("follower_id")):
        own = known.get(follower_id)
        if own is None:
            own = blank_owner(community_id, follower_id, today)
            session.add(own)
        tally = _count_owner(own, [one.outcome for one in messages], today)
        chance = chance_of("hour", community_id, follower_id, today)
        choice = choose(beliefs(rates, tally), own.since_trial, chance)
        own.weekday_hour, own.weekend_hour = choice.weekday, choice.weekend
        own.trial_is_weekend, own.trial_hour = choice.trial or (None, None)
        own.tried_on = None if choice.trial else own.tried_on
    session.flush()


def _count_owner(own: OwnerTiming, outcomes: Sequence[Outcome], today: date) -> Tally:
    tally = Tally(own.as_of, list(own.tries), list(own.successes))
    tally.count(outcomes, today)
    own.as_of, own.tries, own.successes = today, tally.tries, tally.successes
    sent, reacted = list(own.sent), list(own.reacted)
    for outcome in outcomes:
        slot = Slot.of(outcome.sent_at)
        if slot is None or not outcome.is_reminder:
            continue
        sent[slot.place] += 1
        reacted[slot.place] += outcome.reacted_at is not None
        if own.tried_on is None or business_date(outcome.sent_at) > own.tried_on:
            own.since_trial += 1
    own.sent, own.reacted = sent, reacted
    return tally


def find_owners(
    session: Session, community_id: int, followers: Collection[int], *, lock: bool = False
) -> dict[int, OwnerTiming]:
    """What is known of these followers, by follower; locked, because the walk writes it too."""
    if not followers:
        return {}
    query = (
        select(OwnerTiming)
        .where(
            OwnerTiming.community_id == community_id,
            OwnerTiming.follower_id.in_(id_array(followers)),
        )
        .order_by(OwnerTiming.follower_id)
    )
    rows = session.scalars(query.with_for_update() if lock else query)
    return {row.follower_id: row for row in rows}


def blank_owner(community_id: int, follower_id: int, today: date) -> OwnerTiming:
    """A follower of whom nothing is known."""
    return OwnerTiming(
        community_id=community_id,
        follower_id=follower_id,
        as_of=today,
        tries=[0.0] * len(SLOTS),
        successes=[0.0] * len(SLOTS),
        sent=[0] * len(SLOTS),
        reacted=[0] * len(SLOTS),
        since_trial=0,
    )


class Wordings:
    """Which wording each reminder takes, drawn by what is known of the community."""

    def __init__(self, known: dict[int, dict[str, dict[str, list[float]]]]) -> None:
        self._known = known

    @classmethod
    def of(cls, session: Session, communities: Iterable[int]) -> "Wordings":
        """Read for these communities, in one query."""
        rows = session.execute(
            select(CommunityTiming.community_id, CommunityTiming.wordings).where(
                CommunityTiming.community_id.in_(set(communities)), CommunityTiming.is_on
            )
        )
        return cls({row.community_id: row.wordings for row in rows})

    def choose(
        self, community_id: int, follower_id: int, kind: NoticeKind, today: date
    ) -> Wording | None:
        """The same for the same reader and day; None where there is no choice."""
        if kind not in WORDED or community_id not in self._known:
            return None
        counts = defaultdict(lambda: [0.0, 0.0], self._known[community_id].get(kind.value, {}))
        chance = chance_of("wording", community_id, follower_id, kind.value, today)
        return Wording(choose_wording({each.value: counts[each.value] for each in Wording}, chance))
