"""Which prices are in force on a day, and which are only announced."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from billing.period import Period
from billing.pricing import parse_price
from billing.tariff_trial import try_community
from billing.tariffs import ChargeItem, ItemTariffs, Tariff, Version, get_item, list_tariffs
from tests.conftest import NOW, TODAY, World

TOMORROW = TODAY + timedelta(days=1)


def listed(world: World, today: date = TODAY) -> dict[str, ItemTariffs]:
    with world.database.transaction() as session:
        return {one.item.code: one for one in list_tariffs(session, world.community.id, today)}


@pytest.fixture
def code(world: World) -> str:
    """An item of the world, which is charged today."""
    return next(code for code, one in listed(world).items() if one.current(TODAY))


def change(world: World, code: str, **fields: date) -> None:
    """Change an item's dates."""
    with world.database.transaction() as session:
        item = session.scalars(select(ChargeItem).where(ChargeItem.code == code)).one()
        for name, value in fields.items():
            setattr(item, name, value)


def current(world: World, code: str, today: date) -> Version | None:
    return listed(world, today)[code].current(today)


def test_a_new_version_is_shown_before_it_is_in_force(world: World, code: str) -> None:
    with world.database.transaction() as session:
        item = session.scalars(select(ChargeItem).where(ChargeItem.code == code)).one()
        session.add(
            Tariff(
                community_id=item.community_id,
                item_id=item.id,
                effective_from=TOMORROW,
                price={"method": "flat", "unit_price": "9.90", "per": "month"},
                basis_document="new",
                created_at=NOW,
            )
        )
    old, new = current(world, code, TODAY), current(world, code, TOMORROW)
    assert listed(world)[code].versions[0] == new
    assert old is not None
    assert new is not None
    assert (old.basis_document == "new", new.basis_document) == (False, "new")


def test_an_item_that_has_not_begun_is_listed_without_a_price_in_force(
    world: World, code: str
) -> None:
    change(world, code, active_from=TOMORROW)
    assert current(world, code, TODAY) is None
    assert current(world, code, TOMORROW) is not None


def test_an_item_is_charged_until_the_day_before_it_ends(world: World, code: str) -> None:
    change(world, code, active_to=TOMORROW)
    assert code in listed(world, TODAY)
    assert code not in listed(world, TOMORROW)


def test_a_trial_sets_a_price_against_one_that_begins_within_the_cycle(world: World) -> None:
    with world.database.transaction() as session:
        item = get_item(session, world.community.id, "garbage")
        item.cycle_months, item.active_from = 12, date(2027, 1, 1)
        session.execute(
            update(Tariff).where(Tariff.item_id == item.id).values(effective_from=date(2027, 2, 15))
        )
        session.flush()
        price = parse_price({"method": "flat", "unit_price": "7.00", "per": "month"})
        january = try_community(session, item, price, Period("2027-01"))
        february = try_community(session, item, price, Period("2027-02"))
    assert (january.homes, january.now.yuan, january.then.yuan) == (24, "0.00", "2016.00")
    assert february.homes == 0  # the proposed price would have been charged in January
