"""No charge is configured anew while a bill run prices with what was configured before."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.advisory import is_held
from billing.errors import Conflict

RUN_LOCK = 20261101
"""First key of the advisory lock that a bill run holds; the second is the community."""


def is_run_under_way(session: Session, community_id: int) -> bool:
    """Whether somebody runs bills of the community now; a run that died holds no lock."""
    return is_held(session, RUN_LOCK, community_id)


def refuse_during_run(session: Session, community_id: int) -> None:
    """Keep bill runs of the community from beginning until this transaction ends.

    A run reads prices once and then writes for minutes: what changes meanwhile would hold for some
    of its bills only, and "nothing is billed yet" would be true only until the next chunk.

    Raises:
        Conflict: a run is under way.
    """
    free = session.scalar(
        text(
            "SELECT pg_try_advisory_xact_lock_shared(CAST(:lock AS int), CAST(:community AS int))"
        ),
        {"lock": RUN_LOCK, "community": community_id},
    )
    if not free:
        raise Conflict("a bill run of this community is under way; try again when it is done")
