"""`mingzhang counter`: shifts of cashiers, and the money they take and give back."""

from datetime import date
from typing import Any

import click
from sqlalchemy.orm import Session

from billing.bills import get_bills
from billing.counter import cancel_payment, get_taken, take_payment
from billing.money import ZERO, Money
from billing.owed_lines import list_own_unpaid
from billing.payment_channels import CHANNELS
from billing.payment_tables import Payment, PaymentChannel
from billing.people import get_staff
from billing.prepayments import balance
from billing.property import get_community, get_unit
from billing.receipts import find_receipt, number_waiting
from billing.shifts import (
    ShiftReport,
    close_shift,
    get_open_shift,
    list_shifts,
    open_shift,
    report_shift,
)
from billing.till import spread
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import (
    NUMBER,
    AmountParameter,
    DateParameter,
    amount_option,
    by_option,
    community_option,
    home_options,
)
from handlers.counter_orders import order_at_counter
from handlers.ordering import alone

RECEIPTS_AT_ONCE = 500


@click.group()
def counter() -> None:
    """The counter: shifts, cash, cards, slips, codes to scan."""


@counter.command("shift-open")
@community_option
@by_option
@click.option(
    "--float", "opening_float", type=AmountParameter(), required=True, help="Cash in the drawer."
)
def shift_open(code: str, login: str, opening_float: Money) -> None:
    """Begin a shift; one at a time per cashier."""
    with open_books(code) as books:
        shift = open_shift(
            books.session,
            books.community_id,
            books.staff(login),
            opening_float=opening_float,
            now=books.now,
        )
        report = report_shift(books.session, shift)
    print_json(_shift_json(report))


@counter.command("shift-close")
@community_option
@by_option
@click.option("--counted", type=AmountParameter(), required=True, help="Cash that was counted.")
@click.option("--reason", default="", help="Why it differs from what is expected.")
@click.option("--shift", "shift_id", type=NUMBER, help="A manager closes this one; default: own.")
def shift_close(code: str, login: str, counted: Money, reason: str, shift_id: int | None) -> None:
    """End a shift with the counted cash; a difference is posted and needs a reason."""
    with open_books(code) as books:
        by = books.staff(login)
        if shift_id is None:
            shift_id = get_open_shift(books.session, books.community_id, by).id
        report = close_shift(
            books.session,
            books.community_id,
            shift_id,
            counted=counted,
            reason=reason,
            by=by,
            now=books.now,
        )
    print_json(_shift_json(report))


@counter.command("pay")
@home_options
@by_option
@amount_option
@click.option("--number", required=True, help="Of the paper, the POS print-out or the slip.")
@click.option(
    "--channel",
    type=click.Choice([channel.value for channel, rule in CHANNELS.items() if rule.by_hand]),
    default=PaymentChannel.CASH.value,
    show_default=True,
)
@click.option(
    "--bill", "bills", type=NUMBER, multiple=True, help="What it is for; repeat for more."
)
@click.option("--prepay", is_flag=True, help="All of it is a prepayment.")
@click.option("--bank", help="Whose slip it is.")
@click.option("--paid-on", type=DateParameter(), help="Date of the slip.")
@click.option("--payer", help="Name of who pays, when it is somebody else.")
def pay(
    code: str, room: str, login: str, amount: Money, number: str, channel: str,
    bills: tuple[int, ...], prepay: bool, bank: str | None, paid_on: date | None,
    payer: str | None,
) -> None:  # fmt: skip
    """Take money: what it is named for is paid, else the oldest bills; the rest is prepaid.

    The same number again books nothing.
    """
    if bills and prepay:
        raise click.UsageError("--bill or --prepay, not both")
    with open_program() as program:
        services = program.services

        def take(session: Session) -> Payment:
            community_id = get_community(session, code).id
            shift = get_open_shift(session, community_id, get_staff(session, login))
            return take_payment(
                session,
                shift,
                unit_id=get_unit(session, community_id, room).id,
                amount=amount,
                channel=PaymentChannel(channel),
                number=number,
                designated=(
                    spread(session, community_id, bills, amount)
                    if bills
                    else ({} if prepay else None)
                ),
                bank=bank,
                payer_name_sealed=services.vault.seal(payer) if payer else None,
                paid_on=paid_on,
                now=services.clock(),
            )

        payment = alone(services, take)
        with services.database.transaction() as session:
            number_waiting(session, services.clock(), limit=RECEIPTS_AT_ONCE)
            answer = _payment_json(session, payment)
    print_json(answer)


