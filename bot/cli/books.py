"""Commands on the books: bill-run, remind, check."""

from datetime import date
from typing import Any

import click

from billing.bill_run import run_bills
from billing.checks import run_checks
from billing.period import Period
from billing.property import get_community
from bot.cli.installation import PeriodParameter, open_program, print_json, today_option


@click.command("bill-run")
@click.option("--community", "code", required=True, help="Code of the community.")
@click.option("--period", type=PeriodParameter(), required=True, help="Month, YYYY-MM.")
@click.option("--publish", is_flag=True, help="Issue the drafts of the period as well.")
@today_option
def bill_run(code: str, period: Period, publish: bool, today: date) -> None:
    """Draft the bills still missing for a period, and issue them with --publish."""
    with open_program() as program:
        database = program.services.database
        with database.transaction() as session:
            community = get_community(session, code)
        summary = run_bills(
            database,
            community,
            period,
            today=today,
            now=program.services.clock(),
            publish=publish,
        )
        print_json(summary.as_json())


@click.command()
@today_option
def remind(today: date) -> None:
    """Walk the reminder ladder for a date; safe to repeat."""
    with open_program() as program:
        print_json(program.notifier.remind(today))


@click.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Prove the books; exit 1 when a check finds something."""
    with open_program() as program, program.services.database.transaction() as session:
        # One snapshot: payments that come while we look must not look like faults.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        results: list[dict[str, Any]] = [
            {"name": result.name, "rows": result.rows, "violations": result.violations}
            for result in run_checks(session)
        ]
    well = not any(result["violations"] for result in results)
    print_json({"ok": well, "checks": results})
    context.exit(0 if well else 1)
