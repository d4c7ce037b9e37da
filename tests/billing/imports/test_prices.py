"""A workbook changes prices of days to come, within what the law and the console allow."""

from sqlalchemy import select

from billing.imports.columns import SheetKind
from billing.privacy import Vault
from billing.tariffs import Tariff, get_item
from tests.billing.imports.test_faults import ITEM, TARIFF
from tests.billing.imports.test_repeats import CREATED, UNCHANGED, UPDATED, one, sole_count
from tests.billing.imports.workbooks import complaints, take_into
from tests.conftest import World

K = SheetKind


def test_no_version_begins_or_changes_in_days_that_are_billed(world: World, vault: Vault) -> None:
    row = {
        "item": "property", "effective_from": "2026-08-15", "method": "按面积", "unit_price": 99,
        "per": "月", "document": "公示",
    }  # fmt: skip
    [fault] = complaints(one(world, vault, K.TARIFFS, row))
    assert fault[2:] == ("生效日期", "已出账至2026-11-30，请从之后开始")
    later = row | {"effective_from": "2026-12-01"}
    assert sole_count(one(world, vault, K.TARIFFS, later)) == CREATED
    assert sole_count(one(world, vault, K.TARIFFS, later | {"unit_price": 98})) == UPDATED


def test_what_a_supplier_is_paid_bounds_a_price_that_is_changed(world: World, vault: Vault) -> None:
    water = ITEM | {"code": "tap", "name": "自来水", "fee": "水费"}
    price = TARIFF | {"item": "tap", "method": "按用量", "unit_price": 5, "per": None}
    take_into(world, vault, {K.ITEMS: [water], K.TARIFFS: [price]})
    with world.database.transaction() as session:
        item = get_item(session, world.community.id, "tap")
        assert item.pass_through
        version = session.scalars(select(Tariff).where(Tariff.item_id == item.id)).one()
        version.supplier_price = version.price
    [fault] = complaints(one(world, vault, K.TARIFFS, price | {"unit_price": 6}))
    assert fault[2:] == ("单价", "与供应方的价格不符，代收项目不得加价")
    assert sole_count(one(world, vault, K.TARIFFS, price | {"unit_price": 4})) == UPDATED


def test_an_item_the_console_says_is_no_suppliers_stays_so(world: World, vault: Vault) -> None:
    water = ITEM | {"code": "tap", "name": "自来水", "fee": "水费"}
    one(world, vault, K.ITEMS, water)
    with world.database.transaction() as session:
        get_item(session, world.community.id, "tap").pass_through = False
    assert sole_count(one(world, vault, K.ITEMS, water)) == UNCHANGED
    assert sole_count(one(world, vault, K.ITEMS, water | {"name": "中水"})) == UPDATED
    with world.database.transaction() as session:
        assert not get_item(session, world.community.id, "tap").pass_through
