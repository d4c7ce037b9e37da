"""What the numbers say: collection and its curve, arrears by age, income, reminders; each with the
homes and bills behind it.
"""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from flask import current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row, func, select

from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel
from billing.period import Period, add_months
from billing.property import Building
from billing.reports.ageing import Bucket, age_debts, homes_in_arrears
from billing.reports.billed import billed_rows
from billing.reports.collection import last_billed
from billing.reports.growth import Curve, forecast, months_before, read_curves
from billing.reports.income import conceded, income_by_day, received_rows
from billing.reports.rolled import Collected, Division, cleared, divide, whole_of
from billing.reports.scope import Scope
from billing.tariffs import FeeKind
from handlers.charts import Bars, Column, Value, line, lying_bars, standing_bars
from handlers.console.collection_tables import (
    Head,
    Title,
    end_of,
    growth_rows,
    growth_table,
    months_table,
    parts_table,
    whole_table,
)
from handlers.console.desk import Desk
from handlers.console.letters import LETTERS_AT_ONCE
from handlers.console.lists import Listing, show_list
from handlers.console.notices import OUTCOME_DAYS, asked_days, day_begins, first_of
from handlers.console.reminder_tables import funnel, reminder_tables, rung_name
from handlers.console.sheets import send_tables
from handlers.dunning_letter import RESPOND_DAYS, RESPOND_DAYS_USUAL
from notify.outcomes import count_unreachable, list_outcomes
from notify.rung_effects import list_rung_effects
from notify.wording import percent, yuan

DAY = timedelta(days=1)
DAYS_SHOWN = 40
TENTHS = 1000
"""A rate is drawn in tenths of a per cent."""

MONTHS_SHOWN = 12
FIRST_MONTH, LAST_MONTH = Period("1990-01"), Period("2199-12")
REMINDED_DAYS = 30
"""Unless other days are asked for."""


class HomeColumn(LabelEnum):
    """Columns of the homes in arrears."""

    ROOM = "room", "房号"
    BUILDING = "building", "楼栋"
    BILLS = "bills", "欠费账单"
    OLDEST = "oldest_due_on", "最早到期日"
    OWED = "owed", "欠费（元）"


class BillColumn(LabelEnum):
    """Columns of the bills behind a figure."""

    ROOM = "room", "房号"
    STATE = "state", "状态"
    OWED = "owed", "未收（元）"
    DUE = "due", "应收（元）"
    PAID = "paid", "已收（元）"
    DUE_ON = "due_on", "到期日"
    BUILDING = "building", "楼栋"


class Standing(LabelEnum):
    """How a bill stands."""

    PAID = "paid", "已缴清"
    PART = "part", "缴了一部分"
    OPEN = "open", "待缴"
    LATE = "late", "已逾期"


class IncomeColumn(LabelEnum):
    """Columns of what came in."""

    DAY = "day", "日期"
    CHANNEL = "channel", "渠道"
    PAYMENTS = "payments", "笔数"
    AMOUNT = "amount", "金额（元）"


class Word(LabelEnum):
    """Single words of the charts."""

    NONE = "none", "无"


def rate_words(one: Collected | None) -> str:
    """A collection rate as people read it."""
    return percent(one.rate) if one and one.rate is not None else Word.NONE.label


def asked_period(desk: Desk, name: str = "period") -> Period:
    """The month of the address; the last that was billed when it names none."""
    try:
        return _within(Period(request.args.get(name, "")))
    except InvalidInput:
        return last_billed(desk.session, desk.community_id) or Period.of(desk.today)


def _within(period: Period) -> Period:
    """A month that has a year of months before and after it."""
    if not FIRST_MONTH <= period <= LAST_MONTH:
        raise InvalidInput("period", f"must be from {FIRST_MONTH} to {LAST_MONTH}")
    return period


def links_to(desk: Desk, endpoint: str, **values: object) -> str | None:
    """The address of a page; None where this console has no such page."""
    if f"console.{endpoint}" in current_app.view_functions:
        return desk.url(endpoint, **values)
    return None


def curve_points(curve: Curve | None) -> str:
    """A month's curve as a line of the chart."""
    if curve is None:
        return ""
    rates = [curve.rate_on(day) for day in range(min(len(curve.paid), DAYS_SHOWN))]
    tenths = [
        rate.numerator * TENTHS // rate.denominator if rate is not None else 0 for rate in rates
    ]
    return line(tenths, DAYS_SHOWN, TENTHS)


