"""Receipts are numbered after the payment, once, without gaps, and no payment waits for it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select

from billing.db import Database
from billing.errors import NotFound
from billing.facts import Fact, FactKind
from billing.payment_tables import Receipt, ReceiptWaiting
from billing.property import Unit
from billing.receipts import find_receipt, get_receipt, number_waiting
from tests.billing.corrections import violations
from tests.billing.drawer import shift_of, take
from tests.conftest import NOW, World, many_rounds

ROOM = "3-2-501"


def numbers(world: World) -> list[int]:
    """Receipts of the world's year."""
    with world.database.transaction() as session:
        return list(
            session.scalars(select(Receipt.no).where(Receipt.year == 2026).order_by(Receipt.no))
        )


def gapless(found: list[int]) -> bool:
    return found == list(range(1, len(found) + 1))


@many_rounds
def test_twenty_payments_at_once_leave_no_gap(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    before = len(numbers(world))
    with world.database.transaction() as session:
        shift_of(session, world)
        rooms = session.scalars(select(Unit.room).order_by(Unit.id).limit(20)).all()
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(8)

    def work(worker: int) -> None:
        start.wait()
        for at in range(worker, 20, 8):
            with database.transaction() as session:
                take(session, world, rooms[at], "1.00", f"N{at}")
            with database.transaction() as session:
                number_waiting(session, NOW, limit=3)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with database.transaction() as session:
        number_waiting(session, NOW, limit=100)
    assert len(numbers(world)) == before + 20
    assert gapless(numbers(world))
    assert violations(world) == []


def test_a_payment_does_not_wait_for_numbers_that_are_being_given(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    database = Database(engine_for(world.url), after_facts=lambda: None)
    with world.database.transaction() as session:
        take(session, world, ROOM, "1.00")
    with world.database.transaction() as numbering:
        assert number_waiting(numbering, NOW, limit=100) == 1
        with ThreadPoolExecutor(1) as pool:

            def pay() -> None:
                with database.transaction() as session:
                    take(session, world, ROOM, "1.00", "S2")

            pool.submit(pay).result(timeout=5)


def test_who_dies_before_committing_numbers_leaves_them_to_the_next(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "1.00")
    before = numbers(world)

    class Killed(Exception):
        pass

    with pytest.raises(Killed), world.database.transaction() as session:
        assert number_waiting(session, NOW, limit=100) == 1
        raise Killed
    assert numbers(world) == before
    assert violations(world) == []
    with world.database.transaction() as session:
        assert number_waiting(session, NOW, limit=100) == 1
        assert number_waiting(session, NOW, limit=100) == 0
        receipt = find_receipt(session, payment)
        told = session.scalar(
            select(func.count()).where(
                Fact.kind == FactKind.RECEIPT_ISSUED, Fact.ref_id == payment.id
            )
        )
    assert receipt is not None
    assert (receipt.no, told) == (len(before) + 1, 1)


def test_the_year_turns_at_midnight_in_beijing(world: World) -> None:
    last = datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC)
    first = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    given = []
    for number, now in (("S1", last), ("S2", first)):
        with world.database.transaction() as session:
            payment = take(session, world, ROOM, "1.00", number, now=NOW)
            number_waiting(session, now, limit=100)
            receipt = find_receipt(session, payment)
            assert receipt is not None
            given.append(receipt.number)
    assert given == [f"2026-{len(numbers(world)):06d}", "2027-000001"]


def test_a_receipt_is_found_by_the_number_on_it(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "1.00")
        assert find_receipt(session, payment) is None
        number_waiting(session, NOW, limit=100)
        receipt = find_receipt(session, payment)
        assert receipt is not None
        found, paid = get_receipt(session, world.community.id, receipt.number)
        assert (found.payment_id, paid.id) == (payment.id, payment.id)
        for wrong in ("2026-999999", "2026", "x-y", ""):
            with pytest.raises(NotFound):
                get_receipt(session, world.community.id, wrong)
        assert session.scalar(select(func.count()).select_from(ReceiptWaiting)) == 0
