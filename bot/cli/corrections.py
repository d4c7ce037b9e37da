"""`mingzhang bill`, `close` and `trial-balance`: what happens to bills after issue, and months."""

from datetime import date
from typing import Any

import click

from billing.adjustment_tables import Adjustment, AdjustmentKind, AdjustmentState, AfterVoid
from billing.adjustments import (
    approve_adjustment,
    list_adjustments,
    refuse_adjustment,
    request_adjustment,
    reverse_adjustment,
)
from billing.bill_lines import LineState, list_lines
from billing.bills import BillState, list_bills
from billing.closing import close_period, trial_balance
from billing.money import ZERO, Money
from billing.people import get_staff
from billing.period import Period
from billing.property import get_community
from billing.voids import void_bill, void_run
from bot.cli.installation import Books, open_books, open_program, print_json
from bot.cli.options import (
    NUMBER,
    PeriodParameter,
    by_option,
    community_option,
    home_options,
    period_option,
    today_option,
)

reason_option = click.option("--reason", required=True, help="Why; kept with the books.")
after_option = click.option(
    "--after",
    type=click.Choice([after.value for after in AfterVoid]),
    default=AfterVoid.REDO.value,
    show_default=True,
    help="What the next run does: charge the days again, or never.",
)


@click.group()
def bill() -> None:
    """Bills after their issue: voids, waivers, corrections."""


@bill.command("list")
@home_options
def list_of_home(code: str, room: str) -> None:
    """Issued bills of a home with their lines, oldest due date first."""
    with open_books(code) as books:
        unit = books.unit(room)
        bills = list_bills(books.session, books.community_id, [unit.id])
        lines = list_lines(books.session, books.community_id, [found.id for found in bills])
        print_json(
            [
                _bill_json(found, [line for line in lines if line.bill_id == found.id])
                for found in bills
            ]
        )


def _bill_json(found: BillState, lines: list[LineState]) -> dict[str, Any]:
    return {
        "id": found.id,
        "period": str(found.period),
        "due_on": found.due_on.isoformat(),
        "amount_fen": found.amount.fen,
        "outstanding_fen": found.outstanding.fen,
        "lines": [
            {
                "id": line.id,
                "item": line.item_code,
                "subject": line.subject_code,
                "from": line.period_from.isoformat(),
                "to": line.period_to.isoformat(),
                "amount_fen": line.amount.fen,
                "outstanding_fen": line.outstanding.fen,
            }
            for line in lines
        ],
    }


@bill.command("void")
@click.argument("bill_id", type=NUMBER)
@community_option
@after_option
@reason_option
@by_option
@today_option
def void_one(bill_id: int, code: str, after: str, reason: str, login: str, today: date) -> None:
    """Void a bill; what was paid on it becomes the home's prepayment."""
    with open_books(code) as books:
        void_bill(
            books.session,
            books.community_id,
            bill_id,
            after=AfterVoid(after),
            reason=reason,
            by=books.staff(login),
            today=today,
            now=books.now,
        )
    print_json({"bill": bill_id, "voided": True, "after": after})


@bill.command("void-run")
@click.argument("run_id", type=NUMBER)
@community_option
@after_option
@reason_option
@by_option
@today_option
def void_whole_run(
    run_id: int, code: str, after: str, reason: str, login: str, today: date
) -> None:
    """Void every bill of a run that is not void yet; when it is interrupted, call it again."""
    with open_program() as program:
        database = program.services.database
        with database.transaction() as session:
            community, by = get_community(session, code), get_staff(session, login)
        voided = void_run(
            database,
            community.id,
            run_id,
            after=AfterVoid(after),
            reason=reason,
            by=by,
            today=today,
            now=program.services.clock(),
        )
    print_json({"run": run_id, "voided": voided, "after": after})


@bill.command()
@click.option("--line", "line_id", type=NUMBER, required=True, help="Number of the bill line.")
@click.option("--amount", required=True, help="Yuan to be waived, e.g. 30.00.")
@community_option
@reason_option
@by_option
def waive(line_id: int, amount: str, code: str, reason: str, login: str) -> None:
    """Ask to waive part of a line; another person approves."""
    with open_books(code) as books:
        waived = -Money.from_yuan(amount)
        print_json(_request(books, line_id, AdjustmentKind.WAIVER, waived, reason, login))


