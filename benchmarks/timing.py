"""What learning the hour is worth: owners with hidden habits, reminded for a year in three ways.

A seeded simulation. The learned hours come of `notify.timing`, the days of the ladder of
`notify.ladder`; what is invented is the owners. All three ways meet the same owners with the same
luck: what an owner would do at an hour of a day is drawn beforehand.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from billing.business_day import BEIJING
from billing.period import Period
from notify.ladder import DEFAULT
from notify.timing import (
    HOURS,
    SETTLES_AFTER,
    Choice,
    Outcome,
    Tally,
    beliefs,
    best_hour,
    chance_of,
    choose,
    community_rates,
    is_weekend,
)

FIRST = Period("2026-01")
MONTHS = 12
CHANGES_FROM = 6
"""The month, counted from 0, in which the habits of some change."""

DUE_DAY = 25
FOLLOWED_DAYS = 40
"""Who has not paid so many days after his first reminder counts as if he paid then."""

FIXED_HOUR = 10
AWAKE = range(7, 24)
NOTICED_LATER = 0.12
"""A message that was not read when it came is buried under others: in each later hour of the day
it is noticed with so much of the chance of a fresh one.
"""

OPENS = 0.8
"""Who notices a message opens it so often, whether or not he pays."""

PAYS_AT_ONCE = 0.3
"""Who notices that a bill was issued pays so much more rarely than when he is reminded."""

CHANGING = 0.15
NEVER_REACTS = 0.08
URGES = (0.004, 0.01, 0.02, 0.04)
"""On how many of a hundred days somebody pays by himself, reminded or not."""

HABITS = {
    "evening": (35, ((20, 1, 0.8),), ((10, 2, 0.7), (20, 1, 0.5))),
    "lunch": (18, ((12, 1, 0.75),), ((15, 2, 0.6),)),
    "morning": (17, ((9, 1, 0.8), (16, 0, 0.4)), ((9, 1, 0.8),)),
    "way home": (18, ((18, 1, 0.7),), ((12, 2, 0.6),)),
    "afternoon": (12, ((15, 1, 0.75),), ((16, 2, 0.6),)),
}
"""Share of owners in a hundred; when they look at their phones on weekdays and weekends: the hour,
how many hours around it, how surely.
"""

Habit = tuple[list[float], list[float]]
"""How surely somebody looks at a fresh message, by hour, on weekdays and at weekends."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody invented.

    Attributes:
        care: how surely he pays once he has noticed a reminder; the rest is forgotten.
        urge: share of days on which he pays by himself.
    """

    number: int
    habit: Habit
    later_habit: Habit
    reacts: bool
    care: float
    urge: float

    def habit_in(self, month: int) -> Habit:
        """What he does in a month of the run."""
        return self.later_habit if month >= CHANGES_FROM else self.habit


def _habit(chance: random.Random) -> Habit:
    name = chance.choices(list(HABITS), [share for share, _, _ in HABITS.values()])[0]
    shift = chance.choice((-1, 0, 0, 1))
    days = []
    for peaks in HABITS[name][1:]:
        base = chance.uniform(0.05, 0.12)
        day = [base if hour in AWAKE else 0.0 for hour in range(24)]
        for peak, width, height in peaks:
            for hour in range(peak - width, peak + width + 1):
                fresh = height * (1 - 0.35 * abs(hour - peak) / max(width, 1))
                day[hour + shift] = max(day[hour + shift], fresh)
        days.append(day)
    return days[0], days[1]


def _owner(number: int, chance: random.Random) -> Owner:
    habit = _habit(chance)
    return Owner(
        number,
        habit,
        _habit(chance) if chance.random() < CHANGING else habit,
        reacts=chance.random() >= NEVER_REACTS,
        care=chance.uniform(0.3, 0.95),
        urge=chance.choice(URGES),
    )


class Told(NamedTuple):
    """A message to an owner, with what came of it."""

    owner: int
    outcome: Outcome


class Way(Protocol):
    """A way to choose the hour."""

    def hour(self, owner: Owner, on: date, habit: list[float]) -> int:
        """When the owner is reminded that day."""

    def learn(self, today: date, told: Sequence[Told]) -> None:
        """What became of the messages that are counted on this day."""


class Fixed:
    """Everybody at ten."""

    def hour(self, owner: Owner, on: date, habit: list[float]) -> int:
        """Ten."""
        return FIXED_HOUR

    def learn(self, today: date, told: Sequence[Told]) -> None:
        """Nothing."""


class Oracle(Fixed):
    """Knows every owner's habit: the best anybody could do by choosing the hour."""

    def hour(self, owner: Owner, on: date, habit: list[float]) -> int:
        """The hour from which on a message is most surely noticed before the day is over."""
        return max(HOURS, key=lambda hour: _noticed(habit, hour))


