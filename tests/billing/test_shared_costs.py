"""Who shares a cost and with which weight; and which costs cannot be recorded."""

import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, update

from billing.bill_run import run_bills
from billing.bills import Bill, BillLine, LineKind
from billing.checks import run_checks
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.meters import Meter, MeterReading, MeterReplacement
from billing.money import Money
from billing.people import get_staff
from billing.period import Period
from billing.pricing import ApportionBy
from billing.property import Subject, SubjectKind, Unit
from billing.shared_cost_changes import record_shared_cost, remove_shared_cost
from billing.shared_costs import SharedCost, preview_shares, weigh
from billing.tariff_changes import add_item, add_tariff
from billing.tariffs import ChargeItem, FeeKind
from tests.conftest import NOW, World, many_rounds

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
ROOM = "3-2-501"


def add(world: World, code: str, kind: SubjectKind = SubjectKind.HOME) -> int:
    """An item without a price; gives its id."""
    with world.database.transaction() as session:
        return add_item(
            session,
            world.community.id,
            code=code,
            name=code,
            fee=FeeKind.SHARED,
            subject_kind=kind,
            cycle_months=1,
            active_from=date(2026, 1, 1),
            by=get_staff(session, "zhao"),
            now=NOW,
        ).id


@pytest.fixture
def light(world: World) -> World:
    """The world with an item for the light of the stairs."""
    add(world, "light")
    return world


def record(world: World, database: Database | None = None, **changes: Any) -> SharedCost:
    """620 yuan for the light in November, by area, in a transaction of its own."""
    given = {
        "item_code": "light",
        "from_on": NOVEMBER,
        "to_on": DECEMBER,
        "by": ApportionBy.AREA,
        "now": NOW,
        **({} if "quantity" in changes else {"amount": "620.00"}),
        **changes,
    }
    with (database or world.database).transaction() as session:
        return record_shared_cost(session, world.community.id, **given)


def weights(world: World, cost: SharedCost) -> dict[str, Decimal]:
    """Weight by room."""
    with world.database.transaction() as session:
        found = weigh(session, cost)
        assert [subject for subject, _ in found] == sorted(subject for subject, _ in found)
        codes = {id_: code for id_, code in session.execute(select(Subject.id, Subject.code))}  # noqa: C416
        return {codes[subject]: weight for subject, weight in found}


def homes(world: World) -> dict[str, Unit]:
    with world.database.transaction() as session:
        return {unit.room: unit for unit in session.scalars(select(Unit).order_by(Unit.id))}


def count(world: World, table: Any) -> int:
    with world.database.transaction() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


# Weights


def test_by_area_every_home_weighs_its_billable_area(light: World) -> None:
    cost = record(light)
    assert weights(light, cost) == {
        room: unit.billable_area_m2 for room, unit in homes(light).items()
    }


def test_by_household_every_home_of_a_building_weighs_one(light: World) -> None:
    found = weights(light, record(light, by=ApportionBy.HOUSEHOLD, building="3"))
    assert found == {room: Decimal(1) for room in homes(light) if room.startswith("3-")}
    assert len(found) > 1


def test_an_entrance_limits_the_scope_further(light: World) -> None:
    found = weights(light, record(light, building="3", entrance="2"))
    assert set(found) == {room for room in homes(light) if room.startswith("3-2-")}
    assert ROOM in found


def test_only_homes_billable_on_some_of_the_days_share(light: World) -> None:
    with light.database.transaction() as session:
        for room, changes in {
            "3-2-502": {"billable_from": DECEMBER},
            "1-1-101": {"billable_from": date(2026, 11, 30)},
            "1-1-302": {"billable_to": NOVEMBER},
            "1-2-602": {"billable_to": date(2026, 11, 2)},
        }.items():
            session.execute(update(Subject).where(Subject.code == room).values(changes))
    found = weights(light, record(light))
    assert set(homes(light)) - set(found) == {"3-2-502", "1-1-302"}


def test_a_parking_space_lies_where_the_home_it_is_billed_to_lies(world: World) -> None:
    add(world, "light", SubjectKind.PARKING)
    cost = record(world, by=ApportionBy.HOUSEHOLD, building="3")
    with world.database.transaction() as session:
        expected = session.scalars(
            select(Subject.code)
            .join(Unit, Unit.id == Subject.unit_id)
            .where(Subject.kind == SubjectKind.PARKING, Unit.room.startswith("3-"))
        ).all()
    assert set(weights(world, cost)) == set(expected)
    assert expected


