"""A run that was killed at any commit, and two runs at once, leave the books of an undisturbed
run.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from billing import bill_run
from billing.bill_run import run_bills
from billing.db import Database
from billing.period import Period
from tests.billing.corrections import violations
from tests.conftest import NOW, SOAK, World, many_rounds

DECEMBER = Period("2026-12")
CHUNK = 7
"""Accounts per chunk: the 24 homes of the world make four."""
COMMITS = 15
"""More than a run of four chunks has."""


class Killed(BaseException):
    """The process ended here."""


class Mortal(Database):
    """A database whose process ends at one of its commits, before or after it."""

    def __init__(self, engine: Engine, dies_at: int, *, committed: bool) -> None:
        super().__init__(engine, after_facts=lambda: None)
        self._left = dies_at
        self._committed = committed
        self._lock = threading.Lock()
        self.died = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Count commits; nothing happens in a process that ended."""
        with self._lock:
            if self.died:
                raise Killed
        with super().transaction() as session:
            yield session
            with self._lock:
                self._left -= 1
                last = self._left == 0
                self.died = self.died or last
            if self.died and not (last and self._committed):
                raise Killed
        if last:
            raise Killed


def run(world: World, database: Database) -> None:
    run_bills(database, world.community, DECEMBER, today=DECEMBER.start, now=NOW, publish=True)


BOOKS = {
    "bill_run": "SELECT period, kind, state, summary - 'run' FROM bill_run ORDER BY id",
    "chunk": "SELECT run.period, no, chunk.last_unit_id, chunk.counts - 'run', chunk.state,"
    " issued_on, due_on FROM bill_run_chunk chunk JOIN bill_run run ON run.id = chunk.run_id"
    " ORDER BY run.id, no",
    "bill": "SELECT run.period, chunk_no, unit_id, bill.period, amount"
    " FROM bill JOIN bill_run run ON run.id = bill.run_id ORDER BY bill.period, unit_id",
    "bill_line": "SELECT bill.period, bill.unit_id, subject_id, item_id, tariff_id, kind,"
    " period_from, period_to, source_id, redo, line.amount, basis"
    " FROM bill_line line JOIN bill ON bill.id = line.bill_id"
    " ORDER BY subject_id, item_id, period_from, kind, source_id, redo",
    "journal": "SELECT bill.period, bill.unit_id, entry.kind, effective_on, posted_at, postings,"
    " total, no, account_id, posting.unit_id, debit, credit"
    " FROM journal_entry entry JOIN posting ON posting.entry_id = entry.id"
    " JOIN bill ON bill.id = entry.source_id WHERE entry.kind = 'bill_issued'"
    " ORDER BY bill.period, bill.unit_id, no",
    "fact": "SELECT kind, fact.unit_id, fact.amount, fact.at FROM fact"
    " ORDER BY fact.at, fact.unit_id, kind, ref_id",
}
"""Every table a run writes, without the numbers that are merely drawn from sequences."""


def books(world: World) -> dict[str, list[Any]]:
    with world.database.transaction() as session:
        return {name: [tuple(row) for row in session.execute(text(q))] for name, q in BOOKS.items()}


@pytest.fixture
def undisturbed(
    world: World, make_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[Any]]:
    """The books after a run that nothing happened to."""
    monkeypatch.setattr(bill_run, "UNITS_PER_CHUNK", CHUNK)
    other = make_world()
    run(other, other.database)
    return books(other)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("commit", range(1, COMMITS + 1) if SOAK else (4, 9))
def test_a_run_killed_at_a_commit_and_repeated_gives_the_books_of_an_undisturbed_one(
    world: World, undisturbed: dict[str, list[Any]], commit: int, committed: bool
) -> None:
    mortal = Mortal(world.database.engine, commit, committed=committed)
    try:
        run(world, mortal)
    except Killed:
        assert mortal.died
    else:
        assert commit > COMMITS - 5, "the run has fewer commits than were to be tried"
    run(world, world.database)
    assert books(world) == undisturbed
    assert violations(world) == []


class Stumbling(Database):
    """A database that refuses one commit, as after a broken connection, and goes on."""

    def __init__(self, engine: Engine, stumbles_at: int) -> None:
        super().__init__(engine, after_facts=lambda: None)
        self._left = stumbles_at
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Count commits; the one that was chosen fails."""
        with super().transaction() as session:
            yield session
            with self._lock:
                self._left -= 1
                stumbles = self._left == 0
            if stumbles:
                raise ConnectionError("the connection broke")


@pytest.mark.parametrize("commit", range(1, COMMITS + 1) if SOAK else (5, 11))
def test_a_chunk_that_failed_is_not_passed_over_by_those_behind_it(
    world: World, undisturbed: dict[str, list[Any]], commit: int
) -> None:
    with suppress(ConnectionError):
        run(world, Stumbling(world.database.engine, commit))
    run(world, world.database)
    assert books(world) == undisturbed


@many_rounds
def test_two_runs_at_once_give_the_books_of_one(
    world: World, undisturbed: dict[str, list[Any]], round_number: int
) -> None:
    start = threading.Barrier(2)

    def go() -> None:
        start.wait()
        run(world, world.database)

    others = [threading.Thread(target=go) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert books(world) == undisturbed
    assert violations(world) == []
