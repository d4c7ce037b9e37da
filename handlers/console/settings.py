"""What a community decides for itself: when it bills, what it gives back, when somebody is there.

Every section is a form of its own, with the values its page showed: what somebody else changed
meanwhile is said, not overwritten.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from functools import partial

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.bill_schedule import next_billing_day, set_due_day, set_schedule
from billing.labels import LabelEnum
from billing.period import due_on
from billing.property import Community
from billing.refunds import set_refund_limit
from billing.service_desk import set_service_desk
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.seen import refuse_stale, write_down
from notify.broadcasts import PER_MINUTE_MAX, check_speed

YES = "1"
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
Act = Callable[[], None]
Values = dict[str, str]


class Done(LabelEnum):
    """What was done."""

    BILLING = "billing", "已保存，从下次出账起按新的设置"
    DUE = "due", "已保存，从下次发布的账单起按新的到期日"
    REFUNDS = "refunds", "已保存，从现在起的退款审批按新的限额"
    DESK = "desk", "已保存，立即生效"
    SENDING = "sending", "已保存，从下一条消息起生效"


class Publishing(LabelEnum):
    """What becomes of the drafts of the billing day."""

    ITSELF = "itself", "起草后立即发布"
    STAFF = "staff", "先留作草稿，由员工核对后发布"


class Field(LabelEnum):
    """What is decided."""

    BILLING_DAY = "billing_day", "出账日"
    PUBLISHING = "publishing", "发布方式"
    DUE_DAY = "due_day", "到期日"
    DUE_MONTHS = "due_month_offset", "宽限月数"
    LIMIT = "limit", "退款限额（元）"
    PHONE = "phone", "服务电话"
    OPENS = "opens", "开始时间"
    CLOSES = "closes", "结束时间"
    WEEKENDS = "weekends", "周末服务"
    AGENTS = "agents", "微信客服坐席"
    SMS = "sms_unfollowed", "取消关注者改发短信"
    SPEED = "per_minute", "群发速度"


@dataclass(frozen=True, slots=True)
class Section:
    """Some values that are saved together.

    Attributes:
        begin: what they are now, as the form shows them.
        read: reads the form; what it returns saves it.
    """

    said: Done
    begin: Callable[[Community], Values]
    read: Callable[[Desk, Form], Act]
    ticks: frozenset[str] = frozenset()


def _tick(is_on: bool) -> str:
    return YES if is_on else ""


def _begin_billing(community: Community) -> Values:
    publishing = Publishing.ITSELF if community.publishes_itself else Publishing.STAFF
    return {"billing_day": str(community.billing_day), "publishing": publishing.value}


def _read_billing(desk: Desk, form: Form) -> Act:
    return partial(
        set_schedule,
        desk.session,
        desk.community_id,
        billing_day=form.number("billing_day"),
        publishes_itself=form.choice("publishing", Publishing, default=Publishing.STAFF)
        is Publishing.ITSELF,
        by=desk.staff,
    )


def _begin_due(community: Community) -> Values:
    return {
        "due_day": str(community.due_day),
        "due_month_offset": str(community.due_month_offset),
    }


def _read_due(desk: Desk, form: Form) -> Act:
    return partial(
        set_due_day,
        desk.session,
        desk.community_id,
        due_day=form.number("due_day"),
        due_month_offset=form.number("due_month_offset"),
        by=desk.staff,
    )


def _begin_refunds(community: Community) -> Values:
    return {"limit": f"{community.refund_limit.yuan}"}


def _read_refunds(desk: Desk, form: Form) -> Act:
    limit = form.money("limit", positive=False)
    return partial(set_refund_limit, desk.session, desk.community_id, limit, by=desk.staff)


def _begin_desk(community: Community) -> Values:
    return {
        "phone": community.service_phone,
        "opens": f"{community.service_from:%H:%M}",
        "closes": f"{community.service_to:%H:%M}",
        "weekends": _tick(community.service_weekends),
        "agents": _tick(community.has_agents),
    }


def _read_clock(form: Form, name: str) -> time | None:
    typed = form.text(name)
    if not typed:
        return None
    if not CLOCK.fullmatch(typed):
        form.refuse(name, Objection.NO_CLOCK.label)
        return None
    return time.fromisoformat(typed)


def _read_desk(desk: Desk, form: Form) -> Act:
    phone = form.text("phone")
    return partial(
        set_service_desk,
        desk.community,
        opens=_read_clock(form, "opens"),
        closes=_read_clock(form, "closes"),
        weekends=form.ticked("weekends"),
        agents=form.ticked("agents"),
        phone=None if phone == desk.community.service_phone else phone,
    )


def _begin_sending(community: Community) -> Values:
    speed = community.broadcasts_per_minute
    return {
        "sms_unfollowed": _tick(community.sms_unfollowed),
        "per_minute": "" if speed is None else str(speed),
    }


def _read_sending(desk: Desk, form: Form) -> Act:
    speed = form.number("per_minute") if form.typed("per_minute") else None
    by_sms = form.ticked("sms_unfollowed")

    def act() -> None:
        desk.community.broadcasts_per_minute = check_speed(speed)
        desk.community.sms_unfollowed = by_sms

    return act


class Objection(LabelEnum):
    """Why a form is not accepted."""

    NO_CLOCK = "no_clock", "请填写时间，如 08:30"


SECTIONS: Mapping[str, Section] = {
    "billing": Section(Done.BILLING, _begin_billing, _read_billing),
    "due": Section(Done.DUE, _begin_due, _read_due),
    "refunds": Section(Done.REFUNDS, _begin_refunds, _read_refunds),
    "desk": Section(Done.DESK, _begin_desk, _read_desk, frozenset({"weekends", "agents"})),
    "sending": Section(Done.SENDING, _begin_sending, _read_sending, frozenset({"sms_unfollowed"})),
}


def index(desk: Desk) -> ResponseReturnValue:
    """Everything a community decides, section by section."""
    return _page(desk, {})


def _page(desk: Desk, sent: Mapping[str, Form]) -> tuple[str, int]:
    community = desk.community
    begins = {name: section.begin(community) for name, section in SECTIONS.items()}
    forms = {
        name: sent.get(name) or Form(values, place=f"{name}-") for name, values in begins.items()
    }
    next_on = next_billing_day(community, desk.today)
    return desk.page(
        "settings/index.html",
        forms=forms,
        seen={name: write_down(values) for name, values in begins.items()},
        Publishing=Publishing,
        next_on=next_on,
        next_due=due_on(next_on, day=community.due_day, month_offset=community.due_month_offset),
        speed_max=PER_MINUTE_MAX,
    )


def _save(desk: Desk, name: str) -> ResponseReturnValue:
    section, form = SECTIONS[name], Form(request.form, place=f"{name}-")
    desk.session.refresh(desk.community, with_for_update={"key_share": True})
    refuse_stale(form, Field, section.begin(desk.community), section.ticks)
    save = section.read(desk, form)

    def act() -> Response:
        save()
        return desk.done(section.said, "settings_index", _anchor=name)

    return desk.submit(form, act, lambda: _page(desk, {name: form}))


def set_billing(desk: Desk) -> ResponseReturnValue:
    """When bills are made, and who publishes them."""
    return _save(desk, "billing")


def set_due(desk: Desk) -> ResponseReturnValue:
    """By when they are to be paid."""
    return _save(desk, "due")


def set_refunds(desk: Desk) -> ResponseReturnValue:
    """Above what a refund takes two people."""
    return _save(desk, "refunds")


def set_desk(desk: Desk) -> ResponseReturnValue:
    """When somebody answers, and at which number."""
    return _save(desk, "desk")


def set_sending(desk: Desk) -> ResponseReturnValue:
    """SMS for those WeChat reaches no more, and how fast a broadcast goes out."""
    return _save(desk, "sending")
