"""What is agreed for one home: discounts, prices of its own, frozen late fees, automatic deduction;
and what its meters showed.
"""

from collections.abc import Callable

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.concession_changes import (
    APPROVERS,
    agree_price,
    end_agreed_price,
    end_discount,
    grant_discount,
)
from billing.errors import NotFound
from billing.home_terms import list_agreed_prices, list_granted, list_meters
from billing.labels import LabelEnum
from billing.late_fee_policy import freeze, list_freezes, unfreeze
from billing.late_fee_tables import LateFeeFreeze
from billing.prepayments import list_auto_deduction, set_auto_deduction
from billing.pricing import DiscountReason
from billing.property import Subject, Unit
from billing.tariffs import ChargeItem
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.homes import find_home

Act = Callable[[], object]


class Done(LabelEnum):
    """What was done."""

    FROZEN = "frozen", "已冻结，这些天不再计违约金"
    UNFROZEN = "unfrozen", "已解冻"
    GRANTED = "granted", "优惠已生效，从下次出账起计算"
    ENDED = "ended", "已终止"
    AGREED = "agreed", "约定单价已生效，从下次出账起计算"
    DEDUCTION = "deduction", "自动抵扣已更新"


class Off(LabelEnum):
    """How a discount is given."""

    PERCENT = "percent", "按百分比"
    AMOUNT = "amount", "按金额（元）"


class Agreement(LabelEnum):
    """What is ended."""

    DISCOUNT = "discount", "优惠"
    PRICE = "price", "约定单价"


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """Everything that is agreed."""
    return _page(desk, find_home(desk, number))


def _page(desk: Desk, unit: Unit, **forms: Form) -> tuple[str, int]:
    session, here = desk.session, desk.community_id
    today = desk.today.isoformat()
    return desk.page(
        "homes/terms.html",
        unit=unit,
        grants=desk.staff.role in APPROVERS,
        freezes=list_freezes(session, here, unit.id),
        discounts=list_granted(session, here, unit.id),
        prices=list_agreed_prices(session, here, unit.id),
        meters=list_meters(session, here, unit.id),
        items=_items(desk),
        subjects=_subjects(desk, unit),
        deducted=list_auto_deduction(session, here, unit.id),
        freezing=forms.get("freezing") or Form({"from_on": today}, place="freezing-"),
        granting=forms.get("granting") or Form({"from_on": today}, place="granting-"),
        pricing=forms.get("pricing") or Form({"from_on": today}, place="pricing-"),
        ending=forms.get("ending") or Form(),
        reasons=DiscountReason,
        offs=Off,
    )


def _items(desk: Desk) -> list[ChargeItem]:
    query = select(ChargeItem).where(ChargeItem.community_id == desk.community_id)
    return list(desk.session.scalars(query.order_by(ChargeItem.id)))


def _subjects(desk: Desk, unit: Unit) -> list[Subject]:
    query = select(Subject).where(
        Subject.community_id == desk.community_id, Subject.unit_id == unit.id
    )
    return list(desk.session.scalars(query.order_by(Subject.id)))


def _submit(
    desk: Desk, unit: Unit, form: Form, act: Act, said: LabelEnum, name: str
) -> ResponseReturnValue:
    def do() -> Response:
        act()
        return desk.done(said, "homes_terms_show", number=unit.id)

    return desk.submit(form, do, lambda: _page(desk, unit, **{name: form}))


def stop(desk: Desk, number: int) -> ResponseReturnValue:
    """Count no late fee on some days."""
    unit, form = find_home(desk, number), Form(request.form, place="freezing-")
    from_on, to_on = form.day("from_on", default=desk.today), form.optional_day("to_on")
    reason = form.text("reason")

    def act() -> object:
        return freeze(
            desk.session,
            desk.community_id,
            unit.id,
            from_on=from_on,
            to_on=to_on,
            reason=reason,
            by=desk.staff.id,
            now=desk.now,
        )

    return _submit(desk, unit, form, act, Done.FROZEN, "freezing")


