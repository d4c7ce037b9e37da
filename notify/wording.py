"""How figures and dates are written for people, and the one template environment for text.

Every sentence a person reads is a template under `templates/`; these filters are all it may call.
"""

from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from billing.business_day import BEIJING
from billing.discrepancies import DiscrepancyKind
from billing.money import Money
from billing.period import Period
from billing.pricing.explain import explain

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def yuan(amount: Money) -> str:
    """`Money(123450)` → `1,234.50`."""
    sign, digits = ("-", amount.yuan[1:]) if amount.yuan.startswith("-") else ("", amount.yuan)
    whole, fraction = digits.split(".")
    return f"{sign}{int(whole):,}.{fraction}"


def fen(amount: int) -> str:
    """Fen as stored in JSON: 123450 → `1,234.50`."""
    return yuan(Money(amount))


def discrepancy(kind: str) -> str:
    """How provider and books disagree, of its name in JSON; one nobody knows stays as it is."""
    return DiscrepancyKind(kind).label if kind in set(DiscrepancyKind) else kind


def chinese_date(day: date) -> str:
    """2026-11-05 → `2026年11月5日`."""
    return f"{day.year}年{day.month}月{day.day}日"


def last_day(end: date) -> date:
    """The last day of half-open days that end before `end`, as people name it."""
    return end - timedelta(days=1)


def clock(instant: datetime) -> str:
    """An instant as Beijing wall time, `2026-11-23 09:05`."""
    return instant.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


def chinese_month(period: Period) -> str:
    """`2026-11` → `2026年11月`."""
    return f"{period.start.year}年{period.start.month}月"


def percent(rate: Fraction) -> str:
    """A share with one decimal: `Fraction(1, 3)` → `33.3%`; never 100% before all of it. One below
    nothing is cut off towards it: `Fraction(-1, 3)` → `-33.3%`.
    """
    tenths = abs(rate.numerator) * 1000 // rate.denominator
    sign = "-" if rate < 0 and tenths else ""
    return f"{sign}{tenths // 10}.{tenths % 10}%"


def tap(sentence: str) -> str:
    """A sentence the reader sends by tapping it, as WeChat's menu messages do, but within a plain
    text: without a call of ours and its quota.
    """
    return (
        f'<a href="weixin://bizmsgmenu?msgmenucontent={quote(sentence)}&msgmenuid=1">{sentence}</a>'
    )


FILTERS = {
    "yuan": yuan,
    "chinese_date": chinese_date,
    "chinese_month": chinese_month,
    "clock": clock,
    "discrepancy": discrepancy,
    "explain": explain,
    "fen": fen,
    "percent": percent,
    "tap": tap,
}


def paper_environment(templates: Path = TEMPLATES) -> Environment:
    """Environment for papers that are printed from a file (HTML, escaped)."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters.update(FILTERS)
    return environment


def text_environment(templates: Path = TEMPLATES) -> Environment:
    """Environment for chat replies and notices: plain text, undefined names are errors."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # plain text; XML and HTML are escaped where they are made
    )
    environment.filters.update(FILTERS)
    return environment
