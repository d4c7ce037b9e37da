"""What was made to be sent, read back for staff: messages of some days, of a home, one in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from billing.db import id_array
from billing.errors import NotFound
from billing.people import Binding, BindingState, Follower
from billing.privacy import mask_openid
from billing.property import Unit
from notify.catalog import NoticeKind
from notify.outbox import Delivery, Message, MessageOpen, Notice

OUT_OF_ORDER = timedelta(hours=1)
"""Two messages are not numbered against the order of their making by more than this: a job takes
its numbers while it makes them.
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """To whom a message goes.

    Attributes:
        openid: masked.
        homes: (number, room), in order of their rooms.
    """

    openid: str
    homes: tuple[tuple[int, str], ...]


def made_within(
    session: Session, community_id: int, since: datetime, until: datetime | None = None
) -> ColumnElement[bool]:
    """Messages of a community made from one instant until another, the second not included; without
    it until now.

    No index holds when they were made, but their numbers grow with it: where the days begin and end
    is found by halving on the primary key, some twenty look-ups, and only what lies between is
    read.
    """
    begun = and_(
        Message.community_id == community_id,
        Message.id >= first_made(session, community_id, since),
        Message.created_at >= since,
    )
    if until is None:
        return begun
    beyond = _first_from(session, community_id, until + OUT_OF_ORDER)
    return and_(begun, Message.id < beyond, Message.created_at < until)


def first_made(session: Session, community_id: int, since: datetime) -> int:
    """No message of a community made from this instant on has a lower number; a few before do."""
    return _first_from(session, community_id, since - OUT_OF_ORDER)


def _first_from(session: Session, community_id: int, at: datetime) -> int:
    """The number at which messages from this instant on begin."""
    here = Message.community_id == community_id
    low, beyond = 0, (session.scalar(select(func.max(Message.id)).where(here)) or 0) + 1
    while low < beyond:
        middle = (low + beyond) // 2
        nearest = (
            select(Message.id, Message.created_at)
            .where(here, Message.id >= middle)
            .order_by(Message.id)
            .limit(1)
        )
        found = session.execute(nearest).first()
        if found is not None and found.created_at < at:
            low = found.id + 1
        else:
            beyond = middle
    return low


def _bound(community_id: int, unit_id: int) -> Select[int]:
    """Whoever is, was or asked to be bound to a home."""
    return select(Binding.follower_id).where(
        Binding.community_id == community_id, Binding.unit_id == unit_id
    )


def _of_home(unit_id: int) -> ColumnElement[bool]:
    """Notices of a home, to its people; a broadcast is of all their homes."""
    return or_(Notice.unit_id == unit_id, Notice.kind == NoticeKind.BROADCAST)


def about_home(community_id: int, unit_id: int) -> ColumnElement[bool]:
    """Messages to the people of a home that speak of it, and broadcasts to them; by the unique key
    of notices.
    """
    return Message.id.in_(
        select(Notice.message_id).where(
            Notice.community_id == community_id,
            Notice.follower_id.in_(_bound(community_id, unit_id)),
            _of_home(unit_id),
        )
    )


def of_broadcast(community_id: int, broadcast_id: int) -> ColumnElement[bool]:
    """Messages that tell a broadcast."""
    return Message.id.in_(
        select(Notice.message_id).where(
            Notice.community_id == community_id,
            Notice.kind == NoticeKind.BROADCAST,
            Notice.ref_id == broadcast_id,
        )
    )


def notices_of_home(community_id: int, unit_id: int) -> Select[*tuple[Any, ...]]:
    """Everything the people of a home were told or were to be told of it, broadcasts among it.

    State and reason are the message's, or the notice's while it is none; `key` numbers notices.
    """
    return (
        select(
            Notice.id.label("key"),
            Notice.kind,
            Notice.created_at,
            Notice.state,
            Notice.reason,
            Notice.follower_id,
            Message.id.label("message_id"),
            Message.transport,
            Message.state.label("message_state"),
            Message.reason.label("message_reason"),
            MessageOpen.opened_at,
        )
        .outerjoin(
            Message,
            (Message.community_id == Notice.community_id) & (Message.id == Notice.message_id),
        )
        .outerjoin(
            MessageOpen,
            (MessageOpen.community_id == Message.community_id)
            & (MessageOpen.message_id == Message.id),
        )
        .where(
            Notice.community_id == community_id,
            Notice.follower_id.in_(_bound(community_id, unit_id)),
            _of_home(unit_id),
        )
    )


def list_readers(
    session: Session, community_id: int, message_ids: Sequence[int]
) -> dict[int, Reader]:
    """Who the readers of some messages are, and which homes they speak of; of one that speaks of
    none, as a broadcast, the homes its reader is bound to now.
    """
    people = session.execute(
        select(Message.id, Follower.id, Follower.openid)
        .join(Follower, Follower.id == Message.follower_id)
        .where(Message.community_id == community_id, Message.id.in_(id_array(message_ids)))
    ).all()
    spoken_of = (
        select(Notice.message_id, Unit.id, Unit.room)
        .join(Unit, (Unit.community_id == Notice.community_id) & (Unit.id == Notice.unit_id))
        .where(Notice.community_id == community_id, Notice.message_id.in_(id_array(message_ids)))
    )
    homes = _by_first(session, spoken_of)
    silent = {follower_id for number, follower_id, _ in people if number not in homes}
    bound = (
        select(Binding.follower_id, Unit.id, Unit.room)
        .join(Unit, (Unit.community_id == Binding.community_id) & (Unit.id == Binding.unit_id))
        .where(
            Binding.community_id == community_id,
            Binding.follower_id.in_(id_array(silent)),
            Binding.state == BindingState.ACTIVE,
        )
    )
    own = _by_first(session, bound) if silent else {}
    return {
        number: Reader(mask_openid(openid), tuple(homes.get(number, own.get(follower_id, ()))))
        for number, follower_id, openid in people
    }


def _by_first(session: Session, query: Select[Any, int, str]) -> dict[int, list[tuple[int, str]]]:
    """Homes by the first column, in order of their rooms, each once."""
    homes: dict[int, list[tuple[int, str]]] = {}
    for number, unit_id, room in session.execute(query.distinct().order_by(Unit.room)):
        homes.setdefault(number, []).append((unit_id, room))
    return homes


def get_message(session: Session, community_id: int, message_id: int) -> Message:
    """A message of a community.

    Raises:
        NotFound: it has none of this number.
    """
    found = session.get(Message, (community_id, message_id))
    if found is None:
        raise NotFound(f"no message {message_id} in community {community_id}")
    return found


def list_attempts(session: Session, message: Message) -> list[Delivery]:
    """Every attempt to send a message, in order."""
    return list(
        session.scalars(
            select(Delivery)
            .where(Delivery.community_id == message.community_id, Delivery.message_id == message.id)
            .order_by(Delivery.attempt)
        )
    )


def opened_at(session: Session, message: Message) -> datetime | None:
    """When its reader opened its link; None: not, or not known."""
    found = session.get(MessageOpen, (message.community_id, message.id))
    return None if found is None else found.opened_at
