"""A run is a difference: it adds what is missing and nothing else, however often and from
wherever.
"""

import threading
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from billing import bill_run
from billing.bill_lines import list_lines
from billing.bill_run import RunSummary, one_run_at_a_time, run_bills
from billing.bills import list_bills
from billing.db import Database
from billing.money import Money
from billing.period import Period
from billing.pricing.explain import explain
from tests.billing.corrections import violations
from tests.conftest import NOW, World, many_rounds

DECEMBER = Period("2026-12")


def run(
    world: World,
    period: Period = DECEMBER,
    *,
    publish: bool = True,
    database: Database | None = None,
) -> RunSummary:
    return run_bills(
        database or world.database,
        world.community,
        period,
        today=period.start,
        now=NOW,
        publish=publish,
    )


def change(world: World, *statements: str) -> None:
    with world.database.transaction() as session:
        for statement in statements:
            session.execute(text(statement))


def charged(world: World, code: str, item: str) -> list[tuple[str, str, int]]:
    """What was ever charged to a subject for an item: first day, first day not charged, fen."""
    with world.database.transaction() as session:
        rows = session.execute(
            text(
                "SELECT period_from::text, period_to::text, line.amount FROM bill_line line"
                " JOIN subject ON subject.id = line.subject_id"
                " JOIN charge_item item ON item.id = line.item_id"
                " WHERE subject.code = :code AND item.code = :item ORDER BY period_from"
            ),
            {"code": code, "item": item},
        )
        return [tuple(row) for row in rows]


def count(world: World, query: str) -> int:
    with world.database.transaction() as session:
        return int(session.execute(text(query)).scalar_one())


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


@many_rounds
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
            session.execute(text("SET LOCAL ROLE NONE"))
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks"
                    " WHERE locktype = 'advisory' AND granted AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())"
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
                "UPDATE tariff"
                ' SET price = \'{"method": "area", "unit_price": "3.45", "per": "month"}\''
                " WHERE item_id = (SELECT id FROM charge_item WHERE code = 'parking')"
            )
        )
        spaces = session.scalar(text("SELECT count(*) FROM parking_space"))
    summary = run(world)
    assert summary.parked == {"subject.area_m2: missing": spaces}
    assert summary.created > 24
    assert violations(world) == []


QUARTERLY_FROM_2027 = """
    UPDATE charge_item SET cycle_months = 3, active_from = '2027-01-01' WHERE code = 'garbage'
"""


def test_a_charge_that_begins_within_its_quarter_is_billed_in_the_month_it_begins(
    world: World,
) -> None:
    handed_over = "UPDATE subject SET billable_from = '2027-02-15' WHERE code = '3-2-501'"
    change(world, QUARTERLY_FROM_2027, handed_over)
    run(world, Period("2027-01"))
    assert charged(world, "3-2-501", "garbage")[5:] == []
    assert charged(world, "3-2-502", "garbage")[5:] == [("2027-01-01", "2027-04-01", 1800)]
    run(world, Period("2027-02"))
    run(world, Period("2027-03"))
    run(world, Period("2027-04"))
    assert charged(world, "3-2-501", "garbage")[5:] == [
        ("2027-02-15", "2027-04-01", 900),
        ("2027-04-01", "2027-07-01", 1800),
    ]
    assert charged(world, "3-2-502", "garbage")[5:] == [
        ("2027-01-01", "2027-04-01", 1800),
        ("2027-04-01", "2027-07-01", 1800),
    ]
    assert violations(world) == []


def test_an_item_that_begins_within_its_year_is_billed_from_its_first_day(world: World) -> None:
    change(
        world,
        "UPDATE charge_item SET cycle_months = 12, active_from = '2027-11-01'"
        " WHERE code = 'garbage'",
    )
    for month in ("2027-10", "2027-11", "2027-12", "2028-01"):
        run(world, Period(month))
    assert charged(world, "3-2-501", "garbage")[5:] == [
        ("2027-11-01", "2028-01-01", 1200),
        ("2028-01-01", "2029-01-01", 7200),
    ]


