"""The statement of account of a home between two days, on screen, on paper and in Excel."""

from datetime import date, timedelta

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from billing.account_statements import Statement, read_statement, statement_rows
from billing.labels import LabelEnum
from billing.period import add_months
from billing.property import Unit
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.homes import find_home
from handlers.console.lists import Listing, export

MONTHS = 12


class StatementColumn(LabelEnum):
    """Columns of the statement."""

    ON = "on", "日期"
    KIND = "kind", "摘要"
    PERIOD = "period", "账期"
    CHANNEL = "channel", "缴费方式"
    NUMBER = "number", "流水号"
    CHARGED = "charged", "应收增加（元）"
    CREDITED = "credited", "应收减少（元）"
    BALANCE = "balance", "余额（元）"


class Objection(LabelEnum):
    """Why the days are not accepted."""

    ORDER = "order", "截止日期须不早于起始日期"


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """Every booking of the days asked for; without any, of the last twelve months."""
    unit = find_home(desk, number)
    note_sightings(
        desk.session,
        [(desk.community_id, unit.id)],
        Sight.HISTORY,
        desk.now,
        staff_id=desk.staff.id,
    )
    begins = add_months(desk.today, -MONTHS)
    form = Form({"from": begins.isoformat(), "to": desk.today.isoformat()} | dict(request.args))
    first, last = form.day("from", default=begins), form.day("to", default=desk.today)
    if last < first:
        form.refuse("to", Objection.ORDER.label)
        first, last = begins, desk.today
    if request.args.get("format") == "xlsx":
        return _export(desk, unit, first, last)
    statement = _read(desk, unit, first, last)
    return desk.page("homes/statement.html", unit=unit, form=form, statement=statement, last=last)


def _read(desk: Desk, unit: Unit, first: date, last: date) -> Statement:
    end = last + timedelta(days=1)
    return read_statement(desk.session, desk.community_id, unit.id, start=first, end=end)


def _export(desk: Desk, unit: Unit, first: date, last: date) -> ResponseReturnValue:
    rows = statement_rows(desk.community_id, unit.id).subquery("booked")
    place = func.row_number().over(order_by=(rows.c.on, rows.c.key)).label("key")
    shown = [rows.c[column.value] for column in StatementColumn]
    query = select(place, *shown).where(rows.c.on >= first, rows.c.on <= last)
    return export(desk, Listing(f"statement-{unit.room}", StatementColumn, query))