def test_a_home_billed_to_another_account_lies_where_it_lies(light: World) -> None:
    """Somebody who owns two homes may have them on one account."""
    account = light.unit("1-1-302").id
    with light.database.transaction() as session:
        session.execute(update(Subject).where(Subject.code == ROOM).values(unit_id=account))
    assert ROOM in weights(light, record(light, building="3"))


def test_the_weights_of_any_community_are_one_statement(light: World) -> None:
    cost = record(light)
    statements: list[str] = []
    listen = lambda *given: statements.append(given[2])  # noqa: E731
    event.listen(light.database.engine, "before_cursor_execute", listen)
    with light.database.transaction() as session:
        item = session.get_one(ChargeItem, (cost.community_id, cost.item_id))  # as in a run
        statements.clear()
        assert weigh(session, cost)
        assert item.code == "light"
    event.remove(light.database.engine, "before_cursor_execute", listen)
    assert len(statements) == 1


# Usage


def read(world: World, item: str, *shown: tuple[str, dict[date, str]], **meter: Any) -> None:
    """Meters of homes and what they showed."""
    with world.database.transaction() as session:
        item_id = add_usage_item(world, session, item)
        for room, values in shown:
            new = Meter(
                community_id=world.community.id,
                subject_id=world.unit(room).id,
                item_id=item_id,
                code=f"{item}-{room}",
                **{"multiplier": Decimal(1), **meter},
            )
            session.add(new)
            session.flush()
            for day, value in values.items():
                session.add(
                    MeterReading(
                        community_id=world.community.id,
                        meter_id=new.id,
                        read_on=day,
                        value=Decimal(value),
                        recorded_at=NOW,
                    )
                )


def add_usage_item(world: World, session: Any, code: str) -> int:
    found = session.scalar(select(ChargeItem.id).where(ChargeItem.code == code))
    return found if found is not None else add(world, code)


def in_entrance(world: World) -> list[str]:
    return [room for room in homes(world) if room.startswith("3-2-")]


BY_USAGE: dict[str, Any] = {
    "by": ApportionBy.USAGE,
    "usage_item": "water",
    "building": "3",
    "entrance": "2",
}
OPENING, CLOSING = date(2026, 10, 30), date(2026, 11, 29)


def with_others(world: World, **of_ours: Any) -> None:
    """Our home's meter as given; every other one of the entrance counted 1."""
    meter = {key: of_ours.pop(key) for key in ("multiplier", "rolls_over_at") if key in of_ours}
    read(world, "water", (ROOM, of_ours["shown"]), **meter)
    others = [room for room in in_entrance(world) if room != ROOM]
    read(world, "water", *((room, {OPENING: "0", CLOSING: "1"}) for room in others))
    assert others


def used(world: World, **of_ours: Any) -> Decimal:
    """What our home weighs."""
    with_others(world, **of_ours)
    found = weights(world, record(world, **BY_USAGE))
    assert {weight for room, weight in found.items() if room != ROOM} == {Decimal(1)}
    return found[ROOM]


def test_by_usage_a_home_weighs_what_its_meter_counted(light: World) -> None:
    shown = {OPENING: "100", CLOSING: "112.5"}
    assert used(light, shown=shown, multiplier=Decimal(40)) == Decimal(500)


def test_readings_of_the_first_day_open_and_of_the_day_after_the_last_close(light: World) -> None:
    shown = {
        date(2026, 10, 1): "10",
        NOVEMBER: "20",
        date(2026, 11, 15): "27",
        DECEMBER: "31",
        date(2026, 12, 2): "99",
    }
    assert used(light, shown=shown) == Decimal(11)


def test_a_meter_that_rolled_over_is_counted_through(light: World) -> None:
    shown = {OPENING: "9990", date(2026, 11, 10): "5", CLOSING: "12"}
    assert used(light, shown=shown, rolls_over_at=Decimal(10000)) == Decimal(22)


def test_a_replaced_meter_is_two_differences(light: World) -> None:
    with_others(light, shown={OPENING: "120.5", CLOSING: "8"})
    with light.database.transaction() as session:
        meter = session.scalars(select(Meter).where(Meter.code == f"water-{ROOM}")).one()
        session.add(
            MeterReplacement(
                community_id=light.community.id,
                meter_id=meter.id,
                replaced_on=date(2026, 11, 10),
                old_final=Decimal(133),
                new_initial=Decimal("0.5"),
            )
        )
    assert weights(light, record(light, **BY_USAGE))[ROOM] == Decimal(20)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({}, "no opening or no closing reading"),
        ({OPENING: "5"}, "no opening or no closing reading"),
        ({CLOSING: "5"}, "no opening or no closing reading"),
        ({OPENING: "5", date(2026, 12, 2): "9"}, "no opening or no closing reading"),
        ({OPENING: "9", CLOSING: "5"}, "a meter ran backwards"),
        ({OPENING: "5", date(2026, 11, 3): "4", CLOSING: "7"}, "a meter ran backwards"),
    ],
)
def test_readings_that_do_not_tell_the_usage_are_refused_by_room(
    light: World, shown: dict[date, str], reason: str
) -> None:
    with_others(light, shown=shown)
    cost = record(light, **BY_USAGE)  # the readings may come after the invoice
    with light.database.transaction() as session, pytest.raises(InvalidInput) as caught:
        weigh(session, cost)
    assert (caught.value.field, caught.value.reason) == ("readings", f"{reason}: {ROOM}")


