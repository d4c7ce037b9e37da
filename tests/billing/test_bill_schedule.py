"""Bills make themselves: on the billing day, missed months first, and staff see them before."""

from datetime import date, datetime

import pytest
from sqlalchemy import text

from billing.bill_run import run_bills
from billing.bill_schedule import (
    list_due_communities,
    missed_periods,
    next_billing_day,
    run_due,
    set_due_day,
)
from billing.business_day import BEIJING
from billing.errors import InvalidInput
from billing.ledger import ensure_accounts
from billing.people import get_staff
from billing.period import Period
from billing.property import Community
from billing.run_preview import preview_run
from tests.conftest import NOW, World

DECEMBER = Period("2026-12")


def set_community(world: World, assignment: str) -> None:
    with world.database.transaction() as session:
        session.execute(text(f"UPDATE community SET {assignment}"))


def due(world: World, today: date) -> list[str]:
    with world.database.transaction() as session:
        return [community.code for community in list_due_communities(session, today)]


def made(world: World, period: str) -> tuple[int, int]:
    """Bills of a month, and how many of them are issued."""
    with world.database.transaction() as session:
        row = session.execute(
            text(
                "SELECT count(*), count(*) FILTER (WHERE state = 'issued') FROM bill"
                " JOIN bill_run_chunk chunk USING (community_id, run_id)"
                " WHERE chunk.no = bill.chunk_no AND period = :period"
            ),
            {"period": period},
        ).one()
        return row[0], row[1]


def act(world: World, today: date) -> dict[str, int]:
    now = datetime(today.year, today.month, today.day, 5, 30, tzinfo=BEIJING)
    done = run_due(world.database, today=today, now=now)
    return {code: sum(run.created for run in runs) for code, runs in done.items()}


def test_a_community_is_billed_once_its_day_has_come(world: World) -> None:
    set_community(world, "billing_day = 5")
    assert due(world, date(2026, 12, 4)) == []
    assert due(world, date(2026, 12, 5)) == ["HY"]
    assert act(world, date(2026, 12, 5))["HY"] > 24
    assert made(world, "2026-12") == (24, 24)
    assert due(world, date(2026, 12, 6)) == []
    assert act(world, date(2026, 12, 6)) == {}


def test_a_community_that_wants_to_look_first_gets_drafts(world: World) -> None:
    set_community(world, "publishes_itself = false")
    act(world, date(2026, 12, 1))
    assert made(world, "2026-12") == (24, 0)


def test_months_that_were_missed_are_billed_first_and_in_order(world: World) -> None:
    with world.database.transaction() as session:
        assert missed_periods(session, world.community.id, Period("2027-02")) == [
            Period("2026-12"),
            Period("2027-01"),
            Period("2027-02"),
        ]
    act(world, date(2027, 2, 1))
    assert made(world, "2026-12") == made(world, "2027-01") == made(world, "2027-02") == (24, 24)
    with world.database.transaction() as session:
        runs = session.scalars(text("SELECT period FROM bill_run ORDER BY id")).all()
    assert runs[-3:] == ["2026-12", "2027-01", "2027-02"]


def test_what_was_parked_while_nobody_looked_is_an_alert_and_what_was_not_is_none(
    world: World,
) -> None:
    kept = text("SELECT kind, community_id, data FROM alert")
    act(world, date(2026, 12, 1))
    with world.database.transaction() as session:
        assert session.execute(kept).all() == []
        session.execute(
            text(
                "UPDATE tariff"
                ' SET price = \'{"method": "area", "unit_price": "3.45", "per": "month"}\''
                " WHERE item_id = (SELECT id FROM charge_item WHERE code = 'parking')"
            )
        )
        spaces = session.scalar(text("SELECT count(*) FROM parking_space"))
    for day in (1, 2):
        act(world, date(2027, 1, day))
    with world.database.transaction() as session:
        [found] = session.execute(kept)
        told = session.scalar(text("SELECT count(*) FROM fact WHERE kind = 'alert_raised'"))
    assert tuple(found) == (
        "charges_parked",
        world.community.id,
        {"period": "2027-01", "charges": spaces},
    )
    assert told == 1


