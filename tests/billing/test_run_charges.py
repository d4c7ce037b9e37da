"""What a run charges for meters, shared costs, discounts and agreed prices — and what it leaves."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from billing.adjustment_tables import AfterVoid
from billing.bill_run import RunSummary, run_bills
from billing.ledger import ensure_accounts
from billing.people import Staff, StaffRole
from billing.period import Period
from billing.pricing import explain
from billing.shared_costs import SharedCost
from billing.shared_plans import Reach, reach_of
from billing.tariffs import get_item
from billing.voids import void_bill
from tests.billing.corrections import violations
from tests.conftest import NOW, World

DECEMBER, JANUARY = Period("2026-12"), Period("2027-01")
ROOM = "1-1-101"


def run(
    world: World, period: Period = DECEMBER, *, publish: bool = True, now: datetime = NOW
) -> RunSummary:
    return run_bills(
        world.database, world.community, period, today=period.start, now=now, publish=publish
    )


def sql(world: World, statement: str, **values: Any) -> list[Any]:
    with world.database.transaction() as session:
        result = session.execute(text(statement), {"c": world.community.id, **values})
        return list(result) if result.returns_rows else []


def add_item(world: World, code: str, fee: str, price: str | None) -> None:
    sql(
        world,
        "INSERT INTO charge_item (community_id, code, name, fee, subject_kind, cycle_months,"
        " active_from) VALUES (:c, :code, :code, :fee, 'home', 1, '2026-01-01')",
        code=code,
        fee=fee,
    )
    if price is not None:
        sql(
            world,
            "INSERT INTO tariff (community_id, item_id, effective_from, price, basis_document,"
            " created_at) SELECT :c, id, '2026-01-01', CAST(:price AS jsonb), '-', now()"
            " FROM charge_item WHERE code = :code",
            code=code,
            price=price,
        )
    with world.database.transaction() as session:
        ensure_accounts(session, world.community.id, {code: code})


WATER = '{"method": "metered", "unit_price": "3.45"}'
YEARLY = (
    '{"method": "tiered", "mode": "graduated", "year_to_date": "0", "tiers": ['
    '{"up_to": "100", "unit_price": "1.00", "flat": "0"},'
    ' {"up_to": null, "unit_price": "2.00", "flat": "0"}]}'
)


def add_meter(world: World, *readings: tuple[str, str], code: str = "water", **extra: Any) -> None:
    sql(
        world,
        "INSERT INTO meter (community_id, subject_id, item_id, code, multiplier, rolls_over_at)"
        " SELECT :c, subject.id, item.id, :code || :room, 1, :rolls"
        " FROM subject, charge_item item"
        " WHERE subject.code = :room AND subject.kind = 'home' AND item.code = :code",
        code=code,
        room=ROOM,
        rolls=extra.get("rolls_over_at"),
    )
    for read_on, value in readings:
        read(world, read_on, value, code)


def read(world: World, read_on: str, value: str, code: str = "water") -> None:
    sql(
        world,
        "INSERT INTO meter_reading (community_id, meter_id, read_on, value, recorded_at)"
        " SELECT :c, id, CAST(:on AS date), CAST(:value AS numeric), now() FROM meter"
        " WHERE code = :code",
        on=read_on,
        value=value,
        code=code + ROOM,
    )


def replace_meter(world: World, on: str, old_final: str, new_initial: str) -> None:
    sql(
        world,
        "INSERT INTO meter_replacement (community_id, meter_id, replaced_on, old_final,"
        " new_initial) SELECT :c, id, CAST(:on AS date), CAST(:old AS numeric),"
        " CAST(:new AS numeric) FROM meter",
        on=on,
        old=old_final,
        new=new_initial,
    )


def charged(world: World, code: str, room: str = ROOM) -> list[tuple[str, str, int, str]]:
    """First day, first day not charged, fen and explanation of a home's lines of an item."""
    rows = sql(
        world,
        "SELECT period_from::text, period_to::text, amount, basis FROM bill_line line"
        " JOIN subject ON subject.id = line.subject_id JOIN charge_item item"
        " ON item.id = line.item_id WHERE subject.code = :room AND item.code = :code"
        " ORDER BY line.id",
        room=room,
        code=code,
    )
    return [(row[0], row[1], row[2], explain(row[3])) for row in rows]


