"""Names are forgiven, numbers are not: which homes an address may mean."""

import pytest

from billing.addresses import find_addresses
from billing.place_names import find_names, is_proper, plain
from bot.understanding import clean, read_room
from tests.conftest import World
from tests.places import add_building, add_community, add_home

NAMES = {
    name: name
    for name in (
        "花园小区", "阳光花园小区", "阳光家园小区", "翠湖小区一期", "翠湖小区二期", "和平里",
        "东湖花园",
    )
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("绑定花园小区3-2-501", {"花园小区"}),
        ("绑定花园3-2-501", {"花园小区"}),
        ("华园小区3-2-501", {"花园小区"}),
        ("阳光花园3-2-501", {"阳光花园小区"}),
        ("阳光花圆小区3-2-501", {"阳光花园小区"}),
        ("阳光3-2-501", {"阳光花园小区", "阳光家园小区"}),
        ("翠湖二期3-2-501", {"翠湖小区二期"}),
        ("翠湖小区3-2-501", {"翠湖小区一期", "翠湖小区二期"}),
        ("翠湖小区三期3-2-501", set()),
        ("和平里 3栋501", {"和平里"}),
        ("西湖花圆3-2-501", set()),
        ("3-2-501", set()),
        ("", set()),
    ],
)
def test_a_community_is_named_shortly_or_misspelt(said: str, named: set[str]) -> None:
    assert set(find_names(NAMES, plain(said))) == named


@pytest.mark.parametrize("name", ["3号楼", "A座", "十二栋", "东楼", "3#", "5"])
def test_a_building_called_by_its_number_has_no_name(name: str) -> None:
    assert not is_proper(name)
    assert is_proper("牡丹苑")


@pytest.fixture
def towns(world: World) -> World:
    """阳光花园 with 3-2-501 too, a building without entrances, and one with a name of its own."""
    with world.database.transaction() as session:
        sunny = add_community(session, "YG", "阳光花园小区")
        third = add_building(session, sunny, "3", "3号楼")
        for room in ("3-2-501", "3-1-501", "3-1-1201"):
            add_home(session, third, room)
        add_home(session, add_building(session, sunny, "7", "7号楼"), "7-602")
        peony = add_building(session, sunny, "12", "牡丹花苑")
        for room in ("12-1-101", "12-2-101"):
            add_home(session, peony, room)
    return world


def found(world: World, said: str) -> list[str]:
    text = clean(said)
    with world.database.transaction() as session:
        return [str(one) for one in find_addresses(session, text, read_room(said), read_room)]


@pytest.mark.parametrize(
    "said",
    [
        "3-2-501", "３栋２单元５０１", "3幢2单元501室", "三号楼二门五零一", "3号楼2单元0501",
        "3座2单元501", "03-02-501", "3#2单元501", "3栋2单元5层01室",
    ],
)  # fmt: skip
def test_the_ways_to_write_a_number_are_one(towns: World, said: str) -> None:
    assert found(towns, f"绑定 花园小区 {said}") == ["花园小区 3-2-501"]


def test_a_number_in_several_communities_is_every_one_of_them(towns: World) -> None:
    assert found(towns, "绑定 3-2-501") == ["花园小区 3-2-501", "阳光花园小区 3-2-501"]
    assert found(towns, "绑定 阳光 3-2-501") == ["阳光花园小区 3-2-501"]
    assert found(towns, "绑定 花園小區 3-2-501") == ["花园小区 3-2-501"]


def test_without_its_entrance_a_number_is_every_home_it_may_be(towns: World) -> None:
    assert found(towns, "阳光花园3栋501") == ["阳光花园小区 3-1-501", "阳光花园小区 3-2-501"]
    assert found(towns, "花园小区3栋501") == ["花园小区 3-2-501"]
    assert found(towns, "7栋602") == ["阳光花园小区 7-602"]


@pytest.mark.parametrize(
    "said", ["3-2-507", "3-2-50", "3-2-5011", "13-2-501", "3-3-501", "7-1-602"]
)
def test_a_number_is_never_almost_right(towns: World, said: str) -> None:
    assert found(towns, f"绑定 {said}") == []


def test_a_building_is_found_by_its_name(towns: World) -> None:
    assert found(towns, "牡丹花苑2单元101") == ["阳光花园小区 12-2-101"]
    assert found(towns, "绑定阳光牡丹花园一单元一零一") == ["阳光花园小区 12-1-101"]
    assert found(towns, "牡丹花苑101") == ["阳光花园小区 12-1-101", "阳光花园小区 12-2-101"]
    assert found(towns, "牡丹花苑102") == []
    assert found(towns, "牡丹花苑") == []


def test_a_named_community_without_the_home_is_not_another(towns: World) -> None:
    assert found(towns, "花园小区 3-1-501") == []
    assert found(towns, "花园小区 7-602") == []


def test_a_community_that_only_seems_misspelt_does_not_hide_the_home(towns: World) -> None:
    assert found(towns, "华园小区 7-602") == ["阳光花园小区 7-602"]
