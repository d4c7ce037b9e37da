"""Two people decide about one broadcast at once: the second decides on what the first left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from billing.db import Database
from billing.errors import Conflict
from billing.people import Staff, StaffRole, get_staff
from notify import broadcasts
from notify.broadcast_sending import send_due
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import cancel_broadcast, confirm_broadcast, get_broadcast
from tests.notify.conftest import Town
from tests.notify.test_broadcasts import BEHIND, IN_TIME, again, confirm, draft
from tests.waiting import wait_until_somebody_waits

Meanwhile = Callable[[Broadcast, Callable[[Session], object], Callable[[Session], object]], None]


@pytest.fixture
def meanwhile(town: Town, engine_for: Callable[[str], Engine]) -> Meanwhile:
    """The second decides who has read the broadcast before, and waits for what the first does."""
    other = Database(engine_for(town.world.url), after_facts=lambda: None)

    def run(
        one: Broadcast, first: Callable[[Session], object], second: Callable[[Session], object]
    ) -> None:
        def decide() -> None:
            with other.transaction() as session:
                seen = get_broadcast(session, one.community_id, one.id)
                assert seen.state is one.state
                second(session)

        with ThreadPoolExecutor(1) as pool:
            with town.world.database.transaction() as session:
                first(session)
                session.flush()
                late = pool.submit(decide)
                wait_until_somebody_waits(town.world)
            late.result(timeout=30)

    return run


def test_of_two_who_approve_the_first_has_approved(
    town: Town, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 1)
    town.bind(IN_TIME, "Zhang")
    town.bind(BEHIND, "Li")
    with town.world.database.transaction() as session:
        session.add(Staff(login="sun", name="孙", role=StaffRole.SERVICE))
        first = get_staff(session, "liu").id
    one, now = confirm(town, draft(town)), town.clock.now

    def approve(session: Session, login: str) -> Broadcast:
        by = get_staff(session, login)
        return confirm_broadcast(session, one.community_id, one.id, by=by, now=now)

    meanwhile(one, lambda session: approve(session, "liu"), lambda session: approve(session, "sun"))
    kept = again(town, one)
    assert (kept.state, kept.approved_by) == (BroadcastState.QUEUED, first)


def test_what_was_taken_back_meanwhile_is_not_confirmed(town: Town, meanwhile: Meanwhile) -> None:
    town.bind(IN_TIME, "Zhang")
    one, now = draft(town), town.clock.now

    def take_back(session: Session) -> None:
        cancel_broadcast(session, one.community_id, one.id, by=get_staff(session, "liu"), now=now)

    def say_yes(session: Session) -> None:
        with pytest.raises(Conflict, match="was cancelled"):
            confirm_broadcast(
                session, one.community_id, one.id, by=get_staff(session, "zhao"), now=now
            )

    meanwhile(one, take_back, say_yes)
    assert again(town, one).state is BroadcastState.CANCELLED


def test_what_left_meanwhile_is_stopped_where_it_would_have_been_cancelled(
    town: Town, meanwhile: Meanwhile
) -> None:
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, draft(town))
    town.clock.advance(minutes=1)
    now = town.clock.now

    def take_back(session: Session) -> None:
        cancel_broadcast(session, one.community_id, one.id, by=get_staff(session, "liu"), now=now)

    meanwhile(one, lambda session: send_due(session, now), take_back)
    kept = again(town, one)
    assert (kept.state, kept.sent_at, kept.cancelled_at) == (BroadcastState.STOPPED, now, now)
    assert town.notices() == [("broadcast", "suppressed", "stopped")]
