"""A broadcast with all its words, for those it was sent to: a template message cuts them."""

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.errors import NotFound
from billing.people import Follower, Staff
from billing.property import Community
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.viewer import require_viewer
from handlers.services import Services
from notify.broadcast_tables import Broadcast
from notify.broadcasts import get_broadcast
from notify.catalog import NoticeKind
from notify.links import BroadcastRef
from notify.outbox import Notice


def notice(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/notice/<token>`: the words of a broadcast."""
    openid = require_viewer(services)
    ref = services.links.read_broadcast(token)
    if ref is None:
        raise Refused(Refusal.BROKEN_LINK)
    with services.database.transaction() as session:
        broadcast = _find(session, openid, ref)
        community = session.get_one(Community, ref.community_id)
    return render_template("pages/notice.html", community=community, broadcast=broadcast)


def _find(session: Session, openid: str, ref: BroadcastRef) -> Broadcast:
    """The broadcast, for its readers and the staff of its community.

    Raises:
        Refused: somebody else.
    """
    try:
        found = get_broadcast(session, ref.community_id, ref.broadcast_id)
    except NotFound:
        raise Refused(Refusal.BROKEN_LINK) from None
    told = select(Notice.id).where(
        Notice.community_id == ref.community_id,
        Notice.follower_id == Follower.id,
        Notice.kind == NoticeKind.BROADCAST,
        Notice.ref_id == ref.broadcast_id,
    )
    works = select(Staff.id).where(
        Staff.follower_id == Follower.id,
        Staff.left_at.is_(None),
        Staff.community_id.is_(None) | (Staff.community_id == ref.community_id),
    )
    reader = select(Follower.id).where(Follower.openid == openid, told.exists() | works.exists())
    if session.scalars(reader).first() is None:
        raise Refused(Refusal.NOT_YOUR_NOTICE)
    return found