def test_a_meter_is_charged_from_the_base_to_the_reading_that_closes_the_month(
    world: World,
) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "120.5"), ("2027-01-01", "133"))
    assert run(world).skipped == {"no_meter": 23}
    assert charged(world, "water") == [
        ("2026-11-30", "2027-01-01", 4313, "(133 − 120.5) × 1 × 3.45元 = 43.13元")
    ]
    assert violations(world) == []


def test_a_first_reading_is_a_base_and_never_billed(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-12-20", "4319"))
    assert run(world).skipped["no_base_reading"] == 1
    assert charged(world, "water") == []


def test_a_month_without_a_reading_is_skipped_and_the_next_one_charges_both(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"))
    assert run(world).skipped["no_reading"] == 1
    read(world, "2027-01-31", "120")
    run(world, JANUARY)
    assert [line[:3] for line in charged(world, "water")] == [("2026-11-30", "2027-01-31", 6900)]


def test_a_reading_is_charged_once_whatever_is_read_later_in_between(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"), ("2026-12-31", "110"))
    run(world)
    read(world, "2026-12-15", "104")
    assert run(world).existing == run(world).existing
    assert [line[2] for line in charged(world, "water")] == [3450]
    read(world, "2027-01-31", "111")
    run(world, JANUARY)
    assert [line[2] for line in charged(world, "water")] == [3450, 345]


def test_who_bills_on_the_first_charges_what_was_read_since_the_first_of_the_last_month(
    world: World,
) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-01", "100"), ("2026-12-01", "110"))
    first = run(world)
    assert first.skipped == {"no_meter": 23}
    again = run(world)
    assert (again.created, again.existing, again.skipped) == (0, first.created, first.skipped)
    assert run(world, JANUARY).skipped["no_reading"] == 1
    read(world, "2027-01-01", "112")
    run(world, JANUARY)
    assert [line[:3] for line in charged(world, "water")] == [
        ("2026-11-01", "2026-12-01", 3450),
        ("2026-12-01", "2027-01-01", 690),
    ]
    assert violations(world) == []


def test_a_reading_of_the_month_before_that_was_charged_then_is_none_of_this_month(
    world: World,
) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "100"), ("2026-12-28", "110"))
    run(world)
    assert run(world, JANUARY).skipped["no_reading"] == 1
    assert [line[2] for line in charged(world, "water")] == [3450]


def test_a_replaced_meter_charges_what_both_counted(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "120.5"), ("2026-12-31", "8"))
    replace_meter(world, "2026-12-10", "133", "0.5")
    run(world)
    assert charged(world, "water")[0][2:] == (
        6900,
        "((133 − 120.5) + (8 − 0.5)) × 1 × 3.45元 = 69.00元",
    )


def test_a_meter_that_went_backwards_is_parked_and_the_others_go_on(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "120"), ("2026-12-31", "8"))
    summary = run(world)
    assert summary.parked == {"reading.current: lower than previous without a meter change": 1}
    assert summary.created > 24
    assert summary.expected == summary.created + summary.existing + 1 + summary.skipped.total()


def test_a_meter_that_rolled_over_is_charged(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "99990"), ("2026-12-31", "12"), rolls_over_at=100000)
    run(world)
    assert charged(world, "water")[0][2] == 7590


