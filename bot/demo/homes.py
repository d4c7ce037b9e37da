"""Homes, people and cars of the demo, written set-wise."""

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from billing.bulk import draw_ids
from billing.people import Occupancy, Resident, ResidentRole
from billing.privacy import Vault
from billing.property import Building, Entrance, ParkingSpace, Subject, SubjectKind, Unit
from billing.resident_keys import ResidentKey, key_rows
from bot.demo.cast import BUILDING_NAME, CAST, GIVEN_NAMES, PLATE, SURNAMES

BUILDINGS = ("1", "2", "3")
ENTRANCES = ("1", "2")
ROOMS_PER_FLOOR = 4
AREAS_M2 = ("76.00", "89.20", "98.50", "112.30", "128.60")
CAR_SHARE = 0.6
HAND_OVER = date(2021, 6, 1)

Row = dict[str, Any]


def rooms(households: int) -> list[str]:
    """Room numbers in the order of the stairs: the cast's homes, then floor by floor."""
    chosen = [character.room for character in CAST][:households]
    chosen += [room for room in _floors(households) if room not in chosen][
        : households - len(chosen)
    ]
    return sorted(chosen, key=lambda room: tuple(int(part) for part in room.split("-")))


def _floors(households: int) -> Iterator[str]:
    for floor in range(1, households // ROOMS_PER_FLOOR + 2):
        for building in BUILDINGS:
            for entrance in ENTRANCES:
                for door in range(1, ROOMS_PER_FLOOR + 1):
                    yield f"{building}-{entrance}-{floor}{door:02d}"


def demo_phone(number: int) -> str:
    """A telephone number nobody has: the 100 block is not given out."""
    return f"100{number:08d}"


def add_homes(
    session: Session, vault: Vault, community_id: int, households: int, chance: random.Random
) -> None:
    """Write the buildings, then every home with its people and, for most, a parking space."""
    stairs = _add_stairs(session, community_id)
    stories = {character.room: character for character in CAST}
    subjects: list[Row] = []
    units: list[Row] = []
    spaces: list[Row] = []
    people: list[tuple[int, str, ResidentRole]] = []
    ids = iter(draw_ids(session, "subject", 2 * households))
    for room in rooms(households):
        building, entrance, door = room.split("-")
        story = stories.get(room)
        unit_id = next(ids)
        subjects.append(_subject(community_id, unit_id, SubjectKind.HOME, room, unit_id))
        units.append(
            {
                "community_id": community_id,
                "id": unit_id,
                "building_id": stairs[building, entrance][0],
                "entrance_id": stairs[building, entrance][1],
                "room": room,
                "floor": int(door[:-2]),
                "billable_area_m2": Decimal(story.area_m2 if story else chance.choice(AREAS_M2)),
            }
        )
        name = story.name if story else chance.choice(SURNAMES) + chance.choice(GIVEN_NAMES)
        people.append((unit_id, name, story.role if story else ResidentRole.OWNER))
        if story or chance.random() < CAR_SHARE:
            code = f"B1-{len(spaces) + 1:03d}"
            space_id = next(ids)
            subjects.append(_subject(community_id, space_id, SubjectKind.PARKING, code, unit_id))
            spaces.append(
                {
                    "community_id": community_id,
                    "id": space_id,
                    "area": "B1",
                    "plate": PLATE.format(len(spaces) + 1),
                }
            )
    session.execute(insert(Subject), subjects)
    session.execute(insert(Unit), units)
    session.execute(insert(ParkingSpace), spaces)
    _add_people(session, vault, community_id, people)


def _subject(community_id: int, id_: int, kind: SubjectKind, code: str, unit_id: int) -> Row:
    return {
        "community_id": community_id,
        "id": id_,
        "kind": kind,
        "code": code,
        "unit_id": unit_id,
        "billable_from": HAND_OVER,
    }


def _add_stairs(session: Session, community_id: int) -> dict[tuple[str, str], tuple[int, int]]:
    """(building code, entrance code) → their ids."""
    stairs = {}
    for code in BUILDINGS:
        building_id = session.execute(
            insert(Building)
            .values(community_id=community_id, code=code, name=BUILDING_NAME.format(code))
            .returning(Building.id)
        ).scalar_one()
        for stair in ENTRANCES:
            entrance_id = session.execute(
                insert(Entrance)
                .values(community_id=community_id, building_id=building_id, code=stair)
                .returning(Entrance.id)
            ).scalar_one()
            stairs[code, stair] = (building_id, entrance_id)
    return stairs


def _add_people(
    session: Session,
    vault: Vault,
    community_id: int,
    people: list[tuple[int, str, ResidentRole]],
) -> None:
    ids = draw_ids(session, "resident", len(people))
    known = [
        (resident_id, name, demo_phone(number))
        for number, (resident_id, (_, name, _)) in enumerate(zip(ids, people, strict=True), start=1)
    ]
    session.execute(
        insert(Resident),
        [
            {
                "community_id": community_id,
                "id": resident_id,
                "name_sealed": vault.seal(name),
                "phone_sealed": vault.seal(phone),
            }
            for resident_id, name, phone in known
        ],
    )
    session.execute(
        insert(ResidentKey),
        [row for one in known for row in key_rows(vault, community_id, *one)],
    )
    session.execute(
        insert(Occupancy),
        [
            {
                "community_id": community_id,
                "unit_id": unit_id,
                "resident_id": resident_id,
                "role": role,
                "from_on": HAND_OVER,
            }
            for resident_id, (unit_id, _, role) in zip(ids, people, strict=True)
        ],
    )
