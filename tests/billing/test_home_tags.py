"""Tags of homes: the staff's own words."""

import pytest

from billing.errors import InvalidInput
from billing.home_tags import Tagged, add_tag, list_tags, remove_tag, tags_in
from billing.people import get_staff
from tests.conftest import World

ROOMS = ("3-2-501", "1-1-302")


def test_homes_are_tagged_once_and_the_tag_is_taken_off_again(world: World) -> None:
    units = [world.unit(room) for room in ROOMS]
    with world.database.transaction() as session:
        by = get_staff(session, "liu")
        assert add_tag(session, units, "独居老人", by=by, now=world.now) == 2
        assert add_tag(session, units[:1], "独居老人", by=by, now=world.now) == 0
        assert list_tags(session, world.community.id) == [
            Tagged("独居老人", ("1-1-302", "3-2-501"))
        ]
        assert remove_tag(session, units[:1], "独居老人", by=by) == 1
        assert remove_tag(session, units[:1], "独居老人", by=by) == 0
        assert list_tags(session, world.community.id) == [Tagged("独居老人", ("1-1-302",))]


def test_a_tag_is_a_word_that_stands_in_a_sentence(world: World) -> None:
    with world.database.transaction() as session:
        by = get_staff(session, "zhao")
        for wrong in ("", "老", "独居 老人", "a,b", "x:y", "长" * 13):
            with pytest.raises(InvalidInput, match="tag"):
                add_tag(session, [world.unit(ROOMS[0])], wrong, by=by, now=world.now)
        for tag in ("装修", "装修中", "独居老人"):
            add_tag(session, [world.unit(ROOMS[0])], tag, by=by, now=world.now)
        here = [world.community.id]
        assert tags_in(session, here, "群发 装修中的业主") == ["装修中"]
        assert tags_in(session, here, "群发 独居老人和装修户") == ["独居老人", "装修"]
        assert tags_in(session, [here[0] + 1], "群发 装修中的业主") == []


def test_only_managers_and_the_service_desk_tag(world: World) -> None:
    with world.database.transaction() as session:
        by = get_staff(session, "zhou")
        with pytest.raises(InvalidInput, match="zhou is cashier"):
            add_tag(session, [world.unit(ROOMS[0])], "装修中", by=by, now=world.now)
        with pytest.raises(InvalidInput, match="zhou is cashier"):
            remove_tag(session, [world.unit(ROOMS[0])], "装修中", by=by)
