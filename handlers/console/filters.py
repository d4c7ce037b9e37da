"""What templates of the console may call besides the filters of all templates."""

from datetime import date, timedelta

from billing.pricing.prices import plain
from billing.privacy import mask_openid
from handlers.console.lists import cell, is_number


def day_before(end: date) -> date:
    """The last day of half-open days, as people name it."""
    return end - timedelta(days=1)


FILTERS = {"cell": cell, "day_before": day_before, "openid": mask_openid, "plain": plain}
TESTS = {"figure": is_number}
