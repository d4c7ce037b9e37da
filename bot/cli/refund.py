"""`mingzhang refund`: money that goes back, by the way it came."""

from datetime import date
from typing import Any

import click
from sqlalchemy import select

from billing.errors import NotFound
from billing.money import Money
from billing.payment_tables import Payment
from billing.property import get_community
from billing.refund_outcomes import pay_out_refund, reject_refund
from billing.refund_tables import Refund, RefundStage
from billing.refunds import (
    approve_refund,
    get_refund,
    list_refunds,
    new_out_refund_no,
    request_refund,
    set_refund_limit,
)
from bot.cli.installation import Books, open_books, open_program, print_json
from bot.cli.options import (
    NUMBER,
    AmountParameter,
    CodeParameter,
    amount_option,
    by_option,
    community_option,
    today_option,
)
from handlers.refunding import send_refund

refund_argument = click.argument("refund_id", type=NUMBER)
reason_option = click.option("--reason", required=True, help="Why; the payer may read it.")


@click.group()
def refund() -> None:
    """Refunds: asked for by one person, approved by another, sent or paid out."""


@refund.command()
@click.option("--payment", "number", required=True, help="Order number of the payment.")
@amount_option
@reason_option
@click.option(
    "--release-bills",
    is_flag=True,
    help="Bills it paid may become owed again, the newest first, where it is no prepayment.",
)
@click.option(
    "--begun",
    help="Number of a refund that was begun on the provider's own site and is not in the books.",
)
@community_option
@by_option
def request(
    number: str,
    amount: Money,
    reason: str,
    release_bills: bool,
    begun: str | None,
    code: str,
    login: str,
) -> None:
    """Ask to give back money of a payment; another person approves."""
    with open_books(code) as books:
        asked = request_refund(
            books.session,
            books.community_id,
            _payment(books, number).id,
            amount,
            reason=reason,
            release_bills=release_bills,
            by=books.staff(login),
            now=books.now,
            out_refund_no=begun or new_out_refund_no(),
            is_begun=begun is not None,
        )
        print_json(_refund_json(asked))


@refund.command()
@refund_argument
@community_option
@by_option
@today_option
def approve(refund_id: int, code: str, login: str, today: date) -> None:
    """Approve and hold the money; above the community's limit two people must."""
    with open_books(code) as books:
        by = books.staff(login)
        decided = approve_refund(
            books.session, books.community_id, refund_id, by=by, today=today, now=books.now
        )
        print_json(_refund_json(decided))


@refund.command()
@refund_argument
@community_option
@reason_option
@by_option
def reject(refund_id: int, code: str, reason: str, login: str) -> None:
    """Refuse a request, or give up an approved refund no provider was told of."""
    with open_books(code) as books:
        by = books.staff(login)
        decided = reject_refund(
            books.session, books.community_id, refund_id, by=by, reason=reason, now=books.now
        )
        print_json(_refund_json(decided))


@refund.command("pay-out")
@refund_argument
@community_option
@click.option("--reference", required=True, help="Number of the signed slip or of the transfer.")
@by_option
def pay_out(refund_id: int, code: str, reference: str, login: str) -> None:
    """Book that a refund without a provider was given back."""
    with open_books(code) as books:
        paid = pay_out_refund(
            books.session,
            books.community_id,
            refund_id,
            by=books.staff(login),
            reference=reference,
            now=books.now,
        )
        print_json(_refund_json(paid))


@refund.command("list")
@community_option
@click.option("--state", type=CodeParameter(RefundStage), help="Default: every state.")
@click.option("--payment", "number", help="Of one payment, by its order number.")
def list_all(code: str, state: RefundStage | None, number: str | None) -> None:
    """Refunds, the oldest first."""
    with open_books(code) as books:
        found = list_refunds(
            books.session,
            books.community_id,
            states=[state] if state else [],
            payment_id=_payment(books, number).id if number else None,
        )
        print_json([_refund_json(each) for each in found])


@refund.command()
@refund_argument
@community_option
def send(refund_id: int, code: str) -> None:
    """Send an approved refund to its provider now; cron does it within a minute anyway."""
    with open_program() as program:
        services = program.services
        with services.database.transaction() as session:
            community_id = get_community(session, code).id
            wanted = get_refund(session, community_id, refund_id)
        outcome = send_refund(services, wanted)
        with services.database.transaction() as session:
            sent = get_refund(session, community_id, refund_id)
        print_json(_refund_json(sent) | {"outcome": outcome.value})


@refund.command()
@community_option
@click.option("--set", "limit", type=AmountParameter(), required=True, help="Yuan.")
@by_option
def limit(code: str, limit: Money, login: str) -> None:
    """Say above which amount two people approve a refund."""
    with open_books(code) as books:
        set_refund_limit(books.session, books.community_id, limit, by=books.staff(login))
    print_json({"community": code, "refund_limit_fen": limit.fen})


def _payment(books: Books, number: str) -> Payment:
    found = books.session.scalar(
        select(Payment).where(
            Payment.community_id == books.community_id, Payment.out_trade_no == number
        )
    )
    if found is None:
        raise NotFound(f"no payment {number!r} in this community")
    return found


def _refund_json(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "number": refund.out_refund_no,
        "payment_id": refund.payment_id,
        "amount_fen": refund.amount.fen,
        "released_fen": refund.released.fen,
        "state": refund.state.value,
        "label": refund.state.label,
        "needs_second_approval": refund.state is RefundStage.REQUESTED
        and refund.approved_by is not None,
        "reason": refund.reason,
        "failure": refund.failure,
        "done_at": refund.done_at,
    }
