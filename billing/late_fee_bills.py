"""Late fees become lines: of a home's next bill, or of a bill of their own, at payment, on demand
and for former owners.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from billing.adjustment_tables import BillShare
from billing.bill_issue import issue_chunk
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunKind
from billing.bills import Bill, BillLine, LineKind
from billing.charges import DraftLine
from billing.draft_writing import Drafts
from billing.item_plans import basis_json
from billing.late_fee_policy import ensure_late_fee_item, find_late_fee_item
from billing.late_fees import LateFeeLine, late_fee_lines, price_debts
from billing.money import ZERO, split
from billing.period import Period, due_on
from billing.property import Community
from billing.shares import list_shares


def issue_late_fees(
    session: Session, community: Community, unit_id: int, *, today: date, now: datetime
) -> list[int]:
    """Charge a home the late fees of its debts up to and including today, by a bill issued at once.

    A debt that a former owner keeps gets a bill of its own, shared as the debt is. Nothing due:
    nothing is written. Called again it charges nothing new.

    Returns:
        Ids of the bills.
    """
    priced = price_debts(session, community.id, [unit_id], today, lock=True)
    own = [line for debt, line in priced if not debt.is_of_former_owner]
    groups = [own] if own else []
    groups += [[line] for debt, line in priced if debt.is_of_former_owner]
    if not groups:
        return []
    chunk = _open_chunk(session, community.id, today, now)
    item_id = ensure_late_fee_item(session, community.id, today).id
    bills = [_write_bill(session, chunk, item_id, lines, today) for lines in groups]
    for bill, lines in zip(bills, groups, strict=True):
        if lines is not own:
            _share_as_debt(session, bill, lines[0].bill_id, now)
    issue_chunk(
        session,
        community.id,
        chunk.run_id,
        chunk.no,
        issued_on=today,
        due=due_on(today, day=community.due_day, month_offset=community.due_month_offset),
        now=now,
    )
    return [bill.id for bill in bills]


def add_late_fees(session: Session, community_id: int, drafts: Drafts, as_of: date) -> int:
    """Put the late fees of homes that get a bill anyway on it; returns how many lines that makes.

    Homes that are late stay locked until the caller commits.

    Args:
        as_of: the last day counted.
    """
    fees = late_fee_lines(session, community_id, list(drafts.bills), as_of)
    item = find_late_fee_item(session, community_id)
    if item is None:
        return 0
    for unit_id, lines in fees.items():
        drafts.add(
            unit_id,
            [
                DraftLine(
                    subject_id=unit_id,
                    item_id=item.id,
                    tariff_id=None,
                    kind=LineKind.LATE_FEE,
                    start=line.start,
                    end=line.end,
                    source_id=line.bill_id,
                    redo=line.redo,
                    fen=line.amount.fen,
                    basis_json=basis_json(line.basis),
                )
                for line in lines
            ],
        )
    return sum(len(lines) for lines in fees.values())


def _open_chunk(
    session: Session, community_id: int, issued_on: date, now: datetime
) -> BillRunChunk:
    run = BillRun(
        community_id=community_id,
        period=Period.of(issued_on),
        kind=RunKind.LATE_FEE,
        started_at=now,
        summary={},
    )
    session.add(run)
    session.flush()  # the chunk refers to it
    chunk = BillRunChunk(
        community_id=community_id, run_id=run.id, no=1, counts={}, state=ChunkState.DRAFT
    )
    session.add(chunk)
    session.flush()  # bills refer to it
    return chunk


def _write_bill(
    session: Session,
    chunk: BillRunChunk,
    item_id: int,
    lines: Sequence[LateFeeLine],
    issued_on: date,
) -> Bill:
    bill = Bill(
        community_id=chunk.community_id,
        run_id=chunk.run_id,
        chunk_no=chunk.no,
        unit_id=lines[0].unit_id,
        period=Period.of(issued_on),
        amount=sum((line.amount for line in lines), ZERO),
    )
    session.add(bill)
    session.flush()  # its lines refer to it
    session.add_all(
        BillLine(
            community_id=bill.community_id,
            bill_id=bill.id,
            subject_id=line.unit_id,
            item_id=item_id,
            kind=LineKind.LATE_FEE,
            source_id=line.bill_id,
            redo=line.redo,
            period_from=line.start,
            period_to=line.end,
            amount=line.amount,
            basis=line.basis,
        )
        for line in lines
    )
    session.flush()  # what follows is set-wise
    return bill


def _share_as_debt(session: Session, bill: Bill, debt_id: int, now: datetime) -> None:
    shares = list_shares(session, bill.community_id, debt_id)
    parts = split(bill.amount, [Decimal(share.amount.fen) for share in shares])
    session.add_all(
        BillShare(
            community_id=bill.community_id,
            bill_id=bill.id,
            resident_id=share.resident_id,
            amount=part,
            reason=share.reason,
            decided_by=share.decided_by,
            decided_at=now,
        )
        for share, part in zip(shares, parts, strict=True)
    )
