"""The whole list of arrears, for the member of staff who asked for it in the chat alone."""

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.errors import InvalidInput
from billing.money import ZERO, Money
from billing.people import Follower, Staff
from billing.privacy import mask_name
from billing.property import Community
from billing.reports.arrears import list_arrears, owners_of
from billing.sightings import Sight, note_sightings
from handlers.pages.refusals import Refusal, Refused
from handlers.pages.viewer import require_viewer
from handlers.services import Services
from notify.audiences import Audience
from notify.links import ArrearsRef

ROWS_MAX = 500
"""More is nothing to read on a phone; `mingzhang arrears` prints it all."""


def arrears(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/arrears/<token>`: homes that owe, as of today, with masked names of their owners.
    What is seen of each home is written down.
    """
    openid = require_viewer(services)
    ref = services.links.read_arrears(token)
    if ref is None:
        raise Refused(Refusal.BROKEN_LINK)
    today, now = services.today(), services.clock()
    with services.database.transaction() as session:
        staff = _require_asker(session, openid, ref)
        community = session.get_one(Community, ref.community_id)
        asked = _read(ref)
        at_least = Money(ref.at_least_fen) if ref.at_least_fen else None
        found = list_arrears(session, asked.scope(community.id), today, at_least)
        shown = found[:ROWS_MAX]
        units = [one.unit_id for one in shown]
        homes = [(community.id, unit_id) for unit_id in units]
        note_sightings(session, homes, Sight.TOTAL, now, staff_id=staff.id)
        owners = owners_of(session, community.id, units, today)
    vault = services.vault
    return render_template(
        "pages/arrears.html",
        community=community,
        scope=asked,
        at_least=at_least,
        today=today,
        rows=[
            (one, [mask_name(vault.open(sealed)) for sealed in owners.get(one.unit_id, [])])
            for one in shown
        ],
        homes=len(found),
        left_out=len(found) - len(shown),
        owed=sum((one.owed for one in found), ZERO),
    )


def _require_asker(session: Session, openid: str, ref: ArrearsRef) -> Staff:
    """The member of staff the link was made for, if it is the viewer and he still works there."""
    staff = session.scalars(
        select(Staff)
        .join(Follower, Follower.id == Staff.follower_id)
        .where(Staff.id == ref.staff_id, Staff.left_at.is_(None), Follower.openid == openid)
    ).one_or_none()
    if staff is None or staff.community_id not in (None, ref.community_id):
        raise Refused(Refusal.NOT_YOUR_LIST)
    return staff


def _read(ref: ArrearsRef) -> Audience:
    try:
        return Audience.parse(ref.asked)
    except InvalidInput:  # written by another version of the program
        raise Refused(Refusal.BROKEN_LINK) from None
