"""Ratings (满意度评价): after a receipt, an answered dispute and a closed ticket, in one tap.

Somebody rates a thing once. A further tap on the same business day changes what he said; afterwards
it stands.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.bills import Bill, BillLine
from billing.business_day import business_date
from billing.counter_tables import CashierShift, CounterPayment
from billing.errors import Conflict, InvalidInput, NotFound
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState
from billing.period import Period
from billing.privacy import Vault
from billing.rating_tables import RatedKind, Rating, Score
from billing.ticket_tables import Ticket, TicketKind, TicketSentence, TicketState

WORDS_CHARACTERS_MAX = 200

NO_MONEY = (PaymentChannel.PREPAID, PaymentChannel.IMPORTED)
"""Channels by which nobody paid anything that he could rate."""

OFFERED_FOR = timedelta(days=7)
"""So long after it was done a rating is offered in the chat."""


@dataclass(frozen=True, slots=True)
class Rateable:
    """Something that may be rated, with what reports divide ratings by.

    Attributes:
        subject_id: the payment, or the ticket.
        period: of the bill it is about, the latest of several.
        item_id: the charge item, where it is about one alone.
        staff_id: who took the money at the counter, answered or closed; None where nobody did.
        done_at: when it was done.
    """

    community_id: int
    kind: RatedKind
    subject_id: int
    unit_id: int | None
    period: Period | None
    item_id: int | None
    staff_id: int | None
    done_at: datetime


def find_rateable(
    session: Session, community_id: int, kind: RatedKind, subject_id: int
) -> Rateable:
    """A thing that can be rated: a payment that is booked and stands, a dispute that was answered,
    another ticket that was answered or closed.

    Raises:
        NotFound: there is none, or it is not done.
    """
    found = (
        rateable_payment(session, community_id, subject_id)
        if kind is RatedKind.RECEIPT
        else _ticket(session, community_id, subject_id)
    )
    if found is None or found.kind is not kind:
        raise NotFound(f"no {kind.value} {subject_id} in community {community_id} can be rated")
    return found


def rateable_payment(session: Session, community_id: int, payment_id: int) -> Rateable | None:
    """A payment as something to rate; None where no money came, or it was taken back."""
    payment = session.get(Payment, (community_id, payment_id))
    if payment is None or payment.confirmed_at is None or payment.channel in NO_MONEY:
        return None
    if payment.state is not PaymentState.CONFIRMED:
        return None
    period, items, item_id = session.execute(
        select(
            func.max(Bill.period),
            func.count(BillLine.item_id.distinct()),
            func.max(BillLine.item_id),
        )
        .select_from(PaymentAllocation)
        .join(
            BillLine,
            (BillLine.community_id == PaymentAllocation.community_id)
            & (BillLine.id == PaymentAllocation.bill_line_id),
        )
        .join(
            Bill,
            (Bill.community_id == PaymentAllocation.community_id)
            & (Bill.id == PaymentAllocation.bill_id),
        )
        .where(
            PaymentAllocation.community_id == community_id,
            PaymentAllocation.payment_id == payment_id,
        )
    ).one()
    cashier_id = session.scalar(
        select(CashierShift.cashier_id)
        .join(
            CounterPayment,
            (CounterPayment.community_id == CashierShift.community_id)
            & (CounterPayment.shift_id == CashierShift.id),
        )
        .where(CounterPayment.community_id == community_id, CounterPayment.payment_id == payment_id)
    )
    return Rateable(
        community_id,
        RatedKind.RECEIPT,
        payment_id,
        payment.unit_id,
        period,
        item_id if items == 1 else None,
        cashier_id,
        payment.confirmed_at,
    )


def _ticket(session: Session, community_id: int, ticket_id: int) -> Rateable | None:
    ticket = session.get(Ticket, (community_id, ticket_id))
    return None if ticket is None else rateable_ticket(session, ticket)


def kind_of(ticket: Ticket) -> RatedKind:
    """As what a ticket is rated."""
    return RatedKind.DISPUTE if ticket.kind is TicketKind.DISPUTE else RatedKind.TICKET


def rateable_ticket(session: Session, ticket: Ticket) -> Rateable | None:
    """A ticket as something to rate; None while nothing was done about it."""
    done_at = ticket.answered_at or ticket.closed_at
    if ticket.state is TicketState.OPEN or done_at is None:
        return None
    line = (
        session.get(BillLine, (ticket.community_id, ticket.bill_line_id))
        if ticket.bill_line_id is not None
        else None
    )
    bill = session.get(Bill, (ticket.community_id, ticket.bill_id)) if ticket.bill_id else None
    return Rateable(
        ticket.community_id,
        kind_of(ticket),
        ticket.id,
        ticket.unit_id,
        bill.period if bill else None,
        line.item_id if line else None,
        ticket.answered_by or ticket.closed_by,
        done_at,
    )


def spoke_in(session: Session, community_id: int, ticket_id: int, follower_id: int) -> bool:
    """Whether a follower said something about a ticket: he and nobody else rates it."""
    said = select(TicketSentence.id).where(
        TicketSentence.community_id == community_id,
        TicketSentence.ticket_id == ticket_id,
        TicketSentence.follower_id == follower_id,
    )
    return session.scalar(said.limit(1)) is not None


def find_rating(session: Session, thing: Rateable, follower_id: int) -> Rating | None:
    """What a follower said of a thing."""
    return session.scalar(
        select(Rating)
        .where(
            Rating.community_id == thing.community_id,
            Rating.kind == thing.kind,
            Rating.subject_id == thing.subject_id,
            Rating.follower_id == follower_id,
        )
        .execution_options(populate_existing=True)
    )


def rate(
    session: Session,
    vault: Vault,
    thing: Rateable,
    follower_id: int,
    score: Score,
    *,
    words: str | None,
    now: datetime,
) -> Rating:
    """Keep what a follower thinks of a thing. The caller has checked that it was done for him. The
    same again changes nothing but the time; two taps at once leave one row.

    Args:
        words: what he adds; "" takes it away, None leaves it as it is.

    Raises:
        InvalidInput: field `words`, too many.
        Conflict: he rated it on a day before.
    """
    said = None if words is None else " ".join(words.split())
    if said is not None and len(said) > WORDS_CHARACTERS_MAX:
        raise InvalidInput("words", f"must have at most {WORDS_CHARACTERS_MAX} characters")
    today = business_date(now)
    changes: dict[str, object] = {"score": score, "at": now}
    if said is not None:
        changes["words_sealed"] = vault.seal(said) if said else None
    values = {
        "community_id": thing.community_id,
        "kind": thing.kind,
        "subject_id": thing.subject_id,
        "follower_id": follower_id,
        "unit_id": thing.unit_id,
        "period": thing.period,
        "item_id": thing.item_id,
        "staff_id": thing.staff_id,
        "rated_on": today,
    }
    written = session.scalar(
        insert(Rating)
        .values(values | changes)
        .on_conflict_do_update(
            index_elements=["community_id", "kind", "subject_id", "follower_id"],
            set_=changes,
            where=Rating.rated_on == today,
        )
        .returning(Rating.id)
    )
    rating = find_rating(session, thing, follower_id)
    if written is None or rating is None:
        raise Conflict(
            f"{thing.kind.value} {thing.subject_id} was rated on a day before; it stands"
        )
    return rating


def wants_rating(session: Session, thing: Rateable | None, follower_id: int, now: datetime) -> bool:
    """Whether a follower may be asked about a thing: it was done lately, and he did not say."""
    if thing is None or now - thing.done_at > OFFERED_FOR:
        return False
    return find_rating(session, thing, follower_id) is None
