"""The people of a home: who lives there, who is bound, who looked; hand-over, tenants, codes."""

from dataclasses import dataclass
from datetime import date

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.bindings import issue_code
from billing.deposits import DepositState, list_deposits
from billing.errors import NotFound
from billing.handovers import hand_over
from billing.home_terms import Agreed, Granted, list_agreed_prices, list_granted
from billing.labels import LabelEnum
from billing.money import Money
from billing.people import Binding, ResidentRole
from billing.prepayments import balance
from billing.property import Unit
from billing.residents import Bound, add_resident, list_bound, list_stays, move_in, move_out
from billing.sightings import Sight, list_sightings, note_sightings
from billing.unbinding import end_by_staff
from handlers.console.desk import Desk
from handlers.console.forms import EARLIEST, Form
from handlers.console.homes import find_home

SIGHTINGS_DAYS = 180
MOVING, HANDING = "moving-", "handing-"
NEW = ""
"""Chosen instead of somebody known."""


class Done(LabelEnum):
    """What was done."""

    HANDED_OVER = "handed_over", "已过户：过户日之前的欠费留给原业主，之后的由新业主承担"
    HANDED_ALREADY = "handed_already", "已经登记过同样的过户，没有变化"
    MOVED_IN = "moved_in", "已登记入住"
    MOVED_OUT = "moved_out", "已登记迁出"
    UNBOUND = "unbound", "已解绑，对方会收到通知"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    STALE = "stale", "业主刚刚有变化，请看过下面的最新住户后再提交"


class Mover(LabelEnum):
    """Who moves in without a hand-over."""

    TENANT = ResidentRole.TENANT.value, ResidentRole.TENANT.label
    MEMBER = ResidentRole.MEMBER.value, ResidentRole.MEMBER.label
    OWNER = ResidentRole.OWNER.value, ResidentRole.OWNER.label


@dataclass(frozen=True, slots=True)
class Left:
    """What stays with a home that changes hands, unless staff settle it with who leaves.

    Attributes:
        discounts: those that have not ended, as `prices`.
    """

    prepaid: Money
    deposits: list[DepositState]
    discounts: list[Granted]
    prices: list[Agreed]


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """Who lives there, masked."""
    return _page(desk, find_home(desk, number))


def reveal(desk: Desk, number: int) -> ResponseReturnValue:
    """The same with full names and numbers; whoever asks for them is written down."""
    unit = find_home(desk, number)
    _note(desk, unit, Sight.PERSONAL)
    return _page(desk, unit, in_full=True)


def _note(desk: Desk, unit: Unit, what: Sight) -> None:
    home = (desk.community_id, unit.id)
    note_sightings(desk.session, [home], what, desk.now, staff_id=desk.staff.id)


def _page(
    desk: Desk,
    unit: Unit,
    *,
    moving: Form | None = None,
    handing: Form | None = None,
    refused: Form | None = None,
    in_full: bool = False,
    code: str | None = None,
) -> tuple[str, int]:
    session, here, vault = desk.session, desk.community_id, desk.services.vault
    _note(desk, unit, Sight.PEOPLE)
    stays = list_stays(session, vault, here, [unit.id], in_full=in_full)
    begins = {"from_on": desk.today.isoformat(), "role": Mover.TENANT.value}
    return desk.page(
        "homes/people.html",
        unit=unit,
        stays=stays,
        people=list({stay.resident_id: stay for stay in stays}.values()),
        owners=_owners(desk, unit),
        bound=list_bound(session, vault, here, unit_id=unit.id),
        seen=list_sightings(session, here, unit.id, days=SIGHTINGS_DAYS, today=desk.today),
        moving=moving or Form(begins, place=MOVING),
        handing=handing or Form({"on": desk.today.isoformat()}, place=HANDING),
        left=_left(desk, unit),
        refused=refused or Form(),
        movers=Mover,
        roles=ResidentRole,
        in_full=in_full,
        code=code,
    )


def _left(desk: Desk, unit: Unit) -> Left:
    session, here = desk.session, desk.community_id
    return Left(
        prepaid=balance(session, here, unit.id),
        deposits=[one for one in list_deposits(session, here, unit_ids=[unit.id]) if one.held],
        discounts=[
            one for one in list_granted(session, here, unit.id) if _lasts(desk, one.grant.to_on)
        ],
        prices=[
            one
            for one in list_agreed_prices(session, here, unit.id)
            if _lasts(desk, one.price.to_on)
        ],
    )


def _lasts(desk: Desk, to_on: date | None) -> bool:
    return to_on is None or to_on > desk.today


