"""Tickets: opened once per matter, answered once, and what a dispute holds back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from billing.bill_lines import LineState, list_lines
from billing.bills import find_bills, list_unpaid
from billing.bindings import see_follower
from billing.db import Database
from billing.disputes import disputed_amounts, disputed_lines
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.money import ZERO
from billing.people import get_staff
from billing.privacy import Vault
from billing.ticket_tables import Ticket, TicketKind, TicketSentence, TicketState
from billing.tickets import (
    SAME_MATTER,
    Matter,
    answer_ticket,
    close_ticket,
    find_tickets,
    open_ticket,
)
from tests.billing.paper import pay
from tests.conftest import NOW, TODAY, World, many_rounds

LI = "1-1-302"
"""Three months behind."""


def follower(session: Session, openid: str = "o-li") -> int:
    person = see_follower(session, openid, NOW)
    session.flush()
    return person.id


def oldest_lines(session: Session, world: World) -> list[LineState]:
    """Of the home's oldest unpaid bill."""
    unit = world.unit(LI)
    [bill, *_] = list_unpaid(session, unit.community_id, [unit.id])
    return list_lines(session, unit.community_id, [bill.id])


def dispute(session: Session, world: World, line: LineState, openid: str = "o-li") -> Matter:
    unit = world.unit(LI)
    return Matter(
        community_id=unit.community_id,
        follower_id=follower(session, openid),
        kind=TicketKind.DISPUTE,
        unit_id=unit.id,
        line=line,
    )


def opened(session: Session, world: World, vault: Vault) -> Ticket:
    """A ticket on the first line of the oldest unpaid bill."""
    matter = dispute(session, world, oldest_lines(session, world)[0])
    return open_ticket(session, vault, matter, "水费不对，找13800001234", NOW)[0]


def test_what_was_said_is_sealed_and_masked(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        ticket = opened(session, world, vault)
        [sentence] = session.scalars(select(TicketSentence))
        assert "1380000" not in sentence.sealed + sentence.masked
        assert vault.open(sentence.sealed) == "水费不对，找13800001234"
        key = (ticket.community_id, ticket.id)
        assert find_tickets(session, [key])[key] == (ticket, "水费不对，找【电话】")


def test_the_same_line_again_is_added_and_after_the_answer_new(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        matter = dispute(session, world, oldest_lines(session, world)[0])
        first, is_new = open_ticket(session, vault, matter, "不对", NOW)
        assert is_new
        later = NOW + timedelta(days=30)
        assert open_ticket(session, vault, matter, "真的不对", later) == (first, False)
        by = get_staff(session, "liu")
        answer_ticket(session, first.community_id, first.id, answer="已核实", by=by, now=later)
        second, is_new = open_ticket(session, vault, matter, "还是不对", later)
        assert is_new
        assert second.id != first.id


def test_another_matter_is_the_same_for_a_day(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        matter = Matter(world.community.id, follower(session), TicketKind.HUMAN)
        first, _ = open_ticket(session, vault, matter, "来人", NOW)
        just_before = NOW + SAME_MATTER - timedelta(seconds=1)
        assert open_ticket(session, vault, matter, "来人啊", just_before) == (first, False)
        second, is_new = open_ticket(session, vault, matter, "来人", NOW + SAME_MATTER)
        assert (is_new, second.id == first.id) == (True, False)
        facts = session.scalars(
            select(Fact).where(Fact.kind == FactKind.TICKET_OPENED).order_by(Fact.id)
        ).all()
        assert [fact.ref_id for fact in facts] == [first.id, second.id]


@many_rounds
@pytest.mark.parametrize("with_line", [True, False])
def test_two_at_once_open_one(
    world: World, vault: Vault, engine_for: Callable[[str], Engine], with_line: bool
) -> None:
    with world.database.transaction() as session:
        matter = Matter(world.community.id, follower(session), TicketKind.HUMAN)
        if with_line:
            matter = dispute(session, world, oldest_lines(session, world)[0])

    def cry(text: str) -> bool:
        with Database(engine_for(world.url), lambda: None).transaction() as session:
            return open_ticket(session, vault, matter, text, NOW)[1]

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(cry, ("一", "二"))) == [False, True]
    with world.database.transaction() as session:
        assert len(session.scalars(select(Ticket)).all()) == 1
        assert len(session.scalars(select(TicketSentence)).all()) == 2


def test_nothing_said_is_refused(world: World, vault: Vault) -> None:
    with world.database.transaction() as session, pytest.raises(InvalidInput, match="sentence"):
        matter = Matter(world.community.id, follower(session), TicketKind.HUMAN)
        open_ticket(session, vault, matter, "  ", NOW)


def test_an_answer_is_given_once_and_told(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        ticket = opened(session, world, vault)
        by = get_staff(session, "liu")
        where = (session, ticket.community_id, ticket.id)
        with pytest.raises(InvalidInput, match="answer"):
            answer_ticket(*where, answer=" ", by=by, now=NOW)
        answer_ticket(*where, answer="已核实", by=by, now=NOW)
        with pytest.raises(Conflict, match="answered already"):
            answer_ticket(*where, answer="又核实", by=by, now=NOW)
        [fact] = session.scalars(select(Fact).where(Fact.kind == FactKind.TICKET_ANSWERED))
        assert (fact.ref_id, fact.data) == (ticket.id, {"follower_id": ticket.follower_id})
        with pytest.raises(NotFound, match="no ticket 999"):
            answer_ticket(session, ticket.community_id, 999, answer="x", by=by, now=NOW)


def test_a_dispute_is_not_closed_unanswered(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        ticket = opened(session, world, vault)
        by = get_staff(session, "liu")
        where = (session, ticket.community_id, ticket.id)
        with pytest.raises(Conflict, match="answer it first"):
            close_ticket(*where, by=by, now=NOW)
        answer_ticket(*where, answer="已核实", by=by, now=NOW)
        close_ticket(*where, by=by, now=NOW)
        assert close_ticket(*where, by=by, now=NOW + SAME_MATTER).closed_at == NOW
        assert ticket.state is TicketState.CLOSED


def test_disputed_is_what_is_still_owed_on_the_line(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        ticket = opened(session, world, vault)
        [line, *_] = oldest_lines(session, world)
        key = (ticket.community_id, line.bill_id)
        assert disputed_amounts(session) == disputed_amounts(session, [key])
        assert disputed_amounts(session) == {key: line.outstanding}
        assert line.outstanding > ZERO
        assert disputed_amounts(session, [(ticket.community_id, line.bill_id + 1)]) == {}
        assert disputed_lines(session, ticket.community_id, [line.bill_id]) == {line.id}
        [bill] = find_bills(session, ticket.community_id, [line.bill_id])
        pay(session, world, LI, bill.outstanding.yuan, TODAY, bill.id)
        assert disputed_amounts(session) == {key: ZERO}
