"""Which installation a command works on.

With DATABASE_URL and REDIS_URL it is the one the environment describes. Without them, or when
nothing but them is set, it is the demo kept under MINGZHANG_VAR: its settings file is read, and the
embedded engines it uses are joined, or started for the length of the command.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from psycopg.errors import InvalidParameterValue, UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DBAPIError, OperationalError

from billing.business_day import business_date
from billing.errors import BillingError, InvalidInput
from billing.money import Money
from billing.period import Period
from bot.embedded import EmbeddedError, embedded
from bot.program import Program, build, utc_now
from bot.schema import SchemaError
from bot.settings import Settings, SettingsError, is_given

DEMO_ENVIRONMENT = "demo-environment.json"
"""Under MINGZHANG_VAR: the settings `mingzhang demo` made for itself."""


def var_folder() -> Path:
    """MINGZHANG_VAR, `./var` by default."""
    return Path(os.environ.get("MINGZHANG_VAR") or "var").resolve()


class Refused(click.ClickException):
    """The command cannot be done as asked. Exit code 2, as 1 is `check` having found something."""

    exit_code = 2


@contextmanager
def refusals() -> Iterator[None]:
    """What an operator can mend becomes one line on stderr; a defect keeps its traceback."""
    try:
        yield
    except (SettingsError, SchemaError, EmbeddedError, BillingError) as error:
        raise Refused(str(error)) from error
    except DBAPIError as error:
        sentence = _explain(error)
        if sentence is None:
            raise
        raise Refused(sentence) from error


def _explain(error: DBAPIError) -> str | None:
    """Why the database does not serve us, when that is not a defect of ours."""
    reason = str(error.orig).partition("\n")[0]
    if isinstance(error, OperationalError):
        return f"DATABASE_URL: the database does not serve us: {reason}"
    if isinstance(error.orig, UndefinedTable | UndefinedColumn | InvalidParameterValue):
        return f"DATABASE_URL: run `mingzhang migrate` first: {reason}"
    return None


@contextmanager
def open_program() -> Iterator[Program]:
    """The program of this installation, until the block ends; refusals as in `refusals`."""
    with refusals(), _environment() as environment:
        program = build(Settings.from_env(environment))
        with _closing(program):
            yield program


@contextmanager
def _environment() -> Iterator[Mapping[str, str]]:
    """The variables that describe the installation; the demo's engines run as long as needed."""
    given = {name: is_given(os.environ, name) for name in ("DATABASE_URL", "REDIS_URL")}
    kept = var_folder() / DEMO_ENVIRONMENT
    if any(given.values()) and (not kept.exists() or is_given(os.environ, "MINGZHANG_SECRET_KEY")):
        yield os.environ
        return
    if not kept.exists():
        raise Refused(
            "DATABASE_URL and REDIS_URL are not set and there is no demo under"
            f" {var_folder()}; set them, or run `mingzhang demo` first"
        )
    demo = {**json.loads(kept.read_text(encoding="utf-8")), **os.environ}
    if all(given.values()):
        yield demo
        return
    with embedded(var_folder()) as engines:
        yield {
            "DATABASE_URL": engines.database_url,
            "REDIS_URL": engines.redis_url,
            **{name: value for name, value in demo.items() if value},
        }


@contextmanager
def _closing(program: Program) -> Iterator[Program]:
    try:
        yield program
    finally:
        program.services.database.engine.dispose()
        program.services.redis.close()
        program.queue.connection.close()


def production_settings() -> Settings:
    """Settings of a production process, which never embeds anything (design.md decision 14)."""
    with refusals():
        return Settings.from_env(os.environ)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


class DateParameter(click.ParamType[date]):
    """`YYYY-MM-DD`."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse, or fail naming the option."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date like 2026-11-23", param, ctx)


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


def home_options(command: Any) -> Any:
    """`--community` and `--room`: which home."""
    community = click.option("--community", "code", required=True, help="Code of the community.")
    room = click.option("--room", required=True, help="Canonical room number, e.g. 3-2-501.")
    return community(room(command))


staff_option = click.option("--by", "login", required=True, help="Login of who decided it.")
"""`--by`: the member of staff."""


def today_option(command: Any) -> Any:
    """`--today`: the business date to work on; today in Beijing by default."""
    return click.option(
        "--today",
        type=DateParameter(),
        default=lambda: business_date(utc_now()),
        help="Business date, YYYY-MM-DD; default: today in Asia/Shanghai.",
    )(command)
