"""Many payments without a word what for, booked at once: a bank's statement has thousands.

The same rules as `booking.book`, in a fixed number of statements however many there are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.allocation import Allocation, OpenLine, allocate
from billing.booking import in_order, late_fees_go_first, payment_legs
from billing.bulk import draw_ids
from billing.business_day import business_date
from billing.closing import first_open_day
from billing.facts import FactKind, mark_recorded
from billing.ledger import EntryKind, Leg
from billing.money import ZERO
from billing.owed_lines import OwedLine, list_owed_lines
from billing.payment_tables import Payment
from billing.payments import lock_homes

WRITE_ALLOCATIONS = text(
    """
    INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                    effective_on)
    SELECT :community_id, part.payment_id, part.line_id, part.bill_id, part.amount, part.paid_on
    FROM unnest(CAST(:payment_ids AS bigint[]), CAST(:line_ids AS bigint[]),
                CAST(:bill_ids AS bigint[]), CAST(:amounts AS bigint[]), CAST(:days AS date[]))
         AS part (payment_id, line_id, bill_id, amount, paid_on)
    """
)

WRITE_ENTRIES = text(
    """
    INSERT INTO journal_entry (community_id, id, kind, idempotency_key, source_id, effective_on,
                               posted_at, postings, total)
    SELECT payment.community_id, wanted.entry_id, :entry_kind, 'payment:' || payment.out_trade_no,
           payment.id, wanted.posted_on, :now, wanted.postings, payment.amount
    FROM unnest(CAST(:entry_ids AS bigint[]), CAST(:payment_ids AS bigint[]),
                CAST(:days AS date[]), CAST(:postings AS int[]))
         AS wanted (entry_id, payment_id, posted_on, postings)
    JOIN payment ON payment.community_id = :community_id AND payment.id = wanted.payment_id
    ORDER BY wanted.entry_id
    """
)

WRITE_POSTINGS = text(
    """
    INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id, debit, credit)
    SELECT :community_id, leg.entry_id, leg.no, account.id, leg.unit_id, leg.bill_id, leg.debit,
           leg.credit
    FROM unnest(CAST(:entry_ids AS bigint[]), CAST(:nos AS int[]), CAST(:accounts AS text[]),
                CAST(:unit_ids AS bigint[]), CAST(:bill_ids AS bigint[]),
                CAST(:debits AS bigint[]), CAST(:credits AS bigint[]))
         AS leg (entry_id, no, code, unit_id, bill_id, debit, credit)
    LEFT JOIN account ON account.community_id = :community_id AND account.code = leg.code
    """
)
"""A code that is no account leaves NULL, which the table refuses."""

ASK_FOR_RECEIPTS = text(
    """
    INSERT INTO receipt_waiting (community_id, payment_id)
    SELECT :community_id, unnest(CAST(:payment_ids AS bigint[]))
    """
)

WRITE_FACTS = text(
    """
    INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
    SELECT community_id, :fact_kind, unit_id, id, amount,
           jsonb_build_object('payer_id', payer_id), :now
    FROM payment WHERE community_id = :community_id AND id = ANY(CAST(:payment_ids AS bigint[]))
    ORDER BY id
    """
)


@dataclass(frozen=True, slots=True)
class _Booking:
    payment: Payment
    allocation: Allocation
    paid_on: date


def book_many(
    session: Session, community_id: int, payments: Sequence[Payment], now: datetime
) -> None:
    """Book confirmed payments of one community that have a receipt and are meant for nothing in
    particular, in the order given: what an earlier one paid is not owed when the next is applied.

    Must be called once per payment, in the transaction that confirms it; its row is written already
    (`session.flush()`).
    """
    if not payments:
        return
    homes = {payment.unit_id for payment in payments}
    lock_homes(session, community_id, homes)
    owed = _open_lines(session, community_id, homes)
    bookings = []
    for payment in payments:
        allocation = allocate(payment.amount, None, owed[payment.unit_id])
        owed[payment.unit_id] = _without(owed[payment.unit_id], allocation)
        bookings.append(_Booking(payment, allocation, business_date(payment.paid_at or now)))
    _write_allocations(session, community_id, bookings)
    _post(session, community_id, bookings, now)
    parameters = {
        "community_id": community_id,
        "payment_ids": [payment.id for payment in payments],
        "fact_kind": FactKind.PAYMENT_CONFIRMED.value,
        "now": now,
    }
    for statement in (ASK_FOR_RECEIPTS, WRITE_FACTS):
        session.execute(statement, parameters)
    mark_recorded(session)


def _open_lines(session: Session, community_id: int, homes: set[int]) -> dict[int, list[OpenLine]]:
    """Home → what its present owners owe, in the order in which it is paid."""
    late_fees_first = late_fees_go_first(session, community_id)
    owed: dict[int, list[OwedLine]] = defaultdict(list)
    for line in list_owed_lines(session, community_id, homes) if homes else ():
        owed[line.unit_id].append(line)
    ordered = {
        unit_id: in_order(lines, late_fees_first=late_fees_first) for unit_id, lines in owed.items()
    }
    return defaultdict(list, ordered)


def _without(open_lines: Sequence[OpenLine], allocation: Allocation) -> list[OpenLine]:
    taken = {part.line_id: part.amount for part in allocation.parts}
    left = [
        OpenLine(line.bill_id, line.line_id, line.outstanding - taken.get(line.line_id, ZERO))
        for line in open_lines
    ]
    return [line for line in left if line.outstanding > ZERO]


def _write_allocations(session: Session, community_id: int, bookings: Sequence[_Booking]) -> None:
    parts = [(booking, part) for booking in bookings for part in booking.allocation.parts]
    session.execute(
        WRITE_ALLOCATIONS,
        {
            "community_id": community_id,
            "payment_ids": [booking.payment.id for booking, _ in parts],
            "line_ids": [part.line_id for _, part in parts],
            "bill_ids": [part.bill_id for _, part in parts],
            "amounts": [part.amount.fen for _, part in parts],
            "days": [booking.paid_on for booking, _ in parts],
        },
    )


def _post(session: Session, community_id: int, bookings: Sequence[_Booking], now: datetime) -> None:
    posted_on: Mapping[date, date] = {
        day: first_open_day(session, community_id, day)
        for day in sorted({booking.paid_on for booking in bookings})
    }
    # Not before the community's row is held: a day close takes every number below its own as seen.
    entry_ids = draw_ids(session, "journal_entry", len(bookings))
    legs: list[tuple[int, int, Leg]] = []
    counts = []
    for entry_id, booking in zip(entry_ids, bookings, strict=True):
        own = payment_legs(booking.payment, booking.allocation)
        legs += [(entry_id, no, leg) for no, leg in enumerate(own, start=1)]
        counts.append(len(own))
    session.execute(
        WRITE_ENTRIES,
        {
            "community_id": community_id,
            "entry_kind": EntryKind.PAYMENT.value,
            "now": now,
            "entry_ids": entry_ids,
            "payment_ids": [booking.payment.id for booking in bookings],
            "days": [posted_on[booking.paid_on] for booking in bookings],
            "postings": counts,
        },
    )
    session.execute(
        WRITE_POSTINGS,
        {
            "community_id": community_id,
            "entry_ids": [entry_id for entry_id, _, _ in legs],
            "nos": [no for _, no, _ in legs],
            "accounts": [str(leg.account) for _, _, leg in legs],
            "unit_ids": [leg.unit_id for _, _, leg in legs],
            "bill_ids": [leg.bill_id for _, _, leg in legs],
            "debits": [leg.debit.fen for _, _, leg in legs],
            "credits": [leg.credit.fen for _, _, leg in legs],
        },
    )
