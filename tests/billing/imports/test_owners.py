"""A workbook says who owned a home, and does not hand it over."""

from typing import Any

from sqlalchemy import func, select

from billing.imports.columns import SheetKind
from billing.people import Occupancy, ResidentRole
from billing.privacy import Vault
from tests.billing.imports.test_repeats import CREATED, UNCHANGED, Content, one, sole_count
from tests.billing.imports.workbooks import complaints, counts, take_into
from tests.conftest import World

K = SheetKind
ROOM = "1-1-101"
HAND_OVER = "业主变更请在“住户与绑定”里过户"


def owner(name: str, from_on: object, to_on: object = None) -> dict[str, Any]:
    """A row of an owner of one home."""
    return {"room": ROOM, "name": name, "role": "业主", "from_on": from_on, "to_on": to_on}


# Moved in with whom the home belongs to.
OWNED = owner("共有人", "2021-06-01")


def test_a_home_is_not_handed_over_by_a_workbook(world: World, vault: Vault) -> None:
    [fault] = complaints(one(world, vault, K.PEOPLE, owner("新业主", "2026-11-01")))
    assert fault[2:] == ("入住日期", HAND_OVER)
    earlier = owner("前业主", "2015-01-01", "2021-05-31")
    assert sole_count(one(world, vault, K.PEOPLE, earlier)) == CREATED
    assert sole_count(one(world, vault, K.PEOPLE, OWNED)) == CREATED
    assert owners_now(world) == 2


def test_an_owner_who_is_known_is_not_moved_out_by_a_workbook(world: World, vault: Vault) -> None:
    assert sole_count(one(world, vault, K.PEOPLE, OWNED)) == CREATED
    [fault] = complaints(one(world, vault, K.PEOPLE, OWNED | {"to_on": "2026-10-31"}))
    assert fault[2:] == ("迁出日期", HAND_OVER)
    assert sole_count(one(world, vault, K.PEOPLE, OWNED)) == UNCHANGED


def test_two_owners_of_one_workbook_follow_each_other_or_move_in_together(
    world: World, vault: Vault
) -> None:
    home: Content = {
        K.UNITS: [{"room": "1-1-901", "floor": 9, "area": 80, "billable_from": "2020-01-01"}]
    }
    first = owner("甲", "2020-01-01") | {"room": "1-1-901"}
    second = owner("乙", "2022-01-01") | {"room": "1-1-901"}
    [fault] = complaints(take_into(world, vault, home | {K.PEOPLE: [first, second]}))
    assert fault[:3] == ("住户", 3, "入住日期")
    until = first | {"to_on": "2021-12-31"}
    sound = home | {K.PEOPLE: [until, second, second | {"name": "丙"}]}
    assert counts(take_into(world, vault, sound))["people"] == (3, 0, 0)


def owners_now(world: World) -> int:
    """How many own the home today."""
    with world.database.transaction() as session:
        return session.scalars(
            select(func.count()).where(
                Occupancy.unit_id == world.unit(ROOM).id,
                Occupancy.role == ResidentRole.OWNER,
                Occupancy.to_on.is_(None),
            )
        ).one()
