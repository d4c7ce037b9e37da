"""Tickets (工单): an owner disputes a line, wants a person or complains; staff answer and close.

What was said is kept sealed, and masked for lists and notices. The same matter said again is added
to its open ticket: one per disputed line, and within a day one of each other kind per follower.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from billing.bill_lines import LineState
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.masking import mask_sentence
from billing.people import TELLERS, Staff, StaffRole, require_role
from billing.privacy import Vault
from billing.tariffs import FeeKind
from billing.ticket_tables import Ticket, TicketKind, TicketSentence, TicketState

ANSWERING = TELLERS | {StaffRole.SERVICE}
"""Who may answer and close."""

SAME_MATTER = timedelta(days=1)
"""So long a matter without a line is the same one when it is said again."""

SENTENCE_CHARACTERS_MAX = 1000
ANSWER_CHARACTERS_MAX = 500

LOCK_MATTER = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 20261111))")


@dataclass(frozen=True, slots=True)
class Matter:
    """What a ticket is to be about. The caller has checked that the follower sees the line.

    Attributes:
        line: the disputed line; only for disputes, and then with its `unit_id`.
        fee: the fee that was named when no line is.
    """

    community_id: int
    follower_id: int
    kind: TicketKind
    unit_id: int | None = None
    line: LineState | None = None
    fee: FeeKind | None = None


def open_ticket(
    session: Session, vault: Vault, matter: Matter, sentence: str, now: datetime
) -> tuple[Ticket, bool]:
    """Open a ticket and tell staff, or add the sentence to the open one of the same matter, of
    which they know. Two at once open one.

    Returns:
        The ticket, and whether it is new.

    Raises:
        InvalidInput: nothing was said.
    """
    said = sentence.strip()[:SENTENCE_CHARACTERS_MAX]
    if not said:
        raise InvalidInput("sentence", "must say what it is about")
    session.execute(LOCK_MATTER, {"name": _name(matter)})
    ticket = _find_open(session, matter, now)
    is_new = ticket is None
    if ticket is None:
        ticket = _write(session, matter, now)
    session.add(
        TicketSentence(
            community_id=ticket.community_id,
            ticket_id=ticket.id,
            follower_id=matter.follower_id,
            said_at=now,
            sealed=vault.seal(said),
            masked=mask_sentence(said),
        )
    )
    session.flush()  # the intake reads the first sentence
    return ticket, is_new


def answer_ticket(
    session: Session, community_id: int, ticket_id: int, *, answer: str, by: Staff, now: datetime
) -> Ticket:
    """Answer an open ticket, once; everybody who said something about it is told. From now on its
    line is dunned again.

    Raises:
        NotFound: no such ticket.
        InvalidInput: no answer or one too long, or somebody who may not answer.
        Conflict: it is answered or closed already.
    """
    require_role(by, community_id, ANSWERING)
    words = answer.strip()
    if not 1 <= len(words) <= ANSWER_CHARACTERS_MAX:
        raise InvalidInput("answer", f"must have 1 to {ANSWER_CHARACTERS_MAX} characters")
    ticket = _lock(session, community_id, ticket_id)
    if ticket.state is not TicketState.OPEN:
        raise Conflict(f"ticket {ticket_id} is {ticket.state.value} already")
    ticket.state = TicketState.ANSWERED
    ticket.answer, ticket.answered_by, ticket.answered_at = words, by.id, now
    speakers = {sentence.follower_id for sentence in list_sentences(session, ticket)}
    for follower_id in sorted(speakers):
        record(
            session,
            FactKind.TICKET_ANSWERED,
            community_id=community_id,
            unit_id=ticket.unit_id,
            ref_id=ticket_id,
            at=now,
            data={"follower_id": follower_id},
        )
    return ticket


def close_ticket(
    session: Session, community_id: int, ticket_id: int, *, by: Staff, now: datetime
) -> Ticket:
    """Close a ticket. Closing twice keeps the first time.

    Raises:
        NotFound: no such ticket.
        InvalidInput: somebody who may not close it.
        Conflict: a dispute that nobody answered: its owner waits, and would be dunned unanswered.
    """
    require_role(by, community_id, ANSWERING)
    ticket = _lock(session, community_id, ticket_id)
    if ticket.kind is TicketKind.DISPUTE and ticket.state is TicketState.OPEN:
        raise Conflict(f"ticket {ticket_id} is an open dispute; answer it first")
    if ticket.state is not TicketState.CLOSED:
        ticket.state, ticket.closed_by, ticket.closed_at = TicketState.CLOSED, by.id, now
    return ticket


def get_ticket(session: Session, community_id: int, ticket_id: int) -> Ticket:
    """One of them.

    Raises:
        NotFound: there is none.
    """
    found = session.get(Ticket, (community_id, ticket_id))
    if found is None:
        raise NotFound(f"no ticket {ticket_id} in community {community_id}")
    return found


def list_tickets(
    session: Session,
    community_id: int,
    *,
    states: Collection[TicketState] = tuple(TicketState),
    limit: int = 200,
) -> list[Ticket]:
    """Tickets of a community, the oldest first."""
    query = select(Ticket).where(Ticket.community_id == community_id, Ticket.state.in_(states))
    return list(session.scalars(query.order_by(Ticket.id).limit(limit)))


def list_of_follower(session: Session, follower_id: int, *, limit: int = 5) -> list[Ticket]:
    """What a follower opened last, the latest first."""
    query = select(Ticket).where(Ticket.follower_id == follower_id)
    newest = query.order_by(Ticket.opened_at.desc(), Ticket.id.desc()).limit(limit)
    return list(session.scalars(newest))


def find_tickets(
    session: Session, keys: Collection[tuple[int, int]]
) -> dict[tuple[int, int], tuple[Ticket, str]]:
    """Tickets by (community, id), each with the masked sentence that opened it."""
    opening = (
        select(TicketSentence.masked)
        .where(
            TicketSentence.community_id == Ticket.community_id,
            TicketSentence.ticket_id == Ticket.id,
        )
        .order_by(TicketSentence.id)
        .limit(1)
        .scalar_subquery()
    )
    if not keys:
        return {}
    rows = session.execute(
        select(Ticket, opening).where(tuple_(Ticket.community_id, Ticket.id).in_(set(keys)))
    )
    return {(ticket.community_id, ticket.id): (ticket, masked) for ticket, masked in rows}


def list_sentences(session: Session, ticket: Ticket) -> Sequence[TicketSentence]:
    """What was said about it, in order."""
    return session.scalars(
        select(TicketSentence)
        .where(
            TicketSentence.community_id == ticket.community_id,
            TicketSentence.ticket_id == ticket.id,
        )
        .order_by(TicketSentence.id)
    ).all()


def _name(matter: Matter) -> str:
    """What two who open the same ticket at once wait for each other by."""
    if matter.line is not None:
        return f"line:{matter.community_id}:{matter.line.id}"
    return f"follower:{matter.follower_id}"


def _find_open(session: Session, matter: Matter, now: datetime) -> Ticket | None:
    query = select(Ticket).where(
        Ticket.community_id == matter.community_id, Ticket.state == TicketState.OPEN
    )
    if matter.line is not None:
        query = query.where(Ticket.bill_line_id == matter.line.id)
    else:
        query = query.where(
            Ticket.follower_id == matter.follower_id,
            Ticket.kind == matter.kind,
            Ticket.bill_line_id.is_(None),
            Ticket.unit_id.is_not_distinct_from(matter.unit_id),
            Ticket.opened_at > now - SAME_MATTER,
        )
    return session.scalar(query.order_by(Ticket.id.desc()).limit(1).with_for_update())


def _write(session: Session, matter: Matter, now: datetime) -> Ticket:
    line = matter.line
    ticket = Ticket(
        community_id=matter.community_id,
        unit_id=matter.unit_id,
        follower_id=matter.follower_id,
        kind=matter.kind,
        bill_id=line.bill_id if line else None,
        bill_line_id=line.id if line else None,
        fee=line.fee if line else matter.fee,
        state=TicketState.OPEN,
        opened_at=now,
    )
    session.add(ticket)
    session.flush()  # its sentence and the fact name it
    record(
        session,
        FactKind.TICKET_OPENED,
        community_id=ticket.community_id,
        unit_id=ticket.unit_id,
        ref_id=ticket.id,
        at=now,
        data={"kind": ticket.kind.value},
    )
    return ticket


def _lock(session: Session, community_id: int, ticket_id: int) -> Ticket:
    found = session.get(
        Ticket, (community_id, ticket_id), with_for_update=True, populate_existing=True
    )
    if found is None:
        raise NotFound(f"no ticket {ticket_id} in community {community_id}")
    return found