def _noticed(habit: list[float], hour: int) -> float:
    return 1 - math.prod(
        1 - habit[later] * (1 if later == hour else NOTICED_LATER)
        for later in range(hour, AWAKE.stop)
    )


class Learned:
    """The product's own: `notify.timing`, counted once a day as `notify.learning` does."""

    def __init__(self, seed: int, owners: int) -> None:
        self.seed = seed
        self.community = Tally(FIRST.start)
        self.own = [Tally(FIRST.start) for _ in range(owners)]
        self.since_trial = [0] * owners
        self.choices: list[Choice | None] = [None] * owners
        self.tried_on: list[date | None] = [None] * owners
        self.rates = community_rates(self.community)

    def hour(self, owner: Owner, on: date, habit: list[float]) -> int:
        """As chosen when his last message was counted; an unlikely hour once."""
        choice = self.choices[owner.number]
        if choice is None:
            return best_hour(self.rates, weekend=is_weekend(on))
        trial = choice.trial
        if trial is not None and trial.is_weekend == is_weekend(on):
            self.choices[owner.number] = choice._replace(trial=None)
            self.since_trial[owner.number] = 0
            self.tried_on[owner.number] = on
            return trial.hour
        return choice.hour(on)

    def learn(self, today: date, told: Sequence[Told]) -> None:
        """Count what has settled, and choose anew for whom something was counted."""
        self.community.count((one.outcome for one in told if one.outcome.is_reminder), today)
        self.rates = community_rates(self.community)
        for number, outcome in told:
            self.own[number].count([outcome], today)
            tried_on = self.tried_on[number]
            is_later = tried_on is None or outcome.sent_at.date() > tried_on
            self.since_trial[number] += outcome.is_reminder and is_later
        for number in {one.owner for one in told}:
            self.choices[number] = choose(
                beliefs(self.rates, self.own[number]),
                self.since_trial[number],
                chance_of(self.seed, number, today),
            )


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), BEIJING)


class Reaction(NamedTuple):
    """In which hours of the day an owner reacts to a message and pays, if he does."""

    reacts: int | None
    pays: int | None


class Figures(NamedTuple):
    """Mean days from the first reminder to the payment, and the share paid by the due date."""

    days: float
    in_time: float


