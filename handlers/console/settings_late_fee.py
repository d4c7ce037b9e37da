"""What the contract says about late fees, version by version; and what money pays first."""

from datetime import timedelta
from decimal import Decimal

from flask import flash, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.labels import LabelEnum
from billing.late_fee_policy import list_policies, set_late_fee_first, set_policy
from billing.late_fee_tables import LateFeeCap, LateFeePolicy
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.seen import refuse_stale, write_down
from handlers.console.words import explain_words

PERCENT = Decimal(100)
EXAMPLE_YUAN = Decimal(1000)


class Done(LabelEnum):
    """What was done."""

    ADDED = "added", "已新增一版违约金条款"
    ORDER = "order", "已保存，从下一笔到账起按新的顺序"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    NEWER = "newer", "您打开本页之后别人新增了一版（{0} 起，每日 {1}%）。请核对后再保存"


class First(LabelEnum):
    """What money pays first when nobody says what it is for."""

    DEBTS = "debts", "先还欠费，再还违约金"
    FEES = "fees", "先还违约金，再还欠费"


class Field(LabelEnum):
    """What is decided besides the clause."""

    FIRST = "first", "抵扣顺序"


def index(desk: Desk) -> ResponseReturnValue:
    """Every version, and the forms."""
    return _page(desk)


def _policies(desk: Desk) -> list[LateFeePolicy]:
    """The latest first."""
    return list_policies(desk.session, desk.community_id)[::-1]


def _newest(policies: list[LateFeePolicy]) -> LateFeePolicy | None:
    """The one that was added last, whatever day it begins on."""
    return max(policies, key=lambda one: one.id, default=None)


def _order(desk: Desk) -> dict[str, str]:
    first = First.FEES if desk.community.late_fee_first else First.DEBTS
    return {"first": first.value}


def _percent(policy: LateFeePolicy) -> str:
    return f"{(policy.daily_rate * PERCENT).normalize():f}"


def _yuan(amount: Decimal) -> str:
    """With two decimals, or as many as it takes."""
    short = f"{amount:.2f}"
    return short if Decimal(short) == amount else f"{amount.normalize():f}"


def _page(desk: Desk, adding: Form | None = None, order: Form | None = None) -> tuple[str, int]:
    policies = _policies(desk)
    newest = _newest(policies)
    begins = {
        "from": (desk.today + timedelta(days=1)).isoformat(),
        "cap": LateFeeCap.PRINCIPAL.value,
        "grace_days": "0",
    }
    return desk.page(
        "settings/late_fee.html",
        policies=[(one, _percent(one), _yuan(one.daily_rate * EXAMPLE_YUAN)) for one in policies],
        current=next((one.id for one in policies if one.effective_from <= desk.today), None),
        latest=newest.id if newest is not None else 0,
        adding=adding or Form(begins, place="adding-"),
        ordering=order or Form(_order(desk), place="order-"),
        seen=write_down(_order(desk)),
        caps=LateFeeCap,
        First=First,
    )


def add(desk: Desk) -> ResponseReturnValue:
    """Add a version; what is unusual about it is said."""
    form = Form(request.form, place="adding-")
    # Whoever adds a version meanwhile waits: what is compared is what there is.
    desk.session.refresh(desk.community, with_for_update={"key_share": True})
    newest = _newest(_policies(desk))
    if newest is not None and form.number("latest") != newest.id:
        form.refuse("", Objection.NEWER.label.format(newest.effective_from, _percent(newest)))
    effective_from = form.day("from", default=desk.today)
    rate = form.decimal("daily_rate") / PERCENT
    grace_days = form.number("grace_days")
    cap = form.choice("cap", LateFeeCap, default=LateFeeCap.PRINCIPAL)
    document = form.text("document", most=500)

    def act() -> Response:
        warnings = set_policy(
            desk.session,
            desk.community_id,
            effective_from=effective_from,
            daily_rate=rate,
            grace_days=grace_days,
            cap=cap,
            document=document,
        )
        for warning in warnings:
            flash(explain_words(warning), "warn")
        return desk.done(Done.ADDED, "settings_late_fee_index")

    return desk.submit(form, act, lambda: _page(desk, adding=form))


def order(desk: Desk) -> ResponseReturnValue:
    """What money pays first."""
    form = Form(request.form, place="order-")
    desk.session.refresh(desk.community, with_for_update={"key_share": True})
    refuse_stale(form, Field, _order(desk))
    first = form.choice("first", First, default=First.DEBTS)

    def act() -> Response:
        set_late_fee_first(
            desk.session, desk.community_id, first=first is First.FEES, by=desk.staff
        )
        return desk.done(Done.ORDER, "settings_late_fee_index")

    return desk.submit(form, act, lambda: _page(desk, order=form))
