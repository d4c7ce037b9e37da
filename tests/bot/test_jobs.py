"""What cron enqueues does its work when a worker runs it."""

from collections.abc import Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import create_engine, select, text

from billing.alerts import Alert, AlertKind, Severity, close_alert
from billing.bindings import issue_code, redeem_code, see_follower
from billing.people import Binding, BindingState, Occupancy, ResidentRole
from billing.property import Unit
from bot import jobs
from bot.program import Program
from bot.schedule import SCHEDULE
from tests.billing.paper import person
from tests.conftest import NOW
from tests.town import Town

CHECK = "a bill is the sum of its lines"


@pytest.fixture
def worker(town: Town) -> Iterator[Town]:
    """A process whose jobs work on the town's books."""
    before = list(jobs._installed)
    jobs._installed[:] = [cast(Program, SimpleNamespace(services=town.services))]
    yield town
    jobs._installed[:] = before


def rent_until(town: Town, to_on: date) -> Unit:
    unit = town.world.unit("3-2-501")
    with town.world.database.transaction() as session:
        session.add(
            Occupancy(
                community_id=unit.community_id,
                unit_id=unit.id,
                resident_id=person(session, town.world),
                role=ResidentRole.TENANT,
                from_on=date(2026, 1, 1),
                to_on=to_on,
            )
        )
    return unit


def test_tenants_who_moved_out_are_unbound_at_night(worker: Town) -> None:
    assert jobs.run_unbinding in {planned.job for planned in SCHEDULE}
    unit = rent_until(worker, date(2026, 11, 24))
    with worker.world.database.transaction() as session:
        code = issue_code(
            session,
            worker.vault,
            community_id=unit.community_id,
            unit_id=unit.id,
            role=ResidentRole.TENANT,
            now=NOW,
        )
        tenant = see_follower(session, "o-tenant", NOW)
        redeem_code(session, worker.vault, tenant, code, NOW)
    assert jobs.run_unbinding() == {"ended": 0}
    worker.now += timedelta(days=1)
    assert jobs.run_unbinding() == {"ended": 1}
    with worker.world.database.transaction() as session:
        assert [one.state for one in session.query(Binding)] == [BindingState.ENDED]


def falsify(town: Town, statement: str) -> None:
    """Do to the books, as the owner of the tables and past their triggers, what nobody may."""
    engine = create_engine(town.world.url)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    engine.dispose()


def check_alerts(town: Town) -> list[Alert]:
    with town.world.database.transaction() as session:
        query = select(Alert).where(Alert.kind == AlertKind.CHECK_FAILED).order_by(Alert.id)
        return list(session.scalars(query))


def test_the_books_are_checked_every_night_among_the_long_jobs() -> None:
    [planned] = [one for one in SCHEDULE if one.job is jobs.run_checking]
    assert planned.urgency is None
    assert planned.cron is not None
    assert planned.timeout_seconds is not None


def test_books_that_are_whole_alert_nobody(worker: Town) -> None:
    assert jobs.run_checking() == {"failed": 0, "raised": 0}
    assert check_alerts(worker) == []


def test_a_check_that_fails_is_told_once_until_somebody_closed_it(worker: Town) -> None:
    falsify(worker, "UPDATE bill SET amount = amount + 1 WHERE id IN (1, 2)")
    first = jobs.run_checking()
    assert first["failed"] > 1, "the journal does not agree either"
    assert first["raised"] == first["failed"]
    assert jobs.run_checking() == {**first, "raised": 0}
    [alert] = [one for one in check_alerts(worker) if one.data["check"] == CHECK]
    assert alert.community_id == worker.world.community.id
    assert alert.severity is Severity.HIGH
    assert alert.data == {"check": CHECK, "violations": 2, "first": ["1", "2"]}
    with worker.world.database.transaction() as session:
        close_alert(session, alert.id, worker.now, reason="mended")
    assert jobs.run_checking() == {**first, "raised": 1}
