"""Voiding bills (作废): one, a chunk of a run, or a whole run. Set-wise: the number of statements
does not depend on the number of bills.

An issued bill is taken back by reversal: of its own entry, and of those of its adjustments. Money
that was applied to it is released to the home's prepayment. A draft is marked, and never issued.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import AfterVoid, BillVoid, is_void
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunState
from billing.bills import Bill
from billing.closing import first_open_day
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, mark_recorded
from billing.fapiao_tables import LIVING
from billing.ledger import EntryKind, FixedAccount, reverse_entries
from billing.payments import lock_homes
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.releases import release_bills

IN_FORCE = text(
    """
    SELECT DISTINCT entry.id, entry.idempotency_key
    FROM account
    JOIN posting side ON side.community_id = account.community_id AND side.account_id = account.id
     AND side.unit_id = ANY(CAST(:unit_ids AS bigint[]))
     AND side.bill_id = ANY(CAST(:bill_ids AS bigint[]))
    JOIN journal_entry entry ON entry.community_id = side.community_id AND entry.id = side.entry_id
    WHERE account.community_id = :community_id AND account.code = :receivable
      AND entry.kind = ANY(CAST(:kinds AS text[]))
      AND NOT EXISTS (SELECT 1 FROM journal_entry mirror
                      WHERE mirror.community_id = entry.community_id
                        AND mirror.reverses_id = entry.id)
    """
)
"""Entries that made these bills owed or changed what is owed, found through the homes' accounts."""

ENTRY_KINDS = [
    kind.value
    for kind in (
        EntryKind.BILL_ISSUED,
        EntryKind.OPENING,
        EntryKind.WAIVER,
        EntryKind.ADJUSTMENT,
    )
]

LATE_FEES_ON = text(
    """
    SELECT DISTINCT fee.source_id AS bill_id, fee.bill_id AS fee_bill_id
    FROM bill later
    JOIN bill_line fee ON fee.community_id = later.community_id AND fee.bill_id = later.id
     AND fee.kind = 'late_fee' AND fee.source_id = ANY(CAST(:bill_ids AS bigint[]))
    WHERE later.community_id = :community_id
      AND later.unit_id = ANY(CAST(:unit_ids AS bigint[]))
      AND later.id <> ALL(CAST(:bill_ids AS bigint[]))
      AND NOT EXISTS (SELECT 1 FROM bill_void void
                      WHERE void.community_id = later.community_id AND void.bill_id = later.id)
    ORDER BY 1, 2
    """
)

FAPIAO_OF = text(
    """
    SELECT applied.bill_id, fapiao.id AS fapiao_id
    FROM payment_allocation applied
    JOIN fapiao_payment part ON part.community_id = applied.community_id
     AND part.payment_id = applied.payment_id
    JOIN fapiao ON fapiao.community_id = part.community_id AND fapiao.id = part.fapiao_id
     AND fapiao.state = ANY(CAST(:living AS text[]))
    WHERE applied.community_id = :community_id
      AND applied.bill_id = ANY(CAST(:bill_ids AS bigint[]))
    GROUP BY applied.bill_id, fapiao.id
    HAVING sum(applied.amount) > 0
    ORDER BY 1, 2
    LIMIT 1
    """
)

FACTS = text(
    """
    INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
    SELECT bill.community_id, :fact_kind, bill.unit_id, bill.id, bill.amount,
           jsonb_build_object('after', CAST(:after AS text), 'issued', CAST(:issued AS boolean),
                              'released_fen', coalesce(applied.total, 0)),
           :now
    FROM bill
    LEFT JOIN (SELECT bill_id, sum(amount) AS total FROM payment_allocation
               WHERE community_id = :community_id
                 AND bill_id = ANY(CAST(:bill_ids AS bigint[]))
               GROUP BY bill_id) applied ON applied.bill_id = bill.id
    WHERE bill.community_id = :community_id AND bill.id = ANY(CAST(:bill_ids AS bigint[]))
    ORDER BY bill.id
    """
)