def _owners(desk: Desk, unit: Unit) -> str:
    """Who owns it now, as a stale form is told by."""
    stays = list_stays(desk.session, desk.services.vault, desk.community_id, [unit.id])
    owners = [
        stay.resident_id
        for stay in stays
        if stay.role is ResidentRole.OWNER and not stay.is_over(desk.today)
    ]
    return "-".join(map(str, sorted(owners)))


def _who(desk: Desk, form: Form, unit: Unit) -> int:
    """The resident a form means: one known at this home, or one written down now."""
    typed = form.typed("resident")
    if typed == NEW:
        name, phone = form.typed("person_name"), form.typed("person_phone")
        vault = desk.services.vault
        return add_resident(desk.session, vault, desk.community_id, name=name, phone=phone).id
    stays = list_stays(desk.session, desk.services.vault, desk.community_id, [unit.id])
    for stay in stays:
        if str(stay.resident_id) == typed:
            return stay.resident_id
    raise NotFound(f"no resident {typed} at home {unit.id}")


def hand(desk: Desk, number: int) -> ResponseReturnValue:
    """Record a new owner."""
    unit, form = find_home(desk, number), Form(request.form, place=HANDING)
    on = form.day("on", default=desk.today)
    _require_name(form)
    if form.typed("seen") != _owners(desk, unit):
        form.refuse("", Objection.STALE.label)

    def act() -> Response:
        owner = _who(desk, form, unit)
        own = [one.binding.id for one in _bound(desk, unit) if form.ticked(f"own-{one.binding.id}")]
        done = hand_over(
            desk.session,
            desk.community_id,
            unit.id,
            [owner],
            on=on,
            by=desk.staff.id,
            now=desk.now,
            keep_tenants=form.ticked("keep_tenants"),
            own_bindings=own,
        )
        said = Done.HANDED_OVER if done.former_owners else Done.HANDED_ALREADY
        return desk.done(said, "homes_people_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, unit, handing=form))


def _bound(desk: Desk, unit: Unit) -> list[Bound]:
    return list_bound(desk.session, desk.services.vault, desk.community_id, unit_id=unit.id)


def _require_name(form: Form) -> None:
    if form.typed("resident") == NEW:
        form.text("person_name")


def enter(desk: Desk, number: int) -> ResponseReturnValue:
    """A tenant or a member of the family moves in; the first owner, where none is known."""
    unit, form = find_home(desk, number), Form(request.form, place=MOVING)
    role = form.choice("role", Mover, default=Mover.TENANT)
    from_on, to_on = form.day("from_on", default=desk.today), form.optional_day("to_on")
    _require_name(form)

    def act() -> Response:
        move_in(
            desk.session,
            desk.community_id,
            unit.id,
            _who(desk, form, unit),
            role=ResidentRole(role.value),
            from_on=from_on,
            to_on=to_on,
            by=desk.staff,
        )
        return desk.done(Done.MOVED_IN, "homes_people_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, unit, moving=form))


def leave(desk: Desk, number: int) -> ResponseReturnValue:
    """Somebody other than an owner lives there no longer."""
    unit, form = find_home(desk, number), Form(request.form)
    stay, on = form.number("stay"), form.day("on", default=EARLIEST)

    def act() -> Response:
        move_out(desk.session, desk.community_id, stay, unit_id=unit.id, on=on, by=desk.staff)
        return desk.done(Done.MOVED_OUT, "homes_people_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, unit, refused=form))


def unbind(desk: Desk, number: int) -> ResponseReturnValue:
    """End a binding to this home; its follower is told."""
    unit, form = find_home(desk, number), Form(request.form)
    binding_id = form.number("binding")
    binding = desk.session.get(Binding, (desk.community_id, binding_id))
    if binding is None or binding.unit_id != unit.id:
        raise NotFound(f"no binding {binding_id} of home {unit.id}")

    def act() -> Response:
        end_by_staff(desk.session, desk.community_id, binding_id, by=desk.staff, now=desk.now)
        return desk.done(Done.UNBOUND, "homes_people_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, unit, refused=form))


def code(desk: Desk, number: int) -> ResponseReturnValue:
    """A one-time binding code for somebody of this home, shown once."""
    unit, form = find_home(desk, number), Form(request.form)
    role = form.choice("role", ResidentRole, default=ResidentRole.OWNER)
    made = issue_code(
        desk.session,
        desk.services.vault,
        community_id=desk.community_id,
        unit_id=unit.id,
        role=role,
        now=desk.now,
    )
    return _page(desk, unit, code=made)
