"""为别人家缴费: by room and the end of a telephone number, without learning who lives where."""

import pytest
from sqlalchemy import func, select

from billing.facts import Fact, FactKind
from billing.lookups import HomeLookup
from billing.people import Occupancy, Resident, ResidentRole
from notify.wording import yuan
from tests.handlers.pages.conftest import ON_PHONE, Browser, House
from tests.handlers.pages.reading import Page


@pytest.fixture
def digits(house: House) -> str:
    """The last four of the owner's telephone number."""
    with house.world.database.transaction() as session:
        sealed = session.scalars(
            select(Resident.phone_sealed)
            .join(Occupancy, Occupancy.resident_id == Resident.id)
            .where(Occupancy.unit_id == house.unit_id, Occupancy.role == ResidentRole.OWNER)
        ).first()
    assert sealed is not None
    return house.vault.open(sealed)[-4:]


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 10000:04d}"


def ask(browser: Browser, room: str, digits: str) -> Page:
    form = browser.get("/o/find").form("/o/find")
    return browser.post("/o/find", form | {"room": room, "digits": digits})


def count(house: House, what: type[HomeLookup] | type[Fact]) -> int:
    query = select(func.count()).select_from(what)
    if what is Fact:
        query = query.where(Fact.kind == FactKind.HOME_LOOKED_UP)
    with house.world.database.transaction() as session:
        return session.execute(query).scalar_one()


@pytest.mark.parametrize("typed", ["1-1-302", "１－１－３０２", "01栋1单元0302室"])
def test_the_right_digits_lead_to_the_page_that_pays(house: House, digits: str, typed: str) -> None:
    house.open_every_way()
    page = ask(house.browser(ON_PHONE), typed, digits)
    assert page.path == house.scan_path
    assert page.shows("1-1-**2", f"¥{yuan(house.owed())}")
    assert page.hides("1-1-302", "物业费")
    assert page.has_form("/o/pay")


def test_a_wrong_room_and_wrong_digits_answer_alike(house: House, digits: str) -> None:
    answers = []
    for room, end in (("1-1-302", wrong(digits)), ("9-9-999", digits)):
        page = ask(house.browser(ON_PHONE), room, end)
        assert page.status == 422
        answers.append(page.text)
    first, second = answers
    assert first == second
    assert "对不上" in first
    assert count(house, Fact) == 0


def test_a_payer_has_five_tries_an_hour(house: House, digits: str) -> None:
    phone = house.browser(ON_PHONE)
    for number in range(5):
        assert ask(phone, f"1-1-90{number}", digits).status == 422
    page = ask(phone, "1-1-302", digits)
    assert page.status == 429
    assert page.shows("试的次数太多了", "业主把缴费链接发给您")
    house.clock.now = house.clock.now.replace(hour=house.clock.now.hour + 1, minute=31)
    assert ask(phone, "1-1-302", digits).path == house.scan_path


@pytest.mark.parametrize("room", ["1-1-302", "9-9-999"])
def test_a_room_has_five_tries_an_hour_whoever_asks_and_whether_it_exists(
    house: House, digits: str, room: str
) -> None:
    for _ in range(5):
        assert ask(house.browser(ON_PHONE), room, wrong(digits)).status == 422
    assert ask(house.browser(ON_PHONE), room, digits).status == 429
    assert count(house, HomeLookup) == 5


def test_inside_wechat_a_follower_is_counted_by_himself(house: House, digits: str) -> None:
    for number in range(5):
        assert ask(house.phone("o-guesser"), f"1-1-90{number}", digits).status == 422
    assert ask(house.phone("o-guesser"), "1-1-302", digits).status == 429
    assert ask(house.phone("o-helper"), "1-1-302", digits).shows("1-1-**2")


def test_the_home_is_told_once_of_a_payer_and_day(house: House, digits: str) -> None:
    helper = house.phone("o-helper")
    ask(helper, "1-1-302", digits)
    ask(helper, "1-1-302", digits)
    assert count(house, Fact) == 1
    ask(house.browser(ON_PHONE), "1-1-302", digits)
    assert count(house, Fact) == 2
    house.clock.now = house.clock.now.replace(day=house.clock.now.day + 1)
    ask(helper, "1-1-302", digits)
    assert count(house, Fact) == 3


@pytest.mark.parametrize(("room", "digits"), [("", "1234"), ("1-1-302", "12"), ("1-1-302", "abcd")])
def test_an_incomplete_form_is_no_try(house: House, room: str, digits: str) -> None:
    page = ask(house.browser(ON_PHONE), room, digits)
    assert page.status == 422
    assert page.shows("填完整")
    assert count(house, HomeLookup) == 0


def test_a_community_that_does_not_exist_is_asked_for_again(house: House) -> None:
    phone = house.browser(ON_PHONE)
    form = phone.get("/o/find").form("/o/find")
    page = phone.post("/o/find", form | {"community": "XX", "room": "1-1-302", "digits": "1234"})
    assert page.status == 422
    assert page.shows("请选择小区")


def test_the_community_of_the_follower_is_chosen(house: House, owner: Browser) -> None:
    assert owner.get("/o/find").form("/o/find")["community"] == house.world.community.code
    assert "/o/find" in owner.get(f"/o/home/{house.token}").links()
