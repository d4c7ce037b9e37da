"""Refunds (退款): asked for from a payment, approved by others, paid by hand or by its provider."""

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import Money
from billing.payment_tables import Payment
from billing.people import Staff
from billing.property import Unit
from billing.refund_outcomes import pay_out_refund, reject_refund
from billing.refund_tables import COUNTED_STAGES, Refund, RefundStage
from billing.refunds import (
    approve_refund,
    get_refund,
    new_out_refund_no,
    refunded_of,
    request_refund,
)
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list


class Done(LabelEnum):
    """What was done."""

    ASKED = "asked", "已提交退款申请，等待审批"
    FIRST = "first", "已审批；金额超过限额，还需要第二个人审批"
    APPROVED = "approved", "已批准，款项已锁定"
    REJECTED = "rejected", "已拒绝"
    PAID = "paid", "已登记付款，退款完成"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    CHANGED = "changed", "这笔退款刚刚被别人处理过，现在的状态在下面，请核对"


class RefundColumn(LabelEnum):
    """Columns of the list of refunds."""

    NUMBER = "key", "编号"
    AT = "requested_at", "申请时间"
    ROOM = "room", "房号"
    CHANNEL = "channel", "原缴费方式"
    AMOUNT = "amount", "金额（元）"
    REASON = "reason", "原因"
    ASKER = "asker", "申请人"
    STATE = "state", "状态"


def index(desk: Desk) -> ResponseReturnValue:
    """Refunds, the latest first; of one state if one is chosen."""
    form = Form(request.args)
    state = form.choice("state", RefundStage, default=RefundStage.REQUESTED)
    query = (
        select(
            Refund.id.label("key"),
            Refund.requested_at,
            Unit.room,
            Payment.channel,
            Refund.amount,
            Refund.reason,
            Staff.name.label("asker"),
            Refund.state,
        )
        .join(
            Payment,
            (Payment.community_id == Refund.community_id) & (Payment.id == Refund.payment_id),
        )
        .join(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .join(Staff, Staff.id == Refund.requested_by)
        .where(Refund.community_id == desk.community_id)
    )
    if form.is_fine:
        query = query.where(Refund.state == state)
    listing = Listing("refunds", RefundColumn, query, newest_first=True)
    return show_list(desk, listing, "money/refunds.html", form=form, states=RefundStage)


def _payment(desk: Desk, number: int) -> Payment:
    payment = desk.session.get(Payment, (desk.community_id, number))
    if payment is None:
        raise NotFound(f"no payment {number}")
    return payment


def new(desk: Desk, number: int) -> ResponseReturnValue:
    """The form to ask for a refund of a payment."""
    payment = _payment(desk, number)
    begins = {"amount": _left(desk, payment).yuan, "key": new_out_refund_no()}
    return _new(desk, payment, Form(begins))


def _left(desk: Desk, payment: Payment) -> Money:
    return payment.amount - refunded_of(desk.session, payment, COUNTED_STAGES)


def _new(desk: Desk, payment: Payment, form: Form) -> tuple[str, int]:
    return desk.page(
        "money/refund_new.html",
        form=form,
        payment=payment,
        unit=desk.session.get_one(Unit, (payment.community_id, payment.unit_id)),
        left=_left(desk, payment),
        limit=desk.community.refund_limit,
    )


def ask(desk: Desk, number: int) -> ResponseReturnValue:
    """Ask for a refund; sent twice it asks once, by the number drawn with the form."""
    payment = _payment(desk, number)
    form = Form(request.form)
    amount, reason = form.money("amount"), form.text("reason", most=80)
    key = form.text("key", most=64)

    def act() -> Response:
        asked = request_refund(
            desk.session,
            desk.community_id,
            number,
            amount,
            reason=reason,
            release_bills=form.ticked("release"),
            by=desk.staff,
            now=desk.now,
            out_refund_no=key,
        )
        return desk.done(Done.ASKED, "refunds_show", number=asked.id)

    return desk.submit(form, act, lambda: _new(desk, payment, form))


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """A refund, who did what to it, and what may be done now."""
    return _show(desk, number, Form())


def _show(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    refund = get_refund(desk.session, desk.community_id, number)
    payment = _payment(desk, refund.payment_id)
    people = {
        refund.requested_by,
        refund.approved_by,
        refund.second_approved_by,
        refund.rejected_by,
        refund.paid_out_by,
    }
    named = desk.session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(people)))
    is_by_hand = payment.merchant_id is None
    is_unsent = refund.state is RefundStage.APPROVED and refund.called_at is None
    is_mine = refund.requested_by == desk.staff.id
    return desk.page(
        "money/refund.html",
        form=form,
        refund=refund,
        payment=payment,
        unit=desk.session.get_one(Unit, (payment.community_id, payment.unit_id)),
        names=dict(named.all()),
        limit=desk.community.refund_limit,
        is_by_hand=is_by_hand,
        may_approve=refund.state is RefundStage.REQUESTED
        and not is_mine
        and refund.approved_by != desk.staff.id,
        may_reject=(refund.state is RefundStage.REQUESTED or is_unsent) and not is_mine,
        may_pay=is_by_hand and refund.state is RefundStage.APPROVED,
        seen=_seen(refund),
        is_mine=is_mine,
    )


def _seen(refund: Refund) -> str:
    """What somebody deciding has to have seen: its state and who approved."""
    return f"{refund.state.value}/{refund.approved_by or ''}"


def _check_seen(desk: Desk, number: int, form: Form) -> None:
    if form.typed("seen") != _seen(get_refund(desk.session, desk.community_id, number)):
        form.refuse("", Objection.CHANGED.label)


def approve(desk: Desk, number: int) -> ResponseReturnValue:
    """Approve; above the limit a second person must too."""
    form = Form(request.form)
    _check_seen(desk, number, form)

    def act() -> Response:
        decided = approve_refund(
            desk.session, desk.community_id, number, by=desk.staff, today=desk.today, now=desk.now
        )
        done = Done.FIRST if decided.state is RefundStage.REQUESTED else Done.APPROVED
        return desk.done(done, "refunds_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, number, form))


def reject(desk: Desk, number: int) -> ResponseReturnValue:
    """Refuse, or give up what was approved and is not on its way."""
    form = Form(request.form)
    _check_seen(desk, number, form)
    reason = form.text("reason")

    def act() -> Response:
        reject_refund(
            desk.session, desk.community_id, number, by=desk.staff, reason=reason, now=desk.now
        )
        return desk.done(Done.REJECTED, "refunds_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, number, form))


def pay(desk: Desk, number: int) -> ResponseReturnValue:
    """Write down that it was paid out by hand."""
    form = Form(request.form)
    _check_seen(desk, number, form)
    reference = form.text("reference", most=64)

    def act() -> Response:
        pay_out_refund(
            desk.session,
            desk.community_id,
            number,
            by=desk.staff,
            reference=reference,
            now=desk.now,
        )
        return desk.done(Done.PAID, "refunds_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, number, form))
