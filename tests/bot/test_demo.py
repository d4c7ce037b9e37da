"""The demo on its first start, on its next starts, and after it was killed while it began."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from billing.bill_run import run_bills
from billing.bills import list_unpaid
from billing.checks import run_checks
from billing.db import Database
from billing.privacy import Vault
from billing.property import get_community, get_unit
from bot.demo import seed
from bot.demo.cast import CAST
from bot.demo.run import DemoError, DemoOptions, run_demo
from bot.demo.seed import COMMUNITY, Plan, seed_demo
from bot.embedded.locks import locked
from tests.conftest import MERCHANT, TODAY, World

PLAN = Plan(households=12, months=4, seed=3, today=TODAY)

BOOKS = """
    SELECT unit.room, bill.period, bill.amount, chunk.issued_on, chunk.due_on,
           payment.confirmed_at, receipt.no, resident.id
    FROM bill
    JOIN unit ON unit.id = bill.unit_id
    JOIN occupancy ON occupancy.unit_id = unit.id
    JOIN resident ON resident.id = occupancy.resident_id
    JOIN bill_run_chunk chunk ON chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
    LEFT JOIN payment_target target ON target.bill_id = bill.id
    LEFT JOIN payment ON payment.id = target.payment_id
    LEFT JOIN receipt ON receipt.payment_id = payment.id
    WHERE chunk.state = 'issued'
    ORDER BY unit.id, bill.period
"""


class Killed(Exception):
    """The demo was killed here."""


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def unpaid_months(database: Database, room: str) -> list[str]:
    with database.transaction() as session:
        community = get_community(session, COMMUNITY)
        unit = get_unit(session, community.id, room)
        return [str(bill.period) for bill in list_unpaid(session, community.id, [unit.id])]


def violations(database: Database) -> list[str]:
    with database.transaction() as session:
        return [result.name for result in run_checks(session) if result.violations]


def start(
    database: Database, vault: Vault, today: date = TODAY, *, utilities: bool = False
) -> bool:
    plan = replace(PLAN, today=today, utilities=utilities)
    return seed_demo(database, vault, plan, MERCHANT)


def test_the_same_seed_makes_the_same_town(
    make_database: Callable[[str], str], engine_for: Callable[[str], Engine], vault: Vault
) -> None:
    towns = []
    for _ in range(2):
        database = Database(engine_for(make_database("mz_schema")), after_facts=lambda: None)
        assert start(database, vault)
        towns.append(rows(database, BOOKS))
    assert len(towns[0]) == 12 * 4
    assert towns[0] == towns[1]


def test_a_start_on_the_next_day_changes_nothing(database: Database, vault: Vault) -> None:
    start(database, vault)
    before = rows(database, BOOKS)
    assert not start(database, vault, date(2026, 11, 24))
    assert rows(database, BOOKS) == before


def test_a_start_months_later_issues_the_bills_of_the_months_between(
    database: Database, vault: Vault
) -> None:
    start(database, vault)
    assert unpaid_months(database, "3-2-501") == ["2026-11"]
    taken = "SELECT count(*) FROM fact WHERE taken_at IS NULL"
    assert rows(database, taken) == [(0,)]
    assert not start(database, vault, date(2027, 6, 1))
    assert unpaid_months(database, "3-2-501") == [
        *("2026-11", "2026-12"),
        *(f"2027-0{month}" for month in range(1, 7)),
    ]
    assert rows(database, taken) == [(7 * 12,)]
    assert violations(database) == []


@pytest.mark.parametrize("utilities", [False, True])
@pytest.mark.parametrize("runs_before_it", [0, 1, 3, 4])
def test_a_demo_killed_while_it_began_is_finished_by_the_next_start(
    runs_before_it: int,
    utilities: bool,
    make_database: Callable[[str], str],
    engine_for: Callable[[str], Engine],
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, database = (
        Database(engine_for(make_database("mz_schema")), after_facts=lambda: None) for _ in range(2)
    )
    start(whole, vault, utilities=utilities)
    done = 0

    def run_then_die(*arguments: Any, **options: Any) -> None:
        nonlocal done
        if done == runs_before_it:
            raise Killed
        done += 1
        run_bills(*arguments, **options)

    def die(*_arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as fatal, pytest.raises(Killed):
        fatal.setattr(seed, "run_bills", run_then_die)
        fatal.setattr(seed, "pay_history", die)
        start(database, vault, utilities=utilities)
    assert start(database, vault, utilities=utilities)
    assert rows(database, BOOKS) == rows(whole, BOOKS)
    assert rows(database, "SELECT login FROM staff ORDER BY id") == [
        ("zhao",),
        ("chen",),
        ("zhou",),
        ("liu",),
    ]
    assert violations(database) == []


CHARGED = """
    SELECT item.code, bill.period, count(*), min(line.amount) > 0, sum(line.amount)
    FROM bill_line line
    JOIN bill ON bill.id = line.bill_id
    JOIN charge_item item ON item.id = line.item_id
    WHERE line.kind = 'charge' AND item.code IN ('water', 'light', 'pump')
    GROUP BY item.code, bill.period ORDER BY item.code, bill.period
