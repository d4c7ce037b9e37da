"""What was owed, paid and paid in advance before the books were opened: checked here, booked by
`opening_books`. Once booked it is history: the same row again is left alone, another is refused.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from billing.adjustment_tables import BillVoid
from billing.bill_run_tables import BillRunChunk, RunKind
from billing.bills import Bill, BillLine, LineKind
from billing.business_day import business_date
from billing.db import id_array
from billing.imports.known import Desk, KnownItem
from billing.imports.old_payments import OldPayment, payment_number
from billing.imports.opening_books import (
    OldDebt,
    OldPrepayment,
    prepayment_key,
)
from billing.imports.reasons import Reason
from billing.imports.sheets import OpeningRow, PaymentRow, PrepaymentRow
from billing.imports.writing import Tally
from billing.ledger import JournalEntry
from billing.money import Money
from billing.payment_tables import Payment
from billing.property import SubjectKind


@dataclass(frozen=True, slots=True)
class _Booked:
    """A line that is in the books."""

    start: date
    end: date
    is_opening: bool
    amount: Money
    due_on: date | None


def plan_openings(rows: list[OpeningRow], desk: Desk) -> tuple[Tally, list[OldDebt]]:
    """Debts by subject, item and days. No day of an item is owed twice, nor owed and billed."""
    tally = Tally()
    debts: list[OldDebt] = []
    booked = _booked_lines(rows, desk) if rows else {}
    taken: dict[tuple[int, int], list[OpeningRow]] = defaultdict(list)
    for row in rows:
        unit_id = desk.unit(row, row.room)
        item = desk.item(row, row.item)
        ascend = desk.dates_ascend(row, row.from_on, row.to_on, "to_on")
        if unit_id is None or item is None or not ascend:
            continue
        subject_id = _subject_of(row, unit_id, desk)
        if subject_id is None:
            continue
        lines = booked.get((subject_id, item.id), [])
        same = next((line for line in lines if _is_this(line, row)), None)
        if same is not None:
            if (same.amount, same.due_on) != (row.amount, row.due_on):
                shown = f"{same.amount.yuan} {same.due_on}"
                desk.faults.add(row, "amount", Reason.BOOKED, known=shown)
                continue
            tally.count(is_new=False, changed=False)
            continue
        earlier = taken[subject_id, item.id]
        if not _refuse_twice(row, lines, earlier, desk):
            earlier.append(row)
            debts.append(_debt(row, unit_id, subject_id, item))
            tally.count(is_new=True, changed=True)
    return tally, debts


def _debt(row: OpeningRow, unit_id: int, subject_id: int, item: KnownItem) -> OldDebt:
    return OldDebt(
        unit_id=unit_id,
        subject_id=subject_id,
        item_id=item.id,
        from_on=row.from_on,
        to_on=row.to_on,
        amount=row.amount,
        due_on=row.due_on,
        document=row.document or RunKind.OPENING.label,
    )


def _subject_of(row: OpeningRow, unit_id: int, desk: Desk) -> int | None:
    """The home itself, or the space the row names, which must be on the home's account."""
    if row.space is None:
        return unit_id
    space = desk.known.subjects.get((SubjectKind.PARKING, row.space))
    if space is None:
        desk.faults.add(row, "space", Reason.UNKNOWN, shown=row.space)
        return None
    if space.unit_id != unit_id:
        desk.faults.add(row, "space", Reason.NOT_HERE, shown=row.space, room=row.room)
        return None
    return space.id


def _is_this(line: _Booked, row: OpeningRow) -> bool:
    return line.is_opening and (line.start, line.end) == (row.from_on, row.to_on)


def _refuse_twice(
    row: OpeningRow, lines: list[_Booked], earlier: list[OpeningRow], desk: Desk
) -> bool:
    """Whether a day of the row is owed or billed already, which is a fault."""
    if any(line.start < row.to_on and row.from_on < line.end for line in lines):
        desk.faults.add(row, "from_on", Reason.OVERLAPS_BOOKED)
        return True
    for other in earlier:
        if other.from_on < row.to_on and row.from_on < other.to_on:
            desk.faults.add(row, "from_on", Reason.OVERLAPS, other=other.row)
            return True
    return False