class Year:
    """One run: bills of every month, owners who pay or not, reminders up the ladder."""

    def __init__(self, owners: Sequence[Owner], seed: int) -> None:
        self.owners = owners
        self.seed = seed
        periods = [FIRST]
        while len(periods) < MONTHS:
            periods.append(periods[-1].next())
        self.due = [period.start.replace(day=DUE_DAY) for period in periods]
        self.issued = {period.start: month for month, period in enumerate(periods)}
        self.last_day = self.due[-1] + timedelta(days=FOLLOWED_DAYS)
        self.rungs: dict[date, list[int]] = defaultdict(list)
        for month, due in enumerate(self.due):
            for rung in _rungs_of(due, self.last_day):
                self.rungs[rung].append(month)
        self.urges = self._urges()

    def _urges(self) -> dict[date, dict[int, int]]:
        """Who pays by himself on which day, and in which hour."""
        days: dict[date, dict[int, int]] = defaultdict(dict)
        for owner in self.owners:
            chance = chance_of(self.seed, "urge", owner.number)
            day = FIRST.start
            while day <= self.last_day:
                day += timedelta(days=1 + int(chance.expovariate(owner.urge)))
                habit = _habit_on(owner, day)
                days[day][owner.number] = chance.choices(range(24), habit)[0]
        return days

    def run(self, way: Way) -> list[dict[date | None, int]]:
        """For every month: how many bills were paid on which day, and how many never."""
        owing: list[set[int]] = [set() for _ in self.due]
        paid: list[dict[date | None, int]] = [defaultdict(int) for _ in self.due]
        settles: dict[date, list[Told]] = defaultdict(list)
        day = FIRST.start
        while day <= self.last_day:
            way.learn(day, settles.pop(day, []))
            came = dict(self.urges.get(day, {}))
            if day in self.issued:
                owing[self.issued[day]] = set(range(len(self.owners)))
            for told, pays in self._tell(way, day, owing, came):
                settles[day + SETTLES_AFTER].append(told)
                if pays is not None:
                    came[told.owner] = pays
            for month, still in enumerate(owing):
                paid[month][day] += len(still & came.keys())
                still.difference_update(came)
            day += timedelta(days=1)
        for month, never in enumerate(owing):
            paid[month][None] = len(never)
        return paid

    def _tell(
        self, way: Way, day: date, owing: list[set[int]], urges: dict[int, int]
    ) -> Iterator[tuple[Told, int | None]]:
        """Everybody who is told something, what comes of it, and when he pays."""
        if day in self.issued:
            for owner in self.owners:
                yield self._message(owner, day, HOURS.start, None, is_reminder=False)
        for number in sorted(set().union(*(owing[month] for month in self.rungs.get(day, ())))):
            owner, urge = self.owners[number], urges.get(number)
            hour = way.hour(owner, day, _habit_on(owner, day))
            if urge is None or urge > hour:  # else nothing is owed any more
                yield self._message(owner, day, hour, urge, is_reminder=True)

    def _message(
        self, owner: Owner, day: date, hour: int, urge: int | None, *, is_reminder: bool
    ) -> tuple[Told, int | None]:
        chance = chance_of(self.seed, owner.number, day)
        looks = [chance.random() for _ in range(24)]
        care = owner.care * (1 if is_reminder else PAYS_AT_ONCE)
        opens, pays = chance.random() < OPENS, chance.random() < care
        seen = _seen(_habit_on(owner, day), looks, hour) if owner.reacts else None
        paid = seen if seen is not None and pays and (urge is None or seen < urge) else urge
        reacts = seen if seen is not None and (opens or pays) else urge
        outcome = Outcome(_at(day, hour), None if reacts is None else _at(day, reacts), is_reminder)
        return Told(owner.number, outcome), paid

    def figures(self, month: int, paid: dict[date | None, int]) -> Figures:
        """What came of the bills that were owed on the day of the first reminder."""
        due = self.due[month]
        first = _rungs_of(due, due)[0]
        counted = {on: count for on, count in paid.items() if on is None or on >= first}
        bills = sum(counted.values())
        days = sum(
            (FOLLOWED_DAYS if on is None else min((on - first).days, FOLLOWED_DAYS)) * count
            for on, count in counted.items()
        )
        in_time = sum(count for on, count in counted.items() if on is not None and on <= due)
        return Figures(days / bills, in_time / bills)


def _rungs_of(due: date, today: date) -> list[date]:
    return [rung.on for rung in DEFAULT.rungs(due, today)]


def _habit_on(owner: Owner, day: date) -> list[float]:
    month = (day.year - FIRST.start.year) * 12 + day.month - FIRST.start.month
    return owner.habit_in(month)[is_weekend(day)]


