"""An owner's money with us pays what he chose, never more than is owed, and once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from billing.bill_issue import issue_chunk
from billing.bill_lines import list_lines
from billing.bills import Bill, get_bills, list_unpaid
from billing.db import Database
from billing.deduction import BOOK_DEDUCTIONS, NOTHING, Deducted, deduct_chunk, deduct_home
from billing.errors import NotFound
from billing.facts import Fact, FactKind
from billing.ledger import JournalEntry
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel
from billing.period import Period
from billing.prepayments import balance as prepayment_balance
from billing.prepayments import (
    list_auto_deduction,
    list_movements,
    set_auto_deduction,
)
from tests.billing.drawer import take
from tests.billing.paper import (
    Line,
    at,
    draft_bills,
    faults,
    prepaid,
    sell,
    shut,
    statements,
    write_bill,
)
from tests.conftest import NOW, TODAY, World

ROOM = "3-1-1201"
DECEMBER = (date(2026, 12, 1), date(2027, 1, 1))
JANUARY = (date(2027, 1, 1), date(2027, 2, 1))


def put_in(
    session: Session, world: World, yuan: str, *, room: str = ROOM, number: str = "S1"
) -> Payment:
    return take(session, world, room, yuan, number)


def settle(session: Session, world: World, room: str = ROOM) -> None:
    """Pay what the home owes, so that what comes next is prepayment."""
    owed = list_unpaid(session, world.community.id, [world.unit(room).id])
    put_in(
        session,
        world,
        sum((bill.outstanding for bill in owed), ZERO).yuan,
        room=room,
        number=f"settled {room}",
    )


@pytest.fixture
def settled(world: World) -> World:
    """ROOM owes nothing and has nothing with us."""
    with world.database.transaction() as session:
        settle(session, world)
    return world


def december(session: Session, world: World, lines: Sequence[Line], *rooms: str) -> tuple[int, int]:
    """Issue a December bill to each room; returns their run and chunk."""
    unit_ids = [world.unit(room).id for room in rooms or (ROOM,)]
    run_id, no = draft_bills(session, world, unit_ids, lines, DECEMBER[0])
    issue_chunk(
        session,
        world.community.id,
        run_id,
        no,
        issued_on=DECEMBER[0],
        due=date(2026, 12, 31),
        now=at(DECEMBER[0]),
    )
    session.flush()
    return run_id, no


def deduct(
    session: Session, world: World, chunk: tuple[int, int], today: date = DECEMBER[0]
) -> Deducted:
    return deduct_chunk(session, world.community.id, *chunk, today=today, now=at(today))


def choose(session: Session, world: World, *items: str, room: str = ROOM) -> None:
    set_auto_deduction(session, world.community.id, world.unit(room).id, items)


LINES = [Line("200.00", days=DECEMBER), Line("6.00", "garbage", days=DECEMBER)]


def test_the_former_owners_money_does_not_pay_the_new_owners_bills_by_itself(
    settled: World,
) -> None:
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        choose(session, settled, "property", "garbage")
        sell(session, settled, ROOM, TODAY)
        assert deduct(session, settled, december(session, settled, LINES)) == NOTHING
        assert prepaid(session, settled, ROOM) == Money(50000)
        choose(session, settled, "property")  # the new owner's own wish
        again = december(session, settled, [Line("200.00", days=JANUARY)])
        assert deduct(session, settled, again) == Deducted(1, Money(20000))


def test_no_prepayment_pays_a_new_bill_for_days_of_the_former_owner(settled: World) -> None:
    with settled.database.transaction() as session:
        sell(session, settled, ROOM, TODAY)
        put_in(session, settled, "500.00")
        choose(session, settled, "property")
        late = december(session, settled, [Line("200.00", source=1)])  # November once more
        assert deduct(session, settled, late) == NOTHING
        own = december(session, settled, [Line("200.00", days=DECEMBER)])
        assert deduct(session, settled, own) == Deducted(1, Money(20000))


def test_a_new_bill_is_paid_from_the_prepayment(settled: World) -> None:
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        choose(session, settled, "property", "garbage")
        chunk = december(session, settled, LINES)
        assert deduct(session, settled, chunk) == Deducted(1, Money(20600))
    with settled.database.transaction() as session:
        assert list_unpaid(session, settled.community.id, [settled.unit(ROOM).id]) == []
        assert prepaid(session, settled, ROOM) == Money(29400)
        bill_id = session.scalars(select(Bill.id).where(Bill.run_id == chunk[0])).one()
        payment = session.scalars(
            select(Payment).where(Payment.out_trade_no == f"PRE-{bill_id}")
        ).one()
        assert (payment.amount, payment.channel) == (Money(20600), PaymentChannel.PREPAID)
        fact = session.scalars(select(Fact).where(Fact.kind == FactKind.PREPAID_USED)).one()
        assert (fact.ref_id, fact.amount) == (payment.id, payment.amount)
        assert faults(session) == []


def test_deducting_again_adds_nothing_even_after_more_money_came(settled: World) -> None:
    with settled.database.transaction() as session:
        put_in(session, settled, "50.00")
        choose(session, settled, "property")
        chunk = december(session, settled, LINES)
        assert deduct(session, settled, chunk) == Deducted(1, Money(5000))
        entries = session.scalar(select(func.count()).select_from(JournalEntry))
        assert deduct(session, settled, chunk) == Deducted(0, ZERO)
        assert session.scalar(select(func.count()).select_from(JournalEntry)) == entries


def test_only_the_chosen_items_are_paid(settled: World) -> None:
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        choose(session, settled, "garbage")
        chunk = december(session, settled, LINES)
        assert deduct(session, settled, chunk) == Deducted(1, Money(600))


def test_money_goes_along_the_lines_as_far_as_it_reaches(settled: World) -> None:
    lines = [
        Line("100.00", days=DECEMBER),
        Line("-40.00", days=DECEMBER),
        Line("6.00", "garbage", days=DECEMBER),
        Line("120.00", "parking", days=DECEMBER),
    ]
    with settled.database.transaction() as session:
        put_in(session, settled, "70.00")
        choose(session, settled, "property", "garbage", "parking")
        chunk = december(session, settled, lines)
        assert deduct(session, settled, chunk) == Deducted(1, Money(7000))
        bill_id = session.scalars(select(Bill.id).where(Bill.run_id == chunk[0])).one()
        owed = [
            line.outstanding.fen for line in list_lines(session, settled.community.id, [bill_id])
        ]
    assert owed == [0, 0, 0, 11600]


def test_a_discounted_bill_is_never_paid_beyond_its_total(settled: World) -> None:
    lines = [Line("100.00", days=DECEMBER), Line("-40.00", days=DECEMBER)]
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        choose(session, settled, "property")
        assert deduct(session, settled, december(session, settled, lines)) == Deducted(
            1, Money(6000)
        )
        assert prepaid(session, settled, ROOM) == Money(44000)


def test_homes_that_did_not_choose_or_have_nothing_are_left_alone(settled: World) -> None:
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        chunk = december(session, settled, LINES)
        assert deduct(session, settled, chunk) == Deducted(0, ZERO)
        settle(session, settled, "3-2-501")
        choose(session, settled, "property", room="3-2-501")
        other = december(session, settled, LINES, "3-2-501")
        assert deduct(session, settled, other) == Deducted(0, ZERO)


def test_a_chunk_of_many_homes_takes_as_many_statements_as_one_of_one(world: World) -> None:
    rooms = ["3-1-1201", "3-2-501", "3-2-502"]
    with world.database.transaction() as session:
        for room in rooms:
            settle(session, world, room)
            put_in(session, world, "30.00", room=room, number=f"S {room}")
            choose(session, world, "property", room=room)
        lone, pair = (
            december(session, world, LINES, rooms[0]),
            december(session, world, LINES, *rooms[1:]),
        )
        with statements(world) as alone:
            assert deduct(session, world, lone) == Deducted(1, Money(3000))
        with statements(world) as together:
            assert deduct(session, world, pair) == Deducted(2, Money(6000))
        assert len(together) == len(alone)


def test_a_chunk_reads_the_allocations_of_its_own_payments_only(world: World) -> None:
    book_postings = BOOK_DEDUCTIONS[1].text
    values = {"community_id": world.community.id, "payment_ids": [1, 2]}
    accounts = {"prepayments": "prepayments", "receivable": "receivable"}
    with world.database.transaction() as session:
        plan = session.scalars(text(f"EXPLAIN {book_postings}"), values | accounts).all()
    assert any("payment_id = ANY" in step for step in plan), plan


def test_nothing_to_deduct_is_found_out_in_one_statement(world: World) -> None:
    with world.database.transaction() as session:
        chunk = december(session, world, LINES)
        with statements(world) as sent:
            deduct(session, world, chunk)
    assert len(sent) == 1


def test_a_deduction_in_a_closed_month_is_posted_in_the_open_one(settled: World) -> None:
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        choose(session, settled, "property")
        chunk = december(session, settled, LINES)
        shut(session, settled, "2026-12")
        deduct(session, settled, chunk)
        part = session.scalars(
            select(PaymentAllocation).order_by(PaymentAllocation.id.desc()).limit(1)
        ).one()
        entry = session.scalars(
            select(JournalEntry).order_by(JournalEntry.id.desc()).limit(1)
        ).one()
    assert (part.effective_on, entry.effective_on) == (DECEMBER[0], date(2027, 1, 1))


def test_old_bills_are_paid_on_demand_the_oldest_first(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        settle(session, world)
        put_in(session, world, "150.00")
        old = write_bill(
            session, world, ROOM, [Line("100.00", days=DECEMBER)],
            issued_on=date(2026, 12, 1), due=date(2026, 12, 31),
        )  # fmt: skip
        new = write_bill(
            session, world, ROOM, [Line("100.00", days=(DECEMBER[1], date(2027, 2, 1)))],
            issued_on=date(2027, 1, 1), due=date(2027, 1, 31),
        )  # fmt: skip
        payment = deduct_home(session, world.community.id, unit.id, now=at(date(2027, 1, 5)))
        assert payment is not None
        assert payment.amount == Money(15000)
        assert deduct_home(session, world.community.id, unit.id, now=NOW) is None
        put_in(session, world, "7.00", number="S2")
    with world.database.transaction() as session:
        bills = get_bills(session, world.community.id, [old, new])
        assert [bill.outstanding.fen for bill in bills] == [0, 4300]
        assert faults(session) == []


def test_later_money_pays_later_bills_on_demand(settled: World) -> None:
    unit_id = settled.unit(ROOM).id
    with settled.database.transaction() as session:
        for number in (1, 2):
            put_in(session, settled, "50.00", number=f"S{number}")
            december(session, settled, [Line("50.00", days=DECEMBER, source=number)])
            payment = deduct_home(session, settled.community.id, unit_id, now=NOW)
            assert payment is not None
            assert payment.out_trade_no == f"PRE-U{unit_id}-{number}"
        assert prepaid(session, settled, ROOM) == ZERO


def test_movements_say_what_each_was_for(settled: World) -> None:
    unit = settled.unit(ROOM)
    with settled.database.transaction() as session:
        put_in(session, settled, "500.00")
        choose(session, settled, "property")
        deduct(session, settled, december(session, settled, LINES))
        assert prepayment_balance(session, settled.community.id, unit.id) == Money(30000)
        used, came = list_movements(session, settled.community.id, unit.id)
    assert (used.amount, used.periods) == (Money(-20000), (Period("2026-12"),))
    assert used.channel is PaymentChannel.PREPAID
    assert (came.amount, came.number, came.periods) == (Money(50000), "S1", ())
    assert came.on == TODAY


def test_the_choice_of_items_replaces_the_one_before(world: World) -> None:
    unit_id = world.unit(ROOM).id
    with world.database.transaction() as session:
        choose(session, world, "property", "garbage")
        choose(session, world, "garbage")
        assert list_auto_deduction(session, world.community.id, unit_id) == ["garbage"]
        choose(session, world)
        assert list_auto_deduction(session, world.community.id, unit_id) == []
    with pytest.raises(NotFound, match="caviar"), world.database.transaction() as session:
        choose(session, world, "caviar")


def test_two_deductions_at_once_spend_the_money_once(
    settled: World, engine_for: Callable[[str], Engine]
) -> None:
    unit_id = settled.unit(ROOM).id
    with settled.database.transaction() as session:
        put_in(session, settled, "150.00")
        choose(session, settled, "property")
        chunk = december(session, settled, LINES)
    database = Database(engine_for(settled.url), after_facts=lambda: None)
    start = threading.Barrier(4)

    def use(number: int) -> None:
        start.wait()
        with database.transaction() as session:
            if number % 2:
                deduct_home(session, settled.community.id, unit_id, now=NOW)
            else:
                deduct(session, settled, chunk)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    with settled.database.transaction() as session:
        assert prepaid(session, settled, ROOM) == ZERO
        [bill] = list_unpaid(session, settled.community.id, [unit_id])
        assert bill.outstanding == Money(5600)
