"""`mingzhang direct-debit`: mandates, batches and the bank's answers; the console does it too."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.direct_debit.bank_files import write_batch
from billing.direct_debit.batches import (
    cancel_batch,
    get_batch,
    list_orders,
    make_batch,
    mark_sent,
    prepare_file,
)
from billing.direct_debit.mandates import end_mandate, list_mandates, sign_mandate
from billing.direct_debit.results import import_results, read_results
from billing.direct_debit.tables import DirectDebitBatch, OrderState
from billing.people import get_staff
from billing.property import get_community, get_unit
from billing.statements.grid import read_grids
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import DateParameter, by_option, community_option, home_options, today_option

FILE = click.Path(dir_okay=False, path_type=Path)
paper_option = click.option("--paper", required=True, help="Number of the signed paper.")
number_option = click.option("--batch", "number", required=True, help="TS20261123-1")


@click.group("direct-debit")
def direct_debit() -> None:
    """Direct debit: fees taken from owners' accounts by the bank."""


@direct_debit.group()
def mandate() -> None:
    """Papers by which owners allow it."""


@mandate.command("add")
@home_options
@paper_option
@click.option("--holder", required=True, help="In whose name the account is.")
@click.option("--account", required=True, help="The account's number.")
@click.option("--signed-on", type=DateParameter(), required=True)
@click.option(
    "--notice-days", type=int, default=0, help="So long before a debit its holder is told."
)
@by_option
def add_mandate(
    code: str,
    room: str,
    paper: str,
    holder: str,
    account: str,
    signed_on: date,
    notice_days: int,
    login: str,
) -> None:
    """Write down a mandate; the same paper again changes nothing."""
    with open_program() as program, program.services.database.transaction() as session:
        community_id = get_community(session, code).id
        signed = sign_mandate(
            session,
            program.services.vault,
            community_id,
            get_unit(session, community_id, room).id,
            contract_code=paper,
            holder=holder,
            account=account,
            signed_on=signed_on,
            by=get_staff(session, login),
            now=program.services.clock(),
            notice_days=notice_days,
        )
        result = {"paper": paper, "room": room, "account_tail": signed.account_tail}
    print_json(result | {"state": signed.state.value})


@mandate.command("end")
@community_option
@paper_option
@by_option
@today_option
def end(code: str, paper: str, login: str, today: date) -> None:
    """End a mandate."""
    with open_books(code) as books:
        ended = end_mandate(
            books.session, books.community_id, paper, on=today, by=books.staff(login)
        )
    print_json({"paper": paper, "state": ended.state.value, "ended_on": ended.ended_on})


@mandate.command("list")
@community_option
def list_all(code: str) -> None:
    """Mandates of a community, masked."""
    with open_program() as program, program.services.database.transaction() as session:
        community_id = get_community(session, code).id
        found = list_mandates(session, program.services.vault, community_id)
    print_json(
        [
            {
                "paper": one.contract_code,
                "kind": one.kind.value,
                "room": one.room,
                "holder": one.holder,
                "account_tail": one.account_tail,
                "signed_on": one.signed_on,
                "ended_on": one.ended_on,
                "state": one.state.value,
            }
            for one in found
        ]
    )


@direct_debit.group()
def batch() -> None:
    """Orders that go to the bank in one file."""


@batch.command("make")
@community_option
@click.option("--due-by", type=DateParameter(), required=True, help="Bills due until this day.")
@by_option
def make(code: str, due_by: date, login: str) -> None:
    """Order what homes with a mandate owe."""
    with open_books(code) as books:
        made = make_batch(
            books.session,
            books.community_id,
            due_by=due_by,
            by=books.staff(login),
            now=books.now,
        )
        orders = [order.amount.fen for order, _ in list_orders(books.session, made)]
    skipped = {reason: len(homes) for reason, homes in made.skipped.items()}
    totals = {"orders": len(orders), "amount_fen": sum(orders), "skipped": skipped}
    print_json(_batch_json(made) | totals)


@batch.command("file")
@community_option
@number_option
@click.argument("file", type=FILE)
def write(code: str, number: str, file: Path) -> None:
    """Write the bank's file, .xlsx or .csv. It holds names and numbers: delete it when sent."""
    with open_program() as program:
        with program.services.database.transaction() as session:
            found = get_batch(session, get_community(session, code).id, number)
            lines = prepare_file(session, program.services.vault, found, program.services.clock())
            withdrawn = {
                order.no: order.reason
                for order, _ in list_orders(session, found)
                if order.state is OrderState.CANCELLED
            }
        write_batch(file, number, lines)
    written = {"batch": number, "file": str(file), "orders": len(lines)}
    print_json(written | {"withdrawn": withdrawn})


@batch.command("sent")
@community_option
@number_option
@by_option
def sent(code: str, number: str, login: str) -> None:
    """The bank has the file."""
    with open_books(code) as books:
        found = mark_sent(
            books.session, books.community_id, number, by=books.staff(login), now=books.now
        )
    print_json(_batch_json(found))


@batch.command("cancel")
@community_option
@number_option
@by_option
def cancel(code: str, number: str, login: str) -> None:
    """Take a batch back that the bank does not have yet."""
    with open_books(code) as books:
        found = cancel_batch(
            books.session, books.community_id, number, by=books.staff(login), now=books.now
        )
    print_json(_batch_json(found))


def _batch_json(found: DirectDebitBatch) -> dict[str, Any]:
    return {
        "batch": found.number,
        "due_by": found.due_by,
        "sent_from": found.sent_from,
        "state": found.state.value,
    }


@direct_debit.group()
def result() -> None:
    """The bank's answers."""


@result.command("import")
@click.argument("file", type=FILE)
@community_option
@number_option
@by_option
@click.pass_context
def take(context: click.Context, file: Path, code: str, number: str, login: str) -> None:
    """Book what was taken, close what was not; exit 1 when something does not fit."""
    with open_books(code) as books:
        outcome = import_results(
            books.session,
            books.community_id,
            number,
            read_results(read_grids(file)),
            by=books.staff(login),
            now=books.now,
        )
    print_json({"batch": number} | outcome.as_json())
    context.exit(0 if outcome.is_clean else 1)
