"""A closed month takes nothing more, whoever comes at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from billing.adjustment_tables import AfterVoid
from billing.bill_run import run_bills
from billing.closing import close_period, first_open_day, trial_balance
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.ledger import EntryKind, FixedAccount, Leg, post
from billing.money import ZERO, Money
from billing.people import Staff, StaffRole
from billing.period import Period
from billing.voids import void_run
from tests.billing.corrections import IN_TIME, arrive, prepared, rows, staff, violations
from tests.conftest import NOW, TODAY, World, many_rounds

MONTHS = ("2026-07", "2026-08", "2026-09", "2026-10")
"""The months of the world that are over."""


def close(
    world: World,
    *months: str,
    by: str = "zhao",
    now: datetime = NOW,
    database: Database | None = None,
) -> None:
    who = staff(world, by)
    with (database or world.database).transaction() as session:
        for month in months:
            close_period(session, world.community.id, Period(month), by=who, now=now)


def post_on(world: World, day: date, database: Database | None = None) -> None:
    with (database or world.database).transaction() as session:
        post(
            session,
            world.community.id,
            kind=EntryKind.DEPOSIT,
            key=f"test:{day}",
            source_id=1,
            effective_on=day,
            now=NOW,
            legs=[
                Leg(FixedAccount.CASH, debit=Money(1)),
                Leg(FixedAccount.PREPAYMENTS, credit=Money(1)),
            ],
        )


def closed(world: World) -> list[tuple[object, ...]]:
    return rows(world, "SELECT period FROM period_close ORDER BY period")


def test_a_closed_month_takes_no_more_entries(world: World) -> None:
    close(world, "2026-07", "2026-08")
    for day in (date(2026, 8, 31), date(2026, 7, 1), date(2019, 1, 1)):
        with pytest.raises(DBAPIError, match="closed through 2026-08"):
            post_on(world, day)
    post_on(world, date(2026, 9, 1))
    assert rows(world, "SELECT count(*) FROM journal_entry WHERE kind = 'deposit'") == [(1,)]


def test_what_was_closed_is_a_fact_and_remembers_what_it_held(world: World) -> None:
    close(world, "2026-07", by="chen")
    [fact] = rows(world, "SELECT ref_id, data FROM fact WHERE kind = 'period_closed'")
    assert fact == (202607, {"period": "2026-07"})
    held = rows(world, "SELECT entries, total FROM period_close")
    assert held == rows(
        world,
        "SELECT count(*), sum(total) FROM journal_entry WHERE effective_on < '2026-08-01'",
    )
    assert violations(world) == []


def test_a_day_in_a_closed_month_becomes_the_first_open_one(world: World) -> None:
    def first(day: date) -> date:
        with world.database.transaction() as session:
            return first_open_day(session, world.community.id, day)

    assert first(date(2026, 7, 15)) == date(2026, 7, 15)
    close(world, "2026-07", "2026-08")
    assert first(date(2026, 7, 15)) == date(2026, 9, 1)
    assert first(date(2026, 9, 15)) == date(2026, 9, 15)


def test_money_paid_in_a_month_that_was_closed_meanwhile_is_booked_in_the_open_one(
    world: World,
) -> None:
    payment = prepared(world, IN_TIME)
    with world.database.transaction() as session:
        session.execute(
            text("UPDATE payment SET prepared_at = '2026-11-20' WHERE state <> 'confirmed'")
        )
    close(world, *MONTHS, "2026-11", now=datetime(2026, 12, 2, tzinfo=UTC))
    with world.database.transaction() as session:
        arrive(session, payment)
    assert rows(
        world,
        "SELECT effective_on FROM journal_entry WHERE kind = 'payment' AND source_id = :id",
        id=payment.id,
    ) == [(date(2026, 12, 1),)]
    assert violations(world) == []


def test_months_are_closed_in_order_and_once(world: World) -> None:
    with pytest.raises(Conflict, match="close 2026-07 before 2026-09"):
        close(world, "2026-09")
    close(world, "2026-07")
    with pytest.raises(Conflict, match="close 2026-08 before 2026-09"):
        close(world, "2026-09")
    for month in ("2026-07", "2026-06"):
        with pytest.raises(Conflict, match="closed through 2026-07"):
            close(world, month)
    close(world, "2026-08")
    assert closed(world) == [("2026-07",), ("2026-08",)]


def test_a_month_that_is_not_over_stays_open(world: World) -> None:
    close(world, *MONTHS)
    for month in ("2026-11", "2026-12"):
        with pytest.raises(Conflict, match=f"{month} is not over"):
            close(world, month)
    last_evening_in_beijing = datetime(2026, 11, 30, 15, 59, tzinfo=UTC)
    with pytest.raises(Conflict, match="not over"):
        close(world, "2026-11", now=last_evening_in_beijing)
    close(world, "2026-11", now=last_evening_in_beijing + timedelta(minutes=1))


def test_a_month_with_drafts_stays_open_until_they_are_published_or_void(world: World) -> None:
    close(world, *MONTHS)
    december = Period("2026-12")
    summary = run_bills(
        world.database, world.community, december, today=december.start, now=NOW, publish=False
    )
    assert summary.run_id is not None
    january = datetime(2027, 1, 5, tzinfo=UTC)
    close(world, "2026-11", now=january)
    with pytest.raises(Conflict, match="24 draft bills of 2026-12 or before"):
        close(world, "2026-12", now=january)
    void_run(
        world.database,
        world.community.id,
        summary.run_id,
        after=AfterVoid.REDO,
        reason="重新起草",
        by=staff(world, "zhao"),
        today=TODAY,
        now=NOW,
    )
    close(world, "2026-12", now=january)


def test_a_payment_that_may_still_arrive_keeps_its_month_open_for_a_day(world: World) -> None:
    payment = prepared(world, IN_TIME)
    late = datetime(2026, 11, 30, 15, 50, tzinfo=UTC)
    with world.database.transaction() as session:
        session.execute(
            text("UPDATE payment SET prepared_at = :late WHERE id = :id"),
            {"late": late, "id": payment.id},
        )
    close(world, *MONTHS)
    with pytest.raises(Conflict, match="1 payments begun in 2026-11 may still arrive"):
        close(world, "2026-11", now=late + timedelta(minutes=20))
    close(world, "2026-11", now=late + timedelta(days=1, minutes=1))


def test_only_who_keeps_the_books_closes_them(world: World) -> None:
    with pytest.raises(InvalidInput, match="liu is service"):
        close(world, "2026-07", by="liu")
    everywhere = Staff(id=1, login="ma", role=StaffRole.MANAGER, community_id=None)
    with pytest.raises(NotFound, match="no community 99"), world.database.transaction() as session:
        close_period(session, 99, Period("2026-07"), by=everywhere, now=NOW)


def wait_until_waiting(world: World, *callers: Future[Any]) -> None:
    """Until each of them waits for a lock; none may come through."""
    waiting = (
        "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND datname = current_database()"
    )
    while rows(world, waiting) != [(len(callers),)]:
        assert not any(caller.done() for caller in callers), "somebody did not wait"


@many_rounds
def test_an_entry_being_posted_is_waited_for_and_counted(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    """Two real connections: the close may not look before the posting is committed."""
    other = Database(engine_for(world.url), after_facts=lambda: None)
    with ThreadPoolExecutor(1) as pool:
        with world.database.transaction() as session:
            day = first_open_day(session, world.community.id, date(2026, 7, 31))
            closing = pool.submit(close, world, "2026-07", database=other)
            wait_until_waiting(world, closing)
            post(
                session,
                world.community.id,
                kind=EntryKind.DEPOSIT,
                key="test:slow",
                source_id=1,
                effective_on=day,
                now=NOW,
                legs=[
                    Leg(FixedAccount.CASH, debit=Money(1)),
                    Leg(FixedAccount.PREPAYMENTS, credit=Money(1)),
                ],
            )
        closing.result()
    counted = rows(world, "SELECT count(*) FROM journal_entry WHERE effective_on < '2026-08-01'")
    assert rows(world, "SELECT entries FROM period_close") == counted


@many_rounds
def test_whoever_comes_while_a_month_is_being_closed_posts_into_the_next(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    """Without asking for the open day he would be refused: the guard waits for the close too."""
    other = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(3, timeout=30)
    who = staff(world, "zhao")

    def ask_and_post() -> date:
        start.wait()
        with other.transaction() as session:
            day = first_open_day(session, world.community.id, date(2026, 7, 31))
        post_on(world, day, other)
        return day

    def post_without_asking() -> str:
        start.wait()
        try:
            post_on(world, date(2026, 7, 30), other)
        except DBAPIError as error:
            return str(error.orig)
        return "posted"

    with ThreadPoolExecutor(2) as pool:
        with world.database.transaction() as session:
            close_period(session, world.community.id, Period("2026-07"), by=who, now=NOW)
            polite, rude = pool.submit(ask_and_post), pool.submit(post_without_asking)
            start.wait()
            wait_until_waiting(world, polite, rude)
        assert polite.result() == date(2026, 8, 1)
        assert "closed through 2026-07" in rude.result()


def test_the_trial_balance_of_a_month_opens_where_the_last_one_ended(world: World) -> None:
    with world.database.transaction() as session:
        sheets = [
            trial_balance(session, world.community.id, Period(month))
            for month in (*MONTHS, "2026-11")
        ]
        whole = trial_balance(session, world.community.id, None)
    assert [row.opening for row in sheets[0]] == [ZERO] * len(sheets[0])
    for sheet, following in pairwise(sheets):
        assert [row.balance for row in sheet] == [row.opening for row in following]
    assert [row.balance for row in sheets[-1]] == [row.balance for row in whole]
    for sheet in (*sheets, whole):
        assert sum((row.debit for row in sheet), ZERO) == sum((row.credit for row in sheet), ZERO)
        assert sum((row.balance for row in sheet), ZERO) == ZERO
        assert [row.account for row in sheet] == sorted(row.account for row in sheet)
    assert sum((row.debit for row in whole), ZERO) > ZERO


def test_the_trial_balance_names_every_account_and_adds_up(world: World) -> None:
    with world.database.transaction() as session:
        sheet = {
            row.account: row
            for row in trial_balance(session, world.community.id, Period("2026-11"))
        }
    assert {account.value for account in FixedAccount} <= set(sheet)
    property_fee = sheet["income:property"]
    assert property_fee.name == "物业费"
    assert property_fee.debit == ZERO
    assert property_fee.credit > ZERO
    for row in sheet.values():
        assert row.opening + row.debit - row.credit == row.balance
