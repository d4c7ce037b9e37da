"""通知: what was sent to whom and what became of it, why not and what to do; each in full; figures
by kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Row, false, func, select

from billing.business_day import BEIJING
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.property import Unit, get_unit
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Cells, Listing, export, show_list
from handlers.console.notice_words import advice, without_links
from notify.catalog import NOTICES, Audience, NoticeKind
from notify.outbox import Message, MessageState, Reason
from notify.outcomes import count_unreachable, list_outcomes, outcome_rows
from notify.sent import (
    about_home,
    get_message,
    list_attempts,
    list_readers,
    made_within,
    of_broadcast,
    opened_at,
)

LATELY_DAYS = 7
DAYS_MAX = 31
"""What is counted for a page of fifty has to be counted at once."""

OUTCOME_DAYS = (7, 30, 90)
"""What figures by kind can be asked for, the quickest first."""

HOMES_SHOWN = 3
OF_STAFF = frozenset({Audience.STAFF, Audience.APPROVERS})


class Objection(LabelEnum):
    """Why a filter is not accepted."""

    ORDER = "order", "截止日期须不早于起始日期"
    TOO_LONG = "too_long", "一次最多看 31 天，请把日期改近一些"
    NO_ROOM = "no_room", "没有这个房号，请写全，如 3-2-501"


class Word(LabelEnum):
    """What stands in a cell that has no value of its own."""

    STAFF = "staff", "工作人员"
    MORE = "more", "等"


class NoticeColumn(LabelEnum):
    """Columns of the list."""

    KIND = "kind", "通知"
    ROOM = "room", "房号"
    STATE = "state", "状态"
    REASON = "reason", "原因"
    PERSON = "person", "收件人（微信号）"
    TRANSPORT = "transport", "方式"
    MADE = "created_at", "时间"


class OutcomeColumn(LabelEnum):
    """Columns of what came of messages, as a file."""

    KIND = "kind", "通知"
    BROADCAST = "broadcast_id", "群发编号"
    SENT = "sent", "已发出"
    DELIVERED = "delivered", "其中确认送达"
    OPENED = "opened", "打开"
    PAID = "paid", "三天内缴费"
    UNKNOWN = "unknown", "结果不明"
    FAILED = "failed", "发送失败"
    SUPPRESSED = "suppressed", "不再发送"
    WAITING = "waiting", "排队中"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages are asked for; `form` holds what was typed and what is wrong with it."""

    form: Form
    since: date
    until: date
    kind: NoticeKind | None
    state: MessageState | None
    unit: Unit | None
    broadcast: int | None


def first_of(today: date, days: int) -> date:
    """The first of the last so many days, today being one of them."""
    return today - timedelta(days=days - 1)


def asked_days(usual: int) -> int:
    """How many days the address asks figures for: one of `OUTCOME_DAYS`."""
    asked = request.args.get("days", "")
    return next((days for days in OUTCOME_DAYS if str(days) == asked), usual)


def day_begins(day: date) -> datetime:
    """Midnight in Beijing."""
    return datetime.combine(day, time(), BEIJING)


def _asked(desk: Desk) -> Filter:
    begins = {
        "since": first_of(desk.today, LATELY_DAYS).isoformat(),
        "until": desk.today.isoformat(),
    }
    form = Form(begins | {name: text for name, text in request.args.items() if text.strip()})
    since, until = form.day("since", default=desk.today), form.day("until", default=desk.today)
    if until < since:
        form.refuse("until", Objection.ORDER.label)
    elif until - since >= timedelta(days=DAYS_MAX):
        form.refuse("until", Objection.TOO_LONG.label)
    kind, state = form.typed("kind"), form.typed("state")
    return Filter(
        form=form,
        since=since,
        until=until,
        kind=NoticeKind(kind) if kind in {one.value for one in NoticeKind} else None,
        state=MessageState(state) if state in {one.value for one in MessageState} else None,
        unit=_home(desk, form),
        broadcast=form.number("broadcast") if form.typed("broadcast") else None,
    )


def _home(desk: Desk, form: Form) -> Unit | None:
    typed = form.typed("room")
    if not typed:
        return None
    try:
        return get_unit(desk.session, desk.community_id, desk.services.read_room(typed) or typed)
    except NotFound:
        form.refuse("room", Objection.NO_ROOM.label)
        return None


