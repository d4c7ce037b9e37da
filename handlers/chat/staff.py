"""What staff ask in the chat: how much came in, who owes, what a room's bill is."""

from collections.abc import Sequence
from dataclasses import replace

from billing.bills import list_unpaid
from billing.money import ZERO, Money
from billing.payments import list_confirmed
from billing.period import add_months
from billing.property import Community
from billing.reports.arrears import list_arrears
from billing.reports.collection import Part, collected, collected_by, last_billed
from billing.sightings import Sight, note_sightings
from handlers.chat.context import Chat, Reply
from handlers.chat.staff_scope import (
    audience_asked,
    community_meant,
    units_named,
    which_community,
)
from notify.links import ArrearsRef

ARREARS_SHOWN = 10
ROOMS_OFFERED_MAX = 5


def collection(chat: Chat) -> Reply:
    """收缴率: of the latest billed month unless others are named, with what it was on the same day
    of the month before; by building, of one building by entrance.
    """
    community = community_meant(chat)
    if community is None:
        return which_community(chat)
    latest = last_billed(chat.session, community.id)
    if latest is None:
        nothing = chat.say("staff/nothing", community=community)
        return replace(nothing, community_id=community.id)
    scope = audience_asked(chat.slots, latest).scope(community.id)
    part = Part.ENTRANCE if len(scope.buildings) == 1 else Part.BUILDING
    parts = [] if scope.entrance else collected_by(chat.session, part, scope, chat.today)
    earlier = None
    if scope.first == scope.last and scope.first is not None:
        before = scope.first.previous()
        moved = replace(scope, first=before, last=before)
        earlier = collected(chat.session, moved, add_months(chat.today, -1)).rate
    reply = chat.say_list(
        "staff/collection",
        parts if len(parts) > 1 else [],
        community=community,
        scope=scope,
        whole=collected(chat.session, scope, chat.today),
        earlier=earlier,
        by_entrance=part is Part.ENTRANCE,
        today=chat.today,
    )
    return replace(reply, community_id=community.id)


def arrears(chat: Chat) -> Reply:
    """欠费名单: the homes that owe most on overdue bills, how many there are, and the whole list
    behind a link that opens for this member of staff.
    """
    community = community_meant(chat)
    if community is None:
        return which_community(chat)
    named = chat.slots.get("amount")
    at_least = Money(named) if isinstance(named, int) else None
    asked = audience_asked(chat.slots)
    scope = asked.scope(community.id)
    found = list_arrears(chat.session, scope, chat.today, at_least)
    ref = ArrearsRef(community.id, chat.staff.id if chat.staff else 0, str(asked), named or 0)
    shown = found[:ARREARS_SHOWN]
    _note(chat, community, [one.unit_id for one in shown], Sight.TOTAL)
    reply = chat.say(
        "staff/arrears",
        community=community,
        scope=scope,
        at_least=at_least,
        shown=shown,
        left_out=max(len(found) - ARREARS_SHOWN, 0),
        homes=len(found),
        owed=sum((one.owed for one in found), ZERO),
        url=chat.services.links.arrears_url(ref),
    )
    return replace(reply, community_id=community.id)


def room(chat: Chat) -> Reply:
    """查房: what a home owes and what it paid last; written down, as it is somebody else's."""
    community = community_meant(chat)
    if community is None:
        return which_community(chat)
    said = chat.slots.get("room")
    units = units_named(chat, community, said) if said else []
    if len(units) != 1:
        word = chat.topic.label if chat.topic else ""
        choices = [f"{word} {unit.room}" for unit in units[:ROOMS_OFFERED_MAX]]
        reply = chat.say("staff/which_room", choices=choices, said=said, found=len(units))
        return replace(reply, community_id=community.id)
    [unit] = units
    _note(chat, community, [unit.id], Sight.BILLS)
    unpaid = list_unpaid(chat.session, community.id, [unit.id])
    paid = list_confirmed(chat.session, community.id, [unit.id], limit=1)
    reply = chat.say_list(
        "staff/room",
        unpaid,
        community=community,
        unit=unit,
        owed=sum((bill.outstanding for bill in unpaid), ZERO),
        last=paid[0][0] if paid else None,
        today=chat.today,
    )
    return replace(reply, community_id=community.id)


def _note(chat: Chat, community: Community, units: Sequence[int], what: Sight) -> None:
    """Write down what a member of staff sees of somebody's home."""
    if chat.staff is not None:
        homes = [(community.id, unit_id) for unit_id in units]
        note_sightings(chat.session, homes, what, chat.now, staff_id=chat.staff.id)
