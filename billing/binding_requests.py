"""Asking staff to be let in to a home, with or without saying who one is.

Whether the name and telephone number fit is written down for staff and told to nobody else: the
follower gets the same answer either way.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from billing.binding_tries import count_try, is_locked_out
from billing.bindings import find_living, limit_sight, record_binding
from billing.business_day import business_date
from billing.errors import Conflict, NotFound
from billing.facts import FactKind
from billing.people import (
    Binding,
    BindingState,
    Follower,
    Occupancy,
    Resident,
    ResidentRole,
)
from billing.privacy import Vault
from billing.property import Unit

REQUESTS_OPEN_MAX = 3
"""Requests of one follower that may wait for staff at a time."""

PHONE_DIGITS = 11


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says he is. Personal data: kept sealed, never logged."""

    name: str
    phone: str

    def seal(self, vault: Vault) -> str:
        """As it is stored."""
        return vault.seal(json.dumps([self.name, self.phone], ensure_ascii=False))

    @classmethod
    def open(cls, vault: Vault, sealed: str) -> "Claim":
        """As it was stored."""
        return cls(*json.loads(vault.open(sealed)))


class Asked(Enum):
    """What came of asking."""

    REQUESTED = "requested"
    WAITING = "waiting"
    IS_BOUND = "is_bound"
    LOCKED = "locked"
    TOO_MANY = "too_many_requests"


def request_binding(
    session: Session,
    vault: Vault,
    follower: Follower,
    unit: Unit,
    now: datetime,
    *,
    role: ResidentRole = ResidentRole.OWNER,
    claim: Claim | None = None,
) -> Asked:
    """Ask staff to let this follower act for a home. The caller commits whatever comes of it: every
    claim is counted as a try (`binding_tries`).

    Asking again changes nothing but that the first claim is added to a request made without one: a
    later claim would let somebody guess until staff read that it fits.

    Args:
        role: what he says he is to the home; somebody known there, with that name and number, is
            what the books say he is.
    """
    if claim is not None:
        if is_locked_out(session, follower.id, now):
            return Asked.LOCKED
        count_try(session, follower.id, now)
    living = find_living(session, unit.community_id, unit.id, follower.id)
    if living is not None and living.state is BindingState.ACTIVE:
        return Asked.IS_BOUND
    if living is not None:
        if claim is not None and living.claim_sealed is None:
            _write_claim(session, vault, living, claim, now)
        return Asked.WAITING
    if count_requests(session, follower.id) >= REQUESTS_OPEN_MAX:
        return Asked.TOO_MANY
    binding = Binding(
        community_id=unit.community_id,
        unit_id=unit.id,
        follower_id=follower.id,
        role=role,
        state=BindingState.REQUESTED,
        requested_at=now,
    )
    session.add(binding)
    if claim is not None:
        _write_claim(session, vault, binding, claim, now)
    session.flush()  # the fact names the binding's id
    record_binding(session, FactKind.BINDING_REQUESTED, binding, now)
    return Asked.REQUESTED


def _write_claim(
    session: Session, vault: Vault, binding: Binding, claim: Claim, now: datetime
) -> None:
    known = _known_as(session, vault, binding, claim, business_date(now))
    binding.claim_sealed = claim.seal(vault)
    binding.claim_fits = known is not None
    binding.role = known or binding.role


def _known_as(
    session: Session, vault: Vault, binding: Binding, claim: Claim, today: date
) -> ResidentRole | None:
    """What somebody of this name and number is to the home today; only this home's people are
    opened.
    """
    rows = session.execute(
        select(Resident.name_sealed, Resident.phone_sealed, Occupancy.role)
        .join(
            Occupancy,
            (Occupancy.community_id == Resident.community_id)
            & (Occupancy.resident_id == Resident.id),
        )
        .where(
            Occupancy.community_id == binding.community_id,
            Occupancy.unit_id == binding.unit_id,
            Occupancy.from_on <= today,
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > today),
            Resident.phone_sealed.is_not(None),
        )
        .order_by(Occupancy.id)
    ).all()
    fitting = [
        row.role
        for row in rows
        if _same(vault.open(row.name_sealed), claim.name)
        & _same(vault.open(row.phone_sealed)[-PHONE_DIGITS:], claim.phone[-PHONE_DIGITS:])
    ]
    return fitting[0] if fitting else None


def _same(known: str, said: str) -> bool:
    return hmac.compare_digest("".join(known.split()).encode(), "".join(said.split()).encode())


def decide_binding(
    session: Session,
    community_id: int,
    binding_id: int,
    *,
    approve: bool,
    now: datetime,
    reason: str = "",
    by: int | None = None,
) -> Binding:
    """Approve or refuse a request; the follower is told. Who he said he is is forgotten.

    Args:
        reason: why it is refused, kept with the fact; the follower is told only that it was.
        by: id of the member of staff who decided; None where nobody signed in.

    Raises:
        NotFound: no such binding in the community.
        Conflict: it was decided already.
    """
    binding = session.get(
        Binding, (community_id, binding_id), with_for_update=True, populate_existing=True
    )
    if binding is None:
        raise NotFound(f"no binding {binding_id} in community {community_id}")
    if binding.state is not BindingState.REQUESTED:
        raise Conflict(f"binding {binding_id} is {binding.state.value}, not requested")
    binding.state = BindingState.ACTIVE if approve else BindingState.REFUSED
    binding.decided_at = now
    binding.claim_sealed = None
    if approve:
        limit_sight(session, binding, now)
    kind = FactKind.BINDING_ADDED if approve else FactKind.BINDING_REFUSED
    said = {"reason": reason.strip()} if reason.strip() and not approve else {}
    decider = {} if by is None else {"by": by}
    record_binding(session, kind, binding, now, **said, **decider)
    return binding


def count_requests(session: Session, follower_id: int) -> int:
    """Requests of this follower that staff have not decided yet, in all communities."""
    query = select(func.count()).where(
        Binding.follower_id == follower_id, Binding.state == BindingState.REQUESTED
    )
    return session.execute(query).scalar_one()
