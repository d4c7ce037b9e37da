"""`mingzhang bench`: the measured promises, one command each."""

import click

from benchmarks import understand as understand_bench
from bot.cli.installation import print_json


@click.group()
def bench() -> None:
    """Benchmarks; JSON on stdout."""


@bench.command()
def understand() -> None:
    """Time to understand one sentence."""
    print_json(understand_bench.measure())