def _fitting(desk: Desk, asked: Filter) -> list[ColumnElement[bool]]:
    """What a message has to be; nothing fits what cannot be read."""
    if not asked.form.is_fine:
        return [false()]
    beyond = day_begins(asked.until + timedelta(days=1))
    fits = [made_within(desk.session, desk.community_id, day_begins(asked.since), beyond)]
    if asked.kind is not None:
        fits.append(Message.kind == asked.kind)
    if asked.state is not None:
        fits.append(Message.state == asked.state)
    if asked.unit is not None:
        fits.append(about_home(desk.community_id, asked.unit.id))
    if asked.broadcast is not None:
        fits.append(of_broadcast(desk.community_id, asked.broadcast))
    return fits


def index(desk: Desk) -> ResponseReturnValue:
    """Messages of some days, the latest first; of failed ones the reasons, and what to do."""
    asked = _asked(desk)
    fits = _fitting(desk, asked)
    query = select(
        Message.id.label("key"),
        Message.kind,
        Message.state,
        Message.reason,
        Message.transport,
        Message.created_at,
    ).where(*fits)

    def beside(rows: Sequence[Row[Any]]) -> Cells:
        return _beside(desk, rows)

    reasons: Sequence[Row[Reason | None, int]] = ()
    if asked.state is MessageState.FAILED:
        count = func.count().label("count")
        reasons = desk.session.execute(
            select(Message.reason, count)
            .where(*fits)
            .group_by(Message.reason)
            .order_by(count.desc())
        ).all()
    return show_list(
        desk,
        Listing("notices", NoticeColumn, query, newest_first=True, beside=beside),
        "notices/index.html",
        asked=asked,
        form=asked.form,
        kinds=NoticeKind,
        states=MessageState,
        reasons=[row for row in reasons if row.reason is not None],
        advice=advice,
    )


def _beside(desk: Desk, rows: Sequence[Row[Any]]) -> Cells:
    kinds = {row.key: row.kind for row in rows}
    return {
        number: {
            NoticeColumn.PERSON.value: reader.openid,
            NoticeColumn.ROOM.value: _rooms(kinds[number], [room for _, room in reader.homes]),
        }
        for number, reader in list_readers(desk.session, desk.community_id, list(kinds)).items()
    }


def _rooms(kind: NoticeKind, rooms: Sequence[str]) -> str:
    if NOTICES[kind].audience in OF_STAFF:
        return Word.STAFF.label
    more = f" {Word.MORE.label}" if len(rooms) > HOMES_SHOWN else ""
    return " ".join(rooms[:HOMES_SHOWN]) + more


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One message: its words as they were frozen, every attempt, what was reported."""
    message = get_message(desk.session, desk.community_id, number)
    reader = list_readers(desk.session, desk.community_id, [number])[number]
    note_sightings(
        desk.session,
        [(desk.community_id, unit_id) for unit_id, _ in reader.homes],
        Sight.BILLS,
        desk.now,
        staff_id=desk.staff.id,
    )  # the words tell of the home
    content = message.content
    sms = content.get("sms")
    return desk.page(
        "notices/show.html",
        message=message,
        reader=reader,
        is_for_staff=NOTICES[message.kind].audience in OF_STAFF,
        text=without_links(content["text"]),
        fields=[without_links(words) for words in content["fields"].values()],
        sms=without_links(sms["text"]) if sms else None,
        attempts=list_attempts(desk.session, message),
        opened_at=opened_at(desk.session, message),
        advice=advice,
    )


def outcomes(desk: Desk) -> ResponseReturnValue:
    """What came of the messages of the last days, by kind; as a file too."""
    days = asked_days(OUTCOME_DAYS[0])
    since = day_begins(first_of(desk.today, days))
    if request.args.get("format") == "xlsx":
        shown: Mapping[LabelEnum, Callable[[Any], object]] = {OutcomeColumn.KIND: NoticeKind}
        query = outcome_rows(desk.session, desk.community_id, since)
        return export(desk, Listing("outcomes", OutcomeColumn, query, shown=shown))
    return desk.page(
        "notices/outcomes.html",
        days=days,
        choices=OUTCOME_DAYS,
        found=list_outcomes(desk.session, desk.community_id, since),
        unreachable=count_unreachable(desk.session, desk.community_id),
    )
