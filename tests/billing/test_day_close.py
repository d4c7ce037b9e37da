"""A day's numbers are written down once, and every fen is in exactly one close."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, text, update

from billing.bank_reference import reference_of
from billing.day_close import DayClose, close_day, list_day_closes
from billing.db import Database
from billing.discrepancies import Discrepancy, DiscrepancyKind, record_discrepancy
from billing.errors import Conflict, InvalidInput
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel
from billing.people import get_staff
from billing.receipts import number_waiting
from billing.shifts import close_shift
from tests.billing.corrections import violations
from tests.billing.drawer import cancel, shift_of, take
from tests.billing.statements.banks import Bank, Transfer
from tests.conftest import NOW, TODAY, World, many_rounds

ROOM = "3-2-501"
YESTERDAY = TODAY - timedelta(days=1)
TOMORROW = TODAY + timedelta(days=1)
WAITING = text(
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


def end_shift(world: World) -> None:
    with world.database.transaction() as session:
        close_shift(
            session, world.community.id, shift_of(session, world).id, counted=ZERO,
            reason="上交", by=get_staff(session, "zhou"), now=NOW,
        )  # fmt: skip


def close(
    world: World, day: date = TODAY, *, by: str = "chen", later: int = 0,
    database: Database | None = None,
) -> DayClose:  # fmt: skip
    with (database or world.database).transaction() as session:
        number_waiting(session, NOW, limit=1000)
        return close_day(
            session,
            world.community.id,
            day,
            by=get_staff(session, by),
            now=NOW + timedelta(days=later),
        )


def test_a_close_holds_what_came_by_channel_and_its_receipts(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world, ROOM, "100.00")
        take(session, world, ROOM, "20.00", "S2")
        take(session, world, ROOM, "40.00", "P1", channel=PaymentChannel.POS)
        cancel(session, take(session, world, ROOM, "3.00", "S3"))
    end_shift(world)
    made = close(world)
    assert (made.payments, made.amount) == (4, Money(16300))
    assert made.channels == {
        "cash": {"payments": 3, "fen": 12300},
        "pos": {"payments": 1, "fen": 4000},
    }
    assert (made.cancelled, made.cancelled_amount) == (1, Money(300))
    assert (made.late, made.refunded) == (0, 0)
    assert made.first_receipt is not None
    assert made.last_receipt is not None
    first, last = (int(number[-6:]) for number in (made.first_receipt, made.last_receipt))
    assert last - first == 3
    assert violations(world) == []


def test_a_day_without_money_is_closed_too(world: World) -> None:
    made = close(world)
    assert (made.payments, made.amount, made.channels) == (0, ZERO, {})
    assert (made.first_receipt, made.last_receipt) == (None, None)


def test_what_was_paid_on_a_closed_day_is_late_on_the_next(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world, ROOM, "100.00")
    end_shift(world)
    close(world)
    tomorrow = NOW + timedelta(days=1)
    with world.database.transaction() as session:
        slip = PaymentChannel.SLIP
        take(session, world, ROOM, "5.00", "L1", channel=slip, bank="工商银行", paid_on=TODAY,
             now=tomorrow)  # fmt: skip
        take(session, world, ROOM, "7.00", "S9", now=tomorrow)
    end_shift(world)
    made = close(world, TOMORROW, later=1)
    assert (made.payments, made.amount) == (2, Money(1200))
    assert (made.late, made.late_amount) == (1, Money(500))
    with world.database.transaction() as session:
        assert [one.day for one in list_day_closes(session, world.community.id)] == [
            TOMORROW,
            TODAY,
        ]
    assert violations(world) == []


def test_a_close_covers_the_days_since_the_last(world: World) -> None:
    close(world, YESTERDAY)
    with world.database.transaction() as session:
        take(session, world, ROOM, "100.00")
    end_shift(world)
    made = close(world, TOMORROW, later=1)
    assert (made.after, made.payments, made.late) == (YESTERDAY, 1, 0)


def test_a_day_is_closed_once_in_order_and_not_before_it_came(world: World) -> None:
    close(world)
    for day in (TODAY, YESTERDAY):
        with pytest.raises(Conflict, match=f"through {TODAY} are closed"):
            close(world, day)
    with pytest.raises(Conflict, match="to come"):
        close(world, TOMORROW)
    with pytest.raises(InvalidInput, match="zhou"):
        close(world, TOMORROW, by="zhou", later=1)


def test_an_open_shift_holds_the_day_open(world: World) -> None:
    with world.database.transaction() as session:
        shift_of(session, world)
    with pytest.raises(Conflict, match="open shifts of zhou"):
        close(world)
    assert close(world, YESTERDAY).payments == 0  # it was opened later
    end_shift(world)
    close(world)


def test_an_open_discrepancy_holds_the_day_open(world: World) -> None:
    with world.database.transaction() as session:
        record_discrepancy(
            session, DiscrepancyKind.UNKNOWN_ORDER, merchant_id=world.merchant_id,
            community_id=world.community.id, out_trade_no="X", transaction_id=None, data={},
            now=NOW,
        )  # fmt: skip
    with pytest.raises(Conflict, match="1 discrepancies"):
        close(world)
    with world.database.transaction() as session:
        session.execute(update(Discrepancy).values(closed_at=NOW))
    close(world)


def test_receipts_are_numbered_before_the_day_is_closed(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world, ROOM, "100.00")
    end_shift(world)
    with pytest.raises(Conflict, match="1 receipts wait"), world.database.transaction() as session:
        close_day(session, world.community.id, TODAY, by=get_staff(session, "chen"), now=NOW)


@many_rounds
def test_two_closes_and_a_payment_at_once_count_every_fen_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(3)

    def act(number: int) -> str:
        start.wait()
        try:
            if number == 2:
                with database.transaction() as session:
                    take(session, world, ROOM, "5.00")
                    close_shift(
                        session, world.community.id, shift_of(session, world).id, counted=ZERO,
                        reason="上交", by=get_staff(session, "zhou"), now=NOW,
                    )  # fmt: skip
                return "paid"
            close(world, database=database)
        except Conflict:
            return "refused"
        return "closed"

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(act, range(3)))
    assert outcomes.count("closed") <= 1
    if "closed" not in outcomes:
        close(world)
    close(world, TOMORROW, later=1)
    with world.database.transaction() as session:
        closes = list_day_closes(session, world.community.id)
    assert sum(one.payments for one in closes) == 1
    assert sum((one.amount for one in closes), ZERO) == Money(500)
    assert violations(world) == []


def test_a_statement_that_waits_for_a_close_is_late_on_the_next(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    database = Database(engine_for(world.url), after_facts=lambda: None)
    bank = Bank(world)
    remark = reference_of(world.unit("1-1-302").id)
    bank.take([Transfer("7.00", "", remark, "S1", day=str(TODAY))])
    here = {"id": world.community.id}
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            session.execute(text("SELECT id FROM community WHERE id = :id FOR UPDATE"), here)
            matching = pool.submit(bank.match)
            while not session.scalar(WAITING):
                assert not matching.done()
            take(session, world, ROOM, "5.00")
            close_shift(
                session, world.community.id, shift_of(session, world).id, counted=ZERO,
                reason="上交", by=get_staff(session, "zhou"), now=NOW,
            )  # fmt: skip
            number_waiting(session, NOW, limit=1000)
            first = close_day(
                session, world.community.id, TODAY, by=get_staff(session, "chen"), now=NOW
            )
        matching.result()
    second = close(world, TOMORROW, later=1)
    assert (first.amount, second.amount, second.late) == (Money(500), Money(700), 1)
