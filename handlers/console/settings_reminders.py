"""When owners are reminded: the ladder, the holidays it keeps off, and the hours learned."""

import re
from datetime import date

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.bill_schedule import next_billing_day
from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.period import add_months, due_on
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.seen import refuse_stale, write_down
from handlers.console.words import explain
from notify.habits import community_hours, forget_community, switch_community
from notify.holidays import load_holidays, read_days, read_holidays
from notify.ladder import Ladder, Rung, make_ladder
from notify.ladders import get_ladder, set_ladder
from notify.rung_effects import Effect, list_rung_effects
from notify.timing_tables import CommunityTiming

SEPARATORS = re.compile(r"[,，、;；\s]+")
DAY = re.compile(r"[0-9]{1,4}")
MONTHLY_SHOWN = 2
"""Months of the monthly rungs in the example."""

EFFECT_MONTHS = 6
LINES_MAX = 5000


class Done(LabelEnum):
    """What was done."""

    LADDER = "ladder", "已保存，从今天起按新的阶梯提醒"
    ON = "on", "已打开：按学到的时间提醒"
    OFF = "off", "已关闭：到了允许的时间就提醒，不再等学到的时间"
    FORGOTTEN = "forgotten", "已清空，从现在起重新学习"
    HOLIDAYS = "holidays", "节假日已导入"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    NO_DAYS = "no_days", "请填写天数，用逗号隔开，如 7,3,0"
    EVERY = "every", "节假日对所有小区生效，请负责全部小区的经理来导入"


class Field(LabelEnum):
    """What a ladder has."""

    DUE_SOON = "due_soon", "到期前提醒"
    OVERDUE = "overdue", "逾期后提醒"
    MONTHLY = "monthly", "之后每月提醒"


TICKS = frozenset({Field.MONTHLY.value})


def index(desk: Desk) -> ResponseReturnValue:
    """The ladder in force, or the one that is being thought of, with the dates of an example."""
    if "due_soon" in request.args or "overdue" in request.args:
        return _page(desk, Form(request.args))
    return _page(desk, Form(_values(get_ladder(desk.session, desk.community_id))))


def _values(ladder: Ladder) -> dict[str, str]:
    return {
        "due_soon": ",".join(map(str, ladder.due_soon)),
        "overdue": ",".join(map(str, ladder.overdue)),
        "monthly": "1" if ladder.is_monthly else "",
    }


def _days(form: Form, name: str) -> list[int]:
    parts = [part for part in SEPARATORS.split(form.typed(name)) if part]
    if all(DAY.fullmatch(part) for part in parts):
        return [int(part) for part in parts]
    form.refuse(name, Objection.NO_DAYS.label)
    return []


def _read(desk: Desk, form: Form) -> Ladder | None:
    """The ladder that was typed; None with the reason at its field."""
    due_soon, overdue = _days(form, "due_soon"), _days(form, "overdue")
    if not form.is_fine:
        return None
    try:
        return make_ladder(due_soon, overdue, is_monthly=form.ticked("monthly"), since=desk.today)
    except InvalidInput as error:
        form.refuse(error.field, explain(error))
        return None


def _page(desk: Desk, form: Form, holidays: Form | None = None) -> tuple[str, int]:
    session, here, community = desk.session, desk.community_id, desk.community
    known = read_holidays(session)
    in_force = get_ladder(session, here)
    typed = _read(desk, form)
    issued = next_billing_day(community, desk.today)
    due = due_on(issued, day=community.due_day, month_offset=community.due_month_offset)
    timing = session.get(CommunityTiming, here)
    hours = community_hours(timing) if timing else None
    years = [desk.today.year, desk.today.year + 1]
    return desk.page(
        "settings/reminders.html",
        form=form,
        issued=issued,
        due=due,
        rungs=_example(typed, issued, due, known) if typed else [],
        is_new=typed is not None and _values(typed) != _values(in_force),
        seen=write_down(_values(in_force)),
        in_force=in_force,
        is_on=timing is None or timing.is_on,
        counted_to=timing.counted_to if timing else None,
        hours=[hour.why(desk.services.text) for hour in hours] if hours else [],
        years=[
            (year, [(day, name) for day, name in sorted(known.items()) if day.year == year])
            for year in years
        ],
        holidays=holidays or Form(place="holidays-"),
        everywhere=desk.staff.community_id is None,
    )


def _example(
    ladder: Ladder, issued: date, due: date, holidays: dict[date, str]
) -> list[tuple[Rung, date]]:
    """Rungs of a bill after it was issued, with the days they would be without holidays."""
    last = max(ladder.overdue, default=0)
    ends = date.fromordinal(due.toordinal() + last)
    until = add_months(ends, MONTHLY_SHOWN) if ladder.is_monthly else date.max
    whole = Ladder(ladder.due_soon, ladder.overdue, ladder.is_monthly)
    plain = {rung.code: rung.on for rung in whole.rungs(due, until)}
    return [
        (rung, plain.get(rung.code, rung.on))
        for rung in whole.rungs(due, until, holidays)
        if rung.on > issued
    ]


def climb(desk: Desk) -> ResponseReturnValue:
    """Remind by this ladder from today on."""
    form = Form(request.form)
    # Whoever sets another ladder meanwhile waits: what is compared is what there is.
    desk.session.refresh(desk.community, with_for_update={"key_share": True})
    refuse_stale(form, Field, _values(get_ladder(desk.session, desk.community_id)), TICKS)
    typed = _read(desk, form)

    def act() -> Response:
        if typed is not None:
            set_ladder(
                desk.session,
                desk.community_id,
                due_soon=typed.due_soon,
                overdue=typed.overdue,
                is_monthly=typed.is_monthly,
                today=desk.today,
            )
        return desk.done(Done.LADDER, "settings_reminders_index")

    return desk.submit(form, act, lambda: _page(desk, form))


def switch(desk: Desk) -> ResponseReturnValue:
    """Remind at the hours learned, or as soon as it is allowed."""
    on = Form(request.form).typed("on") == "1"
    switch_community(desk.session, desk.community_id, desk.now, on=on)
    return desk.done(Done.ON if on else Done.OFF, "settings_reminders_index", _anchor="hours")


def forget(desk: Desk) -> ResponseReturnValue:
    """Begin to learn anew."""
    forget_community(desk.session, desk.community_id, desk.now)
    return desk.done(Done.FORGOTTEN, "settings_reminders_index", _anchor="hours")


def holidays(desk: Desk) -> ResponseReturnValue:
    """Take the holidays of whole years from lines; they are of every community."""
    form = Form(request.form, place="holidays-")
    if desk.staff.community_id is not None:
        form.refuse("", Objection.EVERY.label)
    lines = form.text("days", most=LINES_MAX)

    def act() -> Response:
        load_holidays(desk.session, read_days(lines.splitlines()))
        return desk.done(Done.HOLIDAYS, "settings_reminders_index", _anchor="holidays")

    def again() -> tuple[str, int]:
        ladder = Form(_values(get_ladder(desk.session, desk.community_id)))
        return _page(desk, ladder, form)

    return desk.submit(form, act, again)


def effects(desk: Desk) -> ResponseReturnValue:
    """Which rungs make people pay."""
    since = add_months(desk.today, -EFFECT_MONTHS)
    return desk.page(
        "settings/effects.html",
        since=since,
        effects=list_rung_effects(desk.session, desk.community_id, since),
        Effect=Effect,
    )