def test_two_replacements_between_two_readings_are_left_to_a_person(world: World) -> None:
    add_item(world, "water", "water", WATER)
    add_meter(world, ("2026-11-30", "120"), ("2026-12-31", "8"))
    replace_meter(world, "2026-12-10", "121", "0")
    replace_meter(world, "2026-12-20", "3", "0")
    assert run(world).parked == {"meter_replaced_twice": 1}


def test_yearly_tiers_go_on_where_the_year_stands_and_begin_anew_in_january(world: World) -> None:
    add_item(world, "water", "water", YEARLY)
    add_meter(
        world,
        ("2025-12-31", "5"),
        ("2026-06-30", "85"),
        ("2026-11-30", "95"),
        ("2026-12-31", "125"),
    )
    sql(
        world, "UPDATE tariff SET effective_from = '2025-01-01' WHERE price ->> 'method' = 'tiered'"
    )
    run(world, Period("2026-06"))
    run(world, Period("2026-11"))
    run(world)
    read(world, "2027-01-31", "130")
    run(world, JANUARY)
    # 80 + 10 + (10 at the first price and 20 at the second) + 5 in the new year.
    assert [line[2] for line in charged(world, "water")] == [8000, 1000, 1000 + 4000, 500]
    assert violations(world) == []


def add_cost(world: World, amount: int, *, building: str | None = None, by: str = "area") -> None:
    sql(
        world,
        "INSERT INTO shared_cost (community_id, item_id, building_id, from_on, to_on, amount,"
        " apportion_by, recorded_at) SELECT :c, id,"
        " (SELECT id FROM building WHERE code = :building), '2026-12-01', '2027-01-01', :amount,"
        " :by, now() FROM charge_item WHERE code = 'light'",
        amount=amount,
        building=building,
        by=by,
    )


def shares(world: World) -> list[int]:
    return [
        row[0]
        for row in sql(
            world,
            "SELECT line.amount FROM bill_line line JOIN charge_item item"
            " ON item.id = line.item_id WHERE item.code = 'light' ORDER BY line.subject_id",
        )
    ]


def reach(world: World) -> Reach:
    """Which runs read the cost that was added."""
    with world.database.transaction() as session:
        cost = session.scalars(select(SharedCost)).one()
        return reach_of(session, cost, get_item(session, world.community.id, "light"))


def test_a_shared_cost_is_shared_by_the_homes_of_its_building_to_the_fen(world: World) -> None:
    add_item(world, "light", "shared", None)
    add_cost(world, 10001, building="1")
    summary = run(world)
    homes = sql(
        world,
        "SELECT count(*) FROM unit JOIN building ON building.id = unit.building_id"
        " WHERE building.code = '1'",
    )[0][0]
    assert len(shares(world)) == homes
    assert sum(shares(world)) == 10001
    assert summary.skipped["no_cost"] == 24 - homes
    assert violations(world) == []


def test_what_is_missing_of_a_changed_pool_is_parked_instead_of_breaking_the_sum(
    world: World,
) -> None:
    add_item(world, "light", "shared", None)
    add_cost(world, 10001)
    run(world)
    sql(world, "UPDATE unit SET billable_area_m2 = billable_area_m2 + 1 WHERE room = :r", r=ROOM)
    again = run(world)
    assert (again.created, again.parked.total()) == (0, 0)
    bill = sql(
        world,
        "SELECT bill_id FROM bill_line WHERE subject_id = :s AND period_from ="
        " '2026-12-01' LIMIT 1",
        s=world.unit(ROOM).id,
    )[0][0]
    void(world, bill, "redo")
    assert run(world).parked == {"shared_cost_changed": 1}


def void(world: World, bill_id: int, after: str) -> None:
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill_id,
            after=AfterVoid(after),
            reason="写错了",
            by=session.scalars(select(Staff).where(Staff.role == StaffRole.MANAGER)).one(),
            today=world.today,
            now=NOW,
        )


def drafted_bill(world: World) -> int:
    bill_id: int = sql(
        world,
        "SELECT id FROM bill WHERE unit_id = :u ORDER BY id DESC LIMIT 1",
        u=world.unit(ROOM).id,
    )[0][0]
    return bill_id


