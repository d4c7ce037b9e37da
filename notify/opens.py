"""Who read what: the first time the reader of a message opens the link in it."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from notify.links import MessageRef

FIRST_OPEN = text(
    """
    INSERT INTO message_open (community_id, message_id, opened_at)
    SELECT message.community_id, message.id, :now
    FROM message JOIN follower ON follower.id = message.follower_id
    WHERE message.community_id = :community AND message.id = :message
      AND follower.openid = :openid
    ON CONFLICT DO NOTHING
    """
)


def note_open(session: Session, ref: MessageRef, openid: str, now: datetime) -> None:
    """Somebody opened the link of a message. Only its reader, and his first time, counts; safe to
    repeat.
    """
    session.execute(
        FIRST_OPEN,
        {
            "community": ref.community_id,
            "message": ref.message_id,
            "openid": openid,
            "now": now,
        },
    )
