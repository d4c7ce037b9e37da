"""What templates of the console may call besides the filters of all templates."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from billing.money import ZERO, Money
from billing.pricing.prices import plain
from billing.privacy import mask_openid
from handlers.console.sheets import cell, is_number
from notify.wording import yuan


def fen(amount: int) -> str:
    """Fen as stored in JSON: 123450 → `1,234.50`."""
    return yuan(Money(amount))


def units(value: Decimal | None) -> str:
    """A number without superfluous zeros; nothing is `—`."""
    if value is None:
        return "—"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def day_before(end: date) -> date:
    """The last day of half-open days, as people name it."""
    return end - timedelta(days=1)


def total(amounts: Iterable[Money]) -> Money:
    """The sum of amounts; zero of none."""
    return sum(amounts, ZERO)


FILTERS = {
    "cell": cell,
    "day_before": day_before,
    "fen": fen,
    "openid": mask_openid,
    "plain": plain,
    "total": total,
    "units": units,
}
TESTS = {"figure": is_number}
