"""What waits for somebody's decision: waivers and corrections, and people who want to be bound."""

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.adjustment_tables import AdjustmentState
from billing.adjustments import approve_adjustment, get_adjustment, refuse_adjustment
from billing.bill_history import list_changes
from billing.binding_requests import decide_binding
from billing.labels import LabelEnum
from billing.people import BindingState
from billing.residents import list_bound, list_stays
from handlers.console.desk import Desk
from handlers.console.forms import Form

DECISION = "decision"
APPROVE, REFUSE = "approve", "refuse"


class Done(LabelEnum):
    """What was done."""

    APPROVED = "approved", "已批准并入账"
    REFUSED = "refused", "已驳回"
    BOUND = "bound", "已通过，对方会收到通知"
    NOT_BOUND = "not_bound", "已拒绝，对方会收到通知"


class Objection(LabelEnum):
    """Why a decision is not accepted."""

    UNDECIDED = "undecided", "请选择通过或拒绝"


def index(desk: Desk) -> ResponseReturnValue:
    """Everything that waits, the oldest first."""
    return _page(desk, Form())


def _page(desk: Desk, form: Form) -> tuple[str, int]:
    session, here, vault = desk.session, desk.community_id, desk.services.vault
    requests = list_bound(session, vault, here, states=(BindingState.REQUESTED,))
    homes = [one.binding.unit_id for one in requests]
    known: dict[int, list[str]] = {}
    for stay in list_stays(session, vault, here, homes, on=desk.today):
        words = f"{stay.role.label} {stay.name} {stay.phone}"
        known.setdefault(stay.unit_id, []).append(words)
    return desk.page(
        "approvals/index.html",
        form=form,
        changes=list_changes(session, here, states=(AdjustmentState.REQUESTED,)),
        requests=requests,
        known=known,
    )


def _read_decision(form: Form) -> bool:
    """Whether it is approved."""
    typed = form.typed(DECISION)
    if typed not in (APPROVE, REFUSE):
        form.refuse("", Objection.UNDECIDED.label)
    return typed == APPROVE


def adjustment(desk: Desk, number: int) -> ResponseReturnValue:
    """Approve a waiver or a correction somebody else asked for, or refuse it."""
    get_adjustment(desk.session, desk.community_id, number)
    form = Form(request.form)
    approve = _read_decision(form)

    def act() -> Response:
        if approve:
            approve_adjustment(
                desk.session,
                desk.community_id,
                number,
                by=desk.staff,
                today=desk.today,
                now=desk.now,
            )
            return desk.done(Done.APPROVED, "approvals_index")
        refuse_adjustment(desk.session, desk.community_id, number, by=desk.staff, now=desk.now)
        return desk.done(Done.REFUSED, "approvals_index")

    return desk.submit(form, act, lambda: _page(desk, form))


def binding(desk: Desk, number: int) -> ResponseReturnValue:
    """Let a follower act for a home, or refuse him with a reason that is kept."""
    form = Form(request.form)
    approve = _read_decision(form)
    reason = form.optional("reason") if approve else form.text("reason")

    def act() -> Response:
        decide_binding(
            desk.session,
            desk.community_id,
            number,
            approve=approve,
            now=desk.now,
            reason=reason,
            by=desk.staff.id,
        )
        return desk.done(Done.BOUND if approve else Done.NOT_BOUND, "approvals_index")

    return desk.submit(form, act, lambda: _page(desk, form))
