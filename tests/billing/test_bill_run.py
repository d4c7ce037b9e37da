"""A run is a difference: it adds what is missing and nothing else, however often and from
wherever.
"""

import threading
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from billing.bill_run import RunSummary, one_run_at_a_time, run_bills
from billing.bills import list_bills, list_lines
from billing.checks import run_checks
from billing.db import Database
from billing.money import Money
from billing.period import Period
from billing.pricing.explain import explain
from tests.conftest import NOW, World

DECEMBER = Period("2026-12")


def run(world: World, *, publish: bool = True, database: Database | None = None) -> RunSummary:
    return run_bills(
        database or world.database,
        world.community,
        DECEMBER,
        today=date(2026, 12, 1),
        now=NOW,
        publish=publish,
    )


def count(world: World, query: str) -> int:
    with world.database.transaction() as session:
        return int(session.execute(text(query)).scalar_one())


def violations(world: World) -> list[str]:
    with world.database.transaction() as session:
        return [result.name for result in run_checks(session) if result.violations]


def test_a_run_charges_every_subject_and_issues_one_bill_per_home(world: World) -> None:
    summary = run(world)
    assert summary.parked.total() == summary.skipped.total() == summary.existing == 0
    assert summary.created == summary.expected
    assert count(world, "SELECT count(*) FROM bill WHERE period = '2026-12'") == 24
    issued = "SELECT coalesce(sum(amount), 0) FROM bill WHERE period = '2026-12'"
    assert count(world, issued) == summary.amount.fen
    assert violations(world) == []


def test_a_bill_explains_itself(world: World) -> None:
    run(world)
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        bill = list_bills(session, world.community.id, [unit.id])[-1]
        lines = list_lines(session, world.community.id, [bill.id])
    assert (str(bill.period), bill.issued_on, bill.due_on) == (
        "2026-12",
        date(2026, 12, 1),
        date(2026, 12, 31),
    )
    assert [line.item_name for line in lines] == ["物业费", "生活垃圾处理费", "车位管理费"]
    assert explain(lines[0].basis) == "98.50㎡ × 2.80元/㎡·月 = 275.80元"
    assert bill.amount == Money(27580 + 600 + 12000)


def test_a_rerun_finds_everything_there(world: World) -> None:
    first = run(world)
    again = run(world)
    assert (again.created, again.existing, again.run_id) == (0, first.created, None)
    assert violations(world) == []


def test_a_draft_is_nobodys_debt_until_it_is_published(world: World) -> None:
    run(world, publish=False)
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        periods = [str(bill.period) for bill in list_bills(session, world.community.id, [unit.id])]
    assert "2026-12" not in periods
    assert count(world, "SELECT count(*) FROM fact WHERE taken_at IS NULL") == 0
    summary = run(world, publish=True)
    assert summary.created == 0
    assert count(world, "SELECT count(*) FROM fact WHERE taken_at IS NULL") == 24
    assert violations(world) == []


def test_publishing_rewrites_no_line(world: World) -> None:
    run(world, publish=False)
    versions = "SELECT string_agg(xmin::text || ctid::text, ',' ORDER BY id) FROM {}"
    with world.database.transaction() as session:
        before = [session.execute(text(versions.format(t))).scalar() for t in ("bill", "bill_line")]
    run(world, publish=True)
    with world.database.transaction() as session:
        after = [session.execute(text(versions.format(t))).scalar() for t in ("bill", "bill_line")]
    assert before == after


def test_two_runs_at_once_create_each_bill_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    start = threading.Barrier(2)
    summaries: list[RunSummary] = []

    def publish() -> None:
        own = Database(engine_for(world.url), after_facts=lambda: None)
        start.wait()
        summaries.append(run(world, database=own))

    threads = [threading.Thread(target=publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created = sorted(summary.created for summary in summaries)
    assert created[0] == 0
    assert created[1] == summaries[0].expected == summaries[1].expected
    assert count(world, "SELECT count(*) FROM bill WHERE period = '2026-12'") == 24
    assert violations(world) == []


def test_a_run_killed_while_publishing_is_finished_by_the_next(world: World) -> None:
    class Killed(Exception):
        pass

    def die() -> None:
        raise Killed

    dying = Database(world.database.engine, after_facts=die)
    with pytest.raises(Killed):
        run(world, database=dying)
    run(world)
    assert count(world, "SELECT count(*) FROM bill WHERE period = '2026-12'") == 24
    assert count(world, "SELECT count(*) FROM bill_run_chunk WHERE state = 'draft'") == 0
    assert violations(world) == []


def test_the_lock_of_a_run_dies_with_its_connection(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    holder = Database(engine_for(world.url), after_facts=lambda: None)
    with pytest.raises(OperationalError), one_run_at_a_time(holder, world.community.id):
        with world.database.transaction() as session:
            session.execute(text("RESET ROLE"))
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks"
                    " WHERE locktype = 'advisory' AND granted"
                )
            )
        assert run(world).created > 0


def test_a_home_handed_over_mid_month_pays_its_days(world: World) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        session.execute(
            text("UPDATE subject SET billable_from = '2026-12-22' WHERE id = :id"), {"id": unit.id}
        )
    run(world)
    with world.database.transaction() as session:
        bill = list_bills(session, world.community.id, [unit.id])[-1]
        line = list_lines(session, world.community.id, [bill.id])[0]
    assert (line.period_from, line.period_to) == (date(2026, 12, 22), date(2027, 1, 1))
    assert explain(line.basis) == "98.50㎡ × 2.80元/㎡·月 × 10/31月 = 88.97元"


def test_what_cannot_be_charged_is_skipped_with_its_reason(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(
            text("UPDATE subject SET billable_to = '2026-12-01' WHERE code = '3-2-501'")
        )
        session.execute(
            text(
                "UPDATE tariff SET effective_from = '2027-06-01' WHERE item_id ="
                " (SELECT id FROM charge_item WHERE code = 'garbage')"
            )
        )
    summary = run(world)
    assert summary.skipped == {"no_tariff": 23, "not_billable": 2}
    assert summary.expected == summary.created + 25
    assert violations(world) == []


def test_a_subject_that_cannot_be_priced_is_parked_and_the_rest_goes_on(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(
            text(
                'UPDATE tariff SET price = \'{"method": "metered", "unit_price": "3.45"}\''
                " WHERE item_id = (SELECT id FROM charge_item WHERE code = 'garbage')"
            )
        )
    summary = run(world)
    assert summary.parked.total() == 24
    assert summary.created > 24
    assert violations(world) == []
