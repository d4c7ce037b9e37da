"""Book what was owed and paid in advance before the books were opened, set-wise.

Debts become issued bills, one per home and due date: receivable against opening balances, dated
the day they fell due (today, where that is still to come), never in a closed month. The facts are
recorded as already taken: nobody is told today of what is past.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, insert, text
from sqlalchemy.orm import Session

from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunKind, RunState
from billing.bills import LineKind
from billing.bulk import copy_rows, draw_ids
from billing.closing import first_open_day
from billing.facts import FactKind, mark_recorded
from billing.item_plans import basis_json
from billing.ledger import EntryKind, FixedAccount
from billing.money import ZERO, Money
from billing.payments import lock_homes
from billing.period import Period
from billing.pricing import StatedBasis
from billing.reports.rollups import roll_up_run


@dataclass(frozen=True, slots=True)
class OldDebt:
    """Something owed; the days are half-open."""

    unit_id: int
    subject_id: int
    item_id: int
    from_on: date
    to_on: date
    amount: Money
    due_on: date
    document: str


@dataclass(frozen=True, slots=True)
class OldPrepayment:
    """Money a home had with the company on a day."""

    unit_id: int
    amount: Money
    on: date


def prepayment_key(unit_id: int | str) -> str:
    """Key of the entry that opens a home's prepayment."""
    return f"opening_prepayment:{unit_id}"