"""


def test_homes_of_the_demo_use_water_share_light_and_pay_for_pumping_by_the_quarter(
    database: Database, vault: Vault
) -> None:
    start(database, vault, utilities=True)
    charged = {(code, period): tuple(rest) for code, period, *rest in rows(database, CHARGED)}
    months = ["2026-08", "2026-09", "2026-10", "2026-11"]
    assert [period for code, period in charged if code == "light"] == months
    assert [period for code, period in charged if code == "water"] == months[1:]
    assert [period for code, period in charged if code == "pump"] == ["2026-08", "2026-10"]
    assert {count for count, *_ in charged.values()} == {12}
    assert all(positive for (code, _), (_, positive, _) in charged.items() if code != "water")
    assert len({total for (code, _), (_, _, total) in charged.items() if code == "water"}) == 3
    assert unpaid_months(database, "3-2-501") == ["2026-11"]
    assert violations(database) == []


def test_an_empty_home_of_the_demo_pays_less_and_uses_nothing(
    database: Database, vault: Vault
) -> None:
    start(database, vault, utilities=True)
    [(room,)] = rows(
        database,
        "SELECT DISTINCT code FROM subject JOIN discount_grant ON subject_id = subject.id",
    )
    assert room not in {character.room for character in CAST}
    lines = rows(
        database,
        "SELECT item.code, line.kind, line.amount FROM bill_line line"
        " JOIN subject ON subject.id = line.subject_id"
        " JOIN charge_item item ON item.id = line.item_id"
        f" WHERE subject.code = '{room}' AND item.code IN ('water', 'property')",
    )
    assert {amount for code, _, amount in lines if code == "water"} == {0}
    assert [amount < 0 for _, kind, amount in lines if kind == "discount"] == [True] * 4


def test_months_later_the_meters_of_the_demo_were_read_on_every_first(
    database: Database, vault: Vault
) -> None:
    start(database, vault, utilities=True)
    start(database, vault, date(2027, 2, 10), utilities=True)
    assert rows(database, "SELECT DISTINCT read_on::text FROM meter_reading ORDER BY 1") == [
        *((f"2026-{month:02d}-01",) for month in range(8, 13)),
        *((f"2027-0{month}-01",) for month in (1, 2)),
    ]
    assert violations(database) == []


def test_the_books_of_the_demo_hold(world: World) -> None:
    assert violations(world.database) == []


def test_a_second_demo_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    options = DemoOptions(PLAN, tmp_path, port=1, sandbox_port=2, clock_rate=60)
    with (
        locked(tmp_path / "demo.lock", 0),
        pytest.raises(DemoError, match="MINGZHANG_VAR"),
    ):
        run_demo(options)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.lock"]
