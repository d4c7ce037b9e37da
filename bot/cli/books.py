"""Commands on the books: bill-run, bill-preview, remind, check."""

from datetime import date
from typing import Any

import click
from sqlalchemy import select

from billing.bill_run import run_bills
from billing.bill_schedule import missed_periods
from billing.checks import check_books
from billing.period import Period
from billing.property import Community, get_community
from billing.run_preview import preview_run
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import community_option, period_option, today_option


@click.command("bill-run")
@click.option("--community", "codes", multiple=True, help="Code of a community; may be repeated.")
@click.option("--all", "every", is_flag=True, help="Every community.")
@period_option
@click.option("--catch-up", is_flag=True, help="Months missed before it first, in order.")
@click.option("--publish", is_flag=True, help="Issue the drafts of the period as well.")
@today_option
def bill_run(
    codes: tuple[str, ...], every: bool, period: Period, catch_up: bool, publish: bool, today: date
) -> None:
    """Draft the bills still missing for a period, and issue them with --publish.

    One community and one month print one object, anything else a list of them.
    """
    if every == bool(codes):
        raise click.UsageError("give either --community (once or more) or --all")
    with open_program() as program:
        database, now = program.services.database, program.services.clock()
        with database.transaction() as session:
            communities = (
                list(session.scalars(select(Community).order_by(Community.id)))
                if every
                else [get_community(session, code) for code in codes]
            )
        done = []
        for community in communities:
            with database.transaction() as session:
                periods = missed_periods(session, community.id, period) if catch_up else []
            for month in periods or [period]:
                summary = run_bills(
                    database, community, month, today=today, now=now, publish=publish
                )
                done.append((community.code, str(month), summary.as_json()))
        if len(codes) == 1 and not catch_up:
            print_json(done[0][2])
        else:
            print_json([{"community": at, "period": on} | summary for at, on, summary in done])


@click.command("bill-preview")
@community_option
@period_option
def bill_preview(code: str, period: Period) -> None:
    """What publishing a period's drafts would issue, what is left out and why, and outliers."""
    with open_books(code) as books:
        print_json(preview_run(books.session, books.community_id, period).as_json())


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
        results: list[dict[str, Any]] = [
            {"name": result.name, "rows": result.rows, "violations": result.violations}
            for result in check_books(session)
        ]
    well = not any(result["violations"] for result in results)
    print_json({"ok": well, "checks": results})
    context.exit(0 if well else 1)