def test_a_community_never_billed_begins_with_the_month_asked_for(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(text("UPDATE bill_run SET kind = 'opening'"))
        assert missed_periods(session, world.community.id, DECEMBER) == [DECEMBER]


def draft(world: World) -> None:
    run_bills(
        world.database, world.community, DECEMBER, today=DECEMBER.start, now=NOW, publish=False
    )


def test_a_preview_sums_to_the_drafts_by_item_and_by_building(world: World) -> None:
    draft(world)
    with world.database.transaction() as session:
        preview = preview_run(session, world.community.id, DECEMBER)
        total = session.scalar(text("SELECT sum(amount) FROM bill WHERE period = '2026-12'"))
    assert sum(row["amount"] for row in preview.by_item) == total
    assert sum(row["amount"] for row in preview.by_building) == total
    assert sum(row["bills"] for row in preview.by_building) == 24
    assert [row["code"] for row in preview.by_item] == ["property", "parking", "garbage"]
    assert (preview.outliers, preview.left_out) == ([], {})


def test_a_preview_names_who_is_left_out_and_a_mended_cause_vanishes(world: World) -> None:
    mine = world.unit("1-1-101")
    stop = text("UPDATE subject SET billable_to = :day WHERE id = :id")
    with world.database.transaction() as session:
        session.execute(stop, {"day": "2026-11-30", "id": mine.id})
    draft(world)
    with world.database.transaction() as session:
        left = preview_run(session, world.community.id, DECEMBER).left_out["not_billable"]
        assert (left.charges, left.subjects) == (2, ["1-1-101", "1-1-101"])
        assert left.items == {"property": 1, "garbage": 1}
        session.execute(stop, {"day": None, "id": mine.id})
        assert preview_run(session, world.community.id, DECEMBER).left_out == {}


def test_a_line_far_from_the_homes_own_months_is_an_outlier(world: World) -> None:
    mine = world.unit("1-1-101")
    with world.database.transaction() as session:
        session.execute(
            text("UPDATE unit SET billable_area_m2 = 10 * billable_area_m2 WHERE id = :id"),
            {"id": mine.id},
        )
    draft(world)
    with world.database.transaction() as session:
        preview = preview_run(session, world.community.id, DECEMBER)
    (outlier,) = preview.outliers
    assert (outlier["room"], outlier["item"]) == ("1-1-101", "property")
    assert outlier["amount_fen"] > 9 * outlier["usual_fen"]
    assert preview.outliers_found == 1
    assert preview.as_json()["outliers"] == [outlier]


def test_a_month_run_ahead_hides_no_month_before_it(world: World) -> None:
    run_bills(
        world.database,
        world.community,
        Period("2027-01"),
        today=date(2027, 1, 1),
        now=NOW,
        publish=False,
    )
    with world.database.transaction() as session:
        assert missed_periods(session, world.community.id, DECEMBER) == [DECEMBER]


SECOND_COMMUNITY = """
    INSERT INTO community (code, name, company, service_phone, billing_day, due_day,
                           due_month_offset)
    VALUES ('AA', 'AA', 'AA', '1', 1, 31, 0);
    INSERT INTO building (community_id, id, code, name)
    SELECT id, 1, '1', '1' FROM community WHERE code = 'AA';
    INSERT INTO subject (community_id, id, kind, code, unit_id, billable_from)
    SELECT id, 1, 'home', '1-101', 1, '2020-01-01' FROM community WHERE code = 'AA';
    INSERT INTO unit (community_id, id, building_id, room, floor, billable_area_m2)
    SELECT id, 1, 1, '1-101', 1, 100 FROM community WHERE code = 'AA';
    INSERT INTO charge_item (community_id, id, code, name, fee, subject_kind, cycle_months,
                             active_from)
    SELECT id, 1, 'x', 'x', 'property', 'home', 1, '2026-12-01' FROM community WHERE code = 'AA';
    INSERT INTO tariff (community_id, item_id, effective_from, price, basis_document, created_at)
    SELECT id, 1, '2026-12-01', '{"method": "flat", "unit_price": "1.00", "per": "month"}', '-',
           now() FROM community WHERE code = 'AA'
"""


def test_one_community_that_fails_does_not_stop_the_next(world: World) -> None:
    with world.database.transaction() as session:
        # The first community's prices cannot be read any more.
        session.execute(text('UPDATE tariff SET price = \'{"method": "magic"}\''))
        for statement in SECOND_COMMUNITY.split(";"):
            session.execute(text(statement.replace(":", "\\:")))
        second = session.scalars(text("SELECT id FROM community WHERE code = 'AA'")).one()
        ensure_accounts(session, second, {"x": "x"})
    with pytest.raises(ExceptionGroup) as caught:
        act(world, date(2026, 12, 1))
    notes = [error.__notes__ for error in caught.value.exceptions]
    assert notes == [["bill run of community HY"]]
    assert made(world, "2026-12") == (1, 1)


def test_the_next_billing_day_is_never_today(world: World) -> None:
    with world.database.transaction() as session:
        community = session.get_one(Community, world.community.id)
        community.billing_day = 28
        assert next_billing_day(community, date(2026, 12, 27)) == date(2026, 12, 28)
        assert next_billing_day(community, date(2026, 12, 28)) == date(2027, 1, 28)
        assert next_billing_day(community, date(2027, 1, 31)) == date(2027, 2, 28)


def test_who_keeps_no_books_sets_no_due_day(world: World) -> None:
    with world.database.transaction() as session:
        before = session.get_one(Community, world.community.id).due_day
        with pytest.raises(InvalidInput, match="this takes"):
            set_due_day(
                session,
                world.community.id,
                due_day=before - 1,
                due_month_offset=0,
                by=get_staff(session, "liu"),
            )
        assert session.get_one(Community, world.community.id).due_day == before