def _booked_lines(rows: list[OpeningRow], desk: Desk) -> dict[tuple[int, int], list[_Booked]]:
    """Subject and item → the lines of these homes and spaces that charge or state, but for void
    ones.
    """
    units = {desk.known.units[row.room] for row in rows if row.room in desk.known.units}
    subject_ids = [
        subject.id for subject in desk.known.subjects.values() if subject.unit_id in units
    ]
    query = (
        select(
            BillLine.subject_id,
            BillLine.item_id,
            BillLine.period_from,
            BillLine.period_to,
            BillLine.kind,
            BillLine.amount,
            BillRunChunk.due_on,
        )
        .join(Bill, (Bill.community_id == BillLine.community_id) & (Bill.id == BillLine.bill_id))
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .outerjoin(
            BillVoid, (BillVoid.community_id == Bill.community_id) & (BillVoid.bill_id == Bill.id)
        )
        .where(
            BillLine.community_id == desk.community_id,
            BillLine.subject_id.in_(id_array(subject_ids)),
            BillLine.kind.in_((LineKind.CHARGE, LineKind.OPENING)),
            BillVoid.bill_id.is_(None),
        )
    )
    found: dict[tuple[int, int], list[_Booked]] = defaultdict(list)
    for row in desk.session.execute(query):
        is_opening = row.kind is LineKind.OPENING
        line = _Booked(row.period_from, row.period_to, is_opening, row.amount, row.due_on)
        found[row.subject_id, row.item_id].append(line)
    return found


def plan_payments(rows: list[PaymentRow], desk: Desk) -> tuple[Tally, list[OldPayment]]:
    """Payments of the time before, by receipt number."""
    tally = Tally()
    payments: list[OldPayment] = []
    known = _booked_payments(desk) if rows else {}
    for row in rows:
        unit_id = desk.unit(row, row.room)
        if row.paid_on > desk.today:
            desk.faults.add(row, "paid_on", Reason.IN_FUTURE)
            continue
        if unit_id is None:
            continue
        before = known.get(payment_number(row.receipt_no))
        if before is not None and before != (unit_id, row.amount, row.paid_on):
            shown = f"{before[2]} {before[1].yuan}"
            desk.faults.add(row, "receipt_no", Reason.BOOKED, known=shown)
            continue
        if before is None:
            payments.append(
                OldPayment(unit_id, row.receipt_no, row.paid_on, row.amount, row.channel)
            )
        tally.count(is_new=before is None, changed=False)
    return tally, payments


def _booked_payments(desk: Desk) -> dict[str, tuple[int, Money, date]]:
    query = select(Payment.out_trade_no, Payment.unit_id, Payment.amount, Payment.prepared_at)
    found: Any = desk.session.execute(
        query.where(
            Payment.community_id == desk.community_id,
            Payment.out_trade_no.startswith(payment_number("")),
        )
    )
    return {
        row.out_trade_no: (row.unit_id, row.amount, business_date(row.prepared_at)) for row in found
    }


def plan_prepayments(rows: list[PrepaymentRow], desk: Desk) -> tuple[Tally, list[OldPrepayment]]:
    """What homes had paid in advance, one sum per home."""
    tally = Tally()
    sums: list[OldPrepayment] = []
    keys = JournalEntry.idempotency_key.startswith(prepayment_key(""), autoescape=True)
    query = select(JournalEntry.idempotency_key, JournalEntry.total)
    known: dict[str, Money] = {}
    if rows:
        found = desk.session.execute(
            query.where(JournalEntry.community_id == desk.community_id, keys)
        )
        known = {row.idempotency_key: row.total for row in found}
    for row in rows:
        unit_id = desk.unit(row, row.room)
        if row.on > desk.today:
            desk.faults.add(row, "on", Reason.IN_FUTURE)
            continue
        if unit_id is None:
            continue
        before = known.get(prepayment_key(unit_id))
        if before is not None and before != row.amount:
            desk.faults.add(row, "amount", Reason.BOOKED, known=before.yuan)
            continue
        if before is None:
            sums.append(OldPrepayment(unit_id, row.amount, row.on))
        tally.count(is_new=before is None, changed=False)
    return tally, sums
