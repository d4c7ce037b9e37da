"""What became of one broadcast: waiting, sent, delivered, read, failed and why, paid after."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from notify.broadcast_tables import Broadcast
from notify.outbox import MessageState, NoticeState, Reason
from notify.outcomes import PAID_WITHIN

STATES = text(
    """
    SELECT coalesce(message.state, notice.state) AS state,
           coalesce(message.reason, notice.reason) AS reason,
           count(*) AS readers
    FROM notice
    LEFT JOIN message ON message.community_id = notice.community_id
     AND message.id = notice.message_id
    WHERE notice.community_id = :community_id AND notice.kind = 'broadcast'
      AND notice.ref_id = :id
    GROUP BY 1, 2
    """
)
EFFECTS = text(
    """
    SELECT count(open.opened_at) AS opened,
           count(*) FILTER (WHERE message.first_sent_at IS NOT NULL AND EXISTS (
               SELECT FROM binding
               JOIN payment ON payment.community_id = binding.community_id
                AND payment.unit_id = binding.unit_id
               WHERE binding.community_id = notice.community_id
                 AND binding.follower_id = notice.follower_id AND binding.state = 'active'
                 AND payment.state = 'confirmed' AND payment.confirmed_at >= message.first_sent_at
                 AND payment.confirmed_at < message.first_sent_at + CAST(:within AS interval)
           )) AS paid
    FROM notice
    JOIN message ON message.community_id = notice.community_id
     AND message.id = notice.message_id
    LEFT JOIN message_open open ON open.community_id = message.community_id
     AND open.message_id = message.id
    WHERE notice.community_id = :community_id AND notice.kind = 'broadcast'
      AND notice.ref_id = :id
    """
)

LEFT_US = frozenset(
    {
        MessageState.SENDING,
        MessageState.SENT,
        MessageState.DELIVERED,
        MessageState.UNKNOWN,
    }
)
"""It is with its reader, or may be."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a broadcast is, in readers.

    Attributes:
        waiting: not claimed by a worker yet.
        left: sent, delivered, or on the way: it may have been read.
        delivered: reported to have arrived; service messages are never reported on.
        failed, suppressed: by reason.
    """

    waiting: int
    left: int
    delivered: int
    failed: Mapping[Reason, int]
    suppressed: Mapping[Reason, int]


@dataclass(frozen=True, slots=True)
class Results(Progress):
    """What became of a broadcast, in readers: how far it is, and what they did.

    Attributes:
        read: opened its page. Who has the whole text in the chat has no page to open.
        paid: paid for one of their homes within three days of it.
    """

    read: int
    paid: int


def read_progress(session: Session, broadcast: Broadcast) -> Progress:
    """How far it is; nothing while it has not left. Cheap enough to ask again and again while a
    hundred thousand are told.
    """
    asked = {"community_id": broadcast.community_id, "id": broadcast.id}
    found = session.execute(STATES, asked).all()
    return Progress(
        waiting=sum(row.readers for row in found if row.state == NoticeState.QUEUED),
        left=sum(row.readers for row in found if row.state in LEFT_US),
        delivered=sum(row.readers for row in found if row.state == MessageState.DELIVERED),
        failed=_by_reason(found, MessageState.FAILED),
        suppressed=_by_reason(found, MessageState.SUPPRESSED),
    )


def with_effects(session: Session, broadcast: Broadcast, progress: Progress) -> Results:
    """How far it is with what its readers did until now: looks at the payments of each of them."""
    asked = {"community_id": broadcast.community_id, "id": broadcast.id, "within": PAID_WITHIN}
    row = session.execute(EFFECTS, asked).one()
    return Results(**asdict(progress), read=row.opened, paid=row.paid)


def read_results(session: Session, broadcast: Broadcast) -> Results:
    """What became of a broadcast until now; nothing while it has not left."""
    return with_effects(session, broadcast, read_progress(session, broadcast))


def _by_reason(found: Sequence[Row[Any]], state: MessageState) -> dict[Reason, int]:
    """The most frequent first."""
    counts = {Reason(row.reason): row.readers for row in found if row.state == state}
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))