def test_homes_without_a_meter_are_named_and_many_are_counted(light: World) -> None:
    read(light, "water", (ROOM, {OPENING: "1", CLOSING: "2"}))
    cost = record(light, **BY_USAGE | {"building": None, "entrance": None})
    with light.database.transaction() as session, pytest.raises(InvalidInput) as caught:
        preview_shares(session, cost)
    assert caught.value.reason.endswith(" and 3 more")
    assert "1-1-302" in caught.value.reason
    assert ROOM not in caught.value.reason


def test_when_nobody_used_anything_there_is_nothing_to_share_by(light: World) -> None:
    rooms = in_entrance(light)
    read(light, "water", *((room, {OPENING: "7", CLOSING: "7"}) for room in rooms))
    cost = record(light, **BY_USAGE)
    with light.database.transaction() as session:
        assert {weight for _, weight in weigh(session, cost)} == {Decimal(0)}
        with pytest.raises(InvalidInput, match="sum above zero"):
            preview_shares(session, cost)


# Preview


def test_shares_sum_to_the_cost_to_the_fen(light: World) -> None:
    cost = record(light, quantity="1000.5", unit_price="0.6201", amount=None)
    with light.database.transaction() as session:
        preview = preview_shares(session, cost)
    assert preview.total == Money(62041)
    assert sum(basis.amount.fen for _, basis in preview.shares) == 62041
    assert preview.uncollected == Money(0)
    assert [weighed.weight for weighed, _ in preview.shares] == [
        basis.weight for _, basis in preview.shares
    ]


def test_what_caps_cut_off_is_shown(light: World) -> None:
    cost = record(light, cap="20.00")
    with light.database.transaction() as session:
        preview = preview_shares(session, cost)
    amounts = [basis.amount for _, basis in preview.shares]
    assert max(amounts) == Money(2000)
    assert sum(amounts, Money(0)) + preview.uncollected == preview.total == Money(62000)
    assert preview.uncollected > Money(0)


def test_a_run_charges_what_the_preview_showed(light: World) -> None:
    rooms = in_entrance(light)
    shown = {room: {NOVEMBER: "0", date(2026, 12, 20): str(at)} for at, room in enumerate(rooms)}
    read(light, "water", *shown.items())
    cost = record(light, from_on=DECEMBER, to_on=date(2027, 1, 1), cap="300.00", **BY_USAGE)
    with light.database.transaction() as session:
        preview = preview_shares(session, cost)
    run_bills(
        light.database, light.community, Period("2026-12"), today=DECEMBER, now=NOW, publish=True
    )
    with light.database.transaction() as session:
        charged = session.execute(
            select(BillLine.subject_id, BillLine.amount)
            .where(BillLine.item_id == cost.item_id, BillLine.source_id == cost.id)
            .order_by(BillLine.subject_id)
        ).all()
        assert not any(result.violations for result in run_checks(session))
    assert len(charged) == len(rooms)
    assert [tuple(line) for line in charged] == [
        (weighed.subject_id, basis.amount) for weighed, basis in preview.shares
    ]
    assert preview.uncollected > Money(0)


