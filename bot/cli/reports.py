"""`mingzhang collection`, `arrears`: what staff ask for in the chat, as JSON."""

from datetime import date
from typing import Any

import click

from billing.money import ZERO, Money
from billing.period import Period
from billing.reports.arrears import list_arrears
from billing.reports.collection import Collection, Part, collected, collected_by
from billing.reports.scope import Scope
from billing.tariffs import FeeKind
from bot.cli.installation import open_books, print_json
from bot.cli.options import (
    AmountParameter,
    CodeParameter,
    PeriodParameter,
    community_option,
    today_option,
)
from notify.wording import percent


def scope_options(command: Any) -> Any:
    """What a report is about: months, buildings, fees; everything by default."""
    for option in (
        click.option("--fee", "fees", type=CodeParameter(FeeKind), multiple=True),
        click.option("--building", "buildings", multiple=True, help="Code of a building."),
        click.option("--to", "last", type=PeriodParameter(), help="Last month; --from by default."),
        click.option("--from", "first", type=PeriodParameter(), help="First month, YYYY-MM."),
    ):
        command = option(command)
    return command


@click.command()
@community_option
@scope_options
@click.option("--by", "part", type=click.Choice([part.value for part in Part]))
@today_option
def collection(
    code: str,
    first: Period | None,
    last: Period | None,
    buildings: tuple[str, ...],
    fees: tuple[FeeKind, ...],
    part: str | None,
    today: date,
) -> None:
    """收缴率: paid of what was billed, as of the end of a day; in parts by building, entrance,
    period or fee.
    """
    with open_books(code) as books:
        scope = Scope(books.community_id, first, last or first, buildings, fees=fees)
        whole = collected(books.session, scope, today)
        parts = collected_by(books.session, Part(part), scope, today) if part else []
    print_json(_collection(whole) | {"parts": [_collection(each) for each in parts]})


def _collection(one: Collection) -> dict[str, Any]:
    rate = one.rate
    return {
        "part": one.part,
        "due": one.due.yuan,
        "paid": one.paid.yuan,
        "homes": one.homes,
        "homes_paid": one.homes_paid,
        "rate": None if rate is None else percent(rate),
    }


@click.command()
@community_option
@scope_options
@click.option("--at-least", type=AmountParameter(), help="Only homes that owe so much, yuan.")
@today_option
def arrears(
    code: str,
    first: Period | None,
    last: Period | None,
    buildings: tuple[str, ...],
    fees: tuple[FeeKind, ...],
    at_least: Money | None,
    today: date,
) -> None:
    """欠费名单: homes that owe on bills due before a day, the most first."""
    with open_books(code) as books:
        scope = Scope(books.community_id, first, last or first, buildings, fees=fees)
        found = list_arrears(books.session, scope, today, at_least)
    print_json(
        {
            "homes": len(found),
            "owed": sum((one.owed for one in found), ZERO).yuan,
            "arrears": [
                {
                    "room": one.room,
                    "owed": one.owed.yuan,
                    "periods": one.periods,
                    "oldest_due_on": one.oldest_due_on,
                }
                for one in found
            ],
        }
    )
