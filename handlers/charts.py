"""Charts drawn on the server, as shapes a template writes as SVG: no script, and they print.

Lengths are in units of the drawing, `WIDTH` wide. Values are whole numbers, fen or tenths of a per
cent; what they mean is in the words that come with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 640
PLOT_LEFT = 8
LINE_HEIGHT, PLOT_HEIGHT = 200, 160
ROW, BAR = 30, 18
LABEL_WIDTH, WORDS_WIDTH = 120, 130
COLUMN_MAX = 26


@dataclass(frozen=True, slots=True)
class Value:
    """One figure of a chart.

    Attributes:
        words: the value as people read it.
        link: where its bar leads; none, nowhere.
    """

    label: str
    amount: int
    words: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as it is drawn: from the left, `length` long, `y` from above."""

    value: Value
    y: int
    length: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars that lie, one to a line, each with its words behind it."""

    bars: tuple[Bar, ...]
    height: int


def lying_bars(values: Sequence[Value], most: int | None = None) -> Bars:
    """Bars for values, the longest as wide as there is room.

    Args:
        most: what a bar of full length means; the largest value by default.
    """
    full = max(most or 0, *(value.amount for value in values), 1)
    room = WIDTH - LABEL_WIDTH - WORDS_WIDTH
    bars = tuple(
        Bar(value, number * ROW, max(value.amount, 0) * room // full)
        for number, value in enumerate(values)
    )
    return Bars(bars, max(len(values), 1) * ROW)


@dataclass(frozen=True, slots=True)
class Column:
    """A bar that stands, with its place."""

    value: Value
    x: int
    y: int
    width: int
    height: int
    shows_label: bool


def standing_bars(
    values: Sequence[Value], labels_max: int = 12, most: int | None = None
) -> tuple[Column, ...]:
    """Bars for values that follow each other in time, each above its label; of many labels only
    every so-and-so-many is written. Few bars are no broader than many.

    Args:
        most: what a bar of full height means; the largest value by default.
    """
    full = max(most or 0, *(value.amount for value in values), 1) if values else 1
    step = (WIDTH - 2 * PLOT_LEFT) // max(len(values), 1)
    every = -(-len(values) // labels_max)
    columns = []
    for number, value in enumerate(values):
        height = max(value.amount, 0) * PLOT_HEIGHT // full
        width = min(max(step - max(step // 4, 1), 1), COLUMN_MAX)
        columns.append(
            Column(
                value,
                PLOT_LEFT + number * step + (step - width) // 2,
                PLOT_HEIGHT - height + 20,
                width,
                height,
                (len(values) - 1 - number) % max(every, 1) == 0,
            )
        )
    return tuple(columns)


def line(values: Sequence[int], count: int, most: int) -> str:
    """The points of a line through values, as SVG wants them.

    Args:
        count: of points the whole width has room for.
        most: the value at the upper edge.
    """
    width = WIDTH - 2 * PLOT_LEFT
    return " ".join(
        f"{PLOT_LEFT + number * width // max(count - 1, 1)},"
        f"{20 + PLOT_HEIGHT - min(value, most) * PLOT_HEIGHT // max(most, 1)}"
        for number, value in enumerate(values)
    )
