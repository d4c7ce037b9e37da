"""Which hour suits an owner (pure): Thompson sampling over hours of the day, weekday and weekend.

A reminder is a success when its reader opened its link or paid within `WINDOW` of its coming, else
a failure. What an owner does counts on top of what his community does, what was long ago counts
less, and neighbouring hours tell of each other.

Whatever is drawn is drawn from a generator that is passed in; `chance_of` makes the one that draws
the same for the same owner and evidence. `benchmarks/timing.py` says what the numbers here are
worth.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple, Self

from billing.business_day import BEIJING, business_date
from notify.quiet_hours import DAY_BEGINS, DAY_ENDS

WINDOW = timedelta(hours=24)
"""A day, half-open: who reads in the evening what came in the morning was reached; and the closest
rungs are a day apart, so that no reaction is counted for two reminders.
"""

SETTLES_AFTER = WINDOW + timedelta(hours=24)
"""What was sent longer ago is counted: some payments are confirmed a day after they were made."""

HALF_LIFE = timedelta(days=180)
"""After it a reminder counts half, so that habits may change."""

RATE = 0.3
"""The rate of success where nothing is known."""

COMMUNITY_STRENGTH = 100.0
"""What is known of all hours counts as so many reminders in each."""

OWNER_STRENGTH = 1.0
"""What is known of the community counts as so many reminders of the owner's own."""

NEARBY = (1.0, 0.4, 0.1)
"""What a reminder says of its own hour, of the next ones, and of those behind them."""

OTHER_DAYS = 0.1
"""What a weekday says of the same hour of a weekend, and a weekend of a weekday."""

LATE = 0.5
"""What the slot of a reminder is credited with when it was noticed in another one."""

NOTICED = 1.0
"""What that other slot is credited with: its owner was at his phone then, and acted."""

UNREAD = 0.1
"""How much of a failure it is for an hour that a message lay there unread, below later ones."""

STEADINESS = 50.0
"""Draws are as narrow as with so many times the evidence: an owner's bills are no experiment."""

LIKELY = 0.9
"""A slot is unlikely when its expected rate is below this share of the best slot's."""

TRY_ONE_IN = 6
"""At most one reminder of so many comes in an unlikely slot."""

HOURS = range(DAY_BEGINS.hour, DAY_ENDS.hour)
"""Hours of a day in Beijing in which reminders are sent."""

MARGIN = 2
"""Reactions so many hours before or after `HOURS` count for the first or last of them."""

SATURDAY = 5


def is_weekend(day: date) -> bool:
    """Saturday or Sunday."""
    return day.weekday() >= SATURDAY


class Slot(NamedTuple):
    """An hour of a weekday, or of a day of the weekend, in Beijing."""

    is_weekend: bool
    hour: int

    @property
    def place(self) -> int:
        """Its place in what has one entry a slot."""
        return self.is_weekend * len(HOURS) + self.hour - HOURS.start

    @classmethod
    def of(cls, instant: datetime) -> Self | None:
        """The slot of an instant; the nearest one shortly before or after the allowed hours."""
        local = instant.astimezone(BEIJING)
        if not HOURS.start - MARGIN <= local.hour < HOURS.stop + MARGIN:
            return None
        hour = min(max(local.hour, HOURS.start), HOURS.stop - 1)
        return cls(is_weekend(local.date()), hour)


SLOTS = tuple(Slot(weekend, hour) for weekend in (False, True) for hour in HOURS)


class Outcome(NamedTuple):
    """A message, and what its reader did.

    Attributes:
        reacted_at: when its link was opened or something on it paid, whichever was first; None:
            not within `WINDOW`.
        is_reminder: its hour was for us to choose. Of a bill's announcement it only counts when it
            was noticed, since those come when bills are issued.
    """

    sent_at: datetime
    reacted_at: datetime | None
    is_reminder: bool = True


class Credit(NamedTuple):
    """What one message adds to a slot."""

    place: int
    tries: float
    successes: float


def credits_of(outcome: Outcome) -> list[Credit]:
    """What a message adds to the slot it came in, to those in which it lay unread, and to the one
    in which it was noticed.
    """
    sent = Slot.of(outcome.sent_at)
    reacted = Slot.of(outcome.reacted_at) if outcome.reacted_at else None
    noticed = [] if reacted is None else [Credit(reacted.place, NOTICED, NOTICED)]
    if not outcome.is_reminder or sent is None:
        return noticed
    if outcome.reacted_at and reacted == sent:
        return [Credit(sent.place, 1, 1)]
    stop = HOURS.stop
    if reacted is not None and reacted.is_weekend == sent.is_weekend:
        stop = max(reacted.hour, sent.hour + 1)
    first = sent.place + 1
    unread = [Credit(index, UNREAD, 0) for index in range(first, first + stop - sent.hour - 1)]
    return [Credit(sent.place, 1, LATE if outcome.reacted_at else 0), *unread, *noticed]


def weight(days: int) -> float:
    """What something so many days ago counts; more than 1 for what is still to come."""
    return float(0.5 ** (days / HALF_LIFE.days))


