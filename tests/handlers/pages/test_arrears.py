"""The list of arrears opens for the member of staff who asked for it, and for nobody else."""

from sqlalchemy import select, update

from billing.bindings import see_follower
from billing.people import Staff
from billing.sightings import Sight, Sighting
from notify.links import ArrearsRef
from tests.handlers.pages.conftest import House


def employ(house: House, openid: str, login: str = "zhao") -> int:
    """Make a member of staff of a follower; gives his number."""
    with house.world.database.transaction() as session:
        follower = see_follower(session, openid, house.clock())
        session.flush()
        session.execute(update(Staff).where(Staff.login == login).values(follower_id=follower.id))
        return session.scalars(select(Staff.id).where(Staff.login == login)).one()


def path(house: House, staff_id: int, asked: str = "all", at_least_fen: int = 0) -> str:
    ref = ArrearsRef(house.world.community.id, staff_id, asked, at_least_fen)
    return house.services.links.arrears_url(ref).removeprefix("http://pages.test")


def test_staff_see_who_owes_with_masked_names_and_it_is_written_down(house: House) -> None:
    staff_id = employ(house, "o-zhao")
    page = house.phone("o-zhao").get(path(house, staff_id))
    assert page.status == 200
    assert page.shows("花园小区", "欠费名单", "1-1-302", "李**", "3 期，2026年8月31日起")
    assert page.hides("李先生", "3-2-501")
    with house.world.database.transaction() as session:
        noted = session.execute(
            select(Sighting.what, Sighting.staff_id).where(Sighting.unit_id == house.unit_id)
        ).all()
    assert [tuple(row) for row in noted] == [(Sight.TOTAL, staff_id)]


def test_what_was_asked_for_narrows_it(house: House) -> None:
    staff_id = employ(house, "o-zhao")
    phone = house.phone("o-zhao")
    assert phone.get(path(house, staff_id, "building:3")).shows("没有逾期未缴的住户")
    narrowed = phone.get(path(house, staff_id, "building:1&fee:property", 100_00))
    assert narrowed.shows("花园小区 1栋 物业费 · 100.00 元及以上", "1-1-302")
    assert phone.get(path(house, staff_id, "all", 9_999_999)).shows("没有逾期未缴的住户")


def test_nobody_else_opens_it(house: House) -> None:
    staff_id = employ(house, "o-zhao")
    employ(house, "o-liu", "liu")
    link = path(house, staff_id)
    for openid in ("o-liu", "o-owner", "o-stranger"):
        refused = house.phone(openid).get(link)
        assert refused.status == 403
        assert refused.shows("只给查询人看")
        assert refused.hides("1-1-302")
    assert house.computer().get(link).path == "/o/sign-in"


def test_who_no_longer_works_there_does_not_open_it(house: House) -> None:
    staff_id = employ(house, "o-zhao")
    phone, link = house.phone("o-zhao"), path(house, staff_id)
    for change in ({"left_at": house.clock()}, {"left_at": None, "follower_id": None}):
        assert phone.get(link).status == 200
        with house.world.database.transaction() as session:
            session.execute(update(Staff).where(Staff.id == staff_id).values(**change))
        assert phone.get(link).status == 403
        with house.world.database.transaction() as session:
            session.execute(update(Staff).where(Staff.id == staff_id).values(left_at=None))


def test_a_link_that_was_tampered_with_opens_nothing(house: House) -> None:
    staff_id = employ(house, "o-zhao")
    phone = house.phone("o-zhao")
    for link in (path(house, staff_id)[:-3], f"/o/arrears/{house.token}"):
        assert phone.get(link).status == 404
    assert phone.get(path(house, staff_id, "gold")).status == 404
