"""催缴 of one home: what may be demanded, letters, calls and visits."""

from collections.abc import Sequence

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.dunning import NOTE_CHARACTERS_MAX, list_demandable, list_dunnings, record_call
from billing.dunning_letters import LetterNumber, list_services
from billing.dunning_tables import Dunning, DunningWay
from billing.errors import Conflict
from billing.labels import LabelEnum
from billing.money import ZERO
from billing.payments import lock_home
from billing.people import Staff
from billing.property import Unit
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.homes import find_home
from handlers.console.permissions import Permission
from handlers.dunning_letter import RESPOND_DAYS, RESPOND_DAYS_USUAL, print_letter


class Done(LabelEnum):
    """What was done."""

    PRINTED = "printed", "催缴函已编号保存，请打印后送达"
    RECORDED = "recorded", "已登记"


class Call(LabelEnum):
    """How somebody was spoken to."""

    PHONE = "phone", "电话"
    VISIT = "visit", "上门"


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """What is overdue and may be asked for, and every demand made so far."""
    return _page(desk, find_home(desk, number))


def _page(desk: Desk, unit: Unit, **forms: Form) -> tuple[str, int]:
    session, here = desk.session, desk.community_id
    note_sightings(session, [(here, unit.id)], Sight.BILLS, desk.now, staff_id=desk.staff.id)
    asked = list_demandable(session, here, unit.id, desk.today)
    made = list_dunnings(session, here, unit.id)[::-1]
    letters = [one.id for one in made if one.way is DunningWay.LETTER]
    names = select(Staff.id, Staff.name).where(Staff.id.in_({one.made_by for one in made}))
    today = desk.today.isoformat()
    return desk.page(
        "homes/dunning.html",
        unit=unit,
        asked=asked,
        total=sum((one.amount for one in asked), ZERO),
        made=made,
        numbers={one.id: _number(desk, one) for one in made if one.no is not None},
        notes=_notes(desk, made),
        latest=_latest(made),
        served=list_services(session, here, letters),
        people={row.id: row.name for row in session.execute(names)},
        printing=forms.get("printing") or Form({"days": str(RESPOND_DAYS_USUAL)}),
        calling=forms.get("calling") or Form({"on": today}, place="call-"),
        ways=[(way.value, way.label) for way in Call],
        days_min=RESPOND_DAYS[0],
        days_max=RESPOND_DAYS[-1],
    )


def _latest(made: Sequence[Dunning]) -> int:
    """The letter printed last; 0: none."""
    return max((one.id for one in made if one.way is DunningWay.LETTER), default=0)


def _notes(desk: Desk, made: Sequence[Dunning]) -> dict[int, str]:
    """What was said, for those who may know whole names and numbers."""
    if not desk.may(Permission.PERSONAL):
        return {}
    vault = desk.services.vault
    return {one.id: vault.open(one.note_sealed) for one in made if one.note_sealed}


def _number(desk: Desk, letter: Dunning) -> LetterNumber:
    return LetterNumber(desk.community.code, letter.year or 0, letter.no or 0)


def demand(desk: Desk, number: int) -> ResponseReturnValue:
    """Print a letter about everything the owner may be asked for."""
    unit, form = find_home(desk, number), Form(request.form)
    days = form.number("days", default=RESPOND_DAYS_USUAL)
    seen = form.typed("seen")

    def act() -> Response:
        lock_home(desk.session, desk.community_id, unit.id)
        latest = _latest(list_dunnings(desk.session, desk.community_id, unit.id))
        if seen and seen != str(latest):
            raise Conflict("another letter was printed meanwhile; it is in the list now")
        printed = print_letter(
            desk.session,
            desk.services,
            desk.community,
            unit,
            by=desk.staff,
            today=desk.today,
            days=days,
        )
        return desk.done(Done.PRINTED, "letters_show", number=printed.letter.id)

    return desk.submit(form, act, lambda: _page(desk, unit, printing=form))


def call(desk: Desk, number: int) -> ResponseReturnValue:
    """Keep that the owner was called or visited."""
    unit, form = find_home(desk, number), Form(request.form, place="call-")
    how = form.choice("how", Call, default=Call.PHONE)
    on = form.day("on", default=desk.today)
    note = form.text("person_note", most=NOTE_CHARACTERS_MAX)

    def act() -> Response:
        record_call(
            desk.session,
            desk.services.vault,
            desk.community_id,
            unit.id,
            way=DunningWay(how.value),
            on=on,
            note=note,
            by=desk.staff,
            today=desk.today,
            now=desk.now,
        )
        return desk.done(Done.RECORDED, "homes_dunning_show", number=unit.id)

    return desk.submit(form, act, lambda: _page(desk, unit, calling=form), {"note": "person_note"})