@counter.command("cancel")
@community_option
@by_option
@click.option("--number", required=True, help="Of the payment.")
@click.option("--reason", required=True)
def cancel(code: str, login: str, number: str, reason: str) -> None:
    """Take back a payment of a shift that is still open, by reversal."""
    with open_books(code) as books:
        payment = get_taken(books.session, books.community_id, number)
        cancel_payment(books.session, payment, by=books.staff(login), reason=reason, now=books.now)
        answer = _payment_json(books.session, payment)
    print_json(answer)


@counter.command("qr")
@home_options
@click.option(
    "--bill", "bills", type=NUMBER, multiple=True, help="What it is for; repeat for more."
)
@click.option("--prepay", type=AmountParameter(), default=ZERO, help="Prepaid on top, yuan.")
def qr(code: str, room: str, bills: tuple[int, ...], prepay: Money) -> None:
    """Order a payment and print the code that whoever stands there scans; with neither bills nor a
    prepayment named, of all its present owners owe.
    """
    with open_program() as program:
        services = program.services
        with services.database.transaction() as session:
            unit = get_unit(session, get_community(session, code).id, room)
            if bills:
                found = get_bills(session, unit.community_id, set(bills))
            else:
                found = list_own_unpaid(session, unit.community_id, [unit.id]) if not prepay else []
        order = order_at_counter(
            services, unit, {bill.id: bill.outstanding for bill in found}, prepay
        )
    print_json(
        {
            "number": order.payment.out_trade_no,
            "amount_fen": order.payment.amount.fen,
            "code_url": order.code_url,
        }
    )


@counter.command("report")
@community_option
@click.option("--shift", "shift_id", type=NUMBER, help="One shift; default: the latest.")
def report(code: str, shift_id: int | None) -> None:
    """What shifts took by channel, what their drawers must hold and held."""
    with open_books(code) as books:
        reports = list_shifts(books.session, books.community_id)
    print_json(
        [_shift_json(one) for one in reports if shift_id is None or one.shift.id == shift_id]
    )


def _payment_json(session: Session, payment: Payment) -> dict[str, Any]:
    receipt = find_receipt(session, payment)
    kept = balance(session, payment.community_id, payment.unit_id)
    return {
        "number": payment.out_trade_no,
        "channel": payment.channel.value,
        "state": payment.state.value,
        "amount_fen": payment.amount.fen,
        "receipt": receipt.number if receipt else None,
        "balance_fen": kept.fen,
    }


def _shift_json(report: ShiftReport) -> dict[str, Any]:
    shift = report.shift
    return {
        "shift": shift.id,
        "opened_at": shift.opened_at,
        "closed_at": shift.closed_at,
        "float_fen": shift.opening_float.fen,
        "channels": {
            total.channel.value: {
                "payments": total.payments,
                "amount_fen": total.amount.fen,
                "cancelled": total.cancelled,
                "cancelled_fen": total.cancelled_amount.fen,
            }
            for total in report.channels
        },
        "cash": {
            part.way.value: {"times": part.times, "amount_fen": part.amount.fen}
            for part in report.cash
        },
        "expected_fen": report.expected.fen,
        "counted_fen": None if shift.counted is None else shift.counted.fen,
        "difference_fen": report.difference.fen,
        "reason": shift.reason,
    }
