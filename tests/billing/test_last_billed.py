"""The last month that was billed: not one whose run was taken back, nor one of late fees alone."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from billing.adjustment_tables import AfterVoid
from billing.bill_run import run_bills
from billing.db import Database
from billing.insight.estate import find_rate_drops
from billing.insight.finding import Finding
from billing.late_fee_bills import issue_late_fees
from billing.late_fee_policy import set_policy
from billing.late_fee_tables import LateFeeCap
from billing.period import Period
from billing.reports.collection import LAST_BILLED, last_billed
from billing.reports.rollups import fold
from billing.voids import void_run
from tests.billing.corrections import BEHIND, staff
from tests.billing.paper import at
from tests.conftest import TODAY, World

NOVEMBER, DECEMBER, JANUARY = Period("2026-11"), Period("2026-12"), Period("2027-01")
DAY = timedelta(days=1)
EARLY = date(2026, 11, 28)
LATER = EARLY + 2 * DAY


def bill(world: World, period: Period, on: date = EARLY) -> int:
    """Issue the bills of a month; the number of their run."""
    summary = run_bills(world.database, world.community, period, today=on, now=at(on), publish=True)
    assert summary.run_id is not None
    return summary.run_id


def bill_and_take_back(world: World) -> None:
    """The bills of two months are issued too early, and voided on the day after."""
    for run_id in [bill(world, month) for month in (DECEMBER, JANUARY)]:
        take_back(world, run_id)


def take_back(world: World, run_id: int) -> None:
    """Void a run on the day after."""
    on = EARLY + DAY
    void_run(
        world.database,
        world.community.id,
        run_id,
        after=AfterVoid.REDO,
        reason="单价有误",
        by=staff(world, "zhao"),
        today=on,
        now=at(on),
    )


def charge_late_fees(world: World) -> None:
    """A home is billed for being late, in a month that nobody else is billed for yet."""
    on = DECEMBER.start
    with world.database.transaction() as session:
        set_policy(
            session,
            world.community.id,
            effective_from=date(2026, 1, 1),
            daily_rate=Decimal("0.001"),
            grace_days=0,
            cap=LateFeeCap.PRINCIPAL,
            document="合同第九条",
        )
    with world.database.transaction() as session:
        unit_id = world.unit(BEHIND).id
        assert issue_late_fees(session, world.community, unit_id, today=on, now=at(on))


TRIGGERS = (bill_and_take_back, charge_late_fees)


def last(world: World) -> Period | None:
    with world.database.transaction() as session:
        return last_billed(session, world.community.id)


def drops(world: World) -> list[Finding]:
    with world.database.transaction() as session:
        return find_rate_drops(session, world.community.id, DECEMBER.start + DAY)


@pytest.mark.parametrize("happens", TRIGGERS)
def test_the_last_month_stays_what_owners_were_billed_for(
    world: World, happens: Callable[[World], None]
) -> None:
    happens(world)
    with world.database.transaction() as session:
        newest = session.scalar(text("SELECT max(period) FROM collection_move"))
    assert newest > str(NOVEMBER)
    assert last(world) == NOVEMBER
    with world.database.transaction() as session:
        fold(session, world.community.id)
    assert last(world) == NOVEMBER


def test_a_month_that_is_billed_anew_is_the_last(world: World) -> None:
    bill_and_take_back(world)
    bill(world, DECEMBER, LATER)
    assert last(world) == DECEMBER


def test_who_was_billed_for_nothing_has_no_last_month(database: Database) -> None:
    with database.transaction() as session:
        assert last_billed(session, 1) is None


@pytest.mark.parametrize("happens", TRIGGERS)
def test_a_building_that_pays_less_is_still_found(
    world: World, happens: Callable[[World], None]
) -> None:
    with world.database.transaction() as session:
        session.execute(
            text(  # everybody pays all at once, but building 1 its last month
                "UPDATE collection_move SET paid = CASE WHEN due = 0 OR period = :period AND"
                " building_id = (SELECT id FROM building WHERE code = '1') THEN 0 ELSE due END"
            ),
            {"period": str(NOVEMBER)},
        )
    before = drops(world)
    assert [one.data["period"] for one in before] == [str(NOVEMBER)]
    happens(world)
    assert drops(world) == before


def test_it_is_found_by_the_index(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO collection_move (community_id, period, due_on, building_id, item_id,"
                " moved_on, due, paid, is_folded)"
                " SELECT community_id, period, due_on, building_id, item_id, moved_on - day, 1, 0,"
                " true FROM collection_move, generate_series(1, 100) day"
            )
        )
        session.execute(text("ANALYZE collection_move"))
        read = text(f"EXPLAIN {LAST_BILLED}").bindparams(
            community_id=world.community.id, as_of=TODAY, months=1
        )
        plan = "\n".join(session.scalars(read))
    assert "Backward using ix_collection_move_period" in plan
    assert "Seq Scan on collection_move" not in plan, plan