def _blank() -> list[float]:
    return [0.0] * len(SLOTS)


@dataclass(slots=True)
class Tally:
    """Tries and successes of every slot, weighted as on a day."""

    as_of: date
    tries: list[float] = field(default_factory=_blank)
    successes: list[float] = field(default_factory=_blank)

    def count(self, outcomes: Iterable[Outcome], today: date) -> None:
        """Count messages, and let everything age until today. Counting them at once or one after
        the other, on whatever days, comes to the same.
        """
        self._age(today)
        for outcome in outcomes:
            worth = weight((today - business_date(outcome.sent_at)).days)
            for index, tries, successes in credits_of(outcome):
                self.tries[index] += tries * worth
                self.successes[index] += successes * worth

    def _age(self, today: date) -> None:
        worth = weight((today - self.as_of).days)
        self.as_of = today
        if worth != 1:
            self.tries = [tries * worth for tries in self.tries]
            self.successes = [successes * worth for successes in self.successes]


def _near() -> tuple[tuple[tuple[int, float], ...], ...]:
    """For every slot: of which slots it tells, and how much."""
    return tuple(
        tuple(
            (other.place, NEARBY[distance] * (OTHER_DAYS if other[0] != slot[0] else 1.0))
            for other in SLOTS
            if (distance := abs(other.hour - slot.hour)) < len(NEARBY)
        )
        for slot in SLOTS
    )


NEAR = _near()


def _spread(counts: Sequence[float]) -> list[float]:
    spread = _blank()
    for near, count in zip(NEAR, counts, strict=True):
        if count:
            for other, share in near:
                spread[other] += count * share
    return spread


def community_rates(known: Tally) -> list[float]:
    """The rate to be expected of anybody in the community, slot by slot."""
    rate = (sum(known.successes) + RATE * COMMUNITY_STRENGTH) / (
        sum(known.tries) + COMMUNITY_STRENGTH
    )
    return [
        (successes + rate * COMMUNITY_STRENGTH) / (tries + COMMUNITY_STRENGTH)
        for tries, successes in zip(_spread(known.tries), _spread(known.successes), strict=True)
    ]


class Belief(NamedTuple):
    """A Beta distribution of a rate."""

    successes: float
    failures: float

    @property
    def rate(self) -> float:
        """What is to be expected."""
        return self.successes / (self.successes + self.failures)

    def draw(self, chance: random.Random, steadiness: float = 1.0) -> float:
        """A rate that may be."""
        return chance.betavariate(self.successes * steadiness, self.failures * steadiness)


def beliefs(rates: Sequence[float], own: Tally) -> list[Belief]:
    """What is believed of an owner, slot by slot: his community's rates and his own messages."""
    tried = zip(rates, _spread(own.tries), _spread(own.successes), strict=True)
    return [
        Belief(rate * OWNER_STRENGTH + won, (1 - rate) * OWNER_STRENGTH + tries - won)
        for rate, tries, won in tried
    ]


def best_hour(rates: Sequence[float], *, weekend: bool) -> int:
    """The hour of whom nothing is known but his community; the earliest of equals."""
    first = weekend * len(HOURS)
    best = max(range(first, first + len(HOURS)), key=rates.__getitem__)
    return SLOTS[best].hour


class Choice(NamedTuple):
    """When an owner is reminded until more is known.

    Attributes:
        weekday: hour on weekdays.
        weekend: hour on Saturdays and Sundays.
        trial: an unlikely slot that may be tried once.
    """

    weekday: int
    weekend: int
    trial: Slot | None

    def hour(self, day: date) -> int:
        """When he is usually reminded on a day."""
        return self.weekend if is_weekend(day) else self.weekday


def chance_of(*key: object) -> random.Random:
    """A generator that draws the same for the same key, in every process."""
    return random.Random(":".join(map(str, key)))  # noqa: S311  # nothing secret


def choose(known: Sequence[Belief], since_trial: int, chance: random.Random) -> Choice:
    """Draw the hours of an owner.

    Args:
        since_trial: reminders he was sent since an unlikely slot was tried.
    """
    drawn = [one.draw(chance, STEADINESS) for one in known]
    rates = [one.rate for one in known]
    hours, trials = [], []
    for first in (0, len(HOURS)):
        day = range(first, first + len(HOURS))
        floor = LIKELY * max(rates[first : day.stop])
        usual = max((slot for slot in day if rates[slot] >= floor), key=drawn.__getitem__)
        best = max(day, key=drawn.__getitem__)
        hours.append(SLOTS[usual].hour)
        if best != usual and since_trial >= TRY_ONE_IN - 1:
            trials.append(SLOTS[best])
    return Choice(hours[0], hours[1], chance.choice(trials) if trials else None)


def choose_wording(known: Mapping[str, Sequence[float]], chance: random.Random) -> str:
    """Draw a wording, by its tries and successes so far."""
    drawn = {
        wording: Belief(1 + successes, 1 + max(tries - successes, 0.0)).draw(chance)
        for wording, (tries, successes) in sorted(known.items())
    }
    return max(drawn, key=drawn.__getitem__)