@pytest.mark.parametrize(("after", "again"), [("redo", 3), ("exclude", 0)])
def test_a_draft_that_was_taken_out_is_charged_again_or_not_as_decided(
    world: World, after: str, again: int
) -> None:
    first = run(world, publish=False)
    void(world, drafted_bill(world), after)
    second = run(world)
    assert second.created == again
    assert second.existing == first.created - 3
    assert second.skipped["excluded"] == 3 - again
    third = run(world)
    assert (third.created, third.existing) == (0, second.existing + again)
    assert sql(
        world,
        "SELECT count(*) FROM journal_entry WHERE effective_on = '2026-12-01'"
        " AND kind = 'bill_issued'",
    )[0][0] == 24 - (again == 0)
    assert violations(world) == []


def grant(world: World, off: str, from_on: str, to_on: str | None, item: str = "property") -> None:
    sql(
        world,
        "INSERT INTO discount_grant (community_id, subject_id, item_id, reason, percent, from_on,"
        " to_on, approved_by, granted_at) SELECT :c, subject.id, item.id, 'vacant',"
        " CAST(:off AS numeric), CAST(:from_on AS date), CAST(:to_on AS date), staff.id, now()"
        " FROM subject, charge_item item, staff WHERE subject.code = :room"
        " AND item.code = :item AND staff.role = 'manager' LIMIT 1",
        off=off,
        from_on=from_on,
        to_on=to_on,
        room=ROOM,
        item=item,
    )


