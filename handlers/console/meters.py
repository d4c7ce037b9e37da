"""Meters: found, read building by building, replaced; what one showed over time."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.labels import LabelEnum
from billing.meter_sheet import (
    METERS_MAX,
    MeterLine,
    get_meter_line,
    list_floors,
    read_meter_sheet,
)
from billing.meter_timeline import NewEvent, NewReading, NewReplacement
from billing.meters import (
    Meter,
    MeterReading,
    MeterReplacement,
    load_timelines,
    record_readings,
    refused_events,
)
from billing.property import Building, Subject, Unit
from billing.tariffs import ChargeItem
from handlers.console.desk import Desk
from handlers.console.forms import NUMBER, Form, Problem
from handlers.console.lists import Listing, show_list

READINGS_SHOWN = 36
READING = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")
FLOOR = re.compile(r"-?[0-9]{1,4}")

ONE_DAY = timedelta(days=1)


class Done(LabelEnum):
    """What was done."""

    SAVED = "saved", "读数已保存"
    REPLACED = "replaced", "换表已登记"


class Objection(LabelEnum):
    """Why a reading is not accepted."""

    NOTHING = "nothing", "还没有填写任何读数"
    ODD = "odd", "用量与平时差很多，请核对；确认无误就勾选“已核对”"
    NO_HISTORY = "no_history", "没有足够的历史读数，不能估抄"
    NO_READING = "no_reading", "请填写表上的数字，如 1234.5，最多 9 位整数、4 位小数"
    FUTURE = "future", "抄表日不能晚于今天"
    TOO_FAR = "too_far", "换表日最晚写明天"


class MeterColumn(LabelEnum):
    """Columns of the list of meters."""

    SUBJECT = "subject", "房屋、车位"
    ITEM = "item", "项目"
    CODE = "code", "表号"
    MULTIPLIER = "multiplier", "倍率"
    LAST_ON = "last_on", "上次抄表"
    LAST = "last_value", "上次读数"


def index(desk: Desk) -> ResponseReturnValue:
    """Every meter; `q` is the beginning of its room, `item` an item's code."""
    wanted, item = (request.args.get(name, "").strip() for name in ("q", "item"))
    items = _items(desk)
    last = (
        select(MeterReading.read_on, MeterReading.value)
        .where(MeterReading.community_id == Meter.community_id, MeterReading.meter_id == Meter.id)
        .order_by(MeterReading.read_on.desc())
        .limit(1)
        .correlate(Meter)
    )
    query = (
        select(
            Meter.id.label("key"),
            Subject.code.label("subject"),
            ChargeItem.name.label("item"),
            Meter.code,
            Meter.multiplier,
            last.with_only_columns(MeterReading.read_on).scalar_subquery().label("last_on"),
            last.with_only_columns(MeterReading.value).scalar_subquery().label("last_value"),
        )
        .join(
            Subject,
            (Subject.community_id == Meter.community_id) & (Subject.id == Meter.subject_id),
        )
        .join(
            ChargeItem,
            (ChargeItem.community_id == Meter.community_id) & (ChargeItem.id == Meter.item_id),
        )
        .where(Meter.community_id == desk.community_id)
    )
    if wanted:
        query = query.where(Subject.code.startswith(wanted, autoescape=True))
    if item:
        query = query.where(ChargeItem.code == item)
    listing = Listing("meters", MeterColumn, query, sortable=(MeterColumn.SUBJECT,))
    return show_list(desk, listing, "meters/index.html", q=wanted, item=item, items=items)


def _items(desk: Desk) -> Sequence[ChargeItem]:
    """Items that have meters."""
    metered = (
        select(Meter.id)
        .where(Meter.community_id == ChargeItem.community_id, Meter.item_id == ChargeItem.id)
        .exists()
    )
    return desk.session.scalars(
        select(ChargeItem)
        .where(ChargeItem.community_id == desk.community_id, metered)
        .order_by(ChargeItem.id)
    ).all()


def enter(desk: Desk) -> ResponseReturnValue:
    """The table in which readings of a building are entered."""
    form = Form(request.args)
    form.values.setdefault("day", desk.today.isoformat())
    return _sheet(desk, form)


def _sheet(desk: Desk, form: Form) -> tuple[str, int]:
    items = _items(desk)
    buildings = desk.session.scalars(
        select(Building).where(Building.community_id == desk.community_id).order_by(Building.id)
    ).all()
    lines = _lines(desk, form)
    item, building = _place(form)
    floors = list_floors(desk.session, desk.community_id, item, building)
    for line in lines:
        if line.own_value is not None:
            form.values.setdefault(f"value-{line.meter_id}", _plain(line.own_value))
    return desk.page(
        "meters/enter.html",
        form=form,
        items=items,
        buildings=buildings,
        floors=floors,
        lines=lines,
        day=_day(desk, form),
        most=METERS_MAX,
    )


def _place(form: Form) -> tuple[int, int]:
    """Item and building, 0 for none."""
    item, building = form.typed("item"), form.typed("building")
    return (
        int(item) if NUMBER.fullmatch(item) else 0,
        int(building) if NUMBER.fullmatch(building) else 0,
    )


def _day(desk: Desk, form: Form) -> date:
    return form.day("day", default=desk.today)


