"""Options and parameter types that several groups of commands take."""

import json
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click

from billing.business_day import BEIJING, business_date
from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.money import Money
from billing.period import Period
from bot.program import utc_now

Choice = TypeVar("Choice", bound=LabelEnum)

NUMBER = click.IntRange(1, 2**63 - 1)
"""Number of a row."""

YEARS = range(1900, 2200)
"""Days before and after can be counted from every day of these."""


class DateParameter(click.ParamType[date]):
    """`YYYY-MM-DD`."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse, or fail naming the option."""
        if isinstance(value, date):
            return value
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date like 2026-11-23", param, ctx)
        if day.year not in YEARS:
            self.fail(f"{value} is mistyped: no books reach so far", param, ctx)
        return day


class MomentParameter(click.ParamType[datetime]):
    """`YYYY-MM-DDTHH:MM`, Beijing time unless it names a zone."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse, or fail naming the option."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time like 2026-11-24T09:00", param, ctx)
        if moment.year not in YEARS:
            self.fail(f"{value} is mistyped: no books reach so far", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


class PeriodParameter(click.ParamType[Period]):
    """`YYYY-MM`."""

    name = "period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Period:
        """Parse, or fail naming the option."""
        if isinstance(value, Period):
            return value
        try:
            return Period(value)
        except InvalidInput:
            self.fail(f"{value!r} is not a month like 2026-11", param, ctx)


class AmountParameter(click.ParamType[Money]):
    """Yuan with at most two decimals, `275.80`."""

    name = "yuan"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Money:
        """Parse, or fail naming the option."""
        if isinstance(value, Money):
            return value
        try:
            return Money.from_yuan(value)
        except InvalidInput:
            self.fail(f"{value!r} is not an amount in yuan like 275.80", param, ctx)


class DecimalParameter(click.ParamType[Decimal]):
    """A plain decimal number, `0.0005`."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Parse, or fail naming the option."""
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a number like 0.0005", param, ctx)
        if not number.is_finite():
            self.fail(f"{value!r} is not a number like 0.0005", param, ctx)
        return number


class JsonParameter(click.ParamType[Any]):
    """JSON of any shape; what it means is checked where it is used."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or fail naming the option."""
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            self.fail(f"{value[:40]!r} is not JSON", param, ctx)


class CodeParameter(click.ParamType[Choice]):
    """A member of an enum, by its code."""

    name = "code"

    def __init__(self, options: type[Choice]) -> None:
        self._options = options

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Choice:
        """Look up, or fail naming the option."""
        codes = [option.value for option in self._options]
        if value not in codes:
            self.fail(f"{value!r} is not one of: {', '.join(codes)}", param, ctx)
        return self._options(value)


community_option = click.option("--community", "code", required=True, help="Code of the community.")
room_option = click.option("--room", required=True, help="Canonical room number, e.g. 3-2-501.")
period_option = click.option(
    "--period", type=PeriodParameter(), required=True, help="Month, YYYY-MM."
)
item_option = click.option("--item", "item_code", required=True, help="Code of the charge item.")
amount_option = click.option("--amount", type=AmountParameter(), required=True, help="Yuan.")
by_option = click.option("--by", "login", required=True, help="Login of the member of staff.")
from_option = click.option("--from", "from_on", type=DateParameter(), required=True)
to_option = click.option("--to", "to_on", type=DateParameter(), help="First day without.")


def home_options(command: Any) -> Any:
    """`--community` and `--room`: which home."""
    return community_option(room_option(command))


def today_option(command: Any) -> Any:
    """`--today`: the business date to work on; today in Beijing by default."""
    return click.option(
        "--today",
        type=DateParameter(),
        default=lambda: business_date(utc_now()),
        help="Business date, YYYY-MM-DD; default: today in Asia/Shanghai.",
    )(command)