def resume(desk: Desk, number: int) -> ResponseReturnValue:
    """Count late fees again from a day on."""
    unit, form = find_home(desk, number), Form(request.form)
    freeze_id, on = form.number("freeze"), form.day("on", default=desk.today)
    reason = form.text("reason")
    frozen = desk.session.get(LateFeeFreeze, (desk.community_id, freeze_id))
    if frozen is None or frozen.unit_id != unit.id:
        raise NotFound(f"no late-fee freeze {freeze_id} of home {unit.id}")

    def act() -> object:
        return unfreeze(
            desk.session, desk.community_id, freeze_id, on=on, reason=reason, by=desk.staff.id
        )

    return _submit(desk, unit, form, act, Done.UNFROZEN, "ending")


def _item_of(desk: Desk, unit: Unit, form: Form) -> tuple[str, str]:
    """Codes of the item chosen and of what of this home it is charged for: `item:subject`."""
    typed = form.text("what")
    subjects = {(subject.kind, subject.code) for subject in _subjects(desk, unit)}
    for item in _items(desk):
        for kind, code in subjects:
            if item.subject_kind is kind and typed == f"{item.code}:{code}":
                return item.code, code
    if typed:
        raise NotFound(f"no charge {typed!r} of home {unit.id}")
    return "", ""


def grant(desk: Desk, number: int) -> ResponseReturnValue:
    """Grant a discount on what is billed from a day on."""
    unit, form = find_home(desk, number), Form(request.form, place="granting-")
    item, subject = _item_of(desk, unit, form)
    reason = form.choice("reason", DiscountReason, default=DiscountReason.AGREED)
    off = form.choice("off", Off, default=Off.PERCENT)
    value = str(form.decimal("value"))
    from_on, to_on = form.day("from_on", default=desk.today), form.optional_day("to_on")

    def act() -> object:
        return grant_discount(
            desk.session,
            desk.community_id,
            item,
            subject,
            reason=reason,
            percent=value if off is Off.PERCENT else None,
            amount=value if off is Off.AMOUNT else None,
            from_on=from_on,
            to_on=to_on,
            approved_by=desk.staff,
            now=desk.now,
        )

    return _submit(desk, unit, form, act, Done.GRANTED, "granting")


def price(desk: Desk, number: int) -> ResponseReturnValue:
    """Agree a unit price in place of the list's."""
    unit, form = find_home(desk, number), Form(request.form, place="pricing-")
    item, subject = _item_of(desk, unit, form)
    unit_price = str(form.decimal("unit_price"))
    from_on, to_on = form.day("from_on", default=desk.today), form.optional_day("to_on")

    def act() -> object:
        return agree_price(
            desk.session,
            desk.community_id,
            item,
            subject,
            unit_price=unit_price,
            from_on=from_on,
            to_on=to_on,
            approved_by=desk.staff,
            now=desk.now,
        )

    return _submit(desk, unit, form, act, Done.AGREED, "pricing")


def end(desk: Desk, number: int) -> ResponseReturnValue:
    """End a discount or an agreed price of this home."""
    unit, form = find_home(desk, number), Form(request.form)
    what = form.choice("agreement", Agreement, default=Agreement.DISCOUNT)
    agreement_id, on = form.number("id"), form.day("on", default=desk.today)
    session, here = desk.session, desk.community_id
    discounts = [granted.grant.id for granted in list_granted(session, here, unit.id)]
    prices = [agreed.price.id for agreed in list_agreed_prices(session, here, unit.id)]
    if agreement_id not in (discounts if what is Agreement.DISCOUNT else prices):
        raise NotFound(f"no {what.value} {agreement_id} of home {unit.id}")

    def act() -> object:
        ends = end_discount if what is Agreement.DISCOUNT else end_agreed_price
        return ends(session, here, agreement_id, to_on=on, by=desk.staff)

    return _submit(desk, unit, form, act, Done.ENDED, "ending")


def deduct(desk: Desk, number: int) -> ResponseReturnValue:
    """Which items are paid from the prepayment by themselves."""
    unit, form = find_home(desk, number), Form(request.form)
    known = {item.code for item in _items(desk)}
    wanted = known & set(request.form.getlist("items"))

    def act() -> object:
        set_auto_deduction(desk.session, desk.community_id, unit.id, wanted)
        return None

    return _submit(desk, unit, form, act, Done.DEDUCTION, "ending")
