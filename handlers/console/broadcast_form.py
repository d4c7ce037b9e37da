"""The form of a broadcast: whom it is for by fields, its words, when and how fast; read and filled
in again from an earlier one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from billing.addresses import find_rooms
from billing.business_day import BEIJING
from billing.home_tags import list_tags
from billing.labels import LabelEnum
from billing.money import ZERO
from billing.people import ResidentRole
from billing.period import Period
from billing.property import Building, Entrance
from billing.tariffs import ChargeItem, FeeKind
from handlers.console.desk import Desk
from handlers.console.forms import Form
from notify.audiences import DAYS_MAX, Audience
from notify.broadcast_tables import Broadcast

Choice = TypeVar("Choice", bound=LabelEnum)

BETWEEN_ROOMS = re.compile(r"[\s,，、;；]+")
ROOMS_CHARACTERS_MAX = 15_000
WORDS_CHARACTERS_MAX = 5_000
"""What a form takes; of it the core sends less, and says so."""

MISSING_SHOWN = 20
MINUTE = "%Y-%m-%dT%H:%M"


class Problem(LabelEnum):
    """Why a field is not accepted."""

    ONE_PLACE = "one_place", "楼栋、单元、房号只能填一种；都不填就是整个小区"
    NO_ROOMS = "no_rooms", "没有这些房号："
    MONTHS = "months", "请把起止月份都填上，起始月不晚于截止月"
    NO_MINUTE = "no_minute", "请填写时间，如 2026-11-24 09:00"
    TOO_MANY_DAYS = "too_many_days", "天数太大了"
    UNKNOWN = "unknown", "没有这个选项"


@dataclass(frozen=True, slots=True)
class Choices:
    """What of a community can be chosen from."""

    buildings: Sequence[tuple[str, str]]
    entrances: Sequence[tuple[str, str]]
    fees: Sequence[FeeKind]
    tags: Sequence[str]


def read_choices(desk: Desk) -> Choices:
    """The buildings, entrances, fees and tags there are."""
    here = desk.community_id
    buildings = desk.session.execute(
        select(Building.code, Building.name)
        .where(Building.community_id == here)
        .order_by(Building.id)
    )
    entrances = desk.session.execute(
        select(Building.code, Building.name, Entrance.code)
        .join(
            Entrance,
            (Entrance.community_id == Building.community_id)
            & (Entrance.building_id == Building.id),
        )
        .where(Building.community_id == here)
        .order_by(Building.id, Entrance.id)
    )
    fees = set(desk.session.scalars(select(ChargeItem.fee).where(ChargeItem.community_id == here)))
    return Choices(
        buildings=[(code, name) for code, name in buildings],
        entrances=[(f"{code}-{stair}", f"{name} {stair}") for code, name, stair in entrances],
        fees=[fee for fee in FeeKind if fee in fees],
        tags=[one.tag for one in list_tags(desk.session, here)],
    )


def read_audience(desk: Desk, form: Form) -> Audience:
    """Whom the fields name; what cannot be read is said at its field."""
    rooms = _rooms(desk, form)
    buildings, entrance = form.several("buildings"), form.typed("entrance")
    if sum(map(bool, (rooms or form.typed("rooms"), buildings, entrance))) > 1:
        form.refuse("rooms", Problem.ONE_PLACE.label)
    days = form.number("days", positive=True) if form.typed("days") else 0
    if days > DAYS_MAX:
        form.refuse("days", Problem.TOO_MANY_DAYS.label)
    owed = form.money("owed") if form.typed("owed") else ZERO
    fees = _several(form, "fees", FeeKind)
    first, last = _months(desk, form)
    building, _, stair = entrance.partition("-")
    return Audience(
        buildings=buildings,
        entrance=(building, stair) if entrance else None,
        rooms=rooms,
        overdue=form.ticked("overdue") or _narrows_arrears(form),
        days=days,
        owed=owed,
        parking=form.ticked("parking"),
        fees=fees,
        first=first,
        last=last,
        roles=_several(form, "roles", ResidentRole),
        tags=form.several("tags"),
    )


def _narrows_arrears(form: Form) -> bool:
    """Whether anything is said of what is overdue, which asks for it: whatever is typed, be it
    wrong, never widens a broadcast to who owes nothing.
    """
    return bool(form.several("fees")) or any(map(form.typed, ("days", "owed", "first", "last")))


def _rooms(desk: Desk, form: Form) -> tuple[str, ...]:
    typed = [
        one for one in BETWEEN_ROOMS.split(form.optional("rooms", most=ROOMS_CHARACTERS_MAX)) if one
    ]
    if not typed:
        return ()
    rooms, missing = find_rooms(desk.session, desk.community_id, typed, desk.services.read_room)
    if missing:
        form.refuse("rooms", Problem.NO_ROOMS.label + "、".join(missing[:MISSING_SHOWN]))
    return tuple(rooms)


def _several(form: Form, name: str, options: type[Choice]) -> tuple[Choice, ...]:
    known = {option.value for option in options}
    ticked = form.several(name)
    if not known.issuperset(ticked):
        form.refuse(name, Problem.UNKNOWN.label)
    return tuple(options(one) for one in ticked if one in known)


def _months(desk: Desk, form: Form) -> tuple[Period | None, Period | None]:
    if not form.typed("first") and not form.typed("last"):
        return None, None
    now = Period.of(desk.today)
    first, last = form.period("first", default=now), form.period("last", default=now)
    if last < first or not form.typed("first") or not form.typed("last"):
        form.refuse("last", Problem.MONTHS.label)
    return first, last


def read_moment(form: Form, name: str) -> datetime | None:
    """A minute in Beijing, or none."""
    typed = form.typed(name)
    if not typed:
        return None
    try:
        return datetime.strptime(typed.replace(" ", "T"), MINUTE).replace(tzinfo=BEIJING)
    except ValueError:
        form.refuse(name, Problem.NO_MINUTE.label)
        return None


def form_like(one: Broadcast) -> Form:
    """The form as it was filled in for an earlier broadcast, without its time: to change a word and
    send it as another one.
    """
    meant = one.meant
    values: MultiDict[str, str] = MultiDict(
        [
            *(("buildings", code) for code in meant.buildings),
            *(("fees", fee.value) for fee in meant.fees),
            *(("roles", role.value) for role in meant.roles),
            *(("tags", tag) for tag in meant.tags),
        ]
    )
    values.update(
        {
            "entrance": "-".join(meant.entrance or ()),
            "rooms": "\n".join(meant.rooms),
            "overdue": "1" if meant.overdue else "",
            "days": str(meant.days or ""),
            "owed": str(meant.owed.yuan) if meant.owed else "",
            "parking": "1" if meant.parking else "",
            "first": str(meant.first or ""),
            "last": str(meant.last or ""),
            "body": one.body,
            "per_minute": str(one.per_minute or ""),
        }
    )
    return Form(values)