def void_bill(
    session: Session,
    community_id: int,
    bill_id: int,
    *,
    after: AfterVoid,
    reason: str,
    by: Staff,
    today: date,
    now: datetime,
) -> None:
    """Void one bill, issued or still a draft.

    Reversals and releases are dated today, or on the first open day after closed months. A payment
    that is on its way for the bill is booked as a prepayment when it comes.

    Args:
        after: whether the next run charges the days of this bill again.

    Raises:
        NotFound: no such bill.
        InvalidInput: no reason, or `by` may not.
        Conflict: it is void already, late fees were billed for it, or a fapiao is for what was paid
            on it.
    """
    _refuse_order(community_id, reason, by)
    bill = session.get(Bill, (community_id, bill_id))
    if bill is None:
        raise NotFound(f"no bill {bill_id} in community {community_id}")
    chunk = _lock_chunk(session, community_id, bill.run_id, bill.chunk_no)
    standing = _standing_bills(session, community_id, bill.run_id, [bill.chunk_no])
    if bill_id not in standing:
        raise Conflict(f"bill {bill_id} is void already")
    homes = {bill_id: bill.unit_id}
    _void(session, chunk, homes, after=after, reason=reason, by=by, today=today, now=now)


def void_chunk(
    session: Session,
    community_id: int,
    run_id: int,
    no: int,
    *,
    after: AfterVoid,
    reason: str,
    by: Staff,
    today: date,
    now: datetime,
) -> int:
    """Void every bill of a chunk that is not void yet, as `void_bill` does; returns how many.

    Calling it again finds nothing left and returns 0.

    Raises:
        NotFound: no such chunk.
        InvalidInput: no reason, or `by` may not.
        Conflict: late fees were billed for one of them, or a fapiao is for what was paid on one;
            none is voided.
    """
    _refuse_order(community_id, reason, by)
    chunk = _lock_chunk(session, community_id, run_id, no)
    homes = _standing_bills(session, community_id, run_id, [no])
    if homes:
        _void(session, chunk, homes, after=after, reason=reason, by=by, today=today, now=now)
    return len(homes)


def void_run(
    database: Database,
    community_id: int,
    run_id: int,
    *,
    after: AfterVoid,
    reason: str,
    by: Staff,
    today: date,
    now: datetime,
) -> int:
    """Void every bill of a run that is not void yet, one transaction per chunk; returns how many.

    When it is interrupted, calling it again voids the rest.

    Raises:
        NotFound: no such run.
        InvalidInput: no reason, or `by` may not.
        Conflict: the run is still drafting, nothing of it is left to void, or one of its bills
            cannot be voided as `void_bill` says; then none is.
    """
    with database.transaction() as session:
        _refuse_order(community_id, reason, by)
        run = session.get(BillRun, (community_id, run_id))
        if run is None:
            raise NotFound(f"no bill run {run_id} in community {community_id}")
        if run.state is RunState.DRAFTING:
            raise Conflict(f"run {run_id} is still drafting: let a run of {run.period} finish it")
        chunks = session.scalars(
            select(BillRunChunk.no)
            .where(BillRunChunk.community_id == community_id, BillRunChunk.run_id == run_id)
            .order_by(BillRunChunk.no)
        ).all()
        homes = _standing_bills(session, community_id, run_id, chunks)
        if not homes:
            raise Conflict(f"run {run_id} has no bill that is not void already")
        _refuse_late_fees(session, community_id, homes)
        _refuse_invoiced(session, community_id, homes)
    voided = 0
    for no in chunks:
        with database.transaction() as session:
            voided += void_chunk(
                session,
                community_id,
                run_id,
                no,
                after=after,
                reason=reason,
                by=by,
                today=today,
                now=now,
            )
    return voided


def _refuse_order(community_id: int, reason: str, by: Staff) -> None:
    require_role(by, community_id, BOOKKEEPERS)
    if not reason.strip():
        raise InvalidInput("reason", "say why: an owner will ask")


