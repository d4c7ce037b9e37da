"""The home hears of somebody who looked it up to pay for it; who he is, nobody is told."""

from datetime import date

from sqlalchemy import select

from billing.lookups import LookedUp, look_up_home
from billing.people import Occupancy, Resident, ResidentRole
from billing.privacy import Vault
from tests.billing.paper import sell
from tests.notify.conftest import Town

HOME = "3-2-501"


def look_up(town: Town, vault: Vault, payer: str) -> LookedUp:
    unit = town.world.unit(HOME)
    with town.world.database.transaction() as session:
        sealed = session.scalars(
            select(Resident.phone_sealed)
            .join(Occupancy, Occupancy.resident_id == Resident.id)
            .where(
                Occupancy.unit_id == unit.id,
                Occupancy.role == ResidentRole.OWNER,
                Occupancy.to_on.is_(None),
            )
        ).one()
        assert sealed is not None
        return look_up_home(
            session,
            vault,
            community=town.world.community,
            typed_room=HOME,
            digits=vault.open(sealed)[-4:],
            payer=payer,
            now=town.clock.now,
        ).outcome


def test_every_follower_of_the_home_is_told_once(town: Town, vault: Vault) -> None:
    town.bind(HOME, "Zhang")
    town.bind(HOME, "Wife")
    town.bind("1-1-302", "Li")
    for _ in range(2):
        assert look_up(town, vault, "o-helper") is LookedUp.FOUND
    town.notifier.intake()
    town.notifier.intake()
    assert sorted(shown.openid for shown in town.wechat.shown) == ["oWife", "oZhang"]
    assert all(HOME in str(shown) for shown in town.wechat.shown)
    assert not any("o-helper" in str(shown) for shown in town.wechat.shown)


def test_who_sold_the_home_meanwhile_is_not_told(town: Town, vault: Vault) -> None:
    town.bind(HOME, "Old")
    assert look_up(town, vault, "o-helper") is LookedUp.FOUND
    with town.world.database.transaction() as session:
        sell(session, town.world, HOME, date(2026, 11, 16))
    town.notifier.intake()
    assert town.wechat.shown == []