def _curves(desk: Desk, period: Period) -> tuple[Curve | None, Curve | None, list[Curve]]:
    """The curve of a month, of the one before it, and of all that came before."""
    months = [period, *months_before(period)]
    curves = {
        curve.period: curve
        for curve in read_curves(desk.session, desk.community_id, months, desk.today)
    }
    now = curves.pop(period, None)
    return now, curves.get(period.previous()), list(curves.values())


def month_curves(desk: Desk, period: Period) -> dict[str, object]:
    """This month's curve, the last one's, and where this one will likely end."""
    now, before, past = _curves(desk, period)
    return {
        "curve": curve_points(now),
        "curve_before": curve_points(before),
        "growth": growth_rows(now, before),
        "days_shown": DAYS_SHOWN,
        "forecast": forecast(now, past) if now else None,
    }


def _bars(desk: Desk, parts: list[Collected], period: Period) -> Bars:
    return lying_bars(
        [
            Value(
                part.name,
                part.rate.numerator * TENTHS // part.rate.denominator if part.rate else 0,
                rate_words(part),
                desk.url("reports_bills", period=period, building=part.part),
            )
            for part in parts
        ],
        TENTHS,
    )


def index(desk: Desk) -> ResponseReturnValue:
    """收缴率 of a month: whole, as it grows, by building and item, and against the year before;
    as a file all its tables.
    """
    period = asked_period(desk)
    scope = Scope(desk.community_id, period, period)
    buildings = divide(desk.session, Division.BUILDING, scope, desk.today)
    items = divide(desk.session, Division.ITEM, scope, desk.today)
    fees = divide(desk.session, Division.FEE, scope, desk.today)
    year = Scope(desk.community_id, Period.of(add_months(period.start, 1 - MONTHS_SHOWN)), period)
    months = divide(desk.session, Division.PERIOD, year, desk.today)
    whole, old = whole_of(buildings), _cleared(desk, period)
    if request.args.get("format") == "xlsx":
        tables = [
            whole_table(whole, old),
            parts_table(Title.BUILDINGS, Head.BUILDING, buildings),
            parts_table(Title.ITEMS, Head.ITEM, items),
            parts_table(Title.FEES, Head.FEE, fees, lambda one: FeeKind(one.part).label),
            months_table([(one, _cleared(desk, Period(one.part))) for one in months]),
            growth_table(*_curves(desk, period)[:2]),
        ]
        return send_tables(f"collection-{desk.community.code}-{period}", tables)
    return desk.page(
        "reports/index.html",
        period=period,
        whole=whole,
        buildings=buildings,
        bars=_bars(desk, buildings, period),
        items=items,
        composition=[(FeeKind(one.part).label, one) for one in fees],
        months=months,
        columns=_columns(desk, months),
        rate_words=rate_words,
        cleared=old,
        **month_curves(desk, period),
    )


def _cleared(desk: Desk, period: Period) -> Collected:
    """清欠率 of a month, of this one as far as it went."""
    return cleared(desk.session, desk.community_id, period.start, end_of(period, desk.today))


def _columns(desk: Desk, months: list[Collected]) -> tuple[Column, ...]:
    return standing_bars(
        [
            Value(
                one.part[2:],
                one.rate.numerator * TENTHS // one.rate.denominator if one.rate else 0,
                rate_words(one),
                desk.url("reports_index", period=one.part),
            )
            for one in months
        ],
        most=TENTHS,
    )


def arrears(desk: Desk) -> ResponseReturnValue:
    """账龄 and the homes behind each age."""
    asked = request.args.get("age", "")
    bucket = Bucket(asked) if asked in {one.value for one in Bucket} else None
    query = homes_in_arrears(desk.community_id, desk.today, bucket)
    aged = age_debts(desk.session, desk.community_id, desk.today)
    bars = lying_bars(
        [
            Value(
                one.bucket.label,
                one.owed.fen,
                yuan(one.owed),
                desk.url("reports_arrears", age=one.bucket.value),
            )
            for one in aged
        ]
    )
    return show_list(
        desk,
        Listing(
            "arrears",
            HomeColumn,
            query,
            sortable=(HomeColumn.ROOM, HomeColumn.BILLS, HomeColumn.OLDEST, HomeColumn.OWED),
        ),
        "reports/arrears.html",
        aged=aged,
        bars=bars,
        total=sum((one.owed for one in aged), ZERO),
        bucket=bucket,
        days=RESPOND_DAYS_USUAL,
        days_range=RESPOND_DAYS,
        most=LETTERS_AT_ONCE,
        home_link=lambda row: links_to(desk, "homes_show", number=row.key),
    )


