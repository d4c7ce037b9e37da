"""`mingzhang bench`: the measured promises, one command each."""

import click

from benchmarks import bank_matching as bank_matching_bench
from benchmarks import bill_run as bill_run_bench
from benchmarks import broadcast as broadcast_bench
from benchmarks import callbacks as callbacks_bench
from benchmarks import console as console_bench
from benchmarks import imports as imports_bench
from benchmarks import insight as insight_bench
from benchmarks import notify as notify_bench
from benchmarks import reconciliation as reconciliation_bench
from benchmarks import remind as remind_bench
from benchmarks import reports as reports_bench
from benchmarks import timing as timing_bench
from benchmarks import understand as understand_bench
from benchmarks import webhook as webhook_bench
from bot.cli.installation import print_json, var_folder


@click.group()
def bench() -> None:
    """Benchmarks; JSON on stdout."""


@bench.command()
def understand() -> None:
    """Time to understand one sentence."""
    print_json(understand_bench.measure())


@bench.command("bank-matching")
@click.option("--rows", type=click.IntRange(10, 200_000), default=10_000)
@click.option("--households", type=click.IntRange(100, 1_000_000), default=100_000)
def bank_matching(rows: int, households: int) -> None:
    """Match a bank's statement with the homes of a town, and book it."""
    print_json(bank_matching_bench.measure(rows, households))


@bench.command("bill-run")
@click.option("--households", type=click.IntRange(10, 1_000_000), default=10_000)
@click.option("--items", type=click.IntRange(1, 10), default=4)
@click.option("--history", type=click.IntRange(0, 60), default=0, help="Months billed before.")
def bill_run(households: int, items: int, history: int) -> None:
    """Draft and publish one period, against COPY of the very same rows."""
    print_json(bill_run_bench.measure(households, items, history))


@bench.command()
@click.option("--rows", type=click.IntRange(100, 1_000_000), default=100_000)
def imports(rows: int) -> None:
    """Take a community's lists from Excel, from the file to the committed books."""
    print_json(imports_bench.measure(rows))


@bench.command()
@click.option("--seconds", type=click.IntRange(1, 600), default=5)
@click.option("--rate", type=click.IntRange(1, 1000), default=100, help="Callbacks per second.")
@click.option("--payments", type=click.IntRange(1000, 5_000_000), default=20_000)
def callbacks(seconds: int, rate: int, payments: int) -> None:
    """WeChat Pay's callbacks at a steady rate, from due to booked and answered."""
    print_json(callbacks_bench.measure(seconds, rate, payments))


@bench.command()
@click.option("--homes", type=click.IntRange(100, 1_000_000), default=2_000)
def console(homes: int) -> None:
    """Open every list of the console, and export."""
    print_json(console_bench.measure(homes))


@bench.command()
@click.option("--rows", type=click.IntRange(1000, 1_000_000), default=100_000)
def reconciliation(rows: int) -> None:
    """Compare a day's statement with the books, against COPY of its rows."""
    print_json(reconciliation_bench.measure(rows))


@bench.command()
@click.option("--seconds", type=click.IntRange(1, 300), default=5)
@click.option("--households", type=click.IntRange(10, 1_000_000), default=2_000)
def webhook(seconds: int, households: int) -> None:
    """Owners asking for their bills, against a server that only decrypts and encrypts."""
    print_json(webhook_bench.measure(seconds, households))


@bench.command()
@click.option("--owners", type=click.IntRange(10, 1_000_000), default=2_000)
def notify(owners: int) -> None:
    """Tell owners of their bills, against bare posts of the same bodies."""
    print_json(notify_bench.measure(owners))


@bench.command()
@click.option("--owners", type=click.IntRange(10, 1_000_000), default=5_000)
@click.option("--payments", type=click.IntRange(1, 1000), default=40)
def broadcast(owners: int, payments: int) -> None:
    """Write to everybody, while some pay and wait for their receipts."""
    print_json(broadcast_bench.measure(owners, payments))


@bench.command()
@click.option("--bills", type=click.IntRange(100, 10_000_000), default=20_000)
def remind(bills: int) -> None:
    """Walk the reminder ladder over open bills."""
    print_json(remind_bench.measure(bills))


@bench.command()
@click.option("--owners", type=click.IntRange(10, 100_000), default=5_000)
@click.option("--seed", type=int, default=1)
def timing(owners: int, seed: int) -> None:
    """A year of invented owners, reminded at ten, at hours learned, and as if all were known; the
    curves are drawn into MINGZHANG_VAR.
    """
    print_json(timing_bench.measure(owners, seed, var_folder() / "timing.svg"))


@bench.command()
@click.option("--lines", type=click.IntRange(10_000, 100_000_000), default=1_000_000)
def reports(lines: int) -> None:
    """Every report over so many bill lines of one community."""
    print_json(reports_bench.measure(lines))


@bench.command()
@click.option("--households", type=click.IntRange(100, 100_000), default=600)
@click.option("--seed", type=int, default=1)
def insight(households: int, seed: int) -> None:
    """Find what was planted in a community: precision and recall, by kind."""
    print_json(insight_bench.measure(households, seed))
