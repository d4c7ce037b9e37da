"""Issue drafted bills: journal, facts and state, set-wise, one transaction per chunk.

Rows of bills and lines are not touched: issued is a state of their chunk.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.closing import first_open_day
from billing.facts import FactKind, mark_recorded
from billing.handovers import share_issued_chunk
from billing.ledger import Account, AccountRoot, EntryKind, FixedAccount
from billing.tariffs import ChargeItem

POST_CHUNK = text(
    """
    -- Each bill looks up its own lines, and its entry's number is drawn beforehand: no step joins
    -- two sets whose size the planner cannot know, so the time grows with the bills and not faster.
    WITH counted AS MATERIALIZED (
        SELECT bill.id, bill.unit_id, bill.amount, earned.accounts, earned.amounts,
               nextval(pg_get_serial_sequence('journal_entry', 'id')) AS entry_id
        FROM bill
        CROSS JOIN LATERAL (
            SELECT array_agg(item.account_id ORDER BY item.item_id) AS accounts,
                   array_agg(item.amount ORDER BY item.item_id) AS amounts
            FROM (
                SELECT line.item_id, sum(line.amount) AS amount,
                       (CAST(:accounts AS bigint[]))[
                           array_position(CAST(:items AS bigint[]), line.item_id)] AS account_id
                FROM bill_line line
                WHERE line.community_id = :community_id AND line.bill_id = bill.id
                GROUP BY line.item_id HAVING sum(line.amount) > 0
            ) item
        ) earned
        WHERE bill.community_id = :community_id AND bill.run_id = :run_id
          AND bill.chunk_no = :no AND bill.amount > 0
          AND NOT EXISTS (SELECT FROM bill_void void
                          WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
        ORDER BY bill.id
    ),
    entry AS (
        INSERT INTO journal_entry (community_id, id, kind, idempotency_key, source_id,
                                   effective_on, posted_at, postings, total)
        SELECT :community_id, entry_id, :entry_kind, 'bill:' || id, id, :posted_on, :now,
               1 + cardinality(accounts), amount
        FROM counted
    )
    INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id, debit, credit)
    SELECT :community_id, counted.entry_id, side.no, side.account_id, counted.unit_id, counted.id,
           CASE WHEN side.no = 1 THEN side.amount ELSE 0 END,
           CASE WHEN side.no = 1 THEN 0 ELSE side.amount END
    FROM counted
    CROSS JOIN LATERAL unnest(:receivable || accounts, amount || amounts)
                       WITH ORDINALITY AS side (account_id, amount, no)
    """
)

RECORD_FACTS = text(
    """
    INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
    SELECT community_id, :fact_kind, unit_id, id, amount, '{}', :now
    FROM bill
    WHERE community_id = :community_id AND run_id = :run_id AND chunk_no = :no
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
    ORDER BY id
    """
)


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
    """Issue the bills of one chunk: journal, facts, state. False when it was issued already.

    Drafts that were taken out (`bill_void`) are left out. Entries are dated the issue date, or the
    first open day where its month is closed. Bills for days before their home changed hands are
    shared by days among its former and new owners.
    """
    chunk = session.get_one(
        BillRunChunk, (community_id, run_id, no), with_for_update=True, populate_existing=True
    )
    if chunk.state is not ChunkState.DRAFT:
        return False
    parameters = {
        "community_id": community_id,
        "run_id": run_id,
        "no": no,
        "posted_on": first_open_day(session, community_id, issued_on),
        "now": now,
        "entry_kind": EntryKind.BILL_ISSUED.value,
        "fact_kind": FactKind.BILL_ISSUED.value,
        **_accounts(session, community_id),
    }
    session.execute(POST_CHUNK, parameters)
    session.execute(RECORD_FACTS, parameters)
    mark_recorded(session)
    chunk.state = ChunkState.ISSUED
    chunk.issued_on = issued_on
    chunk.due_on = due
    share_issued_chunk(session, community_id, run_id, no, now=now)
    return True


def _accounts(session: Session, community_id: int) -> dict[str, Any]:
    """Ids of the receivable account and of every item's income account."""
    rows = session.execute(
        select(ChargeItem.id, Account.id)
        .join(
            Account,
            (Account.community_id == ChargeItem.community_id)
            & (Account.code == f"{AccountRoot.INCOME}:" + ChargeItem.code),
        )
        .where(ChargeItem.community_id == community_id)
    ).all()
    receivable = session.scalars(
        select(Account.id).where(
            Account.community_id == community_id, Account.code == FixedAccount.RECEIVABLE
        )
    ).one()
    return {
        "receivable": receivable,
        "items": [item_id for item_id, _ in rows],
        "accounts": [account_id for _, account_id in rows],
    }
