"""Payments (缴费记录): found by any number, one with everything about it, its receipt to print."""

from datetime import timedelta

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import false
from werkzeug.wrappers import Response

from billing.bank_reference import format_reference
from billing.counter import cancel_payment, find_cashier, find_counter_payment
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.paid_lines import list_paid_lines, prepaid_parts, sum_paid
from billing.payment_channels import CHANNELS
from billing.payment_search import PaymentSearch, search_payments
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.people import Staff
from billing.privacy import mask_name
from billing.property import Unit
from billing.receipts import find_receipt, number_waiting
from billing.refund_tables import COUNTED_STAGES
from billing.refunds import list_refunds, refunded_of
from billing.shifts import get_shift
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.homes import meant
from handlers.console.lists import Listing, show_list
from handlers.receipt_paper import lay_out

RECEIPTS_AT_ONCE = 500
DAYS_SHOWN = 7
"""Of payments, when nothing is looked for: counting all of a large community's takes too long."""


class Done(LabelEnum):
    """What was done."""

    CANCELLED = "cancelled", "已撤销，收据作废，账单恢复待缴"


class PaymentColumn(LabelEnum):
    """Columns of the list of payments."""

    AT = "at", "时间"
    ROOM = "room", "房号"
    AMOUNT = "amount", "金额（元）"
    CHANNEL = "channel", "方式"
    STATE = "state", "状态"
    RECEIPT = "receipt", "收据号"
    NUMBER = "out_trade_no", "单号"


def index(desk: Desk) -> ResponseReturnValue:
    """Payments of the last days, the latest first, or whatever is looked for."""
    form = Form(request.args)
    if not any(form.typed(name) for name in ("q", "state", "first", "last")):
        form.values["first"] = (desk.today - timedelta(days=DAYS_SHOWN)).isoformat()
    wanted = form.typed("q")
    channel = form.choice("channel", PaymentChannel, default=PaymentChannel.CASH)
    state = form.choice("state", PaymentState, default=PaymentState.CONFIRMED)
    search = PaymentSearch(
        wanted,
        meant(desk, wanted) if wanted else false(),
        channel if form.typed("channel") and "channel" not in form.errors else None,
        state if form.typed("state") and "state" not in form.errors else None,
        form.optional_day("first"),
        form.optional_day("last"),
    )
    query = search_payments(desk.session, desk.community_id, search)
    listing = Listing("payments", PaymentColumn, query, newest_first=True)
    return show_list(
        desk,
        listing,
        "money/payments.html",
        form=form,
        channels=PaymentChannel,
        states=PaymentState,
    )


def _payment(desk: Desk, number: int) -> Payment:
    payment = desk.session.get(Payment, (desk.community_id, number))
    if payment is None:
        raise NotFound(f"no payment {number}")
    return payment


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One payment."""
    return _show(desk, _payment(desk, number), Form())


def _show(desk: Desk, payment: Payment, form: Form) -> tuple[str, int]:
    session = desk.session
    homes = [(payment.community_id, payment.unit_id)]
    note_sightings(session, homes, Sight.HISTORY, desk.now, staff_id=desk.staff.id)
    taken = find_counter_payment(session, payment)
    shift = get_shift(session, desk.community_id, taken.shift_id) if taken else None
    payer = taken.payer_name_sealed if taken else None
    lines = list_paid_lines(session, payment)
    is_booked = payment.confirmed_at is not None
    merchant = session.get(MerchantAccount, payment.merchant_id) if payment.merchant_id else None
    return desk.page(
        "money/payment.html",
        form=form,
        payment=payment,
        unit=session.get_one(Unit, (payment.community_id, payment.unit_id)),
        merchant=merchant,
        taken=taken,
        shift=shift,
        cashier=find_cashier(session, payment),
        canceller=session.get(Staff, taken.cancelled_by) if taken and taken.cancelled_by else None,
        payer=mask_name(desk.services.vault.open(payer)) if payer else None,
        receipt=find_receipt(session, payment),
        has_receipt=is_booked and CHANNELS[payment.channel].has_receipt,
        lines=lines,
        prepaid=payment.amount - sum_paid(lines) if is_booked else Money(0),
        moved=prepaid_parts(session, payment)[1] if is_booked else Money(0),
        refunds=list_refunds(session, desk.community_id, payment_id=payment.id),
        left=payment.amount - refunded_of(session, payment, COUNTED_STAGES),
        reference=format_reference(payment.unit_id),
        PaymentState=PaymentState,
        PaymentChannel=PaymentChannel,
    )


def receipt(desk: Desk, number: int) -> ResponseReturnValue:
    """The receipt, to print; numbered now if the workers have not done so yet."""
    payment = _payment(desk, number)
    found = find_receipt(desk.session, payment)
    if found is None and payment.confirmed_at is not None:
        number_waiting(desk.session, desk.now, limit=RECEIPTS_AT_ONCE)
        found = find_receipt(desk.session, payment)
    if found is None:
        raise NotFound(f"payment {number} has no receipt")
    wanted = Form(request.args)
    received = wanted.money("received") if wanted.typed("received") else None
    is_enough = received is not None and "received" not in wanted.errors
    change = received - payment.amount if received is not None and is_enough else None
    return desk.page(
        "money/receipt.html",
        paper=lay_out(desk.services, desk.session, payment, found),
        received=received,
        change=change if change is not None and change.fen >= 0 else None,
        prints_now=wanted.typed("printed") == "now",
    )


def cancel(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a payment back while its shift is open."""
    payment = _payment(desk, number)
    form = Form(request.form)
    reason = form.text("reason")

    def act() -> Response:
        cancel_payment(desk.session, payment, by=desk.staff, reason=reason, now=desk.now)
        return desk.done(Done.CANCELLED, "payments_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, payment, form))
