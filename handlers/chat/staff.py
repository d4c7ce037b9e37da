"""What staff ask in the chat: how much came in, who owes, what a room's bill is."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from billing.bills import list_unpaid
from billing.money import ZERO, Money
from billing.payments import list_confirmed
from billing.period import Period, add_months
from billing.property import Community, Unit
from billing.reports.arrears import list_arrears
from billing.reports.collection import by_building, last_billed, total
from billing.reports.scope import Scope
from billing.sightings import Sight, note_sightings
from billing.tariffs import FeeKind
from handlers.chat.context import Chat, Reply
from handlers.chat.scope import fees_meant, months_meant, same_room

ARREARS_SHOWN = 10


def collection(chat: Chat) -> Reply:
    """收缴率: of the latest billed month unless others are named, by building, with what it was on
    the same day of the month before.
    """
    community = _community(chat)
    if community is None:
        return _which_community(chat)
    latest = last_billed(chat.session, community.id)
    if latest is None:
        return chat.say("staff/nothing", community=community)
    scope = _scope(chat, community, default=latest)
    parts = by_building(chat.session, scope, chat.today)
    whole = total(parts)
    earlier = None
    if scope.first == scope.last and scope.first is not None:
        before = scope.first.previous()
        moved = replace(scope, first=before, last=before)
        earlier = total(by_building(chat.session, moved, add_months(chat.today, -1)))
    return chat.say_list(
        "staff/collection",
        parts if len(parts) > 1 else [],
        community=community,
        scope=scope,
        whole=whole,
        earlier=earlier if earlier and earlier.rate is not None else None,
        today=chat.today,
    )


def arrears(chat: Chat) -> Reply:
    """欠费名单: the homes that owe most on overdue bills, and how many there are."""
    community = _community(chat)
    if community is None:
        return _which_community(chat)
    named = chat.slots.get("amount")
    at_least = Money(named) if isinstance(named, int) else None
    scope = _scope(chat, community, default=None)
    found = list_arrears(chat.session, scope, chat.today, at_least)
    return chat.say(
        "staff/arrears",
        community=community,
        scope=scope,
        at_least=at_least,
        shown=found[:ARREARS_SHOWN],
        left_out=max(len(found) - ARREARS_SHOWN, 0),
        homes=len(found),
        owed=sum((one.owed for one in found), ZERO),
    )


def room(chat: Chat) -> Reply:
    """查房: what a home owes and what it paid last; written down, as it is somebody else's."""
    community = _community(chat)
    if community is None:
        return _which_community(chat)
    said = chat.slots.get("room")
    units = _units(chat, community, said) if said else []
    if len(units) != 1:
        choices = (
            tuple(f"{chat.topic.label} {unit.room}" for unit in units[:5]) if chat.topic else ()
        )
        return chat.say("staff/which_room", choices=choices, said=said, found=len(units))
    [unit] = units
    if chat.staff is not None:
        note_sightings(
            chat.session,
            [(community.id, unit.id)],
            Sight.BILLS,
            chat.now,
            staff_id=chat.staff.id,
        )
    unpaid = list_unpaid(chat.session, community.id, [unit.id])
    paid = list_confirmed(chat.session, community.id, [unit.id], limit=1)
    return chat.say_list(
        "staff/room",
        unpaid,
        community=community,
        unit=unit,
        owed=sum((bill.outstanding for bill in unpaid), ZERO),
        last=paid[0][0] if paid else None,
        today=chat.today,
    )


def _units(chat: Chat, community: Community, said: str) -> list[Unit]:
    building = said.split("-")[0]
    units = chat.session.scalars(
        select(Unit)
        .where(Unit.community_id == community.id, Unit.room.like(f"{building}-%"))
        .order_by(Unit.room)
    )
    found = [unit for unit in units if same_room(unit.room, said)]
    return [unit for unit in found if unit.room == said] or found


def _communities(chat: Chat) -> Sequence[Community]:
    """Those the member of staff works for."""
    query = select(Community).order_by(Community.id)
    if chat.staff and chat.staff.community_id is not None:
        query = query.where(Community.id == chat.staff.community_id)
    return chat.session.scalars(query).all()


def _community(chat: Chat) -> Community | None:
    """The one that is meant: the only one, or the one named."""
    every = _communities(chat)
    named = [one for one in every if one.name in chat.push.text]
    found = named or every
    return found[0] if len(found) == 1 else None


def _which_community(chat: Chat) -> Reply:
    words = chat.topic.label if chat.topic else ""
    choices = [f"{words} {one.name}".strip() for one in _communities(chat)[:10]]
    return chat.say("staff/which_community", choices=choices)


def _scope(chat: Chat, community: Community, *, default: Period | None) -> Scope:
    months = months_meant(chat)
    kind, _, names = str(chat.slots.get("audience", "")).partition(":")
    building, _, entrance = names.partition("-")
    return Scope(
        community.id,
        Period(months.first) if months else default,
        Period(months.last) if months else default,
        buildings=tuple(names.split(",")) if kind == "building" else (),
        entrance=(building, entrance) if kind == "unit" and entrance else None,
        fees=tuple(FeeKind(fee) for fee in fees_meant(chat)),
    )
