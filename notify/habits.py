"""What was learned of the hour, for people: why an hour, forgetting it, switching it off and on."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from jinja2 import Environment
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.people import Binding, BindingState
from notify.learning import blank_community, blank_owner, find_owners, lock_community
from notify.preferences import Preference, find_preference, keep_preference
from notify.timing import Slot, Tally, community_rates
from notify.timing_tables import CommunityTiming, OwnerTiming


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour, and what speaks for it.

    Attributes:
        sent: reminders this owner was sent in it.
        reacted: to how many of them he reacted within a day.
        usual: per cent of the community's reminders in it that are reacted to.
    """

    slot: Slot
    sent: int
    reacted: int
    usual: int

    @property
    def rate(self) -> int | None:
        """Per cent of his reminders that he reacted to; None when there were none."""
        return (200 * self.reacted + self.sent) // (2 * self.sent) if self.sent else None

    def why(self, environment: Environment) -> str:
        """In words."""
        return environment.get_template("notices/_why.txt").render(hour=self).strip()


@dataclass(frozen=True, slots=True)
class Habit:
    """What is known of one owner.

    Attributes:
        weekday, weekend: when he is reminded; None: when everybody is, as soon as it is allowed.
        trial: an unlikely slot that comes next, once.
    """

    follower_id: int
    preference: Preference
    weekday: Hour | None
    weekend: Hour | None
    trial: Slot | None


def list_habits(session: Session, community_id: int, followers: Collection[int]) -> list[Habit]:
    """What is known of these followers, in order of their numbers."""
    timing = session.get(CommunityTiming, community_id)
    known = find_owners(session, community_id, followers)
    return [
        _habit(timing, known.get(one), one, find_preference(session, one))
        for one in sorted(followers)
    ]


def _habit(
    timing: CommunityTiming | None,
    own: OwnerTiming | None,
    follower_id: int,
    preference: Preference,
) -> Habit:
    if timing is None or not timing.is_on or not preference.by_habit:
        return Habit(follower_id, preference, None, None, None)
    weekday, weekend = timing.weekday_hour, timing.weekend_hour
    trial = None
    if own is not None and own.weekday_hour is not None:
        weekday, weekend = own.weekday_hour, own.weekend_hour
        if own.trial_hour is not None and own.tried_on is None:
            trial = Slot(bool(own.trial_is_weekend), own.trial_hour)
    return Habit(
        follower_id,
        preference,
        _hour(timing, own, Slot(False, weekday)) if weekday is not None else None,
        _hour(timing, own, Slot(True, weekend)) if weekend is not None else None,
        trial,
    )


def _hour(timing: CommunityTiming, own: OwnerTiming | None, slot: Slot) -> Hour:
    usual = community_rates(Tally(timing.as_of, timing.tries, timing.successes))[slot.place]
    sent, reacted = (own.sent[slot.place], own.reacted[slot.place]) if own else (0, 0)
    return Hour(slot, sent, reacted, round(100 * usual))


def community_hours(timing: CommunityTiming) -> tuple[Hour, Hour] | None:
    """When owners are reminded of whom nothing is known, on weekdays and weekends; None before
    anything was counted.
    """
    if timing.weekday_hour is None or timing.weekend_hour is None:
        return None
    return (
        _hour(timing, None, Slot(False, timing.weekday_hour)),
        _hour(timing, None, Slot(True, timing.weekend_hour)),
    )


def forget_community(session: Session, community_id: int, now: datetime) -> None:
    """Begin anew: nothing sent before now is counted any more. Safe to repeat."""
    session.execute(delete(OwnerTiming).where(OwnerTiming.community_id == community_id))
    is_on = lock_community(session, community_id, now).is_on
    blank = blank_community(community_id, now) | {"is_on": is_on}
    session.merge(CommunityTiming(**blank))


def forget_owner(session: Session, community_id: int, follower_id: int, now: datetime) -> None:
    """Forget what is known of a follower; the community's figures, in which nobody can be made
    out, stay. Safe to repeat.
    """
    blank = blank_owner(community_id, follower_id, business_date(now))
    blank.forgotten_at = now
    for column in (
        "weekday_hour",
        "weekend_hour",
        "trial_is_weekend",
        "trial_hour",
        "tried_on",
    ):
        setattr(blank, column, None)  # named, so that merging them writes them
    session.merge(blank)


def switch_community(session: Session, community_id: int, now: datetime, *, on: bool) -> None:
    """Choose hours by what was learned, or remind everybody as soon as it is allowed. What was sent
    while it was off is never counted. Safe to repeat.
    """
    timing = lock_community(session, community_id, now)
    if on and not timing.is_on:
        timing.counted_to = now
    timing.is_on = on


def switch_owner(session: Session, follower_id: int, now: datetime, *, on: bool) -> Preference:
    """Let a follower's hour be learned or not; switching it off forgets what was. Safe to repeat.

    Every owner may decline to be told at hours learned of him (个人信息保护法 24).
    """
    if not on:
        session.execute(delete(OwnerTiming).where(OwnerTiming.follower_id == follower_id))
    wanted = replace(find_preference(session, follower_id), by_habit=on)
    return keep_preference(session, follower_id, wanted, now)


def list_bound(session: Session, community_id: int, unit_id: int) -> list[int]:
    """Followers bound to a home."""
    return list(
        session.scalars(
            select(Binding.follower_id)
            .where(
                Binding.community_id == community_id,
                Binding.unit_id == unit_id,
                Binding.state == BindingState.ACTIVE,
            )
            .order_by(Binding.follower_id)
        )
    )
