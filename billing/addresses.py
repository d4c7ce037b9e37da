"""From an address as people write it to the homes it may mean.

Names may be misspelt or shortened (`place_names`); the number of a home is exact or no match.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Text, and_, cast, func, or_, select, text
from sqlalchemy.orm import Session

from billing.place_names import MISSPELT, find_names, is_proper, plain
from billing.property import Building, Community, Unit

RoomReader = Callable[[str], str | None]
"""Reads the one canonical room number `3-2-501` or `3-501` in a sentence, or None."""

ADDRESSES_MAX = 30
"""An address that fits more homes than this is too vague to choose from."""

SOME_BUILDING = "1#"
"""Stands for a building's name where a room is read behind it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A home that may be meant."""

    community_id: int
    community_name: str
    unit_id: int
    room: str

    def __str__(self) -> str:
        """As a person writes it, and as it is understood again."""
        return f"{self.community_name} {self.room}"


def find_addresses(
    session: Session,
    said: str,
    room: str | None,
    read_room: RoomReader,
    *,
    within: int | None = None,
) -> list[Address]:
    """Homes a sentence may mean, by community and room; none when there is no such home.

    A community that is named narrows the choice; one that seems misspelt does so only if it has
    such a home. A room without its entrance means every home it may be, unless its building has
    none. Without a room, the name of a building and what stands behind it are read; such a name may
    hold that of a community.

    Args:
        said: the sentence, simplified.
        room: the canonical room number in it, or None.
        within: the one community that can be meant; None: any.
    """
    words = plain(said)
    places = select(Community.id, Community.name)
    if within is not None:
        places = places.where(Community.id == within)
    names = {row.id: row.name for row in session.execute(places)}
    named = find_names(names, words)
    communities: Collection[int] = named or names
    found = _find(session, communities, words, room, read_room)
    unsure = any(mention.sureness <= MISSPELT for mention in named.values())
    if not found and (unsure or room is None):
        found = _find(session, names, words, room, read_room)
    return [Address(row[0], names[row[0]], row[1], row[2]) for row in found]


Row = tuple[int, int, str]
"""Community, home, room."""


def _find(
    session: Session,
    communities: Collection[int],
    words: str,
    room: str | None,
    read_room: RoomReader,
) -> list[Row]:
    if room is not None:
        return _with_room(session, communities, room)
    found: list[Row] = []
    for community_id, code, entrance_and_number in _named_buildings(
        session, communities, words, read_room
    ):
        found += _with_room(session, [community_id], f"{code}-{entrance_and_number}")
    return found


def _named_buildings(
    session: Session, communities: Collection[int], words: str, read_room: RoomReader
) -> list[tuple[int, str, str]]:
    """Buildings a sentence names, as (community, code, what is read behind the name)."""
    rows = session.execute(
        select(Building.community_id, Building.code, Building.name).where(
            Building.community_id.in_(communities)
        )
    )
    names = {(row.community_id, row.code): row.name for row in rows if is_proper(row.name)}
    found = []
    for (community_id, code), mention in find_names(names, words).items():
        room = read_room(SOME_BUILDING + words[mention.end :])
        if room is not None:
            found.append((community_id, code, room.partition("-")[2]))
    return sorted(found)


def _with_room(session: Session, communities: Collection[int], room: str) -> list[Row]:
    """Homes with this number; per community the very number, else with any entrance."""
    building, _, rest = room.partition("-")
    meant = Unit.room == room
    if rest and "-" not in rest:
        any_entrance = and_(
            Building.code == building,
            Unit.entrance_id.is_not(None),
            Unit.room.like(f"{building}-%-{rest}"),
        )
        meant = or_(meant, any_entrance)
    rows = session.execute(
        select(Unit.community_id, Unit.id, Unit.room)
        .join(
            Building,
            (Building.community_id == Unit.community_id) & (Building.id == Unit.building_id),
        )
        .where(Unit.community_id.in_(communities), meant)
        .order_by(Unit.community_id, text("length(room)"), Unit.room)
        .limit(ADDRESSES_MAX + 1)
    ).all()
    exact = {row.community_id for row in rows if row.room == room}
    return [
        (row.community_id, row.id, row.room)
        for row in rows
        if row.room == room or row.community_id not in exact
    ]


def find_rooms(
    session: Session, community_id: int, typed: Sequence[str], read_room: RoomReader
) -> tuple[list[str], list[str]]:
    """The homes of a list as the community numbers them, each once, and what of it is none.

    Args:
        typed: as people write rooms, 3栋2单元501 or 3-2-501; each is one home.
    """
    read = {one: read_room(one) or one for one in typed}
    named = cast([*read, *read.values()], ARRAY(Text))
    known = set(
        session.scalars(
            select(Unit.room).where(
                Unit.community_id == community_id, Unit.room.in_(select(func.unnest(named)))
            )
        )
    )
    rooms = [one if one in known else room for one, room in read.items()]
    missing = [one for one, room in read.items() if known.isdisjoint((one, room))]
    return list(dict.fromkeys(room for room in rooms if room in known)), missing
