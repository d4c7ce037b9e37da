"""`mingzhang bank-account`, `mingzhang bank-statement`: transfers; the console does it too."""

from pathlib import Path
from typing import Any

import click

from billing.bank_accounts import add_account, end_account, get_account, list_accounts
from billing.people import get_staff
from billing.property import get_community
from billing.statements.deciding import match_all
from billing.statements.grid import read_grids
from billing.statements.importing import import_statement
from billing.statements.rows import RowView, assign, ignore, list_rows
from billing.statements.tables import BankAccount, RowState
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import NUMBER, by_option, community_option, room_option

account_option = click.option("--account", "account_code", required=True, help="Code, e.g. icbc.")
reason_option = click.option("--reason", required=True, help="Why; kept with the row.")
row_argument = click.argument("row_id", type=NUMBER)


@click.group("bank-account")
def bank_account() -> None:
    """Accounts that owners transfer to."""


@bank_account.command("add")
@community_option
@account_option
@click.option("--holder", required=True, help="The company, as owners write it.")
@click.option("--bank", required=True, help="Bank and branch.")
@click.option("--number", required=True, help="The account's number.")
@by_option
def add(code: str, account_code: str, holder: str, bank: str, number: str, login: str) -> None:
    """Write down an account; the same again changes nothing."""
    with open_program() as program, program.services.database.transaction() as session:
        account = add_account(
            session,
            program.services.vault,
            get_community(session, code).id,
            code=account_code,
            holder=holder,
            bank=bank,
            number=number,
            by=get_staff(session, login),
            now=program.services.clock(),
        )
    print_json(_account_json(account))


@bank_account.command("end")
@community_option
@account_option
@by_option
def end(code: str, account_code: str, login: str) -> None:
    """Show an account to owners no longer."""
    with open_books(code) as books:
        account = end_account(
            books.session, books.community_id, account_code, by=books.staff(login), now=books.now
        )
    print_json(_account_json(account))


@bank_account.command("list")
@community_option
def list_all(code: str) -> None:
    """Accounts of a community; numbers masked."""
    with open_books(code) as books:
        found = [_account_json(one) for one in list_accounts(books.session, books.community_id)]
    print_json(found)


def _account_json(account: BankAccount) -> dict[str, Any]:
    return {
        "account": account.code,
        "holder": account.holder,
        "bank": account.bank,
        "last_four": account.last_four,
        "ended_at": account.ended_at,
    }


@click.group("bank-statement")
def bank_statement() -> None:
    """A bank's statements: imported, matched with homes, decided."""


@bank_statement.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@community_option
@account_option
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="KEY=HEADING",
    help="Which heading is what, where the guess is wrong; remembered for the bank. Keys: date,"
    " time, amount, direction, credit, debit, payer_name, payer_account, remarks (repeat for"
    " several), serial, balance. Nothing after = : the bank has none.",
)
@by_option
def take(file: Path, code: str, account_code: str, columns: tuple[str, ...], login: str) -> None:
    """Take what is new in a statement, and match what waits; safe to repeat."""
    told = _columns(columns)
    with open_program() as program:
        grids = read_grids(file)
        services = program.services
        with services.database.transaction() as session:
            account = get_account(session, get_community(session, code).id, account_code)
            imported = import_statement(
                session,
                services.vault,
                account,
                grids,
                told=told,
                by=get_staff(session, login),
                now=services.clock(),
            )
        counts = match_all(
            services.database, services.vault, account.community_id, now=services.clock()
        )
    states = {state.value: counts[state] for state in RowState if state in counts}
    print_json(imported.as_json() | {"states": states})


def _columns(given: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for one in given:
        key, equals, heading = one.partition("=")
        if not equals:
            raise click.BadParameter(f"{one!r} is not KEY=HEADING", param_hint="--column")
        several = key == "remarks" and heading
        told[key] = [*told.get(key, []), heading] if several else heading
    return told


@bank_statement.command("rows")
@community_option
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in RowState]),
    help="Repeat for several; none: all.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=500, show_default=True)
def rows(code: str, states: tuple[str, ...], limit: int) -> None:
    """Rows of statements with what speaks for which home; names and numbers masked."""
    with open_program() as program, program.services.database.transaction() as session:
        found = list_rows(
            session,
            program.services.vault,
            get_community(session, code).id,
            states=[RowState(state) for state in states],
            limit=limit,
        )
    print_json([_row_json(row) for row in found])


@bank_statement.command("assign")
@row_argument
@community_option
@room_option
@reason_option
@by_option
def assign_row(row_id: int, code: str, room: str, reason: str, login: str) -> None:
    """Book a row to a home."""
    with open_books(code) as books:
        row = assign(
            books.session,
            books.community_id,
            row_id,
            books.unit(room).id,
            reason=reason,
            by=books.staff(login),
            now=books.now,
        )
    print_json({"row": row.id, "state": row.state.value, "room": room})


@bank_statement.command("ignore")
@row_argument
@community_option
@reason_option
@by_option
def ignore_row(row_id: int, code: str, reason: str, login: str) -> None:
    """Say that a row is no home's money, e.g. interest."""
    with open_books(code) as books:
        row = ignore(
            books.session,
            books.community_id,
            row_id,
            reason=reason,
            by=books.staff(login),
            now=books.now,
        )
    print_json({"row": row.id, "state": row.state.value})


def _row_json(row: RowView) -> dict[str, Any]:
    return {
        "row": row.id,
        "at": row.value_at,
        "amount_fen": row.amount.fen,
        "payer": row.payer,
        "account_tail": row.account_tail,
        "remark": row.remark,
        "serial": row.serial,
        "state": row.state.value,
        "room": row.room,
        "payment": row.payment,
        "is_reversed": row.is_reversed,
        "evidence": row.evidence,
        "reason": row.reason,
    }
