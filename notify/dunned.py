"""What followers were told of some bills, and what came of it: evidence for letters of demand."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.db import id_array
from notify.catalog import NoticeKind, Transport
from notify.outbox import Message, MessageState, Notice, Reason

OF_BILLS = (NoticeKind.BILL_ISSUED, NoticeKind.DUE_SOON, NoticeKind.OVERDUE)


@dataclass(frozen=True, slots=True)
class Told:
    """A message about bills.

    Attributes:
        sent_at: when it may first have arrived; None when it was never sent.
        reason: why it was not sent, or did not arrive.
    """

    kind: NoticeKind
    transport: Transport
    state: MessageState
    reason: Reason | None
    made_at: datetime
    sent_at: datetime | None


def list_told(session: Session, community_id: int, bill_ids: Collection[int]) -> list[Told]:
    """Every message about these bills, delivered or not, the oldest first; each once."""
    rows = session.execute(
        select(
            Message.kind,
            Message.transport,
            Message.state,
            Message.reason,
            Message.created_at,
            Message.first_sent_at,
        )
        .where(
            Message.community_id == community_id,
            Message.id.in_(
                select(Notice.message_id).where(
                    Notice.community_id == community_id,
                    Notice.kind.in_(OF_BILLS),
                    Notice.ref_id.in_(id_array(bill_ids)),
                    Notice.message_id.is_not(None),
                )
            ),
            Message.state != MessageState.QUEUED,
        )
        .order_by(Message.created_at, Message.id)
    )
    return [Told(*row) for row in rows]
