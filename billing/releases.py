"""Taking paid money back from bills (转预存): the bill is owed again, the money is the home's
prepayment. Done when a bill is voided and when a payment that paid it is refunded. Set-wise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.ledger import EntryKind, FixedAccount
from billing.money import Money

OF_BILLS = """
    SELECT payment_id, bill_line_id, bill_id, sum(amount) AS amount,
           'release:' || payment_id || ':' || bill_id AS key
    FROM payment_allocation
    WHERE community_id = :community_id AND bill_id = ANY(CAST(:bill_ids AS bigint[]))
    GROUP BY payment_id, bill_line_id, bill_id
"""
"""All that is applied to these bills."""

OF_A_REFUND = """
    SELECT CAST(:payment_id AS bigint) AS payment_id, bill_line_id, bill_id, amount,
           'release:refund:' || :refund_id || ':' || bill_id AS key
    FROM unnest(CAST(:line_ids AS bigint[]), CAST(:bill_ids AS bigint[]),
                CAST(:amounts AS bigint[])) AS part(bill_line_id, bill_id, amount)
"""
"""Named parts of one payment."""


def _statements(parts: str) -> list[Any]:
    """One entry per payment and bill, its two postings, and the negative allocations. The parts
    are read before they are changed.
    """
    return [
        text(statement)
        for statement in (
            f"""
            INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id,
                                       effective_on, posted_at, postings, total)
            SELECT :community_id, :release, key, payment_id, :effective_on, :now, 2, sum(amount)
            FROM ({parts}) part
            GROUP BY payment_id, bill_id, key HAVING sum(amount) > 0
            ORDER BY payment_id, bill_id
            """,  # noqa: S608  # constant text
            f"""
            INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id,
                                 debit, credit)
            SELECT entry.community_id, entry.id, side.no, account.id, bill.unit_id,
                   CASE WHEN side.no = 1 THEN bill.id END,
                   CASE WHEN side.no = 1 THEN entry.total ELSE 0 END,
                   CASE WHEN side.no = 2 THEN entry.total ELSE 0 END
            FROM (SELECT DISTINCT bill_id, key FROM ({parts}) part) released
            JOIN bill ON bill.community_id = :community_id AND bill.id = released.bill_id
            JOIN journal_entry entry ON entry.community_id = bill.community_id
             AND entry.idempotency_key = released.key
            CROSS JOIN (VALUES (1, :receivable), (2, :prepayments)) AS side(no, code)
            JOIN account ON account.community_id = bill.community_id AND account.code = side.code
            """,  # noqa: S608  # constant text
            f"""
            INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id,
                                            amount, effective_on)
            SELECT :community_id, payment_id, bill_line_id, bill_id, -amount, :effective_on
            FROM ({parts}) part WHERE amount <> 0
            ORDER BY payment_id, bill_line_id
            """,  # noqa: S608  # constant text
        )
    ]


RELEASE_BILLS = _statements(OF_BILLS)
RELEASE_PARTS = _statements(OF_A_REFUND)


@dataclass(frozen=True, slots=True)
class Part:
    """What of a payment is taken back from one line."""

    line_id: int
    bill_id: int
    amount: Money


def release_bills(
    session: Session,
    community_id: int,
    bill_ids: Sequence[int],
    *,
    effective_on: date,
    now: datetime,
) -> None:
    """Release all that was paid on these bills. The caller has locked their homes and knows that
    none of them was voided before.
    """
    parameters = {"bill_ids": list(bill_ids)}
    _release(session, RELEASE_BILLS, community_id, parameters, effective_on, now)


def release_parts(
    session: Session,
    community_id: int,
    payment_id: int,
    parts: Sequence[Part],
    *,
    refund_id: int,
    effective_on: date,
    now: datetime,
) -> None:
    """Release parts of one payment for a refund of it, each line once. The caller has locked the
    home, and knows that each part is at most what of the payment is applied to its line.
    """
    parameters = {
        "payment_id": payment_id,
        "refund_id": str(refund_id),
        "line_ids": [part.line_id for part in parts],
        "bill_ids": [part.bill_id for part in parts],
        "amounts": [part.amount.fen for part in parts],
    }
    _release(session, RELEASE_PARTS, community_id, parameters, effective_on, now)


def _release(
    session: Session,
    statements: Sequence[Any],
    community_id: int,
    parameters: Mapping[str, Any],
    effective_on: date,
    now: datetime,
) -> None:
    for statement in statements:
        session.execute(
            statement,
            {
                **parameters,
                "community_id": community_id,
                "effective_on": effective_on,
                "now": now,
                "release": EntryKind.RELEASE.value,
                "receivable": FixedAccount.RECEIVABLE.value,
                "prepayments": FixedAccount.PREPAYMENTS.value,
            },
        )
