"""The log of who saw what, for owners' pages: one call in every view that shows a home's books."""

from datetime import datetime

from sqlalchemy.orm import Session

from billing.sightings import Sight, note_sightings
from handlers.pages.queries import Visit


def note_sight(session: Session, visit: Visit, what: Sight, now: datetime) -> None:
    """Write down what the viewer sees; a stranger sees the total. A browser nobody signed in at is
    known to `billing.lookups` only.
    """
    if visit.follower_id is None:
        return
    note_sightings(
        session,
        [(visit.unit.community_id, visit.unit.id)],
        what if visit.bound else Sight.TOTAL,
        now,
        follower_id=visit.follower_id,
    )
