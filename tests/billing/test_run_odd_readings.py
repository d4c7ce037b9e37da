"""What a run charges for meters when months are voided, late, taken over or oddly read."""

from typing import Any

from billing.imports.columns import SheetKind as K
from billing.privacy import Vault
from tests.billing.imports.workbooks import complaints, take_into
from tests.billing.test_run_charges import (
    DECEMBER,
    JANUARY,
    ROOM,
    WATER,
    add_item,
    add_meter,
    grant,
    read,
    replace_meter,
    run,
    sql,
    void,
)
from tests.conftest import World


def standing(world: World, code: str) -> list[int]:
    """Fen of a home's lines of an item that are not void, charges and opening balances."""
    return [
        row[0]
        for row in sql(
            world,
            "SELECT line.amount FROM bill_line line JOIN charge_item item ON item.id = line.item_id"
            " WHERE item.code = :code AND line.subject_id = :u AND line.kind <> 'discount'"
            " AND NOT EXISTS (SELECT FROM bill_void v WHERE v.bill_id = line.bill_id)"
            " ORDER BY line.period_from",
            code=code,
            u=world.unit(ROOM).id,
        )
    ]


def bill_with(world: World, code: str, period: object) -> int:
    found: int = sql(
        world,
        "SELECT max(bill.id) FROM bill JOIN bill_line line ON line.bill_id = bill.id"
        " JOIN charge_item item ON item.id = line.item_id"
        " WHERE item.code = :code AND bill.period = :p AND bill.unit_id = :u",
        code=code,
        p=str(period),
        u=world.unit(ROOM).id,
    )[0][0]
    return found


def bring(world: World, vault: Vault, content: dict[K, list[dict[str, Any]]]) -> None:
    assert complaints(take_into(world, vault, content)) == []


def test_a_voided_older_month_of_a_meter_is_charged_again(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"), ("2026-12-31", "110"))
    run(world)
    read(world, "2027-01-31", "115")
    run(world, JANUARY)
    void(world, bill_with(world, "water", DECEMBER), "redo")
    run(world)
    run(world, JANUARY)
    assert standing(world, "water") == [3450, 1725]


def test_a_redone_discount_does_not_stop_the_run(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"), ("2026-12-30", "110"))
    grant(world, "30", "2026-12-01", "2026-12-11", "water")
    run(world)
    void(world, bill_with(world, "water", DECEMBER), "redo")
    read(world, "2026-12-31", "111")
    run(world)  # UniqueViolation, today and on every later attempt
    assert standing(world, "water") == [11 * 345]


def test_the_last_month_of_who_leaves_is_charged_on_the_first(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"))
    sql(world, "UPDATE subject SET billable_to = '2027-01-01' WHERE code = :r", r=ROOM)
    run(world)  # on 1 December
    read(world, "2026-12-31", "110")
    run(world, JANUARY)  # on 1 January, as `run_due` does with billing day 1
    assert standing(world, "water") == [3450]


def test_usage_owed_from_before_is_not_billed_again(world: World, vault: Vault) -> None:
    add_item(world, "water", "water", WATER)
    bring(
        world,
        vault,
        {
            K.METERS: [{"code": "M1", "item": "water", "subject": ROOM, "multiplier": 1}],
            K.READINGS: [
                {"meter": "M1", "read_on": "2026-09-30", "value": 100},
                {"meter": "M1", "read_on": "2026-10-31", "value": 110},
            ],
            K.OPENINGS: [
                {
                    "room": ROOM,
                    "item": "water",
                    "from_on": "2026-10-01",
                    "to_on": "2026-10-31",
                    "amount": "34.50",
                    "due_on": "2026-11-15",
                }
            ],
        },
    )
    sql(
        world,
        "INSERT INTO meter_reading (community_id, meter_id, read_on, value, recorded_at)"
        " SELECT :c, id, '2026-12-31', 115, now() FROM meter",
    )
    run(world)
    assert sum(standing(world, "water")) == 3450 + 5 * 345


def test_days_owed_for_more_than_a_year_are_not_billed_again(world: World, vault: Vault) -> None:
    add_item(world, "clean", "garbage", '{"method": "flat", "unit_price": "10.00", "per": "month"}')
    row = {
        "room": ROOM,
        "item": "clean",
        "from_on": "2025-06-01",
        "to_on": "2026-12-31",
        "amount": "190.00",
        "due_on": "2026-11-15",
    }
    bring(world, vault, {K.OPENINGS: [row]})
    run(world)
    assert standing(world, "clean") == [19000]


def test_two_replacements_with_a_reading_between_are_charged(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "120"), ("2026-12-15", "3"), ("2026-12-31", "8"))
    replace_meter(world, "2026-12-10", "121", "0")
    replace_meter(world, "2026-12-20", "4", "0")
    run(world)  # parked in December and in every month from then on
    read(world, "2027-01-31", "9")
    run(world, JANUARY)
    assert sum(standing(world, "water")) == (1 + 3 + 1 + 8 + 1) * 345


def test_a_roll_over_seen_by_a_reading_between_is_counted(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(
        world,
        ("2026-11-30", "900"),
        ("2026-12-15", "100"),
        ("2026-12-31", "950"),
        rolls_over_at=1000,
    )
    run(world)
    assert sum(standing(world, "water")) == 1050 * 345


def test_an_agreed_price_is_not_that_of_days_before_it(world: World) -> None:
    add_item(world, "water", "garbage", WATER)
    add_meter(world, ("2026-11-30", "100"), ("2026-12-31", "131"))
    sql(
        world,
        "INSERT INTO agreed_price (community_id, subject_id, item_id, unit_price, from_on,"
        " approved_by, agreed_at) SELECT :c, :u, item.id, 1, '2026-12-30', staff.id, now()"
        " FROM charge_item item, staff WHERE item.code = 'water' AND staff.role = 'manager'"
        " LIMIT 1",
        u=world.unit(ROOM).id,
    )
    run(world)
    assert standing(world, "water") != [31 * 100]  # a day of 31 makes the whole month cheap


def test_a_base_read_the_day_before_the_tariff_is_no_reason_never_to_charge(
    world: World,
) -> None:
    add_item(world, "water", "water", WATER)
    sql(world, "UPDATE tariff SET effective_from = '2026-12-01' WHERE price->>'method' = 'metered'")
    add_meter(world, ("2026-11-30", "100"), ("2026-12-31", "110"), ("2027-01-31", "115"))
    run(world)
    run(world, JANUARY)
    assert sum(standing(world, "water")) == 15 * 345  # no_tariff, this month and for ever