# Refusals


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "Infinity"}, "amount"),
        ({"amount": "1000000001"}, "amount"),
        ({"amount": "0.00"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": 620.0}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": "5", "quantity": "1"}, "amount"),
        ({"quantity": "1"}, "unit_price"),
        ({"quantity": None, "unit_price": "1"}, "quantity"),
        ({"quantity": "-1", "unit_price": "1"}, "quantity"),
        ({"quantity": "100000000", "unit_price": "1000"}, "quantity"),
        ({"quantity": "0.001", "unit_price": "1"}, "quantity"),
        ({"cap": "-5"}, "cap"),
        ({"cap": "0"}, "cap"),
        ({"to_on": NOVEMBER}, "to"),
        ({"to_on": date(2027, 11, 3)}, "to"),
        ({"from_on": date(1026, 11, 1)}, "from"),
        ({"from_on": date(2025, 12, 1)}, "from"),
        ({"entrance": "2"}, "building"),
        ({"usage_item": "light"}, "usage_item"),
        ({"by": ApportionBy.USAGE}, "usage_item"),
        ({"by": ApportionBy.USAGE, "usage_item": "light"}, "usage_item"),
        ({"item_code": "property"}, "item"),
    ],
)
def test_a_cost_that_means_nothing_is_refused_by_field(
    light: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        record(light, **changes)
    assert caught.value.field == field
    assert count(light, SharedCost) == 0


def test_an_unknown_place_or_item_is_refused(light: World) -> None:
    for changes in ({"building": "9"}, {"building": "3", "entrance": "9"}, {"item_code": "pump"}):
        with pytest.raises(NotFound):
            record(light, **changes)


def test_a_cost_nobody_can_share_is_refused(light: World) -> None:
    with light.database.transaction() as session:
        session.execute(
            update(Subject).where(Subject.code.startswith("3-2-")).values(billable_to=NOVEMBER)
        )
    with pytest.raises(InvalidInput) as caught:
        record(light, building="3", entrance="2")
    assert caught.value.field == "scope"


def test_parking_spaces_have_no_area_to_share_by(world: World) -> None:
    add(world, "light", SubjectKind.PARKING)
    with pytest.raises(InvalidInput) as caught:
        record(world)
    assert caught.value.field == "by"


COMMUNITY: dict[str, Any] = {}
BUILDING: dict[str, Any] = {"building": "3"}
ENTRANCE: dict[str, Any] = {"building": "3", "entrance": "2"}


@pytest.mark.parametrize("first", [COMMUNITY, BUILDING, ENTRANCE])
@pytest.mark.parametrize("second", [COMMUNITY, BUILDING, ENTRANCE])
def test_no_home_shares_two_costs_of_an_item_for_one_day(
    light: World, first: dict[str, Any], second: dict[str, Any]
) -> None:
    recorded = record(light, **first)
    with pytest.raises(Conflict, match=f"shared cost {recorded.id}"):
        record(light, from_on=date(2026, 11, 30), to_on=date(2027, 1, 1), **second)
    assert record(light, from_on=DECEMBER, to_on=date(2027, 1, 1), **second).id


def test_other_places_and_other_items_do_not_overlap(light: World) -> None:
    record(light, building="3", entrance="2")
    assert record(light, building="3", entrance="1").id
    assert record(light, building="2").id
    add(light, "pump")
    assert record(light, item_code="pump").id


def test_an_item_that_shares_costs_takes_no_price(light: World) -> None:
    record(light)
    with (
        light.database.transaction() as session,
        pytest.raises(InvalidInput, match="shares costs"),
    ):
        add_tariff(
            session,
            light.community.id,
            "light",
            effective_from=DECEMBER,
            price={"method": "flat", "unit_price": "6.00", "per": "month"},
            basis_document="公示",
            by=get_staff(session, "zhao"),
            now=NOW,
            expected_last=None,
        )


@many_rounds
def test_two_clerks_with_one_invoice_record_it_once(
    light: World, engine_for: Callable[[str], Any]
) -> None:
    databases = [Database(engine_for(light.url), after_facts=lambda: None) for _ in range(2)]
    start, refused = threading.Barrier(2, timeout=30), []

    def clerk(database: Database) -> None:
        start.wait()
        try:
            record(light, database=database)
        except Conflict as conflict:
            refused.append(conflict)

    threads = [threading.Thread(target=clerk, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert (count(light, SharedCost), len(refused)) == (1, 1)


def test_a_cost_can_be_taken_back_until_a_line_was_made_from_it(light: World) -> None:
    mistyped = record(light, amount="6200.00")
    with light.database.transaction() as session:
        remove_shared_cost(session, light.community.id, mistyped.id)
    cost = record(light)
    with light.database.transaction() as session:
        bill = session.scalars(select(Bill).limit(1)).one()
        session.execute(
            insert(BillLine).values(
                community_id=light.community.id,
                bill_id=bill.id,
                subject_id=bill.unit_id,
                item_id=cost.item_id,
                kind=LineKind.CHARGE,
                source_id=cost.id,
                period_from=NOVEMBER,
                period_to=DECEMBER,
                amount=Money(1),
                basis={},
            )
        )
    with light.database.transaction() as session:
        with pytest.raises(Conflict, match="1 lines were made"):
            remove_shared_cost(session, light.community.id, cost.id)
        with pytest.raises(NotFound):
            remove_shared_cost(session, light.community.id, mistyped.id)
