"""A deposit is somebody else's money: taken once, never given back or kept beyond what is held."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from billing.db import Database
from billing.deposits import (
    Deposit,
    DepositState,
    forfeit_deposit,
    list_deposits,
    return_deposit,
    take_deposit,
)
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.ledger import EntryKind, FixedAccount, JournalEntry, balance
from billing.money import ZERO, Money
from tests.billing.paper import faults, shut, staff
from tests.conftest import NOW, TODAY, World

ROOM = "3-2-501"


def take(
    session: Session,
    world: World,
    yuan: str = "2000.00",
    *,
    number: str = "YJ-001",
    purpose: str = "装修押金",
    room: str = ROOM,
    on: date = TODAY,
) -> Deposit:
    return take_deposit(
        session,
        community_id=world.community.id,
        unit_id=world.unit(room).id,
        number=number,
        purpose=purpose,
        amount=Money.from_yuan(yuan),
        by=staff(session).id,
        on=on,
        now=NOW,
    )


def give_back(
    session: Session, world: World, yuan: str, number: str = "YJ-001", on: date = TODAY
) -> DepositState:
    amount, by = Money.from_yuan(yuan), staff(session).id
    return return_deposit(
        session, world.community.id, number, amount, reason="works done", by=by, on=on, now=NOW
    )


def keep(session: Session, world: World, yuan: str, reason: str = "wall damaged") -> DepositState:
    amount, by = Money.from_yuan(yuan), staff(session).id
    return forfeit_deposit(
        session, world.community.id, "YJ-001", amount, reason=reason, by=by, on=TODAY, now=NOW
    )


def balances(session: Session, world: World) -> tuple[int, int, int]:
    """Deposits of the home, all deposits, forfeited ones, in fen."""
    community_id = world.community.id
    own = balance(session, community_id, FixedAccount.DEPOSITS, world.unit(ROOM).id)
    every = balance(session, community_id, FixedAccount.DEPOSITS)
    kept = balance(session, community_id, FixedAccount.FORFEITS)
    return -own.fen, -every.fen, -kept.fen


def test_a_deposit_is_a_liability_to_its_home_until_it_is_returned(world: World) -> None:
    with world.database.transaction() as session:
        cash = balance(session, world.community.id, FixedAccount.CASH)
        take(session, world)
        assert balances(session, world) == (200000, 200000, 0)
        state = give_back(session, world, "500.00")
        assert (state.held, state.returned) == (Money(150000), Money(50000))
        assert give_back(session, world, "1500.00").held == ZERO
        assert balances(session, world) == (0, 0, 0)
        assert balance(session, world.community.id, FixedAccount.CASH) == cash
    with world.database.transaction() as session:
        assert faults(session) == []


def test_what_is_kept_for_damage_becomes_income(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world)
        assert keep(session, world, "300.00").held == Money(170000)
        assert balances(session, world) == (170000, 170000, 30000)


def test_every_movement_is_recorded_as_a_fact(world: World) -> None:
    with world.database.transaction() as session:
        deposit = take(session, world)
        give_back(session, world, "500.00")
        keep(session, world, "300.00")
        facts = session.scalars(select(Fact).order_by(Fact.id.desc()).limit(3)).all()
    assert [(fact.kind, fact.amount, fact.ref_id) for fact in reversed(facts)] == [
        (FactKind.DEPOSIT_TAKEN, Money(200000), deposit.id),
        (FactKind.DEPOSIT_RETURNED, Money(50000), deposit.id),
        (FactKind.DEPOSIT_FORFEITED, Money(30000), deposit.id),
    ]


def test_the_same_paper_is_taken_once(world: World) -> None:
    with world.database.transaction() as session:
        assert take(session, world).id == take(session, world).id
        assert balances(session, world)[0] == 200000


@pytest.mark.parametrize(
    "change", [{"yuan": "2000.01"}, {"purpose": "门禁卡押金"}, {"room": "3-1-1201"}]
)
def test_the_same_paper_for_something_else_is_refused(world: World, change: dict[str, str]) -> None:
    with world.database.transaction() as session:
        take(session, world)
        with pytest.raises(Conflict, match="YJ-001"):
            take(session, world, **change)  # type: ignore[arg-type]


def test_more_than_is_held_is_refused_with_what_is_held(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world)
        give_back(session, world, "1999.00")
        for refused in (give_back, keep):
            with pytest.raises(Conflict, match=r"1\.00 is held"):
                refused(session, world, "1.01")
        assert balances(session, world)[0] == 100


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"yuan": "0.00"}, "amount"),
        ({"yuan": "-5.00"}, "amount"),
        ({"yuan": "1000000000.01"}, "amount"),
        ({"number": "  "}, "number"),
        ({"purpose": ""}, "purpose"),
        ({"purpose": "x" * 201}, "purpose"),
    ],
)
def test_a_deposit_that_cannot_be_is_refused(
    world: World, change: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal, world.database.transaction() as session:
        take(session, world, **change)  # type: ignore[arg-type]
    assert refusal.value.field == field


def test_keeping_one_needs_a_reason_and_returning_one_a_number(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world)
        with pytest.raises(InvalidInput, match="reason"):
            keep(session, world, "1.00", reason=" ")
        with pytest.raises(NotFound, match="YJ-999"):
            give_back(session, world, "1.00", number="YJ-999")
        with pytest.raises(InvalidInput, match="when it was taken"):
            give_back(session, world, "1.00", on=TODAY - timedelta(days=1))


def test_deposits_are_listed_per_home(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world, on=TODAY - timedelta(days=3))
        take(session, world, "10.00", number="YJ-002", purpose="门禁卡押金", room="3-1-1201")
        give_back(session, world, "100.00")
        community_id = world.community.id
        [mine] = list_deposits(session, community_id, unit_ids=[world.unit(ROOM).id])
        assert (mine.room, mine.taken_on, mine.held.yuan) == (
            ROOM, TODAY - timedelta(days=3), "1900.00",
        )  # fmt: skip
        assert [one.number for one in list_deposits(session, community_id)] == ["YJ-001", "YJ-002"]


def test_a_movement_in_a_closed_month_is_posted_in_the_open_one(world: World) -> None:
    with world.database.transaction() as session:
        shut(session, world, "2026-11")
        take(session, world)
        entry = session.scalars(
            select(JournalEntry).where(JournalEntry.kind == EntryKind.DEPOSIT)
        ).one()
        [state] = list_deposits(session, world.community.id)
    assert (entry.effective_on, state.taken_on) == (date(2026, 12, 1), TODAY)


def test_returning_it_from_four_places_at_once_gives_it_back_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    with world.database.transaction() as session:
        take(session, world)
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(4)

    def give(_: int) -> bool:
        start.wait()
        try:
            with database.transaction() as session:
                give_back(session, world, "2000.00")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(give, range(4))) == [False, False, False, True]
    with world.database.transaction() as session:
        assert balances(session, world) == (0, 0, 0)


def test_two_homes_never_share_a_paper_even_at_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(2)

    def click(room: str) -> bool:
        start.wait()
        try:
            with database.transaction() as session:
                take(session, world, room=room)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(click, [ROOM, "3-1-1201"])) == [False, True]


def test_taking_one_paper_from_four_places_at_once_takes_it_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(4)

    def click(_: int) -> int:
        start.wait()
        with database.transaction() as session:
            return take(session, world).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(click, range(4)))) == 1
