"""Discounts and agreed prices: approved, for days not billed yet, one of a kind at a time."""

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert, select

from billing.bills import Bill, BillLine, LineKind
from billing.concession_changes import agree_price, end_agreed_price, end_discount, grant_discount
from billing.concessions import AgreedPrice, DiscountGrant, list_discounts
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.money import Money
from billing.people import get_staff
from billing.pricing import DiscountReason
from billing.property import Subject, SubjectKind
from billing.tariff_changes import add_item, add_tariff
from billing.tariffs import ChargeItem, FeeKind, Tariff
from tests.conftest import NOW, World, many_rounds

ROOM = "3-2-501"
DECEMBER, NEXT_MARCH = date(2026, 12, 1), date(2027, 3, 1)
METERED = {"method": "metered", "unit_price": "5.00"}
TIERED = {
    "method": "tiered",
    "mode": "graduated",
    "tiers": [
        {"up_to": "180", "unit_price": "5.00", "flat": "0"},
        {"up_to": None, "unit_price": "7.00", "flat": "0"},
    ],
}


def grant(
    world: World, *, by: str = "zhao", database: Database | None = None, **changes: Any
) -> DiscountGrant:
    """A discount of 30 % for a vacant home, in a transaction of its own."""
    given = {
        "item_code": "property",
        "subject_code": ROOM,
        "reason": DiscountReason.VACANT,
        "from_on": DECEMBER,
        "now": NOW,
        **({} if "amount" in changes else {"percent": "30"}),
        **changes,
    }
    with (database or world.database).transaction() as session:
        return grant_discount(
            session, world.community.id, approved_by=get_staff(session, by), **given
        )


def agree(world: World, *, by: str = "zhao", **changes: Any) -> AgreedPrice:
    """2.50 yuan agreed with an owner, in a transaction of its own."""
    given = {
        "item_code": "property",
        "subject_code": ROOM,
        "unit_price": "2.50",
        "from_on": DECEMBER,
        "now": NOW,
        **changes,
    }
    with world.database.transaction() as session:
        return agree_price(session, world.community.id, approved_by=get_staff(session, by), **given)


def end(world: World, found: DiscountGrant | AgreedPrice, day: date, by: str = "zhao") -> Any:
    ending: Any = end_discount if isinstance(found, DiscountGrant) else end_agreed_price
    with world.database.transaction() as session:
        return ending(session, world.community.id, found.id, to_on=day, by=get_staff(session, by))


def bill(
    world: World,
    kind: LineKind,
    start: date,
    end_: date,
    source_id: int = 0,
    item: str = "property",
) -> None:
    """A line as a run would write it, on the home's last bill."""
    with world.database.transaction() as session:
        subject_id = world.unit(ROOM).id
        last = session.scalars(
            select(Bill).where(Bill.unit_id == subject_id).order_by(Bill.id.desc()).limit(1)
        ).one()
        item_id = session.scalars(select(ChargeItem.id).where(ChargeItem.code == item)).one()
        session.execute(
            insert(BillLine).values(
                community_id=world.community.id,
                bill_id=last.id,
                subject_id=subject_id,
                item_id=item_id,
                tariff_id=None,
                kind=kind,
                source_id=source_id,
                period_from=start,
                period_to=end_,
                amount=Money(0),
                basis={},
            )
        )


def listed(world: World, on: date | None = None) -> list[tuple[int, str, str, str]]:
    with world.database.transaction() as session:
        return [
            (one.grant.id, one.subject_code, one.item_code, one.approved_by)
            for one in list_discounts(session, world.community.id, on=on)
        ]


# Discounts


def test_a_discount_is_kept_with_who_approved_it(world: World) -> None:
    granted = grant(world, to_on=NEXT_MARCH)
    assert (str(granted.percent), granted.amount) == ("30", None)
    assert listed(world) == [(granted.id, ROOM, "property", "zhao")]
    assert listed(world, NEXT_MARCH) == []
    assert listed(world, date(2027, 2, 28)) != []


