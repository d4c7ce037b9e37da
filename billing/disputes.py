"""What is being disputed now: the lines of issued bills with an open ticket.

While a dispute is open nobody is pressed for its line and no late fee is charged for its bill; the
owner may pay it all the same. Late fees go on by the days: what was held back is charged by the
next bill after the answer, of what the bill then owes. A freeze of late fees is staff's to decide.
"""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from billing.bill_lines import adjusted_on, discounted_on, paid_on
from billing.bills import BillLine
from billing.db import id_array
from billing.money import ZERO, Money
from billing.ticket_tables import Ticket, TicketState

BillKey = tuple[int, int]
"""(community, bill)."""


def disputed_amounts(
    session: Session, bills: Collection[BillKey] | None = None
) -> dict[BillKey, Money]:
    """What is owed and disputed, by bill; bills with nothing disputed are left out.

    Args:
        bills: only these; None for all.
    """
    if bills is not None and not bills:
        return {}
    query = (
        _disputed()
        .add_columns(
            BillLine.amount,
            discounted_on(BillLine).label("discounted"),
            adjusted_on(BillLine).label("adjusted"),
            paid_on(BillLine).label("paid"),
        )
        .join(
            BillLine,
            (BillLine.community_id == Ticket.community_id) & (BillLine.id == Ticket.bill_line_id),
        )
    )
    if bills is not None:
        query = query.where(tuple_(Ticket.community_id, Ticket.bill_id).in_(set(bills)))
    amounts: dict[BillKey, Money] = defaultdict(lambda: ZERO)
    for row in session.execute(query):
        owed = row.amount + row.discounted + row.adjusted - row.paid
        amounts[row.community_id, row.bill_id] += max(owed, ZERO)
    return dict(amounts)


def disputed_bills(session: Session, community_id: int, bill_ids: Collection[int]) -> set[int]:
    """Those of these bills with an open dispute."""
    if not bill_ids:
        return set()
    query = _disputed().where(
        Ticket.community_id == community_id, Ticket.bill_id.in_(id_array(bill_ids))
    )
    return {row.bill_id for row in session.execute(query)}


def disputed_lines(session: Session, community_id: int, bill_ids: Collection[int]) -> set[int]:
    """The lines of these bills with an open dispute."""
    if not bill_ids:
        return set()
    query = _disputed().where(
        Ticket.community_id == community_id, Ticket.bill_id.in_(id_array(bill_ids))
    )
    return {row.bill_line_id for row in session.execute(query)}


def _disputed() -> Select[int, int | None, int | None]:
    return select(Ticket.community_id, Ticket.bill_id, Ticket.bill_line_id).where(
        Ticket.state == TicketState.OPEN, Ticket.bill_line_id.is_not(None)
    )