def _seen(habit: list[float], looks: list[float], hour: int) -> int | None:
    """In which hour a message that comes in an hour is noticed; it is forgotten over night."""
    for later in range(hour, AWAKE.stop):
        if looks[later] < habit[later] * (1 if later == hour else NOTICED_LATER):
            return later
    return None


def measure(owners: int = 5_000, seed: int = 1, picture: Path | None = None) -> dict[str, Any]:
    """A year of each way, month by month.

    Args:
        picture: where to draw the curves, as SVG.
    """
    chance = chance_of(seed, "owners")
    year = Year([_owner(number, chance) for number in range(owners)], seed)
    ways: dict[str, Way] = {
        "fixed": Fixed(),
        "learned": Learned(seed, owners),
        "oracle": Oracle(),
    }
    months = {
        name: [year.figures(month, paid) for month, paid in enumerate(year.run(way))]
        for name, way in ways.items()
    }
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(draw(months), encoding="utf-8")
    return {
        "owners": owners,
        "seed": seed,
        "months": [_row(month, months) for month in range(MONTHS)],
        "gap_closed": {
            "first_quarter": _closed(months, range(3)),
            "second_quarter": _closed(months, range(3, 6)),
            "third_quarter": _closed(months, range(6, 9)),
            "last_quarter": _closed(months, range(9, 12)),
            "year": _closed(months, range(MONTHS)),
        },
        "picture": None if picture is None else str(picture),
    }


def _row(month: int, months: dict[str, list[Figures]]) -> dict[str, Any]:
    row: dict[str, Any] = {"month": month + 1}
    for name, figures in months.items():
        row[f"{name}_days"] = round(figures[month].days, 2)
        row[f"{name}_in_time"] = round(figures[month].in_time, 3)
    return row


def _closed(months: dict[str, list[Figures]], those: range) -> dict[str, float]:
    """Share of the way from fixed to oracle that learning went."""

    def total(name: str, figure: str) -> float:
        return sum(float(getattr(months[name][month], figure)) for month in those)

    return {
        figure: round(
            (total("learned", figure) - total("fixed", figure))
            / (total("oracle", figure) - total("fixed", figure)),
            2,
        )
        for figure in Figures._fields
    }


WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 300, 60, 30, 70
COLOURS = {"fixed": "#b04a3a", "learned": "#1f6f8b", "oracle": "#6b6b6b"}
TITLES = {"days": "days from the first reminder to the payment", "in_time": "paid by the due date"}


def draw(months: dict[str, list[Figures]]) -> str:
    """Both figures as curves over the months, one below the other."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {2 * (HEIGHT + GAP)}"'
        ' font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, figure in enumerate(TITLES):
        values = {name: [getattr(one, figure) for one in ran] for name, ran in months.items()}
        parts += _panel(values, TITLES[figure], TOP + number * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>"])


def _panel(values: dict[str, list[float]], title: str, top: int) -> Iterator[str]:
    highest = max(max(line) for line in values.values()) * 1.1
    step = (WIDTH - LEFT - 110) / (MONTHS - 1)

    def place(month: int, value: float) -> str:
        return f"{LEFT + month * step:.0f},{top + HEIGHT * (1 - value / highest):.0f}"

    yield f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{title}</text>'
    yield f'<path d="M{LEFT},{top}V{top + HEIGHT}H{WIDTH - 110}" fill="none" stroke="black"/>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(0, highest * share).split(",")
        yield f'<text x="{int(x) - 8}" y="{y}" text-anchor="end">{highest * share:.2f}</text>'
    for month in range(MONTHS):
        x = place(month, 0).split(",")[0]
        yield f'<text x="{x}" y="{top + HEIGHT + 18}" text-anchor="middle">{month + 1}</text>'
    for name, line in values.items():
        path = " ".join(place(month, value) for month, value in enumerate(line))
        x, y = place(MONTHS - 1, line[-1]).split(",")
        yield (
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>'
            f'<text x="{int(x) + 8}" y="{y}" fill="{COLOURS[name]}">{name}</text>'
        )