def bills(desk: Desk) -> ResponseReturnValue:
    """The bills behind a figure: of a month and a building, or only those not paid."""
    period = asked_period(desk)
    building = request.args.get("building", "").strip()
    unpaid = request.args.get("unpaid", "") != ""
    scope = Scope(desk.community_id, period, period, buildings=(building,) if building else ())
    return show_list(
        desk,
        Listing(
            f"bills-{period}",
            BillColumn,
            billed_rows(desk.community_id, period, building=building, unpaid=unpaid),
            sortable=(BillColumn.ROOM, BillColumn.DUE_ON),
            beside=lambda rows: {row.key: {"state": _standing(row, desk.today)} for row in rows},
        ),
        "reports/bills.html",
        period=period,
        building=building,
        unpaid=unpaid,
        whole=whole_of(divide(desk.session, Division.BUILDING, scope, desk.today)),
        rate_words=rate_words,
        buildings=desk.session.scalars(
            select(Building)
            .where(Building.community_id == desk.community_id)
            .order_by(func.length(Building.code), Building.code)
        ).all(),
        bill_link=lambda row: links_to(desk, "homes_bill_show", number=row.key),
        Standing=Standing,
    )


def _standing(row: Row[Any], today: date) -> Standing:
    if row.owed <= ZERO:
        return Standing.PAID
    if row.due_on < today:
        return Standing.LATE
    return Standing.PART if row.paid > ZERO else Standing.OPEN


def income(desk: Desk) -> ResponseReturnValue:
    """What came in by day and channel, and what was waived, corrected and refunded."""
    period = _month(desk)
    from_on, to_on = period.start, period.end
    received = income_by_day(desk.session, desk.community_id, from_on, to_on)
    by_day: dict[date, Money] = defaultdict(lambda: ZERO)
    by_channel: dict[PaymentChannel, Money] = defaultdict(lambda: ZERO)
    for one in received:
        by_day[one.day] += one.amount
        by_channel[one.channel] += one.amount
    days = [from_on + timedelta(days=number) for number in range((to_on - from_on).days)]
    query = received_rows(desk.community_id, from_on, to_on)
    return show_list(
        desk,
        Listing(
            "income", IncomeColumn, query, sortable=(IncomeColumn.AMOUNT, IncomeColumn.PAYMENTS)
        ),
        "reports/income.html",
        period=period,
        total=sum(by_day.values(), ZERO),
        columns=standing_bars(
            [Value(str(day.day), by_day[day].fen, yuan(by_day[day])) for day in days]
        ),
        channels=lying_bars(
            [
                Value(channel.label, amount.fen, yuan(amount))
                for channel, amount in sorted(
                    by_channel.items(), key=lambda one: one[1], reverse=True
                )
            ]
        ),
        conceded=conceded(desk.session, desk.community_id, from_on, to_on),
    )


def _month(desk: Desk) -> Period:
    try:
        return _within(Period(request.args.get("period", "")))
    except InvalidInput:
        return Period.of(desk.today)


def reminders(desk: Desk) -> ResponseReturnValue:
    """What came of what owners were told in the last days: sent, opened, paid; and what each rung
    adds.
    """
    days = asked_days(REMINDED_DAYS)
    first = first_of(desk.today, days)
    outcomes = [
        one
        for one in list_outcomes(desk.session, desk.community_id, day_begins(first))
        if one.sent or one.failed
    ]
    effects = list_rung_effects(desk.session, desk.community_id, first)
    if request.args.get("format") == "xlsx":
        return send_tables("reminders", reminder_tables(outcomes, effects))
    return desk.page(
        "reports/reminders.html",
        days=days,
        choices=OUTCOME_DAYS,
        outcomes=outcomes,
        funnel=funnel(outcomes),
        effects=effects,
        rung_name=rung_name,
        unreachable=count_unreachable(desk.session, desk.community_id),
    )