def _lock_chunk(session: Session, community_id: int, run_id: int, no: int) -> BillRunChunk:
    """The chunk, which nobody issues or voids from meanwhile. Locked before any home."""
    chunk = session.scalar(
        select(BillRunChunk)
        .where(
            BillRunChunk.community_id == community_id,
            BillRunChunk.run_id == run_id,
            BillRunChunk.no == no,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if chunk is None:
        raise NotFound(f"no chunk {no} of run {run_id} in community {community_id}")
    return chunk


def _standing_bills(
    session: Session, community_id: int, run_id: int, chunks: Sequence[int]
) -> dict[int, int]:
    """Bills of these chunks that are not void: bill → home, by bill."""
    rows = session.execute(
        select(Bill.id, Bill.unit_id)
        .where(
            Bill.community_id == community_id,
            Bill.run_id == run_id,
            Bill.chunk_no.in_(chunks),
            ~is_void(Bill.community_id, Bill.id),
        )
        .order_by(Bill.id)
    )
    return {row.id: row.unit_id for row in rows}


def _refuse_late_fees(session: Session, community_id: int, homes: Mapping[int, int]) -> None:
    """A late fee must not outlive its debt."""
    found = session.execute(
        LATE_FEES_ON,
        {
            "community_id": community_id,
            "bill_ids": list(homes),
            "unit_ids": sorted(set(homes.values())),
        },
    ).first()
    if found is not None:
        raise Conflict(
            f"bill {found.fee_bill_id} charges a late fee for bill {found.bill_id}: void that one"
            " first"
        )


def _refuse_invoiced(session: Session, community_id: int, homes: Mapping[int, int]) -> None:
    """A fapiao is for what became revenue; a void bill is none."""
    found = session.execute(
        FAPIAO_OF,
        {
            "community_id": community_id,
            "bill_ids": list(homes),
            "living": [state.value for state in LIVING],
        },
    ).first()
    if found is not None:
        raise Conflict(
            f"fapiao {found.fapiao_id} is for what was paid on bill {found.bill_id}: reject or"
            " reverse it first"
        )


def _void(
    session: Session,
    chunk: BillRunChunk,
    homes: Mapping[int, int],
    *,
    after: AfterVoid,
    reason: str,
    by: Staff,
    today: date,
    now: datetime,
) -> None:
    """Void bills of one locked chunk, none of which is void: bill → home."""
    community_id = chunk.community_id
    unit_ids = sorted(set(homes.values()))
    # No payment, approval or deduction of these homes meanwhile.
    lock_homes(session, community_id, unit_ids)
    _refuse_late_fees(session, community_id, homes)
    _refuse_invoiced(session, community_id, homes)
    session.execute(
        insert(BillVoid),
        [
            {
                "community_id": community_id,
                "bill_id": bill_id,
                "after": after,
                "reason": reason.strip(),
                "voided_by": by.id,
                "voided_at": now,
            }
            for bill_id in homes
        ],
    )
    issued = chunk.state is ChunkState.ISSUED
    parameters = {
        "community_id": community_id,
        "bill_ids": list(homes),
        "unit_ids": unit_ids,
        "after": after.value,
        "issued": issued,
        "now": now,
        "fact_kind": FactKind.BILL_VOIDED.value,
    }
    session.execute(FACTS, parameters)  # before the release, of which it tells
    mark_recorded(session)
    if issued:
        day = first_open_day(session, community_id, today)
        _take_back(session, parameters | {"effective_on": day})


def _take_back(session: Session, parameters: dict[str, Any]) -> None:
    """Reverse the entries of issued bills and release what was paid on them."""
    booked = session.execute(
        IN_FORCE,
        parameters | {"receivable": FixedAccount.RECEIVABLE.value, "kinds": ENTRY_KINDS},
    )
    reverse_entries(
        session,
        parameters["community_id"],
        {entry.id: f"reversal:{entry.idempotency_key}" for entry in booked},
        effective_on=parameters["effective_on"],
        now=parameters["now"],
    )
    release_bills(
        session,
        parameters["community_id"],
        parameters["bill_ids"],
        effective_on=parameters["effective_on"],
        now=parameters["now"],
    )
