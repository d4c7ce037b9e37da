"""Deposits of a home: taken, given back, kept for damage. Only in cash, as the core books them."""

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.deposits import (
    DepositState,
    forfeit_deposit,
    list_deposits,
    return_deposit,
    take_deposit,
)
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import Money
from billing.property import Unit
from handlers.console.desk import Desk
from handlers.console.forms import NUMBER, Form
from handlers.console.homes import find_home


class Done(LabelEnum):
    """What was done."""

    TAKEN = "taken", "押金已收取并入账"
    RETURNED = "returned", "押金已退还并入账"
    FORFEITED = "forfeited", "押金已抵扣为收入"


class Giving(LabelEnum):
    """What becomes of a deposit that is held."""

    RETURN = "return", "退还现金"
    FORFEIT = "forfeit", "抵扣（转为收入）"


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """What is held of a home, and the forms."""
    return _page(desk, find_home(desk, number), Form())


def _page(desk: Desk, unit: Unit, taking: Form, giving: Form | None = None) -> tuple[str, int]:
    deposits = _list(desk, unit)
    forms = {one.id: Form(place=f"give{one.id}-") for one in deposits}
    if giving is not None:
        forms[giving.number("deposit")] = giving
    return desk.page(
        "homes/deposits.html",
        unit=unit,
        deposits=deposits,
        taking=taking,
        forms=forms,
        givings=Giving,
    )


def _list(desk: Desk, unit: Unit) -> list[DepositState]:
    return list_deposits(desk.session, desk.community_id, unit_ids=[unit.id])


def take(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a deposit in cash."""
    unit, form = find_home(desk, number), Form(request.form)
    paper, purpose, amount = form.text("number"), form.text("purpose"), form.money("amount")

    def act() -> Response:
        take_deposit(
            desk.session,
            community_id=desk.community_id,
            unit_id=unit.id,
            number=paper,
            purpose=purpose,
            amount=amount,
            by=desk.staff.id,
            on=desk.today,
            now=desk.now,
        )
        return desk.done(Done.TAKEN, "homes_deposits_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, unit, form))


def give(desk: Desk, number: int) -> ResponseReturnValue:
    """Give a deposit back, or keep it."""
    unit = find_home(desk, number)
    deposit = _find(desk, unit, request.form.get("deposit", ""))
    form = Form(request.form, place=f"give{deposit.id}-")
    how = form.choice("how", Giving, default=Giving.RETURN)
    amount, reason = form.money("amount"), form.text("reason")
    seen = form.typed("seen")
    held = Money(int(seen)) if NUMBER.fullmatch(seen) else None

    def act() -> Response:
        do = return_deposit if how is Giving.RETURN else forfeit_deposit
        do(
            desk.session,
            desk.community_id,
            deposit.number,
            amount,
            reason=reason,
            by=desk.staff.id,
            on=desk.today,
            now=desk.now,
            seen=held,
        )
        said = Done.RETURNED if how is Giving.RETURN else Done.FORFEITED
        return desk.done(said, "homes_deposits_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, unit, Form(), form))


def _find(desk: Desk, unit: Unit, typed: str) -> DepositState:
    for deposit in _list(desk, unit):
        if str(deposit.id) == typed:
            return deposit
    raise NotFound(f"no deposit {typed!r} of home {unit.id}")
