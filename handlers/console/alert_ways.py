"""Where what an alert is about is dealt with: links for who may open them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import current_app, url_for

from billing.alerts import Alert, AlertKind
from billing.labels import LabelEnum
from handlers.console.desk import Desk
from handlers.console.permissions import Permission
from notify.gate import template_line
from notify.outbox import MessageState


class Place(LabelEnum):
    """A page an alert leads to."""

    DISCREPANCY = "discrepancy", "这条差错"
    DISCREPANCIES = "discrepancies", "对账差错"
    DAY = "day", "这一天的对账"
    REFUND = "refund", "这笔退款"
    BINDINGS = "bindings", "待审的绑定申请"
    FAILED = "failed", "发送失败的消息"
    TEMPLATES = "templates", "消息模板"
    OUTSIDE = "outside", "外部接口"
    HOLIDAYS = "holidays", "催缴提醒设置"
    BILL = "bill", "这张账单"
    BANK = "bank", "银行到账"
    RUNS = "runs", "出账"


@dataclass(frozen=True, slots=True)
class Way:
    """A page, the right it takes, and what its address needs."""

    place: Place
    permission: Permission
    endpoint: str
    values: Mapping[str, object] = field(default_factory=dict)


FAILED_MESSAGES = Way(
    Place.FAILED, Permission.NOTICES, "notices_index", {"state": MessageState.FAILED.value}
)
WAYS: Mapping[AlertKind, tuple[Way, ...]] = {
    AlertKind.CODE_GUESSING: (Way(Place.BINDINGS, Permission.LOOK, "approvals_index"),),
    AlertKind.WEBHOOK_FAILED: (Way(Place.OUTSIDE, Permission.SETTINGS, "outside_index"),),
    AlertKind.HOLIDAYS_UNKNOWN: (
        Way(Place.HOLIDAYS, Permission.SETTINGS, "settings_reminders_index"),
    ),
    AlertKind.MONEY_WAITING: (Way(Place.BANK, Permission.BANK, "bank_index"),),
    AlertKind.CHARGES_PARKED: (Way(Place.RUNS, Permission.BILLS, "runs_index"),),
}
"""Of kinds that always lead to the same page."""


def ways_from(desk: Desk, alert: Alert) -> list[tuple[str, str]]:
    """Name and address of the pages where it is dealt with, of those this member of staff may open.
    An alert of before may lack the number of its matter: it leads to the list, or nowhere.
    """
    return [
        (way.place.label, _address(desk, way))
        for way in _ways(desk, alert)
        if desk.may(way.permission)
    ]


def _ways(desk: Desk, alert: Alert) -> tuple[Way, ...]:
    match alert.kind:
        case AlertKind.DISCREPANCY:
            return _to_discrepancy(alert)
        case AlertKind.NOT_RECONCILED:
            return (_to_day(alert),)
        case AlertKind.REFUND_FAILED | AlertKind.REFUND_ABNORMAL:
            return _to_one(alert, "refund", Way(Place.REFUND, Permission.LOOK, "refunds_show"))
        case AlertKind.LIMITATION | AlertKind.UNDUE_LATE_FEE:
            return _to_one(alert, "bill_id", Way(Place.BILL, Permission.LOOK, "homes_bill_show"))
        case AlertKind.SENDING_STOPPED:
            is_template = str(alert.data.get("line")).startswith(template_line(""))
            templates = Way(Place.TEMPLATES, Permission.SETTINGS, "notice_templates_index")
            return (FAILED_MESSAGES, templates) if is_template else (FAILED_MESSAGES,)
        case kind:
            return WAYS.get(kind, ())


def _to_discrepancy(alert: Alert) -> tuple[Way, ...]:
    """To the one it names, or to the list; and to the day whose statement showed it."""
    one = _to_one(
        alert,
        "discrepancy",
        Way(Place.DISCREPANCY, Permission.BANK, "discrepancies_show"),
    )
    listed = one or (Way(Place.DISCREPANCIES, Permission.BANK, "discrepancies_index"),)
    return (*listed, _to_day(alert)) if alert.data.get("date") else listed


def _to_day(alert: Alert) -> Way:
    day = alert.data.get("date")
    values = {"day": day} if day else {}
    return Way(Place.DAY, Permission.BANK, "discrepancies_compared", values)


def _to_one(alert: Alert, name: str, way: Way) -> tuple[Way, ...]:
    number = alert.data.get(name)
    if not isinstance(number, int):
        return ()
    return (Way(way.place, way.permission, way.endpoint, {"number": number}),)


def _address(desk: Desk, way: Way) -> str:
    """Some pages are of no community."""
    if current_app.url_map.is_endpoint_expecting(f"console.{way.endpoint}", "code"):
        return desk.url(way.endpoint, **way.values)
    return url_for(f"console.{way.endpoint}", **way.values)  # type: ignore[arg-type]