DEBTS = [
    text(statement)
    for statement in (
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT bill.community_id, :entry_kind, 'bill:' || bill.id, bill.id,
               greatest(chunk.issued_on, CAST(:open_from AS date)), :now, 2, bill.amount
        FROM bill
        JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
         AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
        WHERE bill.community_id = :community_id AND bill.run_id = :run_id
        ORDER BY bill.id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                             debit, credit)
        SELECT bill.community_id, entry.id, side.no, account.id, bill.unit_id, bill.id,
               CASE WHEN side.no = 1 THEN bill.amount ELSE 0 END,
               CASE WHEN side.no = 2 THEN bill.amount ELSE 0 END
        FROM bill
        JOIN journal_entry entry ON entry.community_id = bill.community_id
         AND entry.idempotency_key = 'bill:' || bill.id
        CROSS JOIN (VALUES (1, :receivable), (2, :opening)) AS side(no, code)
        JOIN account ON account.community_id = bill.community_id AND account.code = side.code
        WHERE bill.community_id = :community_id AND bill.run_id = :run_id
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at, taken_at)
        SELECT community_id, :fact_kind, unit_id, id, amount, '{}', :now, :now
        FROM bill WHERE community_id = :community_id AND run_id = :run_id
        ORDER BY id
        """,
    )
]


def book_debts(
    session: Session,
    community_id: int,
    debts: Sequence[OldDebt],
    *,
    today: date,
    now: datetime,
) -> None:
    """Issue the bills of old debts. The caller has made sure that none is booked already."""
    if not debts:
        return
    lock_homes(session, community_id, {debt.unit_id for debt in debts})
    per_bill: dict[tuple[date, int], list[OldDebt]] = defaultdict(list)
    for debt in debts:
        per_bill[debt.due_on, debt.unit_id].append(debt)
    run_id = _open_run(session, community_id, debts, today=today, now=now)
    due_days = sorted({debt.due_on for debt in debts})
    for no, due_on in enumerate(due_days, start=1):
        session.add(
            BillRunChunk(
                community_id=community_id,
                run_id=run_id,
                no=no,
                state=ChunkState.ISSUED,
                issued_on=min(due_on, today),
                due_on=due_on,
            )
        )
    session.flush()  # bills refer to their chunks
    bill_ids = draw_ids(session, "bill", len(per_bill))
    chunk_of = {due_on: no for no, due_on in enumerate(due_days, start=1)}
    bills = list(zip(bill_ids, sorted(per_bill), strict=True))
    copy_rows(
        session,
        "bill",
        ("community_id", "id", "run_id", "chunk_no", "unit_id", "period", "amount"),
        (
            (
                community_id,
                bill_id,
                run_id,
                chunk_of[due_on],
                unit_id,
                _period_of(per_bill[due_on, unit_id]),
                _sum_of(per_bill[due_on, unit_id]).fen,
            )
            for bill_id, (due_on, unit_id) in bills
        ),
    )
    lines = (_line(community_id, bill_id, debt) for bill_id, key in bills for debt in per_bill[key])
    copy_rows(session, "bill_line", LINE_COLUMNS, lines)
    roll_up_run(session, community_id, run_id)
    book_set_wise(
        session, DEBTS, community_id, now=now, run_id=run_id, fact_kind=FactKind.BILL_ISSUED.value
    )


LINE_COLUMNS = (
    "community_id",
    "bill_id",
    "subject_id",
    "item_id",
    "kind",
    "period_from",
    "period_to",
    "amount",
    "basis",
)


def _line(community_id: int, bill_id: int, debt: OldDebt) -> tuple[object, ...]:
    """In the order of `LINE_COLUMNS`."""
    return (
        community_id,
        bill_id,
        debt.subject_id,
        debt.item_id,
        LineKind.OPENING.value,
        debt.from_on,
        debt.to_on,
        debt.amount.fen,
        basis_json(StatedBasis(debt.amount, debt.document).to_json()),
    )


def _sum_of(debts: Sequence[OldDebt]) -> Money:
    return sum((debt.amount for debt in debts), ZERO)


def _period_of(debts: Sequence[OldDebt]) -> str:
    """The month of the last day a bill is for."""
    return str(Period.of(max(debt.to_on for debt in debts) - timedelta(days=1)))


def _open_run(
    session: Session, community_id: int, debts: Sequence[OldDebt], *, today: date, now: datetime
) -> int:
    run_id: int = session.execute(
        insert(BillRun)
        .values(
            community_id=community_id,
            period=Period.of(today),
            kind=RunKind.OPENING,
            state=RunState.DRAFTED,
            started_at=now,
            summary={"created": len(debts), "amount_fen": _sum_of(debts).fen},
        )
        .returning(BillRun.id)
    ).scalar_one()
    return run_id


def book_set_wise(
    session: Session, statements: Sequence[TextClause], community_id: int, **more: Any
) -> None:
    """Run statements that keep the books whole one by one."""
    parameters = {
        "community_id": community_id,
        "open_from": first_open_day(session, community_id, date.min),
        "entry_kind": EntryKind.OPENING.value,
        "receivable": FixedAccount.RECEIVABLE.value,
        "opening": FixedAccount.OPENING.value,
        "prepaid": FixedAccount.PREPAYMENTS.value,
        **more,
    }
    for statement in statements:
        session.execute(statement, parameters)
    mark_recorded(session)


PREPAYMENTS = [
    text(statement)
    for statement in (
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT :community_id, :entry_kind, CAST(:key AS text) || unit_id, unit_id,
               greatest(day, CAST(:open_from AS date)), :now, 2, amount
        FROM unnest(CAST(:unit_ids AS bigint[]), CAST(:amounts AS bigint[]),
                    CAST(:days AS date[])) AS prepaid(unit_id, amount, day)
        ORDER BY unit_id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, debit, credit)
        SELECT entry.community_id, entry.id, side.no, account.id, entry.source_id,
               CASE WHEN side.no = 1 THEN entry.total ELSE 0 END,
               CASE WHEN side.no = 2 THEN entry.total ELSE 0 END
        FROM journal_entry entry
        CROSS JOIN (VALUES (1, :opening), (2, :prepaid)) AS side(no, code)
        JOIN account ON account.community_id = entry.community_id AND account.code = side.code
        WHERE entry.community_id = :community_id
          AND entry.idempotency_key IN (
              SELECT CAST(:key AS text) || unnest(CAST(:unit_ids AS bigint[])))
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at, taken_at)
        SELECT community_id, :fact_kind, source_id, id, total, '{}', :now, :now
        FROM journal_entry entry
        WHERE entry.community_id = :community_id
          AND entry.idempotency_key IN (
              SELECT CAST(:key AS text) || unnest(CAST(:unit_ids AS bigint[])))
        ORDER BY id
        """,
    )
]


def book_prepayments(
    session: Session, community_id: int, sums: Sequence[OldPrepayment], *, now: datetime
) -> None:
    """Open prepayments: opening balances against what is owed to owners."""
    if not sums:
        return
    lock_homes(session, community_id, {one.unit_id for one in sums})
    book_set_wise(
        session,
        PREPAYMENTS,
        community_id,
        now=now,
        key=prepayment_key(""),
        unit_ids=[one.unit_id for one in sums],
        amounts=[one.amount.fen for one in sums],
        days=[one.on for one in sums],
        fact_kind=FactKind.PREPAID_OPENED.value,
    )
