"""A follower who asks staff to let him in to a home."""

from datetime import datetime

from sqlalchemy.orm import Session

from billing.binding_requests import Asked, Claim, request_binding
from billing.bindings import find_living
from billing.people import Binding, Follower
from billing.property import Unit
from tests.conftest import NOW, make_vault


def ask_for(
    session: Session,
    follower: Follower,
    unit: Unit,
    now: datetime = NOW,
    claim: Claim | None = None,
) -> Binding:
    """His request, made now."""
    asked = request_binding(session, make_vault(), follower, unit, now, claim=claim)
    assert asked is Asked.REQUESTED
    binding = find_living(session, unit.community_id, unit.id, follower.id)
    assert binding is not None
    return binding
