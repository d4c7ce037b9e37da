"""`mingzhang ladder` and `mingzhang holidays`: when bills are reminded of, and when not."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.business_day import business_date
from billing.errors import InvalidInput
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import community_option, today_option
from notify.holidays import load_holidays, read_days, read_holidays
from notify.ladder import Ladder
from notify.ladders import get_ladder, set_ladder

BYTES_MAX = 100_000


class DaysParameter(click.ParamType[list[int]]):
    """`7,3,0`; empty for none."""

    name = "days"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """Parse, or fail naming the option."""
        if isinstance(value, list):
            return value
        parts = [part.strip() for part in value.replace("，", ",").split(",") if part.strip()]
        if not all(part.isascii() and part.isdecimal() and len(part) <= 4 for part in parts):
            self.fail(f"{value!r} are not days like 7,3,0", param, ctx)
        return [int(part) for part in parts]


@click.group()
def ladder() -> None:
    """When a community reminds of bills (催缴阶梯)."""


@ladder.command()
@community_option
def show(code: str) -> None:
    """Days before and after the due date, and whether it goes on every month."""
    with open_books(code) as books:
        found = get_ladder(books.session, books.community_id)
    print_json(_json(code, found))


@ladder.command("set")
@community_option
@click.option("--due-soon", type=DaysParameter(), help='Days before, "7,3,0"; "" for none.')
@click.option("--overdue", type=DaysParameter(), help='Days after, "1,7,15,30"; "" for none.')
@click.option("--monthly/--no-monthly", "is_monthly", default=None, help="Then once a month.")
@today_option
def set_days(
    code: str,
    due_soon: list[int] | None,
    overdue: list[int] | None,
    is_monthly: bool | None,
    today: date,
) -> None:
    """Climb this ladder from today on; what is not given stays as it is."""
    if due_soon is None and overdue is None and is_monthly is None:
        raise click.UsageError("give --due-soon, --overdue or --monthly/--no-monthly")
    with open_books(code) as books:
        found = set_ladder(
            books.session,
            books.community_id,
            due_soon=due_soon,
            overdue=overdue,
            is_monthly=is_monthly,
            today=today,
        )
    print_json(_json(code, found))


def _json(code: str, found: Ladder) -> dict[str, Any]:
    return {
        "community": code,
        "due_soon": list(found.due_soon),
        "overdue": list(found.overdue),
        "monthly": found.is_monthly,
        "since": found.since,
    }


@click.group()
def holidays() -> None:
    """Public holidays, when nobody is reminded (法定节假日)."""


@holidays.command("show")
@click.option("--year", type=click.IntRange(2000, 2199), help="This year by default.")
def show_holidays(year: int | None) -> None:
    """The holidays of a year that are known; none at all: the year has to be imported."""
    with open_program() as program, program.services.database.transaction() as session:
        wanted = year or business_date(program.services.clock()).year
        found = {day: name for day, name in read_holidays(session).items() if day.year == wanted}
    days = [{"day": day, "name": name} for day, name in sorted(found.items())]
    print_json({"year": wanted, "known": bool(days), "days": days})


@holidays.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_holidays(file: Path) -> None:
    """Load whole years from lines `2027-01-01,元旦`, every day off; what was loaded of these years
    is replaced.
    """
    with open_program() as program, program.services.database.transaction() as session:
        loaded = load_holidays(session, read_days(_lines(file)))
    print_json({"years": {str(year): count for year, count in loaded.items()}})


def _lines(file: Path) -> list[str]:
    if file.stat().st_size > BYTES_MAX:
        raise InvalidInput("file", f"{file.name} is no list of holidays: larger than 100 KB")
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InvalidInput("file", f"{file.name} is not UTF-8: save it as UTF-8 text") from None
