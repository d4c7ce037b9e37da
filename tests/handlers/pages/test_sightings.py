"""Pages write down who saw what: owners their bills, strangers the total, a browser nobody."""

from sqlalchemy import select

from billing.people import Follower
from billing.sightings import Sighting
from tests.handlers.pages.conftest import Browser, House


def seen(house: House) -> set[tuple[str, str]]:
    with house.world.database.transaction() as session:
        rows = session.execute(
            select(Follower.openid, Sighting.what)
            .join(Follower, Follower.id == Sighting.follower_id)
            .where(Sighting.unit_id == house.unit_id)
        ).all()
    assert len(rows) == len(set(rows)), "once a day"
    return {(openid, what.value) for openid, what in rows}


def test_an_owners_pages_are_noted_once(house: House, owner: Browser) -> None:
    for _ in range(2):
        for page in ("home", "history", "prepayment"):
            assert owner.get(f"/o/{page}/{house.token}").status == 200
    assert seen(house) == {("o-owner", "bills"), ("o-owner", "history"), ("o-owner", "balance")}


def test_a_stranger_who_may_pay_is_noted_to_have_seen_the_total(
    house: House, stranger: Browser
) -> None:
    assert stranger.get(f"/o/home/{house.token}").status == 200
    known = seen(house)
    assert known <= {("o-stranger", "total")}


def test_what_was_refused_and_what_is_public_is_not_noted(house: House, stranger: Browser) -> None:
    assert stranger.get(f"/o/history/{house.token}").status == 403
    assert stranger.get(f"/o/tariffs/{house.token}").status == 200
    assert house.computer().get(house.scan_path).status == 200
    assert seen(house) == set()
