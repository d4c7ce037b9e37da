"""`mingzhang demo`: what `make demo` runs."""

import os
from typing import Any

import click

from billing.business_day import business_date
from bot.cli.installation import var_folder
from bot.demo.run import DemoError, DemoOptions, run_demo
from bot.demo.seed import Plan
from bot.embedded import EmbeddedError
from bot.program import utc_now
from bot.schema import SchemaError
from bot.settings import SettingsError


def _port(name: str, default: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise click.ClickException(f"{name} must be a port number, not {value!r}")
    return int(value)


@click.command()
@click.option("--households", type=click.IntRange(10, 20_000), default=600, show_default=True)
@click.option("--months", type=click.IntRange(1, 60), default=14, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--clock-rate",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="How much faster than real the sandbox retries and expires.",
)
def demo(clock_rate: float, **size: Any) -> None:
    """Start everything with demo data; Ctrl-C stops it."""
    options = DemoOptions(
        plan=Plan(today=business_date(utc_now()), utilities=True, **size),
        var=var_folder(),
        port=_port("MINGZHANG_PORT", 8000),
        sandbox_port=_port("MINGZHANG_SANDBOX_PORT", 8100),
        clock_rate=clock_rate,
    )
    try:
        run_demo(options)
    except (DemoError, EmbeddedError, SchemaError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
