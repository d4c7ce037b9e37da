"""Reports say what the raw rows say, and their parts sum to the whole."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from billing.adjustment_tables import AdjustmentKind, AfterVoid
from billing.adjustments import approve_adjustment, request_adjustment
from billing.bills import list_unpaid
from billing.money import ZERO, Money
from billing.people import get_staff
from billing.period import Period
from billing.reports.arrears import list_arrears
from billing.reports.collection import Part, collected, collected_by, last_billed
from billing.reports.scope import Scope
from billing.tariffs import FeeKind
from billing.voids import void_bill
from tests.billing.corrections import BEHIND, IN_TIME, bill_of, lines_of, owed
from tests.billing.drawer import take
from tests.billing.paper import Line, pay, write_bill
from tests.conftest import NOW, TODAY, World

NOVEMBER = Period("2026-11")
MAY = (date(2026, 5, 1), date(2026, 6, 1))


def whole(world: World, as_of: date = TODAY, **scope: object) -> tuple[Money, Money]:
    """Due and paid of a scope."""
    with world.database.transaction() as session:
        found = collected(session, Scope(world.community.id, **scope), as_of)  # type: ignore[arg-type]
    return found.due, found.paid


def test_due_and_paid_are_the_sums_of_the_rows(world: World) -> None:
    with world.database.transaction() as session:
        take(session, world, IN_TIME, "100.00")
        raw = session.execute(
            text(
                "SELECT (SELECT sum(amount) FROM bill),"
                " (SELECT sum(amount) FROM payment_allocation)"
            )
        ).one()
    assert whole(world) == (Money(int(raw[0])), Money(int(raw[1])))


def test_the_parts_of_a_month_sum_to_it_by_building_and_by_fee(world: World) -> None:
    month = {"first": NOVEMBER, "last": NOVEMBER}
    due, _ = whole(world, **month)
    by_fee = [whole(world, fees=(fee,), **month)[0] for fee in FeeKind]
    assert sum(by_fee, ZERO) == due
    by_code = [whole(world, buildings=(code,), **month)[0] for code in ("1", "2", "3")]
    assert sum(by_code, ZERO) == due
    assert all(part > ZERO for part in by_code)
    entrances = [whole(world, entrance=("3", code), **month)[0] for code in ("1", "2")]
    assert sum(entrances, ZERO) == by_code[2]


@pytest.mark.parametrize("part", Part)
def test_the_parts_of_a_collection_sum_to_the_whole(world: World, part: Part) -> None:
    with world.database.transaction() as session:
        take(session, world, IN_TIME, "100.00")
        scope = Scope(world.community.id)
        parts = collected_by(session, part, scope, TODAY)
        all_of_it = collected(session, scope, TODAY)
    assert len(parts) > 1
    assert sum((one.due for one in parts), ZERO) == all_of_it.due
    assert sum((one.paid for one in parts), ZERO) == all_of_it.paid
    if part in (Part.BUILDING, Part.ENTRANCE):
        assert sum(one.homes for one in parts) == all_of_it.homes == 24
        assert sum(one.homes_paid for one in parts) == all_of_it.homes_paid


def test_waivers_and_voids_count_from_their_day(world: World) -> None:
    yesterday, before = TODAY - timedelta(days=1), whole(world)[0]
    [line, *_] = lines_of(world, bill_of(world, BEHIND, "2026-10"))
    with world.database.transaction() as session:
        waiver = request_adjustment(
            session,
            world.community.id,
            line.id,
            kind=AdjustmentKind.WAIVER,
            amount=-Money(100),
            reason="电梯停运",
            by=get_staff(session, "liu"),
            now=NOW,
        )
        zhao = get_staff(session, "zhao")
        approve_adjustment(session, world.community.id, waiver.id, by=zhao, today=TODAY, now=NOW)
    assert whole(world)[0] == before - Money(100)
    assert whole(world, yesterday)[0] == before
    voided = bill_of(world, BEHIND, "2026-09")
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            voided.id,
            after=AfterVoid.REDO,
            reason="错账",
            by=get_staff(session, "zhao"),
            today=TODAY,
            now=NOW,
        )
    assert whole(world)[0] == before - Money(100) - voided.amount
    assert whole(world, yesterday)[0] == before


def test_arrears_agree_with_the_bills_of_every_home(world: World) -> None:
    with world.database.transaction() as session:
        scope = Scope(world.community.id)
        found = list_arrears(session, scope, TODAY)
        assert len(found) > 1
        for one in found:
            unpaid = list_unpaid(session, world.community.id, [one.unit_id])
            late = [bill for bill in unpaid if bill.due_on < TODAY]
            assert one.owed == sum((bill.outstanding for bill in late), ZERO)
            assert one.periods == len({bill.period for bill in late})
            assert one.oldest_due_on == late[0].due_on


def test_a_bill_counts_from_the_day_it_was_issued_and_money_from_its_day(world: World) -> None:
    assert whole(world, date(2020, 1, 1)) == (ZERO, ZERO)
    with world.database.transaction() as session:
        take(session, world, BEHIND, "50.00")
    _, before = whole(world, date(2026, 11, 22))
    assert whole(world)[1] == before + Money(5000)


def test_a_discounted_bill_that_is_paid_is_no_month_of_arrears(world: World) -> None:
    def behind() -> tuple[int, Money]:
        with world.database.transaction() as session:
            found = list_arrears(session, Scope(world.community.id), TODAY)
        [one] = [one for one in found if one.room == BEHIND]
        return one.periods, one.owed

    before = behind()
    paper = [Line("100.00", days=MAY), Line("-10.00", days=MAY, source=1)]
    with world.database.transaction() as session:
        bill_id = write_bill(session, world, BEHIND, paper, issued_on=MAY[0], due=date(2026, 5, 20))
        pay(session, world, BEHIND, "90.00", date(2026, 5, 10), bill_id)
    assert behind() == before


def test_the_last_billed_period(world: World) -> None:
    with world.database.transaction() as session:
        assert last_billed(session, world.community.id) == NOVEMBER


def test_arrears_are_what_is_overdue_and_go_when_it_is_paid(world: World) -> None:
    with world.database.transaction() as session:
        found = list_arrears(session, Scope(world.community.id), TODAY)
        [behind] = [one for one in found if one.room == BEHIND]
        assert behind.oldest_due_on < TODAY
        assert behind.owed <= owed(world, BEHIND)
        more = list_arrears(session, Scope(world.community.id), TODAY, behind.owed + Money(1))
        assert BEHIND not in [one.room for one in more]
    with world.database.transaction() as session:
        take(session, world, BEHIND, owed(world, BEHIND).yuan)
    with world.database.transaction() as session:
        rooms = [one.room for one in list_arrears(session, Scope(world.community.id), TODAY)]
    assert BEHIND not in rooms
