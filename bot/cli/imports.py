"""`mingzhang import`: master data, opening balances and readings from Excel."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.imports.columns import SheetKind
from billing.imports.parallel_run import compare_workbook, write_comparison
from billing.imports.parsing import Advance
from billing.imports.run import Outcome, import_workbook
from billing.imports.template import write_faults, write_template
from billing.imports.workbook import Sheet, read_workbook
from billing.period import Period
from billing.property import get_community
from bot.cli.installation import open_program, print_json, refusals
from bot.cli.options import community_option, period_option, today_option

FILE = click.Path(dir_okay=False, path_type=Path)
workbook_argument = click.argument("file", type=FILE)
errors_option = click.option("--errors", type=FILE, help="Write what is wrong to this .xlsx file.")


@click.group("import")
def imports() -> None:
    """Import an .xlsx workbook: all of it or nothing."""


@imports.command()
@workbook_argument
def template(file: Path) -> None:
    """Write the workbook to fill in."""
    with refusals():
        write_template(file)
    print_json({"file": str(file), "sheets": [kind.label for kind in SheetKind]})


@imports.command()
@workbook_argument
@community_option
@errors_option
@today_option
@click.pass_context
def check(context: click.Context, file: Path, code: str, errors: Path | None, today: date) -> None:
    """Check every row and write nothing; exit 1 when something is wrong."""
    _import(context, file, code, errors, today=today, write=False)


@imports.command()
@workbook_argument
@community_option
@errors_option
@today_option
@click.pass_context
def run(context: click.Context, file: Path, code: str, errors: Path | None, today: date) -> None:
    """Import a workbook; safe to repeat. Exit 1, and nothing written, when something is wrong."""
    _import(context, file, code, errors, today=today, write=True)


@imports.command()
@workbook_argument
@community_option
@period_option
@click.option("--report", type=FILE, help="Write the differences to this .xlsx file.")
@click.pass_context
def compare(
    context: click.Context, file: Path, code: str, period: Period, report: Path | None
) -> None:
    """Compare the old system's bills of a month with ours; exit 1 when a row cannot be read."""
    with open_program() as program:
        sheets = read_workbook(file)
        with program.services.database.transaction() as session:
            community = get_community(session, code)
            comparison = compare_workbook(session, community.id, period, sheets)
        if report is not None and not comparison.faults:
            write_comparison(report, comparison)
    print_json(comparison.as_json())
    context.exit(1 if comparison.faults else 0)


def _import(
    context: click.Context,
    file: Path,
    code: str,
    errors: Path | None,
    *,
    today: date,
    write: bool,
) -> None:
    with open_program() as program:
        sheets = read_workbook(file)
        services = program.services
        with _progress(sheets) as advance, services.database.transaction() as session:
            outcome: Outcome = import_workbook(
                session,
                sheets,
                code,
                services.vault,
                by=None,
                today=today,
                now=services.clock(),
                write=write,
                advance=advance,
            )
        if errors is not None and outcome.faults:
            write_faults(errors, outcome.faults)
    print_json(outcome.as_json())
    context.exit(1 if outcome.faults else 0)


@contextmanager
def _progress(sheets: list[Sheet]) -> Iterator[Advance]:
    """A bar on stderr for whoever watches; every row is read, checked and written."""
    rows = sum(len(sheet.rows) for sheet in sheets)
    bar: Any
    with click.progressbar(
        length=3 * rows, label="import", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield bar.update
