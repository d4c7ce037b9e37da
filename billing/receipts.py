"""Receipts (收据): numbered by one job after payments are committed, without gaps per community and
year, so that payments never queue behind a number.
"""

import re
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.errors import NotFound
from billing.facts import FactKind, mark_recorded
from billing.payment_tables import Payment, Receipt

PRINTED = re.compile(r"([0-9]{4})-([0-9]{1,9})")
"""Year and number, as on the paper."""

LOCK_WAITING = text(
    """
    SELECT id FROM community
    WHERE id IN (SELECT DISTINCT community_id FROM receipt_waiting) ORDER BY id FOR NO KEY UPDATE
    """
)

NUMBER_WAITING = text(
    """
    WITH taken AS (
        DELETE FROM receipt_waiting WHERE (community_id, payment_id) IN (
            SELECT community_id, payment_id FROM receipt_waiting
            WHERE community_id = ANY(:communities)
            ORDER BY community_id, payment_id LIMIT :limit
        )
        RETURNING community_id, payment_id
    ),
    numbered AS (
        INSERT INTO receipt (community_id, year, no, payment_id, issued_at)
        SELECT payment.community_id, :year,
               coalesce((SELECT max(no) FROM receipt last
                         WHERE last.community_id = payment.community_id AND last.year = :year), 0)
               + row_number() OVER (PARTITION BY payment.community_id
                                    ORDER BY payment.confirmed_at, payment.id),
               payment.id, :now
        FROM taken
        JOIN payment ON payment.community_id = taken.community_id AND payment.id = taken.payment_id
        RETURNING community_id, year, no, payment_id
    ),
    told AS (
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
        SELECT payment.community_id, :fact_kind, payment.unit_id, payment.id, payment.amount,
               jsonb_build_object(
                   'receipt', numbered.year || '-' || lpad(CAST(numbered.no AS text), 6, '0'),
                   'payer_id', payment.payer_id), :now
        FROM numbered
        JOIN payment ON payment.community_id = numbered.community_id
         AND payment.id = numbered.payment_id
        ORDER BY payment.community_id, numbered.no
    )
    SELECT count(*) FROM numbered
    """
)


def number_waiting(session: Session, now: datetime, *, limit: int) -> int:
    """Number the receipts that wait, in the order the payments were booked; returns how many.

    The communities' rows serialise numbering until the caller commits; payments are not held up
    by it. A receipt is of the year in which it is numbered. Safe to call twice and from many
    workers at once.
    """
    communities = list(session.scalars(LOCK_WAITING))
    if not communities:
        return 0
    numbered = session.execute(
        NUMBER_WAITING,
        {
            "communities": communities,
            "limit": limit,
            "year": business_date(now).year,
            "now": now,
            "fact_kind": FactKind.RECEIPT_ISSUED.value,
        },
    ).scalar_one()
    if numbered:
        mark_recorded(session)
    return int(numbered)


def find_receipt(session: Session, payment: Payment) -> Receipt | None:
    """The receipt of a payment; None until it is numbered."""
    return session.scalar(
        select(Receipt).where(
            Receipt.community_id == payment.community_id, Receipt.payment_id == payment.id
        )
    )


def get_receipt(session: Session, community_id: int, number: str) -> tuple[Receipt, Payment]:
    """The receipt with this printed number, and its payment.

    Raises:
        NotFound: there is none.
    """
    printed = PRINTED.fullmatch(number.strip())
    found = printed and session.get(Receipt, (community_id, int(printed[1]), int(printed[2])))
    if found is None:
        raise NotFound(f"no receipt {number!r} in community {community_id}")
    return found, session.get_one(Payment, (community_id, found.payment_id))
