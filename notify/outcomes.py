"""What came of messages: sent, delivered, opened, paid after. Computed, stored nowhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Row, Select, Text, func, select, text
from sqlalchemy.orm import Session

from notify.catalog import NoticeKind
from notify.outbox import Message, MessageState
from notify.sent import first_made, made_within

PAID_WITHIN = timedelta(days=3)

COUNTS = """
    count(*) FILTER (WHERE state IN ('sent', 'delivered')) AS sent,
    count(*) FILTER (WHERE state = 'delivered') AS delivered,
    count(*) FILTER (WHERE opened_at IS NOT NULL) AS opened,
    count(*) FILTER (WHERE is_paid) AS paid,
    count(*) FILTER (WHERE state = 'unknown') AS unknown,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'suppressed') AS suppressed,
    count(*) FILTER (WHERE state IN ('queued', 'sending')) AS waiting
"""

OUTCOMES = text(
    f"""
    WITH told AS MATERIALIZED (
        SELECT message.community_id, message.id, kind, state, first_sent_at, opened_at
        FROM message
        LEFT JOIN message_open open ON open.community_id = message.community_id
         AND open.message_id = message.id
        WHERE message.community_id = :community AND message.id >= :first
          AND message.created_at >= :since
    ),
    dunned AS (
        SELECT told.id, told.first_sent_at, notice.ref_id AS bill_id
        FROM told JOIN notice ON notice.community_id = told.community_id
         AND notice.message_id = told.id
        WHERE told.kind IN ('bill_issued', 'due_soon', 'overdue')
          AND told.state IN ('sent', 'delivered', 'unknown')
    ),
    paid AS (
        SELECT DISTINCT dunned.id
        FROM dunned
        JOIN payment_allocation part ON part.community_id = :community
         AND part.bill_id = dunned.bill_id AND part.amount > 0
        JOIN payment ON payment.community_id = part.community_id AND payment.id = part.payment_id
        WHERE payment.state = 'confirmed' AND payment.confirmed_at >= :since
          AND payment.confirmed_at >= dunned.first_sent_at
          AND payment.confirmed_at < dunned.first_sent_at + CAST(:within AS interval)
    ),
    spread AS (
        SELECT told.id, min(notice.ref_id) AS broadcast_id
        FROM told JOIN notice ON notice.community_id = told.community_id
         AND notice.message_id = told.id
        WHERE told.kind = 'broadcast' AND notice.kind = 'broadcast'
        GROUP BY told.id
    ),
    became AS (
        SELECT kind, state, opened_at, broadcast_id, paid.id IS NOT NULL AS is_paid
        FROM told LEFT JOIN paid USING (id) LEFT JOIN spread USING (id)
    )
    SELECT kind, broadcast_id, {COUNTS} FROM became GROUP BY kind, broadcast_id
    ORDER BY kind, broadcast_id
    """  # noqa: S608  # constant text
)

UNREACHABLE = text(
    """
    SELECT count(DISTINCT follower.id) FROM follower
    JOIN binding ON binding.follower_id = follower.id AND binding.state = 'active'
    WHERE binding.community_id = :community AND follower.unreachable_at IS NOT NULL
    """
)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of the messages of one kind, or of one broadcast.

    Attributes:
        broadcast_id: None for every other kind.
        sent: accepted by whoever carries them, whether or not their arrival was reported.
        delivered: of these, reported to have arrived. Service messages are never reported on.
        opened: whose reader opened their link, however it was sent.
        paid: sent, and somebody paid on one of their bills within three days of it.
        suppressed: not sent, because what they were about was over.
    """

    kind: NoticeKind
    broadcast_id: int | None
    sent: int
    delivered: int
    opened: int
    paid: int
    unknown: int
    failed: int
    suppressed: int
    waiting: int


def list_outcomes(session: Session, community_id: int, since: datetime) -> list[Outcomes]:
    """What came of a community's messages that were made since then, by kind."""
    rows = session.execute(OUTCOMES, _given(session, community_id, since))
    return [_outcomes(row) for row in rows]


def _given(session: Session, community_id: int, since: datetime) -> dict[str, Any]:
    first = first_made(session, community_id, since)
    return {"community": community_id, "since": since, "first": first, "within": PAID_WITHIN}


def outcome_rows(session: Session, community_id: int, since: datetime) -> Select[Any]:
    """The same as rows for a file; `kind` is its code, `key` numbers them."""
    names = [name for name in Outcomes.__slots__ if name != "kind"]
    read = OUTCOMES.bindparams(**_given(session, community_id, since)).columns(
        kind=Text, **dict.fromkeys(names, BigInteger)
    )
    rows = read.subquery("outcomes")
    key = func.row_number().over(order_by=(rows.c.kind, rows.c.broadcast_id)).label("key")
    return select(key, *rows.c).order_by(key)


def count_failed(session: Session, community_id: int, since: datetime) -> int:
    """How many messages of a community made since then failed for good."""
    fits = made_within(session, community_id, since)
    query = select(func.count()).where(fits, Message.state == MessageState.FAILED)
    return session.scalar(query) or 0


def count_unreachable(session: Session, community_id: int) -> int:
    """Followers bound to a home whom no transport reached when it was last tried."""
    return int(session.execute(UNREACHABLE, {"community": community_id}).scalar_one())


def _outcomes(row: Row[tuple[object, ...]]) -> Outcomes:
    values = dict(row._mapping)
    return Outcomes(kind=NoticeKind(values.pop("kind")), **values)
