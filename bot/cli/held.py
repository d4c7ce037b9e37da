"""`mingzhang deposit`, `mingzhang prepayment`: owners' money that is with us."""

from collections.abc import Callable
from datetime import date
from typing import Any

import click

from billing.deduction import deduct_home
from billing.deposits import (
    DepositState,
    forfeit_deposit,
    list_deposits,
    return_deposit,
    take_deposit,
)
from billing.money import Money
from billing.payment_tables import Payment
from billing.prepayments import (
    balance,
    list_auto_deduction,
    list_movements,
    set_auto_deduction,
)
from bot.cli.installation import open_books, print_json
from bot.cli.options import (
    amount_option,
    by_option,
    community_option,
    home_options,
    today_option,
)

number_option = click.option("--number", required=True, help="Number of the paper handed out.")


@click.group()
def deposit() -> None:
    """Deposits: taken, returned, or kept with a reason."""


@deposit.command("take")
@home_options
@number_option
@click.option("--purpose", required=True, help="What it is for, as printed on the paper.")
@amount_option
@by_option
@today_option
def take(
    code: str, room: str, number: str, purpose: str, amount: Money, login: str, today: date
) -> None:
    """Take a deposit in cash; the same paper again takes nothing."""
    with open_books(code) as books:
        unit = books.unit(room)
        taken = take_deposit(
            books.session,
            community_id=unit.community_id,
            unit_id=unit.id,
            number=number,
            purpose=purpose,
            amount=amount,
            by=books.staff(login).id,
            on=today,
            now=books.now,
        )
        [state] = list_deposits(books.session, unit.community_id, deposit_ids=[taken.id])
    print_json(_deposit_json(state))


@deposit.command("return")
@community_option
@number_option
@amount_option
@click.option("--reason", required=True)
@by_option
@today_option
def give_back(code: str, number: str, amount: Money, reason: str, login: str, today: date) -> None:
    """Give back a deposit or a part of it, in cash."""
    _give_up(return_deposit, code, number, amount, reason, login, today)


@deposit.command("forfeit")
@community_option
@number_option
@amount_option
@click.option("--reason", required=True, help="What it is kept for.")
@by_option
@today_option
def forfeit(code: str, number: str, amount: Money, reason: str, login: str, today: date) -> None:
    """Keep a deposit or a part of it; it becomes income."""
    _give_up(forfeit_deposit, code, number, amount, reason, login, today)


def _give_up(
    give_up: Callable[..., DepositState],
    code: str,
    number: str,
    amount: Money,
    reason: str,
    login: str,
    today: date,
) -> None:
    with open_books(code) as books:
        state = give_up(
            books.session,
            books.community_id,
            number,
            amount,
            reason=reason,
            by=books.staff(login).id,
            on=today,
            now=books.now,
        )
    print_json(_deposit_json(state))


@deposit.command("list")
@community_option
@click.option("--room", help="Of one home; default: of all.")
def list_all(code: str, room: str | None) -> None:
    """Deposits with what is held of them."""
    with open_books(code) as books:
        units = None if room is None else [books.unit(room).id]
        found = list_deposits(books.session, books.community_id, unit_ids=units)
    print_json([_deposit_json(state) for state in found])


def _deposit_json(state: DepositState) -> dict[str, Any]:
    return {
        "number": state.number,
        "room": state.room,
        "purpose": state.purpose,
        "taken_on": state.taken_on,
        "taken_fen": state.taken.fen,
        "returned_fen": state.returned.fen,
        "forfeited_fen": state.forfeited.fen,
        "held_fen": state.held.fen,
    }


@click.group()
def prepayment() -> None:
    """Prepayments: an owner's money with us."""


@prepayment.command("balance")
@home_options
def show_balance(code: str, room: str) -> None:
    """What a home has with us and how it came about, newest first."""
    with open_books(code) as books:
        unit = books.unit(room)
        kept = balance(books.session, unit.community_id, unit.id)
        movements = list_movements(books.session, unit.community_id, unit.id)
        items = list_auto_deduction(books.session, unit.community_id, unit.id)
    print_json(
        {
            "room": room,
            "balance_fen": kept.fen,
            "auto": items,
            "movements": [
                {
                    "on": move.on,
                    "amount_fen": move.amount.fen,
                    "why": move.why.value,
                    "number": move.number,
                    "periods": [str(period) for period in move.periods],
                }
                for move in movements
            ],
        }
    )


@prepayment.command("auto")
@home_options
@click.option("--item", "items", multiple=True, help="Code of a charge item; repeat for several.")
def choose(code: str, room: str, items: tuple[str, ...]) -> None:
    """Pay these items of new bills from the prepayment; none given: stop."""
    with open_books(code) as books:
        unit = books.unit(room)
        set_auto_deduction(books.session, unit.community_id, unit.id, items)
        chosen = list_auto_deduction(books.session, unit.community_id, unit.id)
    print_json({"room": room, "auto": chosen})


@prepayment.command("use")
@home_options
def use(code: str, room: str) -> None:
    """Pay what a home owes now from its prepayment, the oldest first."""
    with open_books(code) as books:
        unit = books.unit(room)
        payment = deduct_home(books.session, unit.community_id, unit.id, now=books.now)
        kept = balance(books.session, unit.community_id, unit.id)
    used = {"number": None, "amount_fen": 0} if payment is None else _payment_json(payment)
    print_json(used | {"balance_fen": kept.fen})


def _payment_json(payment: Payment) -> dict[str, Any]:
    return {"number": payment.out_trade_no, "amount_fen": payment.amount.fen}
