"""Which installation a command works on.

With DATABASE_URL and REDIS_URL it is the one the environment describes. Without them it is the
demo kept under MINGZHANG_VAR: its settings file is read and its embedded engines are joined, or
started for the length of the command.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.business_day import business_date
from billing.errors import BillingError, InvalidInput
from billing.period import Period
from bot.embedded import EmbeddedError, embedded
from bot.program import Program, build, utc_now
from bot.settings import Settings, SettingsError

DEMO_ENVIRONMENT = "demo-environment.json"
"""Under MINGZHANG_VAR: the settings `mingzhang demo` made for itself."""


def var_folder() -> Path:
    """MINGZHANG_VAR, `./var` by default."""
    return Path(os.environ.get("MINGZHANG_VAR") or "var").resolve()


@contextmanager
def open_program() -> Iterator[Program]:
    """The program of this installation; refusals become one line on stderr and exit code 2."""
    try:
        if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"):
            yield build(Settings.from_env(os.environ))
            return
        kept = var_folder() / DEMO_ENVIRONMENT
        if not kept.exists():
            raise click.ClickException(
                "DATABASE_URL and REDIS_URL are not set and there is no demo under"
                f" {var_folder()}; set them, or run `mingzhang demo` first"
            )
        with embedded(var_folder()) as engines:
            urls = {"DATABASE_URL": engines.database_url, "REDIS_URL": engines.redis_url}
            kept_settings = json.loads(kept.read_text(encoding="utf-8"))
            yield build(Settings.from_env({**kept_settings, **os.environ, **urls}))
    except (SettingsError, EmbeddedError, BillingError) as error:
        raise click.ClickException(str(error)) from error


def production_settings() -> Settings:
    """Settings of a production process, which never embeds anything (design.md decision 14)."""
    try:
        return Settings.from_env(os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


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


def today_option(command: Any) -> Any:
    """`--today`: the business date to work on; today in Beijing by default."""
    return click.option(
        "--today",
        type=DateParameter(),
        default=lambda: business_date(utc_now()),
        help="Business date, YYYY-MM-DD; default: today in Asia/Shanghai.",
    )(command)
