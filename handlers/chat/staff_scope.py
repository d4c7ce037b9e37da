"""Which community, homes and months a sentence of staff is about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from billing.errors import InvalidInput
from billing.period import Period
from billing.place_names import find_names, plain
from billing.property import Community, Unit
from billing.tariffs import FeeKind
from handlers.chat.context import Chat, Reply
from handlers.chat.scope import same_room
from handlers.months import read_months
from notify.audiences import Audience

CHOICES_MAX = 10


def communities_of(chat: Chat) -> Sequence[Community]:
    """Those the member of staff works for."""
    query = select(Community).order_by(Community.id)
    if chat.staff and chat.staff.community_id is not None:
        query = query.where(Community.id == chat.staff.community_id)
    return chat.session.scalars(query).all()


def community_meant(chat: Chat, *, last: bool = True) -> Community | None:
    """The only one, the one that is named, or the one last talked about.

    Args:
        last: whether the one last talked about may be meant; not of what acts.
    """
    every = communities_of(chat)
    if len(every) == 1:
        return every[0]
    said = plain(chat.readers.plain(chat.push.text))
    named = find_names({one.id: one.name for one in every}, said)
    found = [one for one in every if one.id in named]
    if not found and last:
        found = [one for one in every if one.id == chat.memory.community_id]
    return found[0] if len(found) == 1 else None


def which_community(chat: Chat) -> Reply:
    """Ask; the answer asks for the same there."""
    words = chat.topic.label if chat.topic else ""
    choices = [f"{words} {one.name}".strip() for one in communities_of(chat)[:CHOICES_MAX]]
    return chat.say("staff/which_community", choices=choices)


def units_named(chat: Chat, community: Community, said: str) -> list[Unit]:
    """The home of this number; without one, those it may mean without its entrance."""
    building = said.split("-")[0]
    units = chat.session.scalars(
        select(Unit)
        .where(Unit.community_id == community.id, Unit.room.startswith(f"{building}-"))
        .order_by(Unit.room)
    )
    found = [unit for unit in units if same_room(unit.room, said)]
    return [unit for unit in found if unit.room == said] or found


def audience_asked(slots: Mapping[str, Any], default: Period | None = None) -> Audience:
    """The place, fees and months of these slots; everything where they name nothing.

    Args:
        default: the month that is meant where they name none.
    """
    place = place_asked(slots) or Audience()
    fees = slots.get("fee", [])
    months = read_months(slots["period"]) if "period" in slots else None
    return replace(
        place,
        fees=tuple(FeeKind(fee) for fee in ([fees] if isinstance(fees, str) else fees)),
        first=Period(months.first) if months else default,
        last=Period(months.last) if months else default,
    )


def place_asked(slots: Mapping[str, Any]) -> Audience | None:
    """Whom these slots name, without fees and months; None where they name nobody we can read."""
    if slots.get("room"):
        return Audience(rooms=(slots["room"],))
    try:
        return Audience.parse(slots["audience"])
    except (KeyError, InvalidInput):
        return None
