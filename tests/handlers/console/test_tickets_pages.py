"""Tickets in the console: read in full by whoever sees to them, answered once, closed."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.bindings import see_follower
from billing.facts import Fact, FactKind
from billing.people import StaffRole, get_staff
from billing.sightings import Sighting
from billing.ticket_tables import Ticket, TicketKind, TicketState
from billing.tickets import Matter, answer_ticket, open_ticket
from bot.program import Program
from tests.conftest import World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk
from tests.handlers.console.test_decisions_at_once import meanwhile

MakeClerk = Callable[..., Clerk]
SAID = "水费不对，我电话13800001234"


@pytest.fixture
def ticket(program: Program, world: World) -> int:
    """张阿姨 disputes her water."""
    services = program.services
    with services.database.transaction() as session:
        follower = see_follower(session, "oZhang", services.clock())
        matter = Matter(
            community_id=world.community.id,
            follower_id=follower.id,
            kind=TicketKind.DISPUTE,
            unit_id=world.unit("3-2-501").id,
        )
        return open_ticket(session, services.vault, matter, SAID, services.clock())[0].id


def state_of(program: Program, world: World, number: int) -> TicketState:
    with program.services.database.transaction() as session:
        return session.get_one(Ticket, (world.community.id, number)).state


def test_whoever_sees_to_it_reads_it_in_full_and_the_home_learns_of_it(
    clerk: MakeClerk, ticket: int, program: Program
) -> None:
    desk = clerk(StaffRole.SERVICE)
    assert "3-2-501" in desk.get("/HY/tickets").text
    assert SAID not in desk.get("/HY/tickets").text
    assert SAID in desk.get(f"/HY/tickets/{ticket}").text
    with program.services.database.transaction() as session:
        assert session.scalar(select(Sighting.staff_id)) == desk.staff_id


def test_an_answer_reaches_the_owner_once(
    clerk: MakeClerk, ticket: int, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.SERVICE)
    for status in (303, 422):
        answer = desk.post(f"/HY/tickets/{ticket}/answer", state="open", answer="已复核，抄表无误")
        assert answer.status_code == status
    assert "刚刚被别人处理过" in answer.text
    assert state_of(program, world, ticket) is TicketState.ANSWERED
    with program.services.database.transaction() as session:
        told = select(Fact.id).where(Fact.kind == FactKind.TICKET_ANSWERED)
        assert len(session.scalars(told).all()) == 1


def test_an_empty_answer_is_refused_at_its_field(clerk: MakeClerk, ticket: int) -> None:
    answer = clerk(StaffRole.SERVICE).post(f"/HY/tickets/{ticket}/answer", state="open", answer=" ")
    assert answer.status_code == 422
    assert "请填写" in answer.text


def test_a_dispute_is_answered_before_it_is_closed(
    clerk: MakeClerk, ticket: int, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.SERVICE)
    refused = desk.post(f"/HY/tickets/{ticket}/close", state="open")
    assert refused.status_code == 422
    assert "请先答复再关闭" in refused.text
    desk.post(f"/HY/tickets/{ticket}/answer", state="open", answer="已复核")
    assert desk.post(f"/HY/tickets/{ticket}/close", state="answered").status_code == 303
    assert state_of(program, world, ticket) is TicketState.CLOSED


def test_a_ticket_there_is_not_is_not_found(clerk: MakeClerk) -> None:
    assert clerk(StaffRole.MANAGER).get("/HY/tickets/999999").status_code == 404


def test_the_second_of_two_who_answer_at_once_is_told_and_nothing_goes_out_twice(
    clerk: MakeClerk, ticket: int, world: World, clock: Clock
) -> None:
    boss = clerk(StaffRole.MANAGER)

    def answer_first(session: Session) -> None:
        by = get_staff(session, "liu")
        answer_ticket(
            session, world.community.id, ticket, answer="已派人查看", by=by, now=clock.now
        )

    path = f"/HY/tickets/{ticket}"
    late = meanwhile(
        world,
        answer_first,
        lambda: boss.post(f"{path}/answer", state="open", answer="抄表无误"),
    )
    assert late.status_code == 422
    assert "抄表无误" in late.text  # what was typed
    assert "已派人查看" in boss.get(path).text
    with world.database.transaction() as session:
        told = select(func.count()).where(Fact.kind == FactKind.TICKET_ANSWERED)
        assert session.scalar(told) == 1
