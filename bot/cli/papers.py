"""`mingzhang receipt`, `mingzhang fapiao`, `mingzhang day-close`: what is written about money."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.day_close import DayClose, close_day
from billing.fapiao import (
    find_file,
    get_fapiao,
    issue_fapiao,
    list_fapiao,
    list_parts,
    open_title,
    reject_fapiao,
    reverse_fapiao,
)
from billing.fapiao_papers import FILE_BYTES_MAX
from billing.fapiao_tables import Fapiao, FapiaoState, TitleKind
from billing.people import get_staff
from billing.privacy import Vault, mask_name
from billing.property import Unit, get_community
from billing.receipts import get_receipt, number_waiting
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import NUMBER, CodeParameter, by_option, community_option, today_option
from bot.program import Program

RECEIPTS_AT_ONCE = 2000


@click.group()
def receipt() -> None:
    """Receipts: numbered after the payment, without gaps."""


@receipt.command("number")
def number_receipts() -> None:
    """Number the receipts that wait; workers do it by themselves."""
    with open_program() as program:
        done = _number_all(program)
    print_json({"numbered": done})


def _number_all(program: Program) -> int:
    services, done = program.services, 0
    while True:
        with services.database.transaction() as session:
            count = number_waiting(session, services.clock(), limit=RECEIPTS_AT_ONCE)
        done += count
        if count < RECEIPTS_AT_ONCE:
            return done


@receipt.command("show")
@community_option
@click.option("--number", required=True, help="As printed, e.g. 2026-000123.")
def show_receipt(code: str, number: str) -> None:
    """What a receipt says, and whether it stands."""
    with open_books(code) as books:
        found, payment = get_receipt(books.session, books.community_id, number)
        unit = books.session.get_one(Unit, (payment.community_id, payment.unit_id))
    print_json(
        {
            "receipt": found.number,
            "issued_at": found.issued_at,
            "room": unit.room,
            "number": payment.out_trade_no,
            "channel": payment.channel.value,
            "state": payment.state.value,
            "amount_fen": payment.amount.fen,
            "paid_at": payment.paid_at,
        }
    )


@click.group()
def fapiao() -> None:
    """Fapiao that owners asked for."""


identifier = click.argument("fapiao_id", type=NUMBER)
reason_option = click.option("--reason", required=True, help="The owner is told it.")


@fapiao.command("list")
@community_option
@click.option("--state", type=CodeParameter(FapiaoState), help="Default: all.")
def list_all(code: str, state: FapiaoState | None) -> None:
    """What was asked for, the latest first; names of people are masked."""
    with open_program() as program, program.services.database.transaction() as session:
        states = (state,) if state else tuple(FapiaoState)
        found = list_fapiao(session, get_community(session, code).id, states=states)
        answer = [_fapiao_json(program.services.vault, one, masked=True) for one in found]
    print_json(answer)


@fapiao.command("show")
@community_option
@identifier
def show(code: str, fapiao_id: int) -> None:
    """One of them with everything that is needed to issue it."""
    with open_program() as program, program.services.database.transaction() as session:
        one = get_fapiao(session, get_community(session, code).id, fapiao_id)
        parts = list_parts(session, one)
        attached = find_file(session, one)
        answer = _fapiao_json(program.services.vault, one, masked=False)
    print_json(
        answer
        | {
            "payments": [
                {"number": payment.out_trade_no, "amount_fen": amount.fen}
                for payment, amount in parts
            ],
            "file": attached.kind.value if attached else None,
        }
    )


@fapiao.command("issue")
@community_option
@identifier
@by_option
@click.option("--number", required=True, help="20 digits, or 8.")
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="PDF, OFD or PNG, at most 1 MB.")  # fmt: skip
def issue(code: str, fapiao_id: int, login: str, number: str, path: Path | None) -> None:
    """Write down its number and attach its file; the owner is told."""
    content = None
    if path is not None:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    with open_program() as program, program.services.database.transaction() as session:
        done = issue_fapiao(
            session,
            get_community(session, code).id,
            fapiao_id,
            number=number,
            content=content,
            by=get_staff(session, login),
            now=program.services.clock(),
        )
        answer = _fapiao_json(program.services.vault, done, masked=True)
    print_json(answer)


@fapiao.command("reject")
@community_option
@identifier
@by_option
@reason_option
def reject(code: str, fapiao_id: int, login: str, reason: str) -> None:
    """Refuse a request; the owner may ask again."""
    with open_program() as program, program.services.database.transaction() as session:
        done = reject_fapiao(
            session,
            get_community(session, code).id,
            fapiao_id,
            reason=reason,
            by=get_staff(session, login),
            now=program.services.clock(),
        )
        answer = _fapiao_json(program.services.vault, done, masked=True)
    print_json(answer)


@fapiao.command("reverse")
@community_option
@identifier
@by_option
@reason_option
@click.option("--number", required=True, help="Of the red fapiao.")
def reverse(code: str, fapiao_id: int, login: str, reason: str, number: str) -> None:
    """Write down that it was taken back by a red one; it may be asked for again."""
    with open_program() as program, program.services.database.transaction() as session:
        done = reverse_fapiao(
            session,
            get_community(session, code).id,
            fapiao_id,
            reason=reason,
            red_number=number,
            by=get_staff(session, login),
            now=program.services.clock(),
        )
        answer = _fapiao_json(program.services.vault, done, masked=True)
    print_json(answer)


def _fapiao_json(vault: Vault, one: Fapiao, *, masked: bool) -> dict[str, Any]:
    title = open_title(vault, one)
    hidden = masked and title.kind is TitleKind.PERSONAL
    return {
        "id": one.id,
        "state": one.state.value,
        "kind": title.kind.value,
        "title": mask_name(title.name) if hidden else title.name,
        "tax_number": title.tax_number,
        "look_twice": title.is_legacy_number,
        "email": None if masked else title.email,
        "amount_fen": one.amount.fen,
        "requested_at": one.requested_at,
        "number": one.number,
        "red_number": one.red_number,
        "reason": one.end_reason,
    }


@click.command("day-close")
@community_option
@by_option
@today_option
def day_close(code: str, login: str, today: date) -> None:
    """Close a day: what came since the last close by channel, receipts, what went back."""
    with open_program() as program:
        _number_all(program)
        with program.services.database.transaction() as session:
            community_id = get_community(session, code).id
            close = close_day(
                session,
                community_id,
                today,
                by=get_staff(session, login),
                now=program.services.clock(),
            )
    print_json(_close_json(close))


def _close_json(close: DayClose) -> dict[str, Any]:
    return {
        "day": close.day,
        "after": close.after,
        "payments": close.payments,
        "amount_fen": close.amount.fen,
        "channels": close.channels,
        "late": close.late,
        "late_fen": close.late_amount.fen,
        "cancelled": close.cancelled,
        "cancelled_fen": close.cancelled_amount.fen,
        "refunded": close.refunded,
        "refunded_fen": close.refunded_amount.fen,
        "first_receipt": close.first_receipt,
        "last_receipt": close.last_receipt,
    }
