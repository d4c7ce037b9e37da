"""What a home's people were told of a bill, and what became of it: for staff who are asked."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.people import Binding, Follower
from billing.privacy import mask_openid
from notify.catalog import NoticeKind, Transport
from notify.outbox import Message, MessageOpen, MessageState, Notice, NoticeState, Reason

OF_BILLS = (NoticeKind.BILL_ISSUED, NoticeKind.DUE_SOON, NoticeKind.OVERDUE)


@dataclass(frozen=True, slots=True)
class Told:
    """A notice of a bill to one follower.

    Attributes:
        state: of the message it became, else of the notice.
        opened_at: when he opened its link; None: not, or not known.
    """

    at: datetime
    kind: NoticeKind
    follower: str
    transport: Transport | None
    state: MessageState | NoticeState
    reason: Reason | None
    opened_at: datetime | None


def list_told(session: Session, community_id: int, unit_id: int, bill_id: int) -> list[Told]:
    """Notices of a bill to whoever is or was bound to its home, in order."""
    bound = select(Binding.follower_id).where(
        Binding.community_id == community_id, Binding.unit_id == unit_id
    )
    rows = session.execute(
        select(
            Notice.created_at,
            Notice.kind,
            Follower.openid,
            Notice.state,
            Notice.reason,
            Message,
            MessageOpen.opened_at,
        )
        .join(Follower, Follower.id == Notice.follower_id)
        .outerjoin(
            Message,
            (Message.community_id == Notice.community_id) & (Message.id == Notice.message_id),
        )
        .outerjoin(
            MessageOpen,
            (MessageOpen.community_id == Message.community_id)
            & (MessageOpen.message_id == Message.id),
        )
        .where(
            Notice.community_id == community_id,
            # By follower and kind, as the index of notices is.
            Notice.follower_id.in_(bound),
            Notice.kind.in_(OF_BILLS),
            Notice.ref_id == bill_id,
        )
        .order_by(Notice.created_at, Notice.id)
    )
    return [
        Told(
            at=at,
            kind=kind,
            follower=mask_openid(openid),
            transport=message.transport if message else None,
            state=message.state if message else state,
            reason=message.reason if message else reason,
            opened_at=opened_at,
        )
        for at, kind, openid, state, reason, message, opened_at in rows
    ]
