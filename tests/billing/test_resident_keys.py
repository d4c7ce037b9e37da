"""People are found by name and number although both are sealed."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from billing.errors import InvalidInput
from billing.handovers import hand_over
from billing.home_search import homes_meant
from billing.lookups import read_room_parts
from billing.people import Occupancy, Resident, Staff
from billing.privacy import Vault
from billing.property import Unit
from billing.resident_keys import ResidentKey, add_phone_keys, index_residents
from billing.residents import add_resident
from tests.conftest import World

ROOM = "3-2-501"


def found(session: Session, vault: Vault, world: World, said: str) -> list[str]:
    """Rooms that staff may mean."""
    meant = homes_meant(
        session, vault, world.community.id, said, read_room_parts, today=world.today
    )
    here = Unit.community_id == world.community.id
    return list(session.scalars(select(Unit.room).where(here, meant).order_by(Unit.room)))


def test_people_known_before_the_index_are_indexed_once(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        people = session.scalar(select(func.count()).select_from(Resident))
        session.execute(delete(ResidentKey))
        assert found(session, vault, world, "张秀英") == []
        assert index_residents(session, vault) == people
        assert index_residents(session, vault) == 0
        assert found(session, vault, world, "张秀英") == [ROOM]


def test_a_new_number_replaces_the_one_before(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        owner = session.scalars(
            select(Occupancy.resident_id).where(Occupancy.unit_id == world.unit(ROOM).id)
        ).one()
        resident = session.get_one(Resident, (world.community.id, owner))
        before = vault.open(resident.phone_sealed or "")
        add_phone_keys(session, vault, world.community.id, {owner: "010-5550 0199"})
        assert ROOM not in found(session, vault, world, before)
        assert found(session, vault, world, "01055500199") == [ROOM]
        assert ROOM in found(session, vault, world, "0199")
        assert found(session, vault, world, "张秀英") == [ROOM]


def test_who_left_is_not_found_at_the_home_any_more(world: World, vault: Vault) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        by = session.scalars(select(Staff.id)).first()
        new = add_resident(session, vault, world.community.id, name="欧阳 新", phone="")
        assert by is not None
        hand_over(
            session, world.community.id, unit.id, [new.id], on=world.today, by=by, now=world.now
        )
        assert found(session, vault, world, "张秀英") == []
        for said in ("欧阳新", "欧阳", "欧", "新"):
            assert found(session, vault, world, said) == [ROOM]


def test_whoever_comes_later_is_found_already(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        session.execute(update(Occupancy).values(to_on=world.today + timedelta(1)))
        assert found(session, vault, world, "张秀英") == [ROOM]
        session.execute(update(Occupancy).values(to_on=world.today))
        assert found(session, vault, world, "张秀英") == []


@pytest.mark.parametrize("said", ["", "%", "_", "---", "'", "\\", "☃", "a" * 500, "0", "测A·"])
def test_nonsense_finds_no_home_and_breaks_nothing(world: World, vault: Vault, said: str) -> None:
    with world.database.transaction() as session:
        assert found(session, vault, world, said) == []


@pytest.mark.parametrize(
    ("name", "phone", "field"),
    [
        ("", "", "person_name"),
        ("名" * 51, "", "person_name"),
        ("张\x07三", "", "person_name"),
        ("张三", "123456", "person_phone"),
        ("张三", "138000012345678", "person_phone"),
        ("张三", "无", "person_phone"),
    ],
)
def test_who_is_no_person_is_not_written_down(
    world: World, vault: Vault, name: str, phone: str, field: str
) -> None:
    with world.database.transaction() as session, pytest.raises(InvalidInput) as refused:
        add_resident(session, vault, world.community.id, name=name, phone=phone)
    assert refused.value.field == field
