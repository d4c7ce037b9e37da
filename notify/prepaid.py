"""Prepayments that no longer cover the next bill, and the daily walk that tells whose they are.

What the next bill takes is expected to be what the last one did, of the items a home pays from its
prepayment. A home is told once until money comes again: the entry that brought the last is part of
the notice's key.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.ledger import FixedAccount
from billing.money import Money
from notify.catalog import NOTICES, NoticeKind
from notify.quiet_hours import next_allowed
from notify.unseen import Key

LOW = """
    WITH willing AS (
        SELECT DISTINCT community_id, unit_id FROM auto_deduction
        WHERE CAST(:units AS bigint[]) IS NULL OR (community_id, unit_id) IN (
            SELECT * FROM unnest(CAST(:communities AS bigint[]), CAST(:units AS bigint[])))
    ),
    held AS (
        SELECT willing.community_id, willing.unit_id,
               sum(posting.credit - posting.debit) AS money,
               max(posting.entry_id) FILTER (WHERE posting.credit > 0) AS topped_up
        FROM willing
        JOIN account ON account.community_id = willing.community_id
         AND account.code = :prepayments
        JOIN posting ON posting.community_id = willing.community_id
         AND posting.account_id = account.id AND posting.unit_id = willing.unit_id
        GROUP BY 1, 2
    ),
    expected AS (
        SELECT held.*, (
            SELECT sum(line.amount)
            FROM bill_line line
            JOIN auto_deduction chosen ON chosen.community_id = line.community_id
             AND chosen.unit_id = held.unit_id AND chosen.item_id = line.item_id
            WHERE line.community_id = held.community_id AND line.bill_id = (
                SELECT bill.id FROM bill
                JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
                 AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
                 AND chunk.state = 'issued'
                JOIN bill_run run ON run.community_id = bill.community_id
                 AND run.id = bill.run_id AND run.kind = 'regular'
                WHERE bill.community_id = held.community_id AND bill.unit_id = held.unit_id
                  AND NOT EXISTS (
                    SELECT FROM bill_void void
                    WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
                ORDER BY bill.period DESC, bill.id DESC LIMIT 1)
        ) AS wanted
        FROM held
    ),
    low AS (SELECT * FROM expected WHERE money < wanted)
"""

READ_LOW = text(f"{LOW} SELECT community_id, unit_id, money, wanted FROM low")  # noqa: S608

WRITE_LOW = text(
    f"""
    {LOW},
    told AS (
        SELECT low.*, binding.follower_id
        FROM low
        JOIN binding ON binding.community_id = low.community_id AND binding.unit_id = low.unit_id
         AND binding.state = 'active' AND binding.sees_to IS NULL  -- not who sold the home
        JOIN follower ON follower.id = binding.follower_id AND follower.unfollowed_at IS NULL
        LEFT JOIN notice_preference chosen ON chosen.follower_id = follower.id
        WHERE NOT coalesce(chosen.is_off, false)
          AND NOT coalesce(chosen.paused_until > CAST(:today AS date), false)
    ),
    written AS (
        INSERT INTO notice (community_id, follower_id, kind, urgency, fact_key, unit_id, ref_id,
                            data, state, created_at, not_before, expires_at)
        SELECT community_id, follower_id, :kind, :urgency, 'prepayment:' || topped_up, unit_id,
               unit_id, '{{}}', 'queued', :now, :not_before, :expires_at
        FROM told
        ORDER BY unit_id, follower_id
        ON CONFLICT (community_id, follower_id, kind, fact_key) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608  # constant text
)


@dataclass(frozen=True, slots=True)
class LowPrepayment:
    """What a home has with us, and what its next bill is expected to take from it."""

    balance: Money
    expected: Money


def read_low(session: Session, homes: Collection[Key]) -> dict[Key, LowPrepayment]:
    """Those of these homes whose prepayment does not cover their next bill."""
    if not homes:
        return {}
    rows = session.execute(
        READ_LOW,
        {
            "prepayments": FixedAccount.PREPAYMENTS.value,
            "communities": [community for community, _ in homes],
            "units": [unit for _, unit in homes],
        },
    )
    return {
        (row.community_id, row.unit_id): LowPrepayment(
            Money(int(row.money)), Money(int(row.wanted))
        )
        for row in rows
    }


def tell_low(session: Session, today: date, now: datetime) -> int:
    """Write a notice to everybody of homes whose prepayment became low; returns how many were
    written. Safe to call twice: of one low each is told once.
    """
    rule = NOTICES[NoticeKind.PREPAYMENT_LOW]
    not_before = next_allowed(now)
    return int(
        session.execute(
            WRITE_LOW,
            {
                "prepayments": FixedAccount.PREPAYMENTS.value,
                "communities": None,
                "units": None,
                "today": today,
                "kind": NoticeKind.PREPAYMENT_LOW.value,
                "urgency": rule.urgency.value,
                "now": now,
                "not_before": not_before,
                "expires_at": not_before + rule.life,
            },
        ).scalar_one()
    )