def _lines(desk: Desk, form: Form) -> list[MeterLine]:
    item, building = _place(form)
    floor = form.typed("floor")
    return read_meter_sheet(
        desk.session,
        desk.community_id,
        item,
        building,
        day=_day(desk, form),
        floor=int(floor) if FLOOR.fullmatch(floor) else None,
    )


def save(desk: Desk) -> ResponseReturnValue:
    """Record the readings of a sheet, all or none; each fault is said at its row."""
    form = Form(request.form)
    day = _day(desk, form)
    if day > desk.today:
        form.refuse("day", Objection.FUTURE.label)
    lines = _lines(desk, form)
    events = _read(form, lines, day)
    if not events and form.is_fine:
        form.refuse("", Objection.NOTHING.label)
    _refuse(desk, form, events)
    _ask_about_odd_ones(form, lines, events)

    def act() -> Response:
        record_readings(desk.session, desk.community_id, list(events.values()), now=desk.now)
        kept = {name: form.typed(name) for name in ("item", "building", "floor", "day")}
        return desk.done(Done.SAVED, "meters_enter", **kept)

    return desk.submit(form, act, lambda: _sheet(desk, form))


def _read(form: Form, lines: Sequence[MeterLine], day: date) -> dict[str, NewReading]:
    """The readings that were typed or are to be estimated, by their field."""
    events: dict[str, NewReading] = {}
    for line in lines:
        name = f"value-{line.meter_id}"
        is_estimated = form.ticked(f"estimated-{line.meter_id}")
        if form.typed(name):
            value = _number(form, name)
        elif is_estimated:
            value = line.estimate(day)
            if value is None:
                form.refuse(name, Objection.NO_HISTORY.label)
        else:
            continue
        if value is not None:
            events[name] = NewReading(line.meter_id, day, value, is_estimated)
    return events


def _ask_about_odd_ones(
    form: Form, lines: Sequence[MeterLine], events: Mapping[str, NewReading]
) -> None:
    """What can be true and is unlikely has to be confirmed, row by row."""
    for line in lines:
        event = events.get(f"value-{line.meter_id}")
        if event is None or form.ticked(f"checked-{line.meter_id}"):
            continue
        if line.is_odd(event.value, event.read_on):
            form.refuse(f"value-{line.meter_id}", Objection.ODD.label)


def _number(form: Form, name: str) -> Decimal | None:
    if READING.fullmatch(form.typed(name)) is None:
        form.refuse(name, Objection.NO_READING.label)
        return None
    return Decimal(form.typed(name))


def _refuse(desk: Desk, form: Form, events: Mapping[str, NewEvent]) -> None:
    """Say at their rows which readings cannot be true."""
    names = {event.meter_id: name for name, event in events.items()}
    timelines = load_timelines(desk.session, desk.community_id, names.keys())
    for refusal in refused_events(timelines, list(events.values())):
        form.refuse(names[refusal.event.meter_id], refusal.sentence)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One meter: what it showed, and the form for its replacement."""
    return _show(desk, number, Form({"replaced_on": desk.today.isoformat()}))


def _show(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    line = get_meter_line(desk.session, desk.community_id, number, day=desk.today)
    meter = desk.session.get_one(Meter, (desk.community_id, number))
    here = (MeterReading.community_id == desk.community_id, MeterReading.meter_id == number)
    changes = (
        MeterReplacement.community_id == desk.community_id,
        MeterReplacement.meter_id == number,
    )
    return desk.page(
        "meters/show.html",
        line=line,
        meter=meter,
        item=desk.session.get_one(ChargeItem, (desk.community_id, meter.item_id)),
        unit=desk.session.scalar(
            select(Unit)
            .join(
                Subject,
                (Subject.community_id == Unit.community_id) & (Subject.unit_id == Unit.id),
            )
            .where(Subject.community_id == desk.community_id, Subject.id == meter.subject_id)
        ),
        readings=desk.session.scalars(
            select(MeterReading)
            .where(*here)
            .order_by(MeterReading.read_on.desc())
            .limit(READINGS_SHOWN)
        ).all(),
        replacements=desk.session.scalars(
            select(MeterReplacement).where(*changes).order_by(MeterReplacement.replaced_on.desc())
        ).all(),
        form=form,
    )


def replace(desk: Desk, number: int) -> ResponseReturnValue:
    """Write down that the device was replaced."""
    get_meter_line(desk.session, desk.community_id, number, day=desk.today)
    form = Form(request.form)
    day = form.day("replaced_on", default=desk.today)
    old, new = (_amount(form, name) for name in ("old_final", "new_initial"))
    if day > desk.today + ONE_DAY:  # tomorrow, where the old device was read today
        form.refuse("replaced_on", Objection.TOO_FAR.label)
    events = {"old_final": NewReplacement(number, day, old, new)}
    if form.is_fine:
        _refuse(desk, form, events)

    def act() -> Response:
        record_readings(desk.session, desk.community_id, list(events.values()), now=desk.now)
        return desk.done(Done.REPLACED, "meters_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, number, form))


def _amount(form: Form, name: str) -> Decimal:
    if not form.typed(name):
        form.refuse(name, Problem.MISSING.label)
        return Decimal(0)
    return _number(form, name) or Decimal(0)
