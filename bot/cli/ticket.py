"""`mingzhang ticket`: what owners dispute and ask for, answered and closed by staff."""

from datetime import datetime, time
from typing import Any

import click

from billing.people import StaffRole, require_role
from billing.property import Unit, get_community
from billing.service_desk import set_service_desk
from billing.ticket_tables import Ticket, TicketState
from billing.tickets import (
    answer_ticket,
    close_ticket,
    find_tickets,
    get_ticket,
    list_sentences,
    list_tickets,
)
from bot.cli.installation import Books, open_books, open_program, print_json
from bot.cli.options import NUMBER, CodeParameter, by_option, community_option

DESK_MANAGERS = frozenset({StaffRole.MANAGER})


@click.group()
def ticket() -> None:
    """Disputes, requests for a person, complaints (工单)."""


identifier = click.argument("ticket_id", type=NUMBER)
clock = click.DateTime(["%H:%M"])


@ticket.command("list")
@community_option
@click.option("--state", type=CodeParameter(TicketState), default=TicketState.OPEN.value)
@click.option("--all", "every", is_flag=True, help="In every state.")
def list_all(code: str, state: TicketState, every: bool) -> None:
    """Tickets, the oldest first, with the masked sentence that opened each."""
    with open_books(code) as books:
        states = tuple(TicketState) if every else (state,)
        found = list_tickets(books.session, books.community_id, states=states)
        opened = find_tickets(books.session, [(one.community_id, one.id) for one in found])
        print_json([_json(books, one, masked) for one, masked in opened.values()])


@ticket.command("show")
@community_option
@identifier
def show(code: str, ticket_id: int) -> None:
    """A ticket with everything that was said, unmasked: for whoever sees to it."""
    with open_program() as program, program.services.database.transaction() as session:
        books = Books(session, get_community(session, code), program.services.clock())
        one = get_ticket(session, books.community_id, ticket_id)
        sentences = list_sentences(session, one)
        said = [
            {"at": each.said_at, "said": program.services.vault.open(each.sealed)}
            for each in sentences
        ]
        answer = _json(books, one, sentences[0].masked) | {"sentences": said}
    print_json(answer)


@ticket.command("answer")
@community_option
@identifier
@click.option("--answer", "words", required=True, help="Who asked is told it.")
@by_option
def answer(code: str, ticket_id: int, words: str, login: str) -> None:
    """Answer an open ticket; a disputed line is dunned again from now on."""
    with open_books(code) as books:
        by = books.staff(login)
        one = answer_ticket(
            books.session, books.community_id, ticket_id, answer=words, by=by, now=books.now
        )
        result = {"id": one.id, "state": one.state.value}
    print_json(result)


@ticket.command("close")
@community_option
@identifier
@by_option
def close(code: str, ticket_id: int, login: str) -> None:
    """Close a ticket that was seen to; an open dispute is answered first."""
    with open_books(code) as books:
        by = books.staff(login)
        one = close_ticket(books.session, books.community_id, ticket_id, by=by, now=books.now)
        result = {"id": one.id, "state": one.state.value}
    print_json(result)


@ticket.command("desk")
@community_option
@click.option("--from", "opens", type=clock, help="HH:MM in Beijing.")
@click.option("--to", "closes", type=clock, help="First minute without service.")
@click.option("--weekends/--no-weekends", default=None)
@click.option(
    "--agents/--no-agents", default=None, help="Whether agents sit at WeChat's customer service."
)
@by_option
def desk(
    code: str,
    opens: datetime | None,
    closes: datetime | None,
    weekends: bool | None,
    agents: bool | None,
    login: str,
) -> None:
    """Service hours of a community, and whether 人工 is transferred to agents in them."""
    with open_books(code) as books:
        community = books.community
        require_role(books.staff(login), community.id, DESK_MANAGERS)
        set_service_desk(
            community,
            opens=_time(opens),
            closes=_time(closes),
            weekends=weekends,
            agents=agents,
        )
        result = {
            "community": community.code,
            "from": f"{community.service_from:%H:%M}",
            "to": f"{community.service_to:%H:%M}",
            "weekends": community.service_weekends,
            "agents": community.has_agents,
        }
    print_json(result)


def _time(given: datetime | None) -> time | None:
    return given.time() if given else None


def _json(books: Books, one: Ticket, masked: str) -> dict[str, Any]:
    home = (one.community_id, one.unit_id)
    unit = books.session.get_one(Unit, home) if one.unit_id is not None else None
    return {
        "id": one.id,
        "kind": one.kind.value,
        "label": one.kind.label,
        "state": one.state.value,
        "room": unit.room if unit else None,
        "bill": one.bill_id,
        "line": one.bill_line_id,
        "fee": one.fee.value if one.fee else None,
        "opened_at": one.opened_at,
        "masked": masked,
        "answer": one.answer,
        "answered_at": one.answered_at,
        "closed_at": one.closed_at,
    }