@bill.command()
@click.option("--line", "line_id", type=NUMBER, required=True, help="Number of the bill line.")
@click.option("--amount", required=True, help="Yuan to add, e.g. 5.00 or -12.50.")
@community_option
@reason_option
@by_option
def adjust(line_id: int, amount: str, code: str, reason: str, login: str) -> None:
    """Ask to correct an error on a line; another person approves."""
    with open_books(code) as books:
        added = Money.from_yuan(amount)
        print_json(_request(books, line_id, AdjustmentKind.ADJUSTMENT, added, reason, login))


def _request(
    books: Books, line_id: int, kind: AdjustmentKind, amount: Money, reason: str, login: str
) -> dict[str, Any]:
    request = request_adjustment(
        books.session,
        books.community_id,
        line_id,
        kind=kind,
        amount=amount,
        reason=reason,
        by=books.staff(login),
        now=books.now,
    )
    return _adjustment_json(request)


@bill.command()
@click.argument("adjustment_id", type=NUMBER)
@community_option
@reason_option
@by_option
def reverse(adjustment_id: int, code: str, reason: str, login: str) -> None:
    """Ask to take an approved waiver or correction back; another person approves."""
    with open_books(code) as books:
        request = reverse_adjustment(
            books.session,
            books.community_id,
            adjustment_id,
            reason=reason,
            by=books.staff(login),
            now=books.now,
        )
        print_json(_adjustment_json(request))


@bill.command()
@click.argument("adjustment_id", type=NUMBER)
@community_option
@by_option
@today_option
def approve(adjustment_id: int, code: str, login: str, today: date) -> None:
    """Approve what somebody else asked for; it is booked at once."""
    with open_books(code) as books:
        approved = approve_adjustment(
            books.session,
            books.community_id,
            adjustment_id,
            by=books.staff(login),
            today=today,
            now=books.now,
        )
        print_json(_adjustment_json(approved))


@bill.command()
@click.argument("adjustment_id", type=NUMBER)
@community_option
@by_option
def refuse(adjustment_id: int, code: str, login: str) -> None:
    """Refuse what somebody else asked for."""
    with open_books(code) as books:
        refused = refuse_adjustment(
            books.session,
            books.community_id,
            adjustment_id,
            by=books.staff(login),
            now=books.now,
        )
        print_json(_adjustment_json(refused))


@bill.command("adjustments")
@community_option
@click.option(
    "--state",
    type=click.Choice([state.value for state in AdjustmentState]),
    default=AdjustmentState.REQUESTED.value,
    show_default=True,
)
def list_in_state(code: str, state: str) -> None:
    """Waivers and corrections in a state, oldest first."""
    with open_books(code) as books:
        found = list_adjustments(books.session, books.community_id, AdjustmentState(state))
        print_json([_adjustment_json(adjustment) for adjustment in found])


def _adjustment_json(adjustment: Adjustment) -> dict[str, Any]:
    return {
        "id": adjustment.id,
        "bill": adjustment.bill_id,
        "line": adjustment.bill_line_id,
        "kind": adjustment.kind.value,
        "amount_fen": adjustment.amount.fen,
        "reason": adjustment.reason,
        "state": adjustment.state.value,
        "reverses": adjustment.reverses_id,
        "effective_on": adjustment.effective_on and adjustment.effective_on.isoformat(),
    }


@click.command()
@community_option
@period_option
@by_option
def close(code: str, period: Period, login: str) -> None:
    """Close a month: nothing is posted into it any more."""
    with open_books(code) as books:
        closed = close_period(
            books.session, books.community_id, period, by=books.staff(login), now=books.now
        )
        print_json(
            {
                "community": code,
                "period": str(period),
                "entries": closed.entries,
                "total_fen": closed.total.fen,
            }
        )


@click.command("trial-balance")
@community_option
@click.option("--period", type=PeriodParameter(), help="Month, YYYY-MM; default: everything.")
def print_trial_balance(code: str, period: Period | None) -> None:
    """Opening balance, movements and closing balance of every account."""
    with open_books(code) as books:
        rows = trial_balance(books.session, books.community_id, period)
        debit = sum((row.debit for row in rows), ZERO)
        credit = sum((row.credit for row in rows), ZERO)
        print_json(
            {
                "community": code,
                "period": period and str(period),
                "debit_fen": debit.fen,
                "credit_fen": credit.fen,
                "accounts": [
                    {
                        "account": row.account,
                        "name": row.name,
                        "opening_fen": row.opening.fen,
                        "debit_fen": row.debit.fen,
                        "credit_fen": row.credit.fen,
                        "balance_fen": row.balance.fen,
                    }
                    for row in rows
                ],
            }
        )
