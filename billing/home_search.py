"""The homes staff mean by whatever they type: a room, a name, a telephone number, a plate."""

import re
import unicodedata
from datetime import date

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session

from billing.addresses import RoomReader, find_addresses
from billing.db import is_one_of
from billing.lookups import read_room_parts
from billing.privacy import Vault
from billing.property import ParkingSpace, Subject, Unit
from billing.resident_keys import TAIL, ResidentKeyKind, homes_of, read_digits

SAID_MAX = 60
"""Characters; nobody types more to find a home."""

PHONE_LENGTHS = (TAIL, *range(7, 13))
"""The end of a number, or all of one, of a telephone that moves or of one that does not."""

DOOR = re.compile(r"[0-9]{3,4}[A-Z]?")
NUMBER = re.compile(r"\+?[0-9][0-9 -]*")
ROOM = re.compile(r"[0-9A-Z]+([-—–#/. ]+[0-9A-Z]*)*")
PLATE = re.compile(r"[\u4e00-\u9fff]?[A-Z0-9]{4,8}")
NAME = re.compile(r"[^\W\d_]+([·. ][^\W\d_]+)*")


def homes_meant(
    session: Session,
    vault: Vault,
    community_id: int,
    said: str,
    read_room: RoomReader,
    *,
    today: date,
) -> ColumnElement[bool]:
    """Condition on `Unit`: what was said may mean it.

    A room by its beginning, by its door, or as people say it (三号楼二单元501); somebody who lives
    there by his name, its beginning or its end; a telephone number or its last four digits; a plate
    or a part of it.
    """
    plain = unicodedata.normalize("NFKC", said).strip().upper()[:SAID_MAX]
    fits: list[ColumnElement[bool]] = []
    ways: list[Select[int]] = []
    if ROOM.fullmatch(plain):
        fits.append(Unit.room.startswith(read_room_parts(plain), autoescape=True))
        if DOOR.fullmatch(plain):
            fits.append(Unit.room.endswith(f"-{plain}", autoescape=True))
    if NUMBER.fullmatch(plain) and len(digits := read_digits(plain)) in PHONE_LENGTHS:
        ways.append(homes_of(vault, community_id, ResidentKeyKind.PHONE, digits, today=today))
    if NAME.fullmatch(plain):
        ways.append(homes_of(vault, community_id, ResidentKeyKind.NAME, plain, today=today))
    plate = re.sub(r"[·. -]", "", plain)
    if PLATE.fullmatch(plate) and not plate.isdigit():
        ways.append(_with_plate(community_id, plate))
    addressed = find_addresses(
        session, plain.lower(), read_room(said), read_room, within=community_id
    )
    # Looked for once, though a list asks for its page, its length and its rows beside.
    found = {one.unit_id for one in addressed}
    for way in ways:
        found.update(session.scalars(way))
    if found:
        fits.append(is_one_of(Unit.id, found))
    return or_(false(), *fits)


def _with_plate(community_id: int, plate: str) -> Select[int]:
    written = func.translate(func.upper(ParkingSpace.plate), "·. -", "")
    return (
        select(Subject.unit_id)
        .join(
            ParkingSpace,
            (ParkingSpace.community_id == Subject.community_id) & (ParkingSpace.id == Subject.id),
        )
        .where(ParkingSpace.community_id == community_id, written.contains(plate, autoescape=True))
    )