def test_a_discount_may_be_an_amount_and_on_a_parking_space(world: World) -> None:
    granted = grant(world, item_code="parking", subject_code="B1-001", amount="20.50")
    assert (granted.percent, granted.amount) == (None, Money(2050))
    with world.database.transaction() as session:
        subject = session.get_one(Subject, (world.community.id, granted.subject_id))
    assert subject.kind is SubjectKind.PARKING


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"percent": "0"}, "discount"),
        ({"percent": "100.5"}, "discount.percent"),
        ({"percent": "-1"}, "discount.percent"),
        ({"percent": "NaN"}, "discount.percent"),
        ({"percent": 30.0}, "discount.percent"),
        ({"percent": None}, "discount.percent"),
        ({"percent": "30", "amount": "5"}, "discount.amount"),
        ({"amount": "0.00"}, "discount"),
        ({"amount": "0.005"}, "discount.amount"),
        ({"amount": "1000000001"}, "discount.amount"),
        ({"to_on": DECEMBER}, "to"),
        ({"to_on": date(2926, 1, 1)}, "to"),
        ({"from_on": date(1926, 1, 1)}, "from"),
        ({"by": "chen"}, "by"),
        ({"by": "liu"}, "by"),
    ],
)
def test_a_discount_that_means_nothing_is_refused_by_field(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        grant(world, **changes)
    assert caught.value.field == field
    assert listed(world) == []


def test_a_discount_needs_a_subject_of_the_item_s_kind(world: World) -> None:
    with pytest.raises(NotFound, match="no parking '3-2-501'"):
        grant(world, item_code="parking")
    with pytest.raises(NotFound, match="no home '9-9-999'"):
        grant(world, subject_code="9-9-999")


def test_days_already_billed_are_a_waiver_s_business(world: World) -> None:
    with pytest.raises(InvalidInput) as caught:
        grant(world, from_on=date(2026, 11, 15))
    assert caught.value.field == "from"
    assert "begin on 2026-12-01" in caught.value.reason


def test_one_discount_of_a_reason_holds_at_a_time(world: World) -> None:
    first = grant(world, to_on=NEXT_MARCH)
    with pytest.raises(Conflict, match=f"discount {first.id}, from 2026-12-01 to 2027-03-01"):
        grant(world, from_on=date(2027, 2, 28), to_on=date(2027, 4, 1))
    with pytest.raises(Conflict):
        grant(world)
    assert grant(world, from_on=NEXT_MARCH).id
    assert grant(world, reason=DiscountReason.AGREED).id
    assert grant(world, subject_code="1-1-302").id
    assert grant(world, item_code="garbage").id


def test_a_year_paid_in_advance_is_a_year(world: World) -> None:
    year = grant(world, reason=DiscountReason.PREPAID_YEAR, percent="5")
    assert year.to_on == date(2027, 12, 1)
    with pytest.raises(InvalidInput) as caught:
        grant(
            world,
            reason=DiscountReason.PREPAID_YEAR,
            subject_code="1-1-302",
            to_on=date(2027, 11, 30),
        )
    assert caught.value.reason == "a year paid in advance from 2026-12-01 ends on 2027-12-01"


def test_a_discount_ends_on_a_day_and_the_same_again_changes_nothing(world: World) -> None:
    granted = grant(world)
    assert end(world, granted, NEXT_MARCH).to_on == NEXT_MARCH
    assert end(world, granted, NEXT_MARCH).to_on == NEXT_MARCH
    assert end(world, granted, date(2027, 2, 1)).to_on == date(2027, 2, 1)
    with pytest.raises(InvalidInput, match="ends before 2027-03-01 already"):
        end(world, granted, NEXT_MARCH)
    with pytest.raises(InvalidInput, match="is before"):
        end(world, granted, date(2026, 11, 30))
    with pytest.raises(InvalidInput, match="only a manager"):
        end(world, granted, DECEMBER, by="chen")


def test_a_discount_that_never_held_is_gone_when_ended_on_its_first_day(world: World) -> None:
    granted = grant(world)
    assert end(world, granted, DECEMBER) is None
    assert listed(world) == []
    with pytest.raises(NotFound):
        end(world, granted, DECEMBER)


def test_a_discount_cannot_end_before_days_billed_with_it(world: World) -> None:
    granted = grant(world)
    bill(world, LineKind.CHARGE, DECEMBER, date(2027, 1, 1))
    other = end(world, granted, date(2027, 2, 1))
    assert other.to_on == date(2027, 2, 1)  # that days are billed without it is no obstacle
    bill(world, LineKind.DISCOUNT, DECEMBER, date(2027, 1, 1), granted.id)
    for day in (DECEMBER, date(2026, 12, 31)):
        with pytest.raises(InvalidInput, match="billed up to and including 2026-12-31"):
            end(world, granted, day)
    assert end(world, granted, date(2027, 1, 1)).to_on == date(2027, 1, 1)


@many_rounds
def test_two_managers_at_once_grant_one_discount(
    world: World, engine_for: Callable[[str], Any]
) -> None:
    databases = [Database(engine_for(world.url), after_facts=lambda: None) for _ in range(2)]
    start, refused = threading.Barrier(2, timeout=30), []

    def approve(database: Database) -> None:
        start.wait()
        try:
            grant(world, database=database)
        except Conflict as conflict:
            refused.append(conflict)

    threads = [threading.Thread(target=approve, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert (len(listed(world)), len(refused)) == (1, 1)


# Agreed prices


def test_an_agreed_price_may_be_below_or_above_the_list(world: World) -> None:
    assert str(agree(world, to_on=NEXT_MARCH).unit_price) == "2.50"
    above = agree(world, unit_price="3.10", from_on=NEXT_MARCH)
    assert (str(above.unit_price), above.to_on) == ("3.10", None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"unit_price": "-1"}, "unit_price"),
        ({"unit_price": "inf"}, "unit_price"),
        ({"unit_price": None}, "unit_price"),
        ({"unit_price": 2.5}, "unit_price"),
        ({"unit_price": "1000000001"}, "unit_price"),
        ({"to_on": date(2026, 11, 30)}, "to"),
        ({"from_on": date(2026, 11, 1)}, "from"),
        ({"by": "chen"}, "by"),
    ],
)
def test_an_agreement_that_means_nothing_is_refused_by_field(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        agree(world, **changes)
    assert caught.value.field == field


def test_one_price_is_agreed_at_a_time(world: World) -> None:
    first = agree(world, to_on=NEXT_MARCH)
    with pytest.raises(Conflict, match=f"agreed price {first.id}"):
        agree(world, from_on=date(2027, 2, 1))
    assert agree(world, item_code="garbage").id
    assert agree(world, subject_code="1-1-302").id


def test_an_agreed_price_ends_but_not_before_days_billed_with_it(world: World) -> None:
    agreed = agree(world)
    bill(world, LineKind.CHARGE, DECEMBER, date(2027, 1, 1))
    with pytest.raises(InvalidInput, match="billed up to and including 2026-12-31"):
        end(world, agreed, date(2026, 12, 15))
    assert end(world, agreed, date(2027, 1, 1)).to_on == date(2027, 1, 1)
    later = agree(world, from_on=NEXT_MARCH)
    assert end(world, later, NEXT_MARCH) is None


def add_water(world: World, price: Any, *, pass_through: bool) -> None:
    with world.database.transaction() as session:
        zhao = get_staff(session, "zhao")
        add_item(
            session,
            world.community.id,
            code="water",
            name="水费",
            fee=FeeKind.WATER,
            subject_kind=SubjectKind.HOME,
            cycle_months=1,
            active_from=date(2026, 1, 1),
            by=zhao,
            now=NOW,
            pass_through=pass_through,
        )
        add_price(world, session, price, DECEMBER, None, price if pass_through else None)


def add_price(
    world: World, session: Any, price: Any, day: date, last: int | None, supplier: Any = None
) -> int:
    return add_tariff(
        session,
        world.community.id,
        "water",
        effective_from=day,
        price=price,
        basis_document="公示",
        by=get_staff(session, "zhao"),
        now=NOW,
        expected_last=last,
        supplier_price=supplier,
    ).tariff.id


def test_the_price_of_what_is_collected_for_a_supplier_is_his(world: World) -> None:
    add_water(world, METERED, pass_through=True)
    with pytest.raises(InvalidInput, match="article 44"):
        agree(world, item_code="water", unit_price="5.50")
    assert grant(world, item_code="water").id


def test_tiers_have_no_unit_price_to_agree_on(world: World) -> None:
    add_water(world, TIERED, pass_through=False)
    with pytest.raises(InvalidInput, match="tiers"):
        agree(world, item_code="water")


def test_tiers_cannot_replace_a_price_agreed_with_somebody(world: World) -> None:
    add_water(world, METERED, pass_through=False)
    agreed = agree(world, item_code="water", unit_price="4.00")
    with pytest.raises(InvalidInput, match="end those agreements first"):
        change_water(world)
    end(world, agreed, NEXT_MARCH)
    assert change_water(world)


def change_water(world: World) -> int:
    """Tiers from March on."""
    with world.database.transaction() as session:
        seen = session.scalars(select(Tariff.id).order_by(Tariff.id.desc()).limit(1)).one()
        return add_price(world, session, TIERED, NEXT_MARCH, seen)


def test_an_item_without_a_price_has_none_to_replace(world: World) -> None:
    with world.database.transaction() as session:
        add_item(
            session,
            world.community.id,
            code="lift",
            name="电梯费",
            fee=FeeKind.ELEVATOR,
            subject_kind=SubjectKind.HOME,
            cycle_months=3,
            active_from=date(2026, 1, 1),
            by=get_staff(session, "zhao"),
            now=NOW,
        )
    with pytest.raises(InvalidInput, match="no tariff"):
        agree(world, item_code="lift")
