"""What templates of the console may call besides the filters of all templates."""

from collections.abc import Iterable
from decimal import Decimal

from billing.money import ZERO, Money
from billing.pricing.prices import plain
from billing.privacy import mask_openid
from handlers.console.sheets import cell, is_number
from handlers.console.words import explain_answer
from notify.wording import last_day


def units(value: Decimal | None) -> str:
    """A number without superfluous zeros; nothing is `—`."""
    if value is None:
        return "—"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def total(amounts: Iterable[Money]) -> Money:
    """The sum of amounts; zero of none."""
    return sum(amounts, ZERO)


FILTERS = {
    "answer": explain_answer,
    "cell": cell,
    "day_before": last_day,
    "openid": mask_openid,
    "plain": plain,
    "total": total,
    "units": units,
}
TESTS = {"figure": is_number}
