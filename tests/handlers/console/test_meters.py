"""Meters and shared costs in the console."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing.meter_sheet import MeterLine
from billing.meters import Meter, MeterReading, MeterReplacement
from billing.people import StaffRole
from billing.property import SubjectKind, Unit
from billing.shared_costs import SharedCost
from billing.tariffs import ChargeItem, FeeKind
from bot.program import Program
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]


@pytest.fixture
def reader(clerk: MakeClerk) -> Clerk:
    """Who goes from door to door: the service desk may."""
    return clerk(StaffRole.SERVICE)


def sheet(world: World, meter: Meter, **changes: str) -> dict[str, str]:
    building = str(world.unit("1-1-302").building_id)
    return {
        "item": str(meter.item_id),
        "building": building,
        "floor": "",
        "day": "2026-11-23",
    } | changes


def readings(program: Program, meter: Meter) -> list[MeterReading]:
    with program.services.database.transaction() as session:
        found = select(MeterReading).where(MeterReading.meter_id == meter.id)
        return list(session.scalars(found.order_by(MeterReading.read_on)))


def test_a_reading_is_entered_with_the_last_one_before_ones_eyes(
    reader: Clerk, program: Program, world: World, water: Meter
) -> None:
    place = "&".join(f"{name}={value}" for name, value in sheet(world, water).items())
    page = reader.get(f"/HY/meters/enter?{place}").text
    assert 'data-last="130' in page
    value = {f"value-{water.id}": "152.5"}
    assert reader.post("/HY/meters/enter", **sheet(world, water), **value).status_code == 303
    last = readings(program, water)[-1]
    assert (last.read_on, last.value, last.is_estimated) == (
        date(2026, 11, 23),
        Decimal("152.5"),
        False,
    )
    again = reader.post("/HY/meters/enter", **sheet(world, water), **value)
    assert again.status_code == 303
    assert len(readings(program, water)) == 3


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("120", "低于"),
        ("1e9", "请填写表上的数字"),
        ("-3", "请填写表上的数字"),
        ("500", "用量与平时差很多"),
        ("", "还没有填写任何读数"),
    ],
)
def test_a_bad_reading_is_refused_at_its_row_and_stays_typed(
    reader: Clerk, program: Program, world: World, water: Meter, typed: str, words: str
) -> None:
    fields = sheet(world, water) | {f"value-{water.id}": typed}
    answer = reader.post("/HY/meters/enter", **fields)
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{typed}"' in answer.text
    assert len(readings(program, water)) == 2


def test_an_odd_reading_is_kept_once_somebody_looked_again(
    reader: Clerk, program: Program, world: World, water: Meter
) -> None:
    fields = sheet(world, water) | {f"value-{water.id}": "500", f"checked-{water.id}": "1"}
    assert reader.post("/HY/meters/enter", **fields).status_code == 303
    assert readings(program, water)[-1].value == 500


def test_a_door_nobody_opened_is_estimated_from_the_last_usage(
    reader: Clerk, program: Program, world: World, water: Meter
) -> None:
    """30 units in 31 days: 22 days come to 21."""
    fields = sheet(world, water) | {f"estimated-{water.id}": "1"}
    assert reader.post("/HY/meters/enter", **fields).status_code == 303
    last = readings(program, water)[-1]
    assert (last.value, last.is_estimated) == (151, True)
    assert "估抄" in reader.get(f"/HY/meters/{water.id}").text


def test_a_reading_of_tomorrow_is_refused(
    reader: Clerk, program: Program, world: World, water: Meter
) -> None:
    fields = sheet(world, water, day="2026-11-24") | {f"value-{water.id}": "140"}
    assert "不能晚于今天" in reader.post("/HY/meters/enter", **fields).text
    assert len(readings(program, water)) == 2


def test_nonsense_in_the_address_of_a_sheet_is_no_error(reader: Clerk, water: Meter) -> None:
    for query in ("item=x&building=-1", f"item={'9' * 30}&building=1&floor=999999", "day=2026-99"):
        assert reader.get(f"/HY/meters/enter?{query}").status_code == 200, query


def test_a_meter_is_replaced_and_the_sheet_says_so(
    reader: Clerk, program: Program, world: World, water: Meter
) -> None:
    page = f"/HY/meters/{water.id}"
    fields = {"replaced_on": "2026-11-10", "old_final": "120", "new_initial": "0"}
    answer = reader.post(f"{page}/replace", **fields)
    assert answer.status_code == 422
    assert "低于" in answer.text
    assert reader.post(f"{page}/replace", **fields | {"old_final": "138"}).status_code == 303
    with program.services.database.transaction() as session:
        kept = session.scalars(
            select(MeterReplacement).where(MeterReplacement.meter_id == water.id)
        ).one()
    assert (kept.old_final, kept.new_initial) == (138, 0)
    place = "&".join(f"{name}={value}" for name, value in sheet(world, water).items())
    assert "换过表" in reader.get(f"/HY/meters/enter?{place}").text
    value = {f"value-{water.id}": "12"}
    assert reader.post("/HY/meters/enter", **sheet(world, water), **value).status_code == 303


def line(**changes: object) -> MeterLine:
    given = {
        "meter_id": 1,
        "code": "W-1",
        "subject": "1-1-302",
        "kind": SubjectKind.HOME,
        "floor": 3,
        "multiplier": Decimal(1),
        "rolls_over_at": Decimal(1000),
        "last_on": date(2026, 11, 1),
        "last_value": Decimal(990),
        "last_estimated": False,
        "last_usage": Decimal(30),
        "last_days": 30,
        "shown_since": None,
        "own_value": None,
    }
    return MeterLine(**given | changes)  # type: ignore[arg-type]


def test_usage_is_counted_past_the_last_number_and_an_estimate_too() -> None:
    assert line().usage(Decimal(20)) == 30
    assert line().usage(Decimal(980)) is None
    assert line().estimate(date(2026, 12, 1)) == 20
    assert line(last_usage=None).estimate(date(2026, 12, 1)) is None


def test_what_is_odd() -> None:
    december = date(2026, 12, 1)
    assert line().is_odd(Decimal(990), december)
    assert line().is_odd(Decimal(95), december)
    assert not line().is_odd(Decimal(30), december)
    assert not line(last_usage=Decimal(1)).is_odd(Decimal(994), december)


@pytest.fixture
def lighting(program: Program, world: World) -> ChargeItem:
    with program.services.database.transaction() as session:
        item = ChargeItem(
            community_id=world.community.id,
            code="lift_power",
            name="电梯电费分摊",
            fee=FeeKind.SHARED,
            subject_kind=SubjectKind.HOME,
            cycle_months=1,
            active_from=date(2026, 1, 1),
        )
        session.add(item)
    return item


COST = {
    "item": "lift_power",
    "scope": "",
    "from": "2026-10-01",
    "until": "2026-10-31",
    "amount": "1,000.00",
    "by": "household",
}


def costs(program: Program, item: ChargeItem) -> list[SharedCost]:
    with program.services.database.transaction() as session:
        return list(session.scalars(select(SharedCost).where(SharedCost.item_id == item.id)))


def test_a_shared_cost_is_recorded_looked_at_corrected_and_taken_back(
    reader: Clerk, program: Program, lighting: ChargeItem
) -> None:
    assert reader.post("/HY/shared/new", **COST).status_code == 303
    [cost] = costs(program, lighting)
    assert (cost.to_on, cost.amount.yuan if cost.amount else "") == (date(2026, 11, 1), "1000.00")
    with program.services.database.transaction() as session:
        homes = len(session.scalars(select(Unit.id)).all())
    page = reader.get(f"/HY/shared/{cost.id}").text
    assert f"1户 ÷ {homes}户" in page
    assert 'value="1,000.00"' in reader.get(f"/HY/shared/{cost.id}/edit").text
    corrected = COST | {"amount": "", "quantity": "500", "unit_price": "0.6", "scope": "1"}
    assert reader.post(f"/HY/shared/{cost.id}/edit", **corrected).status_code == 303
    [now] = costs(program, lighting)
    assert (now.quantity, now.amount) == (500, None)
    assert reader.post(f"/HY/shared/{now.id}/remove").status_code == 303
    assert costs(program, lighting) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "much"}, "请填写数字"),
        ({"amount": ""}, "请填总金额，或填用量和单价"),
        ({"amount": "0"}, "金额须大于 0"),
        ({"until": "2026-09-01"}, "结束日须不早于开始日"),
        ({"by": "usage"}, "请选择按哪个表的用量"),
    ],
)
def test_a_bad_cost_is_refused_and_stays_typed(
    reader: Clerk, program: Program, lighting: ChargeItem, changes: dict[str, str], words: str
) -> None:
    answer = reader.post("/HY/shared/new", **COST | changes)
    assert answer.status_code == 422
    assert words in answer.text
    assert costs(program, lighting) == []


def test_the_same_days_are_not_shared_twice(
    reader: Clerk, program: Program, lighting: ChargeItem
) -> None:
    assert reader.post("/HY/shared/new", **COST).status_code == 303
    answer = reader.post("/HY/shared/new", **COST | {"scope": "1"})
    assert "已登记过这个项目的费用" in answer.text
    assert len(costs(program, lighting)) == 1


def test_a_meter_read_today_is_replaced_as_of_tomorrow(
    reader: Clerk, program: Program, world: World, water: Meter
) -> None:
    value = {f"value-{water.id}": "140"}
    assert reader.post("/HY/meters/enter", **sheet(world, water), **value).status_code == 303
    page = f"/HY/meters/{water.id}/replace"
    fields = {"replaced_on": world.today.isoformat(), "old_final": "140", "new_initial": "0"}
    assert "当天已有旧表读数140，换表日请写次日" in reader.post(page, **fields).text
    later = {"replaced_on": (world.today + timedelta(days=2)).isoformat()}
    assert "换表日最晚写明天" in reader.post(page, **fields | later).text
    tomorrow = {"replaced_on": (world.today + timedelta(days=1)).isoformat()}
    assert reader.post(page, **fields | tomorrow).status_code == 303
