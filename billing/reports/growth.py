"""How a month's collection grows day by day, and where it will likely end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import accumulate
from statistics import median

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.money import ZERO, Money, round_to_fen
from billing.period import Period

MONTHS_COMPARED = 6
"""So many months before are what a forecast learns from."""

MOVES = text(
    """
    SELECT period, moved_on, sum(due) AS due, sum(paid) AS paid
    FROM collection_move
    WHERE community_id = :community_id AND moved_on <= :as_of
      AND period = ANY(CAST(:periods AS text[]))
    GROUP BY 1, 2 ORDER BY 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class Curve:
    """What was paid on a month's bills by the end of each day.

    Attributes:
        due: as of the cut-off, so the last rate is the month's 收缴率, fen.
        begins_on: the first day a bill of the month was issued or paid.
        paid: by the end of that day, the next, and so on to the cut-off; fen.
    """

    period: Period
    due: Money
    begins_on: date
    paid: tuple[Money, ...]

    def rate_on(self, day: int) -> Fraction | None:
        """Share of what is due that was paid by the end of a day, the first being 0; that of the
        last day known for later ones. None where nothing is due.
        """
        if self.due <= ZERO or not self.paid:
            return None
        return Fraction(self.paid[min(day, len(self.paid) - 1)].fen, self.due.fen)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will likely have been paid on a month's bills when its last day is over.

    Attributes:
        rate: today's, plus the median of what the compared months still gained from the same day
            of theirs to the same last day; at most 1.
        amount: that share of what is due.
        compared: the months it was learned from; none, no forecast.
    """

    period: Period
    rate: Fraction
    amount: Money
    compared: tuple[Period, ...]


def read_curves(
    session: Session, community_id: int, periods: Sequence[Period], as_of: date
) -> list[Curve]:
    """The curves of some months as of the end of a day; without those nothing was billed for."""
    rows = session.execute(
        MOVES,
        {
            "community_id": community_id,
            "periods": [str(period) for period in periods],
            "as_of": as_of,
        },
    )
    moves: dict[str, dict[date, tuple[int, int]]] = {}
    for row in rows:
        moves.setdefault(row.period, {})[row.moved_on] = (int(row.due), int(row.paid))
    return [_curve(Period(period), days, as_of) for period, days in sorted(moves.items())]


def _curve(period: Period, days: dict[date, tuple[int, int]], as_of: date) -> Curve:
    begins_on = min(days)
    count = (as_of - begins_on).days + 1
    calendar = (begins_on + timedelta(days=number) for number in range(count))
    paid = accumulate(days.get(day, (0, 0))[1] for day in calendar)
    due = sum(due for due, _ in days.values())
    return Curve(period, Money(due), begins_on, tuple(Money(fen) for fen in paid))


def forecast(current: Curve, past: Sequence[Curve]) -> Forecast | None:
    """Where this month will end, by what earlier ones gained from the same day on. None where there
    are none, and where nothing has been paid although most of them had money by the same day: such
    a month follows no curve of theirs. None too where nothing is expected.
    """
    today = len(current.paid) - 1
    last = max((current.period.end - current.begins_on).days - 1, today)
    now = current.rate_on(today)
    compared = [curve for curve in past if curve.due > ZERO and len(curve.paid) > last]
    if now is None or not compared:
        return None
    if not now and median(curve.rate_on(today) or Fraction(0) for curve in compared):
        return None
    gains = [
        (curve.rate_on(last) or Fraction(0)) - (curve.rate_on(today) or Fraction(0))
        for curve in compared
    ]
    rate = min(now + max(median(gains), Fraction(0)), max(now, Fraction(1)))
    if not rate:
        return None
    amount = round_to_fen(rate * Fraction(current.due.yuan))
    return Forecast(current.period, rate, amount, tuple(curve.period for curve in compared))


def months_before(period: Period, count: int = MONTHS_COMPARED) -> list[Period]:
    """The months before one, the latest first."""
    months = []
    for _ in range(count):
        period = period.previous()
        months.append(period)
    return months