def test_a_price_that_begins_within_its_year_is_charged_from_its_first_day(world: World) -> None:
    change(
        world,
        "UPDATE charge_item SET cycle_months = 12, active_from = '2027-01-01'"
        " WHERE code = 'garbage'",
        "UPDATE tariff SET effective_from = '2027-02-15' WHERE item_id ="
        " (SELECT id FROM charge_item WHERE code = 'garbage')",
    )
    january = run(world, Period("2027-01"))
    assert january.skipped["no_tariff"] == 24
    for month in ("2027-02", "2027-02", "2027-03", "2028-01"):
        run(world, Period(month))
    assert charged(world, "3-2-501", "garbage")[5:] == [
        ("2027-02-15", "2028-01-01", 6300),
        ("2028-01-01", "2029-01-01", 7200),
    ]
    with world.database.transaction() as session:
        bills = list_bills(session, world.community.id, [world.unit("3-2-501").id])
        bill = next(bill for bill in bills if str(bill.period) == "2027-02")
        lines = list_lines(session, world.community.id, [bill.id])
    line = next(line for line in lines if line.item_code == "garbage")
    assert explain(line.basis) == "6.00元/月 × (14/28 + 10)月 = 63.00元"
    assert violations(world) == []


def test_a_price_that_begins_with_the_second_month_of_a_quarter_is_charged_from_then(
    world: World,
) -> None:
    begins = "UPDATE tariff SET effective_from = '2027-02-01'"
    garbage = " WHERE item_id = (SELECT id FROM charge_item WHERE code = 'garbage')"
    change(world, QUARTERLY_FROM_2027, begins + garbage)
    for month in ("2027-01", "2027-02", "2027-03"):
        run(world, Period(month))
    assert charged(world, "3-2-501", "garbage")[5:] == [("2027-02-01", "2027-04-01", 1200)]


def test_the_later_months_of_a_quarter_call_for_nothing_that_was_billed_in_its_first(
    world: World,
) -> None:
    change(world, QUARTERLY_FROM_2027)
    run(world, Period("2027-01"))
    spaces = count(world, "SELECT count(*) FROM subject WHERE kind = 'parking'")
    february = run(world, Period("2027-02"))
    assert (february.expected, february.created) == (24 + spaces, 24 + spaces)


def test_days_added_to_what_is_billed_already_are_parked_for_somebody_to_decide(
    world: World,
) -> None:
    change(world, "UPDATE subject SET billable_to = '2026-12-16' WHERE code = '3-2-501'")
    run(world)
    change(world, "UPDATE subject SET billable_to = NULL WHERE code = '3-2-501'")
    again = run(world)
    assert (again.created, again.parked) == (0, {"partly_billed": 2})
    assert charged(world, "3-2-501", "garbage")[5:] == [("2026-12-01", "2026-12-16", 290)]


def test_fewer_days_than_are_billed_already_are_nothing_new(world: World) -> None:
    first = run(world)
    change(world, "UPDATE subject SET billable_to = '2026-12-16' WHERE code = '3-2-501'")
    again = run(world)
    assert (again.existing, again.created, again.parked.total()) == (first.created, 0, 0)


def test_a_home_on_the_account_of_another_is_charged_for_its_own_area(world: World) -> None:
    mine, other = world.unit("3-2-501"), world.unit("3-2-502")
    change(world, f"UPDATE subject SET unit_id = {mine.id} WHERE code = '3-2-502'")
    run(world)
    assert (str(mine.billable_area_m2), str(other.billable_area_m2)) == ("98.50", "89.20")
    assert charged(world, "3-2-501", "property")[-1][2] == 27580
    assert charged(world, "3-2-502", "property")[-1][2] == 24976
    with world.database.transaction() as session:
        bill = list_bills(session, world.community.id, [mine.id])[-1]
    assert str(bill.period) == "2026-12"
    assert bill.amount == Money(27580 + 24976 + 600 + 600 + 12000)


def test_a_parking_space_has_no_area_to_be_charged_for(world: World) -> None:
    change(
        world,
        "UPDATE tariff SET price = jsonb_set(price, '{method}', '\"area\"') WHERE item_id ="
        " (SELECT id FROM charge_item WHERE code = 'parking')",
    )
    spaces = count(world, "SELECT count(*) FROM subject WHERE kind = 'parking'")
    assert run(world).parked == {"subject.area_m2: missing": spaces}


def test_accounts_without_anything_to_charge_do_not_end_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bill_run, "UNITS_PER_CHUNK", 1)
    mine = world.unit("1-1-101")
    other = world.unit("1-1-302")
    change(world, f"UPDATE subject SET unit_id = {mine.id} WHERE unit_id = {other.id}")
    run(world)
    assert count(world, "SELECT count(*) FROM bill WHERE period = '2026-12'") == 23