def test_a_discount_is_a_line_of_its_own_beside_the_charge(world: World) -> None:
    grant(world, "30", "2026-12-11", None)
    run(world)
    charge, off = [line for line in charged(world, "property") if line[0] >= "2026-12-01"]
    days = charge[2] * 30 * 21
    assert off[:3] == ("2026-12-11", "2027-01-01", -((days + 1550) // 3100))
    assert "× 30% × 21/31" in off[3]
    assert violations(world) == []


def agree(world: World, price: str, from_on: str, to_on: str | None) -> None:
    sql(
        world,
        "INSERT INTO agreed_price (community_id, subject_id, item_id, unit_price, from_on, to_on,"
        " approved_by, agreed_at) SELECT :c, subject.id, item.id, CAST(:price AS numeric),"
        " CAST(:from_on AS date), CAST(:to_on AS date), staff.id, now()"
        " FROM subject, charge_item item, staff WHERE subject.code = :room"
        " AND item.code = 'property' AND staff.role = 'manager' LIMIT 1",
        price=price,
        from_on=from_on,
        to_on=to_on,
        room=ROOM,
    )


def test_an_agreed_price_takes_the_place_of_the_tariffs(world: World) -> None:
    agree(world, "2.50", "2026-06-01", None)
    run(world)
    assert "× 2.50元/㎡·月" in charged(world, "property")[-1][3]
    assert "约定单价（标准2.80元）" in charged(world, "property")[-1][3]


def test_an_agreed_price_that_changes_within_the_month_is_left_to_a_person(world: World) -> None:
    agree(world, "2.50", "2026-12-15", None)
    assert run(world).parked == {"agreed_price_changes_within_the_period": 1}


def test_a_single_charge_waits_for_its_price(world: World) -> None:
    once = '{"method": "flat", "unit_price": "50.00", "per": "once"}'
    add_item(world, "card", "renovation", once)
    sql(world, "UPDATE tariff SET effective_from = '2027-01-10' WHERE price ->> 'per' = 'once'")
    for period in (DECEMBER, JANUARY, Period("2027-02")):
        run(world, period)
    assert [line[:3] for line in charged(world, "card")] == [("2027-01-10", "2027-02-01", 5000)]


def test_a_single_charge_is_made_once_in_the_month_the_item_begins(world: World) -> None:
    add_item(
        world, "card", "renovation", '{"method": "flat", "unit_price": "50.00", "per": "once"}'
    )
    sql(world, "UPDATE charge_item SET active_from = '2026-12-01' WHERE code = 'card'")
    sql(world, "UPDATE tariff SET effective_from = '2026-12-01' WHERE price ->> 'per' = 'once'")
    assert run(world).created == run(world).existing
    run(world, JANUARY)
    assert [line[2] for line in charged(world, "card")] == [5000]
    assert date(2026, 12, 1).isoformat() == charged(world, "card")[0][0]


def test_a_cost_known_only_in_the_next_month_is_charged_then_and_once(world: World) -> None:
    add_item(world, "light", "shared", None)
    add_cost(world, 10001, building="1")
    assert reach(world) is Reach.IN_TIME
    first = run(world, JANUARY)
    homes = len(shares(world))
    assert sum(shares(world)) == 10001
    assert first.skipped["no_cost"] == 24 - homes
    for period in (JANUARY, DECEMBER, Period("2027-02")):
        run(world, period)
        assert len(shares(world)) == homes
    assert violations(world) == []


def test_a_cost_written_down_after_its_runs_is_charged_by_the_next_run_and_no_other(
    world: World,
) -> None:
    add_item(world, "light", "shared", None)
    for period in (DECEMBER, JANUARY, Period("2027-02")):
        run(world, period)
    add_cost(world, 10001, building="1")
    sql(world, "UPDATE shared_cost SET recorded_at = :on", on=NOW + timedelta(days=1))
    assert reach(world) is Reach.LATE
    late = run(world, Period("2027-03"), now=NOW + timedelta(days=2))
    homes = len(shares(world))
    assert (sum(shares(world)), late.skipped["no_cost"]) == (10001, 24 - homes)
    void(world, drafted_bill(world), "redo")
    # Made since, but the cost is March's: only a run of March charges what was taken out of it.
    run(world, Period("2027-04"), now=NOW + timedelta(days=3))
    assert len(shares(world)) == homes
    run(world, Period("2027-03"), now=NOW + timedelta(days=4))
    assert len(shares(world)) == homes + 1
    run(world, Period("2027-03"), now=NOW + timedelta(days=5))
    assert len(shares(world)) == homes + 1
    assert violations(world) == []


@pytest.mark.parametrize(
    ("from_on", "active_from"),
    [("2026-03-01", "2026-01-01"), ("2026-11-01", "2026-12-01")],
)
def test_costs_of_before_the_first_run_or_the_item_are_history_whenever_they_are_written_down(
    world: World, from_on: str, active_from: str
) -> None:
    add_item(world, "light", "shared", None)
    sql(world, "UPDATE charge_item SET active_from = :on WHERE code = 'light'", on=active_from)
    for period in (DECEMBER, JANUARY):
        run(world, period)
    add_cost(world, 10001, building="1")
    sql(
        world,
        "UPDATE shared_cost SET from_on = CAST(:from AS date), to_on = CAST(:from AS date) + 30,"
        " recorded_at = :on",
        on=NOW + timedelta(days=1),
        **{"from": from_on},
    )
    assert reach(world) is Reach.HISTORY
    for period in (Period("2027-02"), Period("2027-03")):
        run(world, period, now=NOW + timedelta(days=2))
    assert shares(world) == []


def test_a_late_cost_is_charged_once_however_old_it_is(world: World) -> None:
    add_item(world, "light", "shared", None)
    for period in (DECEMBER, JANUARY):
        run(world, period)
    add_cost(world, 10001, building="1")
    sql(world, "UPDATE shared_cost SET recorded_at = :on", on=NOW + timedelta(days=1))
    years_later = Period("2029-03")
    for days in (2, 3):
        run(world, years_later, now=NOW + timedelta(days=days))
        assert sum(shares(world)) == 10001
