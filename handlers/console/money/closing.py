"""Closing a day and a month (日结、月结): what is still open, the close, the trial balance."""

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.closing import (
    close_period,
    list_period_closes,
    look_at_month,
    next_to_close,
    trial_balance,
)
from billing.day_close import DayClose, close_day, list_day_closes, look_at_day
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel
from billing.period import Period
from billing.receipts import number_waiting
from handlers.console.desk import Desk
from handlers.console.forms import Form

RECEIPTS_AT_ONCE = 2000


class Done(LabelEnum):
    """What was done."""

    DAY = "day", "已日结"
    MONTH = "month", "已月结，这个月不能再记账"


def index(desk: Desk) -> ResponseReturnValue:
    """What keeps the day and the month open, and what was closed."""
    return _index(desk, Form({"day": desk.today.isoformat()}))


def _ways(close: DayClose) -> list[tuple[str, int, Money]]:
    """A close by channel: its label, payments, sum."""
    return [
        (PaymentChannel(channel).label, sums["payments"], Money(sums["fen"]))
        for channel, sums in close.channels.items()
    ]


def _index(desk: Desk, form: Form) -> tuple[str, int]:
    session, community_id = desk.session, desk.community_id
    asked = Form(form.values)
    day = asked.day("day", default=desk.today) if asked.typed("day") else desk.today
    closes = list_day_closes(session, community_id)
    period = next_to_close(session, community_id, desk.today)
    return desk.page(
        "money/closing.html",
        form=form,
        day=day,
        left_today=look_at_day(session, community_id, day),
        closes=closes,
        ways=_ways,
        period=period,
        is_over=period.end <= desk.today,
        left_month=look_at_month(session, community_id, period, desk.now),
        months=list_period_closes(session, community_id),
    )


def close_a_day(desk: Desk) -> ResponseReturnValue:
    """Close a day; receipts that wait are numbered first."""
    form = Form(request.form)
    day = form.day("day", default=desk.today)

    def act() -> Response:
        while number_waiting(desk.session, desk.now, limit=RECEIPTS_AT_ONCE):
            pass
        close_day(desk.session, desk.community_id, day, by=desk.staff, now=desk.now)
        return desk.done(Done.DAY, "closing_index")

    return desk.submit(form, act, lambda: _index(desk, form))


def close_a_month(desk: Desk) -> ResponseReturnValue:
    """Close the month whose turn it is."""
    form = Form(request.form)
    period = form.period("period", default=Period.of(desk.today))

    def act() -> Response:
        close_period(desk.session, desk.community_id, period, by=desk.staff, now=desk.now)
        return desk.done(Done.MONTH, "closing_index")

    return desk.submit(form, act, lambda: _index(desk, form))


def trial(desk: Desk) -> ResponseReturnValue:
    """The trial balance of a month."""
    form = Form(request.args)
    period = Period.of(desk.today)
    if form.typed("period"):
        period = form.period("period", default=period)
    rows = trial_balance(desk.session, desk.community_id, period)
    return desk.page(
        "money/trial.html",
        form=form,
        period=period,
        rows=rows,
        debit=sum((row.debit for row in rows), ZERO),
        credit=sum((row.credit for row in rows), ZERO),
        opening=sum((row.opening for row in rows), ZERO),
        balance=sum((row.balance for row in rows), ZERO),
    )
