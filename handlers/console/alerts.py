"""What is odd: the list of alerts, and what becomes of one."""

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select
from werkzeug.wrappers import Response

from billing.alerts import Alert, AlertKind, Severity, close_alert, snooze_alert, take_alert
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.people import Staff
from billing.property import Unit
from handlers.console.alert_ways import ways_from
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.reports import links_to


class Done(LabelEnum):
    """What was done."""

    TAKEN = "taken", "已由您负责"
    SNOOZED = "snoozed", "到那天再提醒"
    CLOSED = "closed", "已办结"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    CHANGED = "changed", "这条提醒刚刚被别人改过，请看下面现在的情况再决定"


class AlertColumn(LabelEnum):
    """Columns of the list."""

    KIND = "kind", "提醒"
    SEVERITY = "severity", "程度"
    ROOM = "room", "房号"
    RAISED = "raised_at", "发现时间"
    OWNER = "owner", "负责人"
    STATE = "closed_at", "办结时间"


def index(desk: Desk) -> ResponseReturnValue:
    """Open alerts, the latest first; with `all`, those asleep and closed too."""
    kind, every = request.args.get("kind", ""), request.args.get("all", "") != ""
    query = (
        select(
            Alert.id.label("key"),
            Alert.kind,
            Alert.severity,
            Unit.room,
            Alert.raised_at,
            Staff.name.label("owner"),
            Alert.closed_at,
        )
        .outerjoin(Unit, (Unit.community_id == Alert.community_id) & (Unit.id == Alert.unit_id))
        .outerjoin(Staff, Staff.id == Alert.owner_id)
        .where(or_(Alert.community_id == desk.community_id, Alert.community_id.is_(None)))
    )
    if not every:
        awake = or_(Alert.snoozed_until.is_(None), Alert.snoozed_until <= desk.today)
        query = query.where(Alert.closed_at.is_(None), awake)
    if kind in {one.value for one in AlertKind}:
        query = query.where(Alert.kind == AlertKind(kind))
    listing = Listing("alerts", AlertColumn, query, newest_first=True)
    return show_list(
        desk,
        listing,
        "alerts/index.html",
        kinds=[(one.value, one.label) for one in AlertKind],
        kind=kind,
        every=every,
        grave=Severity.HIGH,
    )


def _find(desk: Desk, number: int) -> Alert:
    alert = desk.session.get(Alert, number)
    if alert is None or alert.community_id not in (None, desk.community_id):
        raise NotFound(f"no alert {number}")
    return alert


def state_of(alert: Alert) -> str:
    """What a person who decides must have seen: it changes when anybody decides."""
    return f"{alert.owner_id or ''}/{alert.snoozed_until or ''}/{alert.closed_at or ''}"


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One alert with its figures."""
    return _page(desk, _find(desk, number), Form())


def _page(desk: Desk, alert: Alert, form: Form) -> tuple[str, int]:
    people = {
        person.id: person.name
        for person in desk.session.scalars(
            select(Staff).where(Staff.id.in_([alert.owner_id or 0, alert.closed_by or 0]))
        )
    }
    home = desk.session.get(Unit, (alert.community_id, alert.unit_id)) if alert.unit_id else None
    return desk.page(
        "alerts/show.html",
        alert=alert,
        form=form,
        state=state_of(alert),
        people=people,
        home=home,
        home_link=links_to(desk, "homes_show", number=alert.unit_id) if home else None,
        ways=ways_from(desk, alert),
    )


def _form(alert: Alert) -> Form:
    """What was sent; refused when the alert is not as the sender saw it."""
    form = Form(request.form)
    if form.typed("state") != state_of(alert):
        form.refuse("", Objection.CHANGED.label)
    return form


def take(desk: Desk, number: int) -> ResponseReturnValue:
    """See to it oneself."""
    alert = _find(desk, number)
    form = _form(alert)

    def act() -> Response:
        take_alert(desk.session, alert.id, desk.staff)
        return desk.done(Done.TAKEN, "alerts_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, alert, form))


def snooze(desk: Desk, number: int) -> ResponseReturnValue:
    """Be reminded later."""
    alert = _find(desk, number)
    form = _form(alert)
    until = form.day("until", default=desk.today)

    def act() -> Response:
        snooze_alert(desk.session, alert.id, until, desk.today)
        return desk.done(Done.SNOOZED, "alerts_index")

    return desk.submit(form, act, lambda: _page(desk, alert, form))


def close(desk: Desk, number: int) -> ResponseReturnValue:
    """Say what came of it."""
    alert = _find(desk, number)
    form = _form(alert)
    reason = form.text("reason")

    def act() -> Response:
        close_alert(desk.session, alert.id, desk.now, by=desk.staff, reason=reason)
        return desk.done(Done.CLOSED, "alerts_index")

    return desk.submit(form, act, lambda: _page(desk, alert, form))
