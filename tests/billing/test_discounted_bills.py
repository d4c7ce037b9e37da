"""A discount lowers what its charge owes: a bill is never paid beyond its total."""

from datetime import date

import pytest
from sqlalchemy import select

from billing.adjustment_tables import AdjustmentKind
from billing.adjustments import request_adjustment
from billing.bill_lines import list_lines
from billing.bills import BillLine, LineKind, get_bills
from billing.errors import InvalidInput
from billing.money import ZERO, Money
from billing.payment_tables import PaymentAllocation
from tests.billing.paper import Line, adjust, faults, pay, prepaid, staff, write_bill
from tests.conftest import NOW, World

ROOM = "3-1-1201"
ISSUED, DUE = date(2026, 11, 2), date(2026, 11, 30)
SPRING, SUMMER = (date(2027, 3, 1), date(2027, 5, 16)), (date(2027, 5, 16), date(2027, 6, 1))
YEAR = (date(2027, 1, 1), date(2028, 1, 1))

CASES = {
    "one discount": [Line("100.00", days=YEAR), Line("-30.00", days=YEAR)],
    "on some of its days": [Line("100.00", days=YEAR), Line("-30.00", days=SPRING)],
    "of another item": [
        Line("100.00", days=YEAR),
        Line("6.00", "garbage", days=YEAR),
        Line("-2.00", "garbage", days=YEAR),
    ],
    "two grants": [
        Line("100.00", days=YEAR),
        Line("-30.00", days=YEAR, source=1),
        Line("-69.00", days=YEAR, source=2),
        Line("6.00", "garbage", days=YEAR),
    ],
    "a line per version of the tariff": [
        Line("100.00", days=SPRING),
        Line("-30.00", days=SPRING),
        Line("50.00", days=SUMMER),
        Line("-50.00", days=SUMMER),
    ],
    "two shares of one item": [
        Line("10.00", days=SPRING, source=1),
        Line("20.00", days=SPRING, source=2),
        Line("-10.00", days=SPRING, source=7),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_what_lines_owe_sums_to_what_the_bill_owes(world: World, case: str) -> None:
    with world.database.transaction() as session:
        bill_id = write_bill(session, world, ROOM, CASES[case], issued_on=ISSUED, due=DUE)
        [bill] = get_bills(session, world.community.id, [bill_id])
        lines = list_lines(session, world.community.id, [bill_id])
    assert sum((line.outstanding for line in lines), ZERO) == bill.outstanding > ZERO
    assert all(line.outstanding >= ZERO for line in lines)
    assert {line.outstanding for line in lines if line.kind is LineKind.DISCOUNT} == {ZERO}


@pytest.mark.parametrize("case", CASES)
def test_a_discounted_bill_takes_its_total_and_the_rest_stays_the_payers(
    world: World, case: str
) -> None:
    with world.database.transaction() as session:
        bill_id = write_bill(session, world, ROOM, CASES[case], issued_on=ISSUED, due=DUE)
        [bill] = get_bills(session, world.community.id, [bill_id])
        pay(session, world, ROOM, "900.00", ISSUED, bill_id)
    with world.database.transaction() as session:
        [paid] = get_bills(session, world.community.id, [bill_id])
        assert (paid.paid, paid.outstanding) == (bill.amount, ZERO)
        assert prepaid(session, world, ROOM) == Money(90000) - bill.amount
        assert all(line.outstanding == ZERO for line in list_lines(session, 1, [bill_id]))


def test_part_of_a_discounted_bill_pays_the_charge_less_its_discount_first(world: World) -> None:
    lines = [*CASES["one discount"], Line("6.00", "garbage", days=YEAR)]
    with world.database.transaction() as session:
        bill_id = write_bill(session, world, ROOM, lines, issued_on=ISSUED, due=DUE)
        pay(session, world, ROOM, "71.00", ISSUED, bill_id)
        parts = session.scalars(
            select(PaymentAllocation.amount)
            .where(PaymentAllocation.bill_id == bill_id)
            .order_by(PaymentAllocation.bill_line_id)
        ).all()
    assert [part.fen for part in parts] == [7000, 100]


def test_a_correction_of_a_discount_is_owed_on_its_charge(world: World) -> None:
    with world.database.transaction() as session:
        bill_id = write_bill(session, world, ROOM, CASES["one discount"], issued_on=ISSUED, due=DUE)
        [discount] = session.scalars(
            select(BillLine).where(BillLine.bill_id == bill_id, BillLine.amount < ZERO)
        )
        adjust(session, discount, "10.00", AdjustmentKind.ADJUSTMENT, ISSUED)
        charge, off = list_lines(session, world.community.id, [bill_id])
    assert (charge.outstanding, off.outstanding) == (Money(8000), ZERO)


def test_a_discount_leaves_less_to_waive_on_the_charge_it_lowers(world: World) -> None:
    with world.database.transaction() as session:
        bill_id = write_bill(session, world, ROOM, CASES["one discount"], issued_on=ISSUED, due=DUE)
        charge, _ = list_lines(session, world.community.id, [bill_id])

        def ask(amount: Money) -> None:
            request_adjustment(
                session,
                world.community.id,
                charge.id,
                kind=AdjustmentKind.WAIVER,
                amount=amount,
                reason="kindness",
                by=staff(session),
                now=NOW,
            )

        with pytest.raises(InvalidInput, match=r"owes 70\.00"):
            ask(Money(-7001))
        ask(Money(-7000))


def test_the_books_of_discounted_bills_are_whole(world: World) -> None:
    rooms = ("3-1-1201", "3-2-501", "3-2-502")
    with world.database.transaction() as session:
        for room, case in zip(
            rooms, ("one discount", "of another item", "two grants"), strict=True
        ):
            bill_id = write_bill(session, world, room, CASES[case], issued_on=ISSUED, due=DUE)
            pay(session, world, room, "50.00", ISSUED, bill_id)
    with world.database.transaction() as session:
        assert faults(session) == []
