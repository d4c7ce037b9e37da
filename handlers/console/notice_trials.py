"""A trial of a kind of notice, sent to whoever sits here."""

from functools import partial

from flask import request
from flask.typing import ResponseReturnValue

from billing.errors import BillingError
from billing.labels import LabelEnum
from handlers.console.desk import REFUSED, Desk, Outside
from handlers.console.forms import Form
from handlers.console.notice_templates import (
    context_of,
    kind_of,
    own_openid,
    way_of,
    works_everywhere,
)
from handlers.console.words import explain
from notify.approved import Approved, read_approved
from notify.catalog import NoticeKind, Transport
from notify.trial import Trial, send_trial

PHONE_DIGITS = (8, 15)


class Objection(LabelEnum):
    """Why a form is not accepted."""

    NO_WECHAT = (
        "no_wechat",
        "您还没有绑定微信，收不到测试消息；请先在“员工与权限”里生成绑定码，发送给公众号",
    )
    NO_PHONE = "no_phone", "请填写手机号，只填数字"
    SMS_EVERY = "sms_every", "测试短信可以发给任何号码，请负责全部小区的经理来发"


def test(desk: Desk) -> ResponseReturnValue | Outside:
    """Send the kind with sample words to whoever sits here; SMS to the number he types, if he
    manages all communities.
    """
    kind = kind_of(request.form)
    way = way_of(request.form, kind)
    desk.concern(desk.staff.community_id)
    form = Form(request.form, place="test-")
    to = _number(form) if way is Transport.SMS else own_openid(desk)
    if way is Transport.SMS and not works_everywhere(desk):
        form.refuse("", Objection.SMS_EVERY.label)
    if to is None:
        form.refuse("", Objection.NO_WECHAT.label)
    approved = read_approved(desk.session, desk.services.approved)
    context = context_of(desk, kind, trying=form)
    if to is None or not form.is_fine:
        return desk.page("notice_templates/show.html", **context)[0], REFUSED
    return Outside(partial(_test, desk, approved, kind, way, to, context, form))


def _number(form: Form) -> str:
    typed = form.text("person_phone")
    least, most = PHONE_DIGITS
    if typed and not (typed.isascii() and typed.isdecimal() and least <= len(typed) <= most):
        form.refuse("person_phone", Objection.NO_PHONE.label)
    return typed


def _test(
    desk: Desk,
    approved: Approved,
    kind: NoticeKind,
    way: Transport,
    to: str,
    context: dict[str, object],
    form: Form,
) -> ResponseReturnValue:
    """Send it, and say what the other side answered; runs when no transaction is open."""
    trial: Trial | None = None
    try:
        trial = send_trial(desk.services.wechat, desk.services.sms, approved, kind, way, to)
    except BillingError as error:
        form.refuse("", explain(error))
    page, status = desk.page("notice_templates/show.html", **(context | {"trial": trial}))
    return page, status if form.is_fine else REFUSED
