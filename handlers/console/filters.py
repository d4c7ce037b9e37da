"""What templates of the console may call besides the filters of all templates."""

from collections.abc import Iterable

from billing.money import ZERO, Money
from handlers.console.lists import cell, is_number


def total(amounts: Iterable[Money]) -> Money:
    """The sum of amounts; zero of none."""
    return sum(amounts, ZERO)


FILTERS = {"cell": cell, "total": total}
TESTS = {"figure": is_number}
