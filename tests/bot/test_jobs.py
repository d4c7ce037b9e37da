"""What cron enqueues does its work when a worker runs it."""

from collections.abc import Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from billing.bindings import issue_code, redeem_code, see_follower
from billing.people import Binding, BindingState, Occupancy, ResidentRole
from billing.property import Unit
from bot import jobs
from bot.program import Program
from bot.schedule import SCHEDULE
from tests.billing.paper import person
from tests.conftest import NOW
from tests.town import Town


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
