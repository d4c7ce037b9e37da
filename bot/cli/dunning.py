"""`mingzhang dunning-letter`: letters of demand, calls and visits, and how letters arrived."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.dunning import list_dunnings, record_call
from billing.dunning_letters import LetterNumber, get_letter, list_services, record_service
from billing.dunning_tables import Dunning, DunningWay, LetterService, ServiceWay
from billing.people import get_staff
from billing.property import get_community, get_unit
from bot.cli.installation import Refused, open_books, open_program, print_json
from bot.cli.options import (
    CodeParameter,
    DateParameter,
    by_option,
    home_options,
    today_option,
)
from handlers.dunning_letter import RESPOND_DAYS, RESPOND_DAYS_USUAL, print_letter

number_option = click.option("--number", "printed", required=True, help="As printed.")
out_option = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the paper (HTML); default: its number, in this folder.",
)


@click.group("dunning-letter", invoke_without_command=True)
@click.option("--community", "code", help="Code of the community.")
@click.option("--room", help="Canonical room number, e.g. 3-2-501.")
@click.option("--by", "login", help="Login of the member of staff.")
@click.option(
    "--days",
    type=click.IntRange(RESPOND_DAYS[0], RESPOND_DAYS[-1]),
    default=RESPOND_DAYS_USUAL,
    show_default=True,
    help="To pay in.",
)
@out_option
@today_option
@click.pass_context
def dunning_letter(
    context: click.Context,
    code: str | None,
    room: str | None,
    login: str | None,
    days: int,
    out: Path | None,
    today: date,
) -> None:
    """Print a letter of demand (催缴函) about all that is overdue, number and keep it."""
    if context.invoked_subcommand is not None:
        return
    if code is None or room is None or login is None:
        raise click.UsageError("--community, --room and --by say which letter, and who prints it")
    with open_program() as program, program.services.database.transaction() as session:
        community = get_community(session, code)
        unit = get_unit(session, community.id, room)
        done = print_letter(
            session,
            program.services,
            community,
            unit,
            by=get_staff(session, login),
            today=today,
            days=days,
        )
        path = out or Path(f"{done.number}.html")
        _write(path, done.paper)
        answer = _letter_json(done.number, done.letter) | {
            "room": room,
            "late_fee_fen": done.late_fee.fen,
            "file": str(path),
        }
    print_json(answer)


def _write(path: Path, paper: str) -> None:
    """Before the letter is kept: one that cannot be printed has no number."""
    try:
        path.write_text(paper, encoding="utf-8")
    except OSError as error:
        raise Refused(f"--out: {path} cannot be written: {error.strerror}") from error


@dunning_letter.command("delivered")
@number_option
@click.option("--how", "way", type=CodeParameter(ServiceWay), required=True,
              help="signed, left or posted.")  # fmt: skip
@click.option("--on", type=DateParameter(), required=True)
@click.option("--tracking", help="Number of what was posted.")
@click.option("--note", help="Who signed, who witnessed.")
@by_option
@today_option
def delivered(
    printed: str,
    way: ServiceWay,
    on: date,
    tracking: str | None,
    note: str | None,
    login: str,
    today: date,
) -> None:
    """Keep how and when a letter was delivered; the same again changes nothing."""
    with open_program() as program, program.services.database.transaction() as session:
        _, letter = get_letter(session, printed)
        service = record_service(
            session,
            program.services.vault,
            letter,
            way=way,
            on=on,
            tracking_number=tracking,
            note=note,
            by=get_staff(session, login),
            today=today,
            now=program.services.clock(),
        )
    print_json({"number": printed.strip(), **_service_json(service)})


@dunning_letter.command("show")
@number_option
@out_option
def show(printed: str, out: Path | None) -> None:
    """Write the paper of a letter again, exactly as it was printed."""
    with open_program() as program, program.services.database.transaction() as session:
        community, letter = get_letter(session, printed)
        services = list_services(session, letter.community_id, [letter.id]).get(letter.id, [])
        paper = program.services.vault.open(str(letter.paper_sealed))
        number = LetterNumber(community.code, letter.year or 0, letter.no or 0)
        path = out or Path(f"{number}.html")
        _write(path, paper)
    print_json(
        _letter_json(number, letter)
        | {"file": str(path), "delivered": [_service_json(one) for one in services]}
    )


@dunning_letter.command("call")
@home_options
@click.option("--how", "way", type=CodeParameter(DunningWay), required=True,
              help="phone or visit.")  # fmt: skip
@click.option("--on", type=DateParameter(), required=True)
@click.option("--note", required=True, help="What was said; kept encrypted.")
@by_option
@today_option
def call(
    code: str, room: str, way: DunningWay, on: date, note: str, login: str, today: date
) -> None:
    """Keep that somebody was called or visited about what is overdue."""
    with open_program() as program, program.services.database.transaction() as session:
        community_id = get_community(session, code).id
        made = record_call(
            session,
            program.services.vault,
            community_id,
            get_unit(session, community_id, room).id,
            way=way,
            on=on,
            note=note,
            by=get_staff(session, login),
            today=today,
            now=program.services.clock(),
        )
    print_json({"id": made.id, "how": way.value, "on": on, "amount_fen": made.amount.fen})


@dunning_letter.command("list")
@home_options
def list_made(code: str, room: str) -> None:
    """Every demand people made of a home, with the deliveries of letters."""
    with open_books(code) as books:
        made = list_dunnings(books.session, books.community_id, books.unit(room).id)
        served = list_services(books.session, books.community_id, [one.id for one in made])
        answer = [
            {
                "id": one.id,
                "how": one.way.value,
                "on": one.made_on,
                "amount_fen": one.amount.fen,
                "number": str(LetterNumber(code, one.year, one.no))
                if one.year is not None and one.no is not None
                else None,
                "delivered": [_service_json(each) for each in served.get(one.id, [])],
            }
            for one in made
        ]
    print_json(answer)


def _letter_json(number: LetterNumber, letter: Dunning) -> dict[str, Any]:
    return {
        "number": str(number),
        "on": letter.made_on,
        "amount_fen": letter.amount.fen,
        "respond_by": letter.respond_by,
    }


def _service_json(service: LetterService) -> dict[str, Any]:
    return {
        "how": service.way.value,
        "on": service.served_on,
        "tracking": service.tracking_number,
    }
