"""Issue drafted bills: journal, facts and state, set-wise, one transaction per chunk.

Rows of bills and lines are not touched: issued is a state of their chunk.
"""

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.facts import FactKind, mark_recorded
from billing.ledger import AccountRoot, EntryKind, FixedAccount

ISSUE_CHUNK = [
    text(statement)
    for statement in (
        """
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT bill.community_id, :entry_kind, 'bill:' || bill.id, bill.id, :issued_on, :now,
               1 + (SELECT count(DISTINCT item_id) FROM bill_line line
                    WHERE line.community_id = bill.community_id AND line.bill_id = bill.id
                      AND line.amount > 0),
               bill.amount
        FROM bill
        WHERE bill.community_id = :community_id AND bill.run_id = :run_id
          AND bill.chunk_no = :no AND bill.amount > 0
        ORDER BY bill.id
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                             debit, credit)
        SELECT side.community_id, entry.id,
               row_number() OVER (PARTITION BY side.bill_id ORDER BY side.credit > 0, side.item_id),
               account.id, side.unit_id, side.bill_id, side.debit, side.credit
        FROM (
            SELECT bill.community_id, bill.id AS bill_id, bill.unit_id, 0 AS item_id,
                   :receivable AS account, bill.amount AS debit, 0 AS credit
            FROM bill
            WHERE bill.community_id = :community_id AND bill.run_id = :run_id
              AND bill.chunk_no = :no AND bill.amount > 0
            UNION ALL
            SELECT bill.community_id, bill.id, bill.unit_id, item.id,
                   :income || ':' || item.code, 0, sum(line.amount)
            FROM bill
            JOIN bill_line line ON line.community_id = bill.community_id AND line.bill_id = bill.id
            JOIN charge_item item ON item.community_id = line.community_id
             AND item.id = line.item_id
            WHERE bill.community_id = :community_id AND bill.run_id = :run_id
              AND bill.chunk_no = :no
            GROUP BY bill.community_id, bill.id, bill.unit_id, item.id, item.code
            HAVING sum(line.amount) > 0
        ) side
        JOIN journal_entry entry ON entry.community_id = side.community_id
         AND entry.idempotency_key = 'bill:' || side.bill_id
        JOIN account ON account.community_id = side.community_id AND account.code = side.account
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
        SELECT community_id, :fact_kind, unit_id, id, amount, '{}', :now
        FROM bill
        WHERE community_id = :community_id AND run_id = :run_id AND chunk_no = :no
        ORDER BY id
        """,
    )
]


def issue_chunk(
    session: Session,
    community_id: int,
    run_id: int,
    no: int,
    *,
    issued_on: date,
    due: date,
    now: datetime,
) -> bool:
    """Issue the bills of one chunk: journal, facts, state. False when it was issued already."""
    chunk = session.get_one(BillRunChunk, (community_id, run_id, no), with_for_update=True)
    if chunk.state is not ChunkState.DRAFT:
        return False
    parameters = {
        "community_id": community_id,
        "run_id": run_id,
        "no": no,
        "issued_on": issued_on,
        "now": now,
        "entry_kind": EntryKind.BILL_ISSUED.value,
        "receivable": FixedAccount.RECEIVABLE.value,
        "income": AccountRoot.INCOME.value,
        "fact_kind": FactKind.BILL_ISSUED.value,
    }
    for statement in ISSUE_CHUNK:
        session.execute(statement, parameters)
    mark_recorded(session)
    chunk.state = ChunkState.ISSUED
    chunk.issued_on = issued_on
    chunk.due_on = due
    return True
