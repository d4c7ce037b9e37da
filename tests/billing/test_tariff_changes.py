"""Writing prices down: what no run could bill is refused, and two editors never overwrite."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from billing.bill_run import one_run_at_a_time, run_bills
from billing.checks import run_checks
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.ledger import Account
from billing.people import Staff, StaffRole, get_staff
from billing.period import Period
from billing.pricing import FlatPrice, MeteredPrice, Per, PriceJump, TariffWarning, WarningKind
from billing.property import SubjectKind
from billing.tariff_changes import AddedTariff, add_item, add_tariff, remove_tariff
from billing.tariffs import ChargeItem, FeeKind, ItemTariffs, Tariff, list_tariffs
from tests.conftest import NOW, TODAY, World, many_rounds
from tests.waiting import wait_until_somebody_waits

DECEMBER = date(2026, 12, 1)
AREA = {"method": "area", "unit_price": "2.90", "per": "month"}
FLAT = {"method": "flat", "unit_price": "6.50", "per": "month"}
METERED = {"method": "metered", "unit_price": "5.00"}


def tiers(*prices: str, mode: str = "graduated", bounds: tuple[str, ...] = ("180", "260")) -> Any:
    """Tiers at these prices."""
    ends = [*bounds[: len(prices) - 1], None]
    return {
        "method": "tiered",
        "mode": mode,
        "tiers": [
            {"up_to": end, "unit_price": price, "flat": "0"}
            for end, price in zip(ends, prices, strict=True)
        ],
    }


def listed(world: World, code: str, database: Database | None = None) -> ItemTariffs:
    with (database or world.database).transaction() as session:
        found = list_tariffs(session, world.community.id, TODAY)
        return next(one for one in found if one.item.code == code)


SEEN: Any = object()
"""The editor saw the last version there is."""


def add(
    world: World, code: str, *, by: str = "zhao", expected_last: Any = SEEN, **changes: Any
) -> AddedTariff:
    """Write a version down in a transaction of its own, having seen the last one."""
    given = {"effective_from": DECEMBER, "price": AREA, "basis_document": "第七条", **changes}
    last = listed(world, code).last if expected_last is SEEN else expected_last
    with world.database.transaction() as session:
        return add_tariff(
            session,
            world.community.id,
            code,
            by=get_staff(session, by),
            now=NOW,
            expected_last=last,
            **given,
        )


def add_water(world: World, **changes: Any) -> ChargeItem:
    """An item of the water works."""
    given = {"code": "water", "name": "水费", "fee": FeeKind.WATER, "cycle_months": 1, **changes}
    with world.database.transaction() as session:
        return add_item(
            session,
            world.community.id,
            subject_kind=SubjectKind.HOME,
            active_from=date(2026, 1, 1),
            by=get_staff(session, "zhao"),
            now=NOW,
            **given,
        )


def refusal(world: World, code: str, **changes: Any) -> InvalidInput:
    """The refusal; nothing was written."""
    before = listed(world, code).versions
    with pytest.raises(InvalidInput) as caught:
        add(world, code, **changes)
    assert listed(world, code).versions == before
    return caught.value


def test_a_version_is_in_force_from_its_day_and_bills_are_priced_with_it(world: World) -> None:
    added = add(world, "property").tariff
    newest, before, *_ = listed(world, "property").versions
    assert (newest.id, newest.effective_from) == (added.id, DECEMBER)
    assert newest.basis_document == "第七条"
    assert before.effective_from < DECEMBER
    run_bills(
        world.database, world.community, Period("2026-12"), today=DECEMBER, now=NOW, publish=True
    )
    assert listed(world, "property").current(DECEMBER) == newest
    with world.database.transaction() as session:
        assert added.created_by == get_staff(session, "zhao").id
        assert not any(result.violations for result in run_checks(session))
    with pytest.raises(Conflict, match=f"version {added.id} of property priced 24 lines"):
        remove(world, "property", DECEMBER)


def remove(world: World, code: str, day: date, expected_last: Any = SEEN) -> None:
    last = listed(world, code).last if expected_last is SEEN else expected_last
    with world.database.transaction() as session:
        remove_tariff(
            session,
            world.community.id,
            code,
            effective_from=day,
            by=get_staff(session, "zhao"),
            expected_last=last,
        )


def test_a_version_that_priced_nothing_yet_can_be_taken_back(world: World) -> None:
    before = listed(world, "property").versions
    add(world, "property")
    remove(world, "property", DECEMBER)
    assert listed(world, "property").versions == before
    with pytest.raises(NotFound, match="2026-12-01"):
        remove(world, "property", DECEMBER)


@pytest.mark.parametrize(
    ("price", "field"),
    [
        ({**AREA, "unit_price": "-2.90"}, "price.unit_price"),
        ({**AREA, "unit_price": "NaN"}, "price.unit_price"),
        ({**AREA, "unit_price": "Infinity"}, "price.unit_price"),
        ({**AREA, "unit_price": "1000000001"}, "price.unit_price"),
        ({**AREA, "unit_price": 2.9}, "price.unit_price"),
        ({**AREA, "unit_price": None}, "price.unit_price"),
        ({"method": "area", "per": "month"}, "price.unit_price"),
        ({**AREA, "per": "fortnight"}, "price.per"),
        ({**AREA, "colour": "red"}, "price"),
        ({**AREA, "method": "formula"}, "price.method"),
        ("2.90", "price"),
        (None, "price"),
    ],
)
def test_a_price_that_means_nothing_is_refused_by_field(
    world: World, price: Any, field: str
) -> None:
    assert refusal(world, "property", price=price).field == field


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        (tiers("5", "7", "9", bounds=("260", "180")), "up_to must ascend strictly"),
        (tiers("5", "7", "9", bounds=("180", "180")), "up_to must ascend strictly"),
        ({**tiers("5"), "tiers": []}, "must be a list with at least one element"),
        (
            {**tiers("5"), "tiers": [{"up_to": "180", "unit_price": "5", "flat": "0"}]},
            "the last up_to must be null",
        ),
    ],
)
def test_tiers_that_do_not_ascend_are_refused(world: World, price: Any, reason: str) -> None:
    add_water(world)
    refused = refusal(world, "water", price=price, supplier_price=price)
    assert "tiers" in refused.field
    assert refused.reason == reason


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"effective_from": date(1926, 12, 1)}, "effective_from"),
        ({"effective_from": date(2062, 12, 1)}, "effective_from"),
        ({"basis_document": " "}, "basis_document"),
        ({"basis_document": "x" * 201}, "basis_document"),
        ({"basis_document": "a\x00b"}, "basis_document"),
        ({"supplier_price": "2.50"}, "supplier_price"),
    ],
)
def test_what_is_absurd_or_missing_is_refused_by_field(
    world: World, changes: dict[str, Any], field: str
) -> None:
    assert refusal(world, "property", **changes).field == field


def test_two_versions_of_one_day_are_refused(world: World) -> None:
    added = add(world, "property").tariff
    with pytest.raises(Conflict, match=f"version {added.id} of property begins on 2026-12-01 too"):
        add(world, "property")


def test_days_already_billed_keep_their_price(world: World) -> None:
    refused = refusal(world, "property", effective_from=date(2026, 11, 16))
    assert refused.field == "effective_from"
    assert "billed up to and including 2026-11-30" in refused.reason
    assert refusal(world, "property", effective_from=date(2026, 11, 30)).field == "effective_from"
    assert add(world, "property", effective_from=DECEMBER).tariff.id


def test_a_version_from_the_past_is_welcome_where_nothing_is_billed(world: World) -> None:
    add_water(world)
    added = add(
        world, "water", effective_from=date(2026, 3, 1), price=METERED, supplier_price="5.00"
    )
    assert listed(world, "water").current(TODAY) == listed(world, "water").versions[0]
    assert listed(world, "water").last == added.tariff.id


def test_no_version_begins_when_its_item_has_ended(world: World) -> None:
    with world.database.transaction() as session:
        item = session.scalars(select(ChargeItem).where(ChargeItem.code == "garbage")).one()
        item.active_to = DECEMBER
    refused = refusal(world, "garbage", price=FLAT)
    assert (refused.field, refused.reason) == (
        "effective_from",
        "garbage is charged only until 2026-12-01",
    )


def test_a_price_the_subjects_cannot_be_charged_is_refused(world: World) -> None:
    assert refusal(world, "parking", price=AREA).field == "price.method"


def test_an_item_charges_time_or_usage_and_keeps_to_it(world: World) -> None:
    assert "another item" in refusal(world, "garbage", price=METERED).reason


# Warnings


def test_a_volume_tariff_whose_total_falls_is_warned_of_and_in_force(world: World) -> None:
    add_water(world)
    price = tiers("5.00", "4.00", mode="volume")
    (warning,) = add(world, "water", price=price, supplier_price=price).warnings
    assert isinstance(warning, TariffWarning)
    assert (warning.kind, warning.field) == (WarningKind.TOTAL_FALLS, "tiers[1]")
    assert listed(world, "water").versions[0].method == "tiered"


def test_a_change_of_more_than_three_tenths_is_warned_of(world: World) -> None:
    (jump,) = add(world, "garbage", price={**FLAT, "unit_price": "7.81"}).warnings
    assert isinstance(jump, PriceJump)
    assert (str(jump.before), str(jump.after)) == ("6.00", "7.81")
    later = add(
        world, "garbage", price={**FLAT, "unit_price": "10.15"}, effective_from=date(2027, 1, 1)
    )
    assert later.warnings == []  # 7.81 + 30 % is 10.153


def test_a_first_version_has_nothing_to_jump_from(world: World) -> None:
    add_water(world)
    assert add(world, "water", price=METERED, supplier_price="5.00").warnings == []


# Collected for a supplier (代收)


def test_what_is_collected_for_a_supplier_needs_his_price(world: World) -> None:
    add_water(world)
    refused = refusal(world, "water", price=METERED)
    assert refused.field == "supplier_price"
    assert "may carry no margin" in refused.reason


@pytest.mark.parametrize(
    ("price", "supplier", "field"),
    [
        (METERED, "4.99", "price.unit_price"),
        (METERED, METERED | {"unit_price": "4.9999"}, "price.unit_price"),
        (tiers("5", "7"), tiers("5", "6.99"), "price.tiers[1].unit_price"),
        (
            {**METERED, "method": "area", "per": "month"},
            {**METERED, "method": "area", "per": "year"},
            "supplier_price",
        ),
        (tiers("5", "7"), tiers("5", "7", bounds=("260",)), "supplier_price"),
        (tiers("5", "7"), tiers("5", "7", mode="volume"), "supplier_price"),
        (tiers("5", "7"), METERED, "supplier_price"),
        (tiers("5", "7"), "7", "supplier_price"),
        (METERED, "NaN", "supplier_price.unit_price"),
        (METERED, {"method": "metered"}, "supplier_price.unit_price"),
    ],
)
def test_a_margin_on_it_is_refused(world: World, price: Any, supplier: Any, field: str) -> None:
    add_water(world)
    assert refusal(world, "water", price=price, supplier_price=supplier).field == field


def test_a_flat_fee_on_top_of_the_supplier_s_price_is_a_margin_too(world: World) -> None:
    add_water(world)
    supplier = tiers("5")
    price = {**supplier, "tiers": [{**supplier["tiers"][0], "flat": "3"}]}
    refused = refusal(world, "water", price=price, supplier_price=supplier)
    assert refused.field == "price.tiers[0].flat"
    assert "article 44" in refused.reason


@pytest.mark.parametrize("unit_price", ["5.00", "4.50", "0"])
def test_at_or_below_the_supplier_s_price_it_is_in_order(world: World, unit_price: str) -> None:
    add_water(world)
    add(world, "water", price={**METERED, "unit_price": unit_price}, supplier_price="5")
    (version,) = listed(world, "water").versions
    assert isinstance(version.supplier_price, MeteredPrice)
    assert str(version.supplier_price.unit_price) == "5"


def test_water_that_is_the_company_s_own_may_say_so(world: World) -> None:
    assert add_water(world).pass_through
    assert not add_water(world, code="hot_water", pass_through=False).pass_through
    assert not add_water(world, code="lift", fee=FeeKind.ELEVATOR).pass_through
    assert add(world, "hot_water", price=METERED).tariff.supplier_price is None


# Items


def test_an_item_comes_with_its_income_account_and_a_code_of_its_own(world: World) -> None:
    add_water(world)
    with world.database.transaction() as session:
        names = session.scalars(select(Account.name).where(Account.code == "income:water")).all()
    assert names == ["水费"]
    with pytest.raises(Conflict, match="water"):
        add_water(world)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "Water"}, "code"),
        ({"code": ""}, "code"),
        ({"code": "w" * 33}, "code"),
        ({"name": ""}, "name"),
        ({"fee": FeeKind.DEPOSIT}, "fee"),
        ({"cycle_months": 2}, "cycle_months"),
        ({"active_to": date(2026, 1, 1)}, "active_to"),
    ],
)
def test_an_item_that_means_nothing_is_refused_by_field(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        add_water(world, **changes)
    assert caught.value.field == field


# Who, and when


def test_only_managers_and_accountants_of_the_community_write_prices_down(world: World) -> None:
    assert refusal(world, "property", by="liu").field == "by"
    with world.database.transaction() as session:
        session.add(Staff(login="qian", name="钱经理", role=StaffRole.MANAGER, community_id=None))
        get_staff(session, "zhao").role = StaffRole.ACCOUNTANT
    assert add(world, "property", by="zhao").tariff.id
    assert add(world, "garbage", by="qian", price=FLAT).tariff.id


def test_nothing_changes_while_a_bill_run_is_under_way(world: World) -> None:
    with (
        one_run_at_a_time(world.database, world.community.id),
        pytest.raises(Conflict, match="a bill run of this community is under way"),
    ):
        add(world, "property")
    assert add(world, "property").tariff.id


def test_an_unknown_item_is_refused_with_those_there_are(world: World) -> None:
    with pytest.raises(NotFound, match="known: property, parking, garbage"):
        add(world, "gas", expected_last=None)


# Two people


def test_who_saw_an_older_list_is_told_of_the_version_he_missed(world: World) -> None:
    seen = listed(world, "property").last
    first = add(world, "property").tariff
    with pytest.raises(Conflict, match=f"version {first.id}, in force from 2026-12-01"):
        add(world, "property", expected_last=seen, effective_from=date(2027, 1, 1))
    with pytest.raises(Conflict, match=f"version {first.id}"):
        remove(world, "property", DECEMBER, expected_last=seen)
    with pytest.raises(Conflict, match="you saw no version"):
        add(world, "property", expected_last=None, effective_from=date(2027, 1, 1))
    remove(world, "property", DECEMBER)
    with pytest.raises(Conflict, match="meanwhile"):
        add(world, "property", expected_last=first.id)


@many_rounds
def test_two_people_at_once_write_one_version_and_the_second_is_told(
    world: World, engine_for: Callable[[str], Any]
) -> None:
    seen = listed(world, "property").last
    databases = [Database(engine_for(world.url), after_facts=lambda: None) for _ in range(2)]
    start, told, written = threading.Barrier(2, timeout=30), [], []

    def edit(database: Database, price: str) -> None:
        start.wait()
        try:
            with database.transaction() as session:
                added = add_tariff(
                    session,
                    world.community.id,
                    "property",
                    effective_from=DECEMBER + timedelta(days=len(price)),
                    price={**AREA, "unit_price": price},
                    basis_document="第七条",
                    by=get_staff(session, "zhao"),
                    now=NOW,
                    expected_last=seen,
                )
            written.append(added.tariff.id)
        except Conflict as refused:
            told.append(str(refused))

    threads = [
        threading.Thread(target=edit, args=(database, price))
        for database, price in zip(databases, ("2.9", "2.95"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(written) == 1
    (sentence,) = told
    assert f"meanwhile it is version {written[0]}" in sentence
    assert listed(world, "property").last == written[0]


@many_rounds
def test_the_second_waits_for_the_first_who_may_still_give_up(
    world: World, engine_for: Callable[[str], Any]
) -> None:
    """Two real connections: while one holds the item, the other neither passes nor fails."""
    seen = listed(world, "property").last
    other = Database(engine_for(world.url), after_facts=lambda: None)
    done: list[int] = []

    def edit() -> None:
        with other.transaction() as session:
            added = add_tariff(
                session,
                world.community.id,
                "property",
                effective_from=DECEMBER,
                price=AREA,
                basis_document="第七条",
                by=get_staff(session, "chen"),
                now=NOW,
                expected_last=seen,
            )
        done.append(added.tariff.id)

    class GaveUp(Exception):
        pass

    with pytest.raises(GaveUp), world.database.transaction() as session:
        add_tariff(
            session,
            world.community.id,
            "property",
            effective_from=DECEMBER,
            price=AREA,
            basis_document="第八条",
            by=get_staff(session, "zhao"),
            now=NOW,
            expected_last=seen,
        )
        thread = threading.Thread(target=edit)
        thread.start()
        wait_until_somebody_waits(world)
        assert done == []
        raise GaveUp
    thread.join(timeout=60)
    assert [version.id for version in listed(world, "property").versions][:1] == done
    assert listed(world, "property").versions[0].basis_document == "第七条"


def test_a_stored_tariff_reads_back_as_it_was_written(world: World) -> None:
    add(world, "garbage", price={**FLAT, "per": "year", "unit_price": "72"})
    price = listed(world, "garbage").versions[0].price
    assert isinstance(price, FlatPrice)
    assert price.per is Per.YEAR
    with world.database.transaction() as session:
        stored = session.scalars(select(Tariff).order_by(Tariff.id.desc())).first()
        assert stored is not None
        assert stored.price["unit_price"] == "72"
