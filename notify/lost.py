"""Owners WeChat reaches no more: bound, no longer following, and nobody of their home follows."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.property import Community
from notify.catalog import UNFOLLOWED_KINDS
from notify.outbox import Notice


def is_lost(binding: str) -> str:
    """SQL: whether this binding, of a follower who stopped following, is of such an owner."""
    return f"""
        ({binding}.role = 'owner' AND {binding}.sees_to IS NULL AND NOT EXISTS (
            SELECT FROM binding other JOIN follower ON follower.id = other.follower_id
            WHERE other.community_id = {binding}.community_id AND other.unit_id = {binding}.unit_id
              AND other.state = 'active' AND other.role = 'owner'
              AND follower.unfollowed_at IS NULL))
        """  # constant text


LOST = text(
    f"""
    SELECT community_id, unit_id, follower_id FROM binding
    WHERE follower_id = ANY(:followers) AND state = 'active' AND {is_lost("binding")}
    """  # noqa: S608
)


def find_lost(session: Session, unfollowed: Collection[int]) -> set[tuple[int, int, int]]:
    """(community, home, follower) of those among these followers, who all stopped following."""
    if not unfollowed:
        return set()
    rows = session.execute(LOST, {"followers": list(unfollowed)})
    return {(row.community_id, row.unit_id, row.follower_id) for row in rows}


def is_told_all_the_same(
    notice: Notice, community: Community | None, lost: Collection[tuple[int, int, int]]
) -> bool:
    """Whether somebody who stopped following is still to be told this by SMS: his community wants
    that, and nobody else of his home is told by WeChat.
    """
    return (
        notice.kind in UNFOLLOWED_KINDS
        and community is not None
        and community.sms_unfollowed
        and (notice.community_id, notice.unit_id, notice.follower_id) in lost
    )
