"""Shifts of cashiers (班次): opened with a float, closed with the cash that was counted; and the
counter's day.
"""

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.counter_tables import CashierShift, CounterPayment
from billing.labels import LabelEnum
from billing.payment_tables import Payment
from billing.people import Staff, StaffRole
from billing.property import Unit
from billing.shifts import (
    close_shift,
    find_open_shift,
    get_shift,
    list_shifts_of_day,
    open_shift,
    report_shift,
    sum_cash,
    sum_channels,
)
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list

TAKEN_SHOWN = 2000
"""A cashier ticks off every paper of his drawer on the list; more than he can take in a day is a
shift that nobody ended, and its page must still open.
"""


class Done(LabelEnum):
    """What was done."""

    OPENED = "opened", "已开班"
    CLOSED = "closed", "已交班"


class ShiftColumn(LabelEnum):
    """Columns of the list of shifts."""

    OPENED = "opened_at", "开班"
    CASHIER = "cashier", "收银员"
    CLOSED = "closed_at", "交班"
    FLOAT = "opening_float", "备用金"
    EXPECTED = "expected", "应有现金"
    COUNTED = "counted", "实点现金"
    DIFFERENCE = "difference", "长短款"
    REASON = "reason", "原因"


def begin(desk: Desk) -> ResponseReturnValue:
    """Open one's own shift."""
    form = Form(request.form)
    float_ = form.money("float", positive=False)

    def act() -> Response:
        open_shift(desk.session, desk.community_id, desk.staff, opening_float=float_, now=desk.now)
        return desk.done(Done.OPENED, "counter_index")

    def again() -> tuple[str, int]:
        shift = find_open_shift(desk.session, desk.community_id, desk.staff)
        report = report_shift(desk.session, shift) if shift else None
        return desk.page("money/counter.html", form=form, report=report, q="", homes=[])

    return desk.submit(form, act, again)


def index(desk: Desk) -> ResponseReturnValue:
    """Every shift, the latest first."""
    query = (
        select(
            CashierShift.id.label("key"),
            CashierShift.opened_at,
            Staff.name.label("cashier"),
            CashierShift.closed_at,
            CashierShift.opening_float,
            CashierShift.expected,
            CashierShift.counted,
            (CashierShift.counted - CashierShift.expected).label("difference"),
            CashierShift.reason,
        )
        .join(Staff, Staff.id == CashierShift.cashier_id)
        .where(CashierShift.community_id == desk.community_id)
    )
    listing = Listing("shifts", ShiftColumn, query, newest_first=True)
    return show_list(desk, listing, "money/shifts.html")


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """A shift: what it took, what must be in its drawer, and the form that closes it."""
    return _show(desk, number, Form())


def _show(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    shift = get_shift(desk.session, desk.community_id, number)
    taken = desk.session.execute(
        select(Payment, Unit.room, CounterPayment)
        .join(
            CounterPayment,
            (CounterPayment.community_id == Payment.community_id)
            & (CounterPayment.payment_id == Payment.id),
        )
        .join(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .where(CounterPayment.community_id == desk.community_id, CounterPayment.shift_id == number)
        .order_by(Payment.id.desc())
        .limit(TAKEN_SHOWN)
    ).all()
    report = report_shift(desk.session, shift)
    every = sum(total.payments + total.cancelled for total in report.channels)
    return desk.page(
        "money/shift.html",
        form=form,
        report=report,
        left_out=every - len(taken),
        cashier=desk.session.get_one(Staff, shift.cashier_id),
        taken=taken,
        may_close=shift.closed_at is None
        and (shift.cashier_id == desk.staff.id or desk.staff.role is StaffRole.MANAGER),
    )


def close(desk: Desk, number: int) -> ResponseReturnValue:
    """Close a shift with the cash that was counted."""
    form = Form(request.form)
    counted = form.money("counted", positive=False)
    reason = form.optional("reason")

    def act() -> Response:
        close_shift(
            desk.session,
            desk.community_id,
            number,
            counted=counted,
            reason=reason,
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.CLOSED, "shifts_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, number, form))


def day(desk: Desk) -> ResponseReturnValue:
    """What the counter took on a day, by cashier and by way."""
    wanted = Form(request.args)
    on = wanted.day("day", default=desk.today) if wanted.typed("day") else desk.today
    reports = list_shifts_of_day(desk.session, desk.community_id, on)
    names = dict(
        desk.session.execute(
            select(Staff.id, Staff.name).where(
                Staff.id.in_([report.shift.cashier_id for report in reports])
            )
        ).all()
    )
    return desk.page(
        "money/counter_day.html",
        on=on,
        form=wanted,
        reports=reports,
        names=names,
        totals=sum_channels(reports),
        moved=sum_cash(reports),
    )
