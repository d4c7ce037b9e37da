"""The log of who saw what: one row a day, never changed."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

from billing.bindings import see_follower
from billing.people import get_staff
from billing.sightings import Sight, Sighting, list_sightings, note_sightings
from tests.conftest import NOW, TODAY, World

ROOM, OTHER = "3-2-501", "3-2-502"


def note(world: World, *rooms: str, what: Sight = Sight.BILLS, days: int = 0) -> None:
    homes = [(world.community.id, world.unit(room).id) for room in rooms]
    at = NOW + timedelta(days=days)
    with world.database.transaction() as session:
        follower = see_follower(session, "o-zhang", NOW)
        note_sightings(session, homes, what, at, follower_id=follower.id)


def rows(world: World) -> list[tuple[int, Sight]]:
    with world.database.transaction() as session:
        found = session.execute(select(Sighting.unit_id, Sighting.what).order_by(Sighting.id))
        return [(row.unit_id, row.what) for row in found]


def test_once_a_day_for_each_person_home_and_thing(world: World) -> None:
    note(world, ROOM)
    note(world, ROOM, OTHER)
    note(world, ROOM, what=Sight.HISTORY)
    note(world, ROOM, days=1)
    one, two = world.unit(ROOM).id, world.unit(OTHER).id
    assert rows(world) == [
        (one, Sight.BILLS), (two, Sight.BILLS), (one, Sight.HISTORY), (one, Sight.BILLS),
    ]  # fmt: skip


def test_staff_are_logged_by_their_login(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        staff = get_staff(session, "liu")
        for _ in range(2):
            note_sightings(
                session, [(unit.community_id, unit.id)], Sight.BILLS, NOW, staff_id=staff.id
            )
        [seen] = list_sightings(session, unit.community_id, unit.id, days=1, today=TODAY)
    assert (seen.login, seen.openid, seen.at) == ("liu", None, NOW)


def test_only_the_days_asked_for_are_listed(world: World) -> None:
    for days in (-2, -1, 0):
        note(world, ROOM, days=days)
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        found = list_sightings(session, unit.community_id, unit.id, days=2, today=TODAY)
    assert [seen.at for seen in found] == [NOW, NOW - timedelta(days=1)]


def test_somebody_saw_it_and_one_person_only(world: World) -> None:
    unit = world.unit(ROOM)
    with pytest.raises(IntegrityError), world.database.transaction() as session:
        note_sightings(session, [(unit.community_id, unit.id)], Sight.BILLS, NOW)


def test_the_log_is_not_rewritten(world: World) -> None:
    note(world, ROOM)
    with pytest.raises(ProgrammingError), world.database.transaction() as session:
        session.execute(update(Sighting).values(what=Sight.TOTAL))
