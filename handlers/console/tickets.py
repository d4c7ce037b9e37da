"""Tickets: what owners dispute, complain about and ask a person for; answered and closed."""

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.labels import LabelEnum
from billing.people import Staff
from billing.property import Unit
from billing.sightings import Sight, note_sightings
from billing.ticket_tables import Ticket, TicketKind, TicketState
from billing.tickets import (
    ANSWER_CHARACTERS_MAX,
    answer_ticket,
    close_ticket,
    get_ticket,
    list_sentences,
)
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list

EVERY = "all"


class Done(LabelEnum):
    """What was done."""

    ANSWERED = "answered", "已答复，业主会在微信里收到"
    CLOSED = "closed", "已关闭"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    CHANGED = "changed", "这件工单刚刚被别人处理过，请看下面现在的情况"


class TicketColumn(LabelEnum):
    """Columns of the list."""

    NUMBER = "id", "编号"
    KIND = "kind", "类型"
    ROOM = "room", "房号"
    FEE = "fee", "费用"
    OPENED = "opened_at", "提出时间"
    STATE = "state", "状态"
    ANSWERER = "answerer", "答复人"


def index(desk: Desk) -> ResponseReturnValue:
    """Tickets of a kind and a state, the oldest first: who waits longest is seen first."""
    kind, state = request.args.get("kind", ""), request.args.get("state", TicketState.OPEN.value)
    query = (
        select(
            Ticket.id.label("key"),
            Ticket.id,
            Ticket.kind,
            Unit.room,
            Ticket.fee,
            Ticket.opened_at,
            Ticket.state,
            Staff.name.label("answerer"),
        )
        .outerjoin(Unit, (Unit.community_id == Ticket.community_id) & (Unit.id == Ticket.unit_id))
        .outerjoin(Staff, Staff.id == Ticket.answered_by)
        .where(Ticket.community_id == desk.community_id)
    )
    if state in {one.value for one in TicketState}:
        query = query.where(Ticket.state == TicketState(state))
    if kind in {one.value for one in TicketKind}:
        query = query.where(Ticket.kind == TicketKind(kind))
    return show_list(
        desk,
        Listing("tickets", TicketColumn, query),
        "tickets/index.html",
        kinds=[(one.value, one.label) for one in TicketKind],
        states=[*((one.value, one.label) for one in TicketState)],
        kind=kind,
        state=state,
        every=EVERY,
    )


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One ticket, with what was said in full."""
    return _page(desk, get_ticket(desk.session, desk.community_id, number), Form())


def _page(desk: Desk, ticket: Ticket, form: Form) -> tuple[str, int]:
    home = None
    if ticket.unit_id is not None:
        home = desk.session.get_one(Unit, (ticket.community_id, ticket.unit_id))
        place = (ticket.community_id, ticket.unit_id)
        note_sightings(
            desk.session, [place], Sight.BILLS, desk.now, staff_id=desk.staff.id
        )  # what was said tells of the home
    names = select(Staff.id, Staff.name).where(
        Staff.id.in_([ticket.answered_by or 0, ticket.closed_by or 0])
    )
    return desk.page(
        "tickets/show.html",
        ticket=ticket,
        home=home,
        said=[
            (one.said_at, desk.services.vault.open(one.sealed))
            for one in list_sentences(desk.session, ticket)
        ],
        people={row.id: row.name for row in desk.session.execute(names)},
        form=form,
    )


def _form(ticket: Ticket) -> Form:
    """What was sent; refused when the ticket is not as the sender saw it."""
    form = Form(request.form)
    if form.typed("state") != ticket.state.value:
        form.refuse("", Objection.CHANGED.label)
    return form


def answer(desk: Desk, number: int) -> ResponseReturnValue:
    """Answer it: whoever asked is told in WeChat, and a disputed line is dunned again."""
    ticket = get_ticket(desk.session, desk.community_id, number)
    form = _form(ticket)
    words = form.text("answer", most=ANSWER_CHARACTERS_MAX)

    def act() -> Response:
        answer_ticket(
            desk.session, desk.community_id, number, answer=words, by=desk.staff, now=desk.now
        )
        return desk.done(Done.ANSWERED, "tickets_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, ticket, form))


def close(desk: Desk, number: int) -> ResponseReturnValue:
    """It was seen to."""
    ticket = get_ticket(desk.session, desk.community_id, number)
    form = _form(ticket)

    def act() -> Response:
        close_ticket(desk.session, desk.community_id, number, by=desk.staff, now=desk.now)
        return desk.done(Done.CLOSED, "tickets_index")

    return desk.submit(form, act, lambda: _page(desk, ticket, form))
