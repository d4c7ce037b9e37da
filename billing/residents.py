"""Who lives in a home and who is bound to it: read for staff, written when people move.

A home that changes its owners is handed over (`handovers`).
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from billing.binding_requests import Claim
from billing.db import id_array
from billing.errors import Conflict, InvalidInput, NotFound
from billing.payments import lock_home
from billing.people import (
    Binding,
    BindingState,
    Follower,
    Occupancy,
    Resident,
    ResidentRole,
    Staff,
    StaffRole,
    require_role,
)
from billing.privacy import Vault, mask_name, mask_openid, mask_phone
from billing.property import Unit
from billing.resident_keys import read_digits, write_keys

HOUSEKEEPERS = frozenset({StaffRole.MANAGER, StaffRole.ACCOUNTANT, StaffRole.SERVICE})
"""Who may write down who lives where."""

NAME_MAX = 50
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 7, 12


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody in a home, from when to when (half-open); masked unless asked for in full."""

    id: int
    unit_id: int
    resident_id: int
    role: ResidentRole
    from_on: date
    to_on: date | None
    name: str
    phone: str

    def is_over(self, today: date) -> bool:
        """Whether he has left."""
        return self.to_on is not None and self.to_on <= today


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding as staff see it.

    Attributes:
        claim: who the follower said he is, masked; None: he said nothing, or it was decided.
    """

    binding: Binding
    room: str
    openid: str
    claim: Claim | None


def list_stays(
    session: Session,
    vault: Vault,
    community_id: int,
    unit_ids: Collection[int],
    *,
    on: date | None = None,
    in_full: bool = False,
    with_phones: bool = True,
) -> list[Stay]:
    """Who lived in these homes, by home and then by their first day.

    Args:
        on: only who lives there on this day; None: ever.
        in_full: names and numbers are not masked: for whoever asked to see them, and it is written
            down.
        with_phones: else numbers are left out, which for many homes halves the time.
    """
    query = (
        select(Occupancy, Resident.name_sealed, Resident.phone_sealed)
        .join(
            Resident,
            (Resident.community_id == Occupancy.community_id)
            & (Resident.id == Occupancy.resident_id),
        )
        .where(Occupancy.community_id == community_id, Occupancy.unit_id.in_(id_array(unit_ids)))
        .order_by(Occupancy.unit_id, Occupancy.from_on, Occupancy.id)
    )
    if on is not None:
        query = query.where(
            Occupancy.from_on <= on, or_(Occupancy.to_on.is_(None), Occupancy.to_on > on)
        )
    return [
        _stay(vault, stay, name, phone if with_phones else None, in_full)
        for stay, name, phone in session.execute(query)
    ]


def _stay(
    vault: Vault, stay: Occupancy, name_sealed: str, phone_sealed: str | None, in_full: bool
) -> Stay:
    name = vault.open(name_sealed)
    phone = vault.open(phone_sealed) if phone_sealed else ""
    return Stay(
        id=stay.id,
        unit_id=stay.unit_id,
        resident_id=stay.resident_id,
        role=stay.role,
        from_on=stay.from_on,
        to_on=stay.to_on,
        name=name if in_full else mask_name(name),
        phone=phone if in_full or not phone else mask_phone(phone),
    )


def list_bound(
    session: Session,
    vault: Vault,
    community_id: int,
    *,
    unit_id: int | None = None,
    states: Collection[BindingState] = tuple(BindingState),
    limit: int = 200,
) -> list[Bound]:
    """Bindings of a home, or of the community, by age; openids and claims masked."""
    query = (
        select(Binding, Unit.room, Follower.openid)
        .join(Unit, (Unit.community_id == Binding.community_id) & (Unit.id == Binding.unit_id))
        .join(Follower, Follower.id == Binding.follower_id)
        .where(Binding.community_id == community_id, Binding.state.in_(states))
        .order_by(Binding.requested_at, Binding.id)
        .limit(limit)
    )
    if unit_id is not None:
        query = query.where(Binding.unit_id == unit_id)
    return [
        Bound(binding, room, mask_openid(openid), masked_claim(vault, binding))
        for binding, room, openid in session.execute(query)
    ]


def masked_claim(vault: Vault, binding: Binding) -> Claim | None:
    """Who the follower said he is, masked; None once staff decided."""
    if binding.claim_sealed is None:
        return None
    claim = Claim.open(vault, binding.claim_sealed)
    return Claim(mask_name(claim.name), mask_phone(claim.phone))


def count_bound(session: Session, community_id: int, unit_ids: Collection[int]) -> dict[int, int]:
    """How many are bound to each of these homes today; homes without are left out."""
    rows = session.execute(
        select(Binding.unit_id, func.count().label("bound"))
        .where(
            Binding.community_id == community_id,
            Binding.unit_id.in_(id_array(unit_ids)),
            Binding.state == BindingState.ACTIVE,
            Binding.sees_to.is_(None),
        )
        .group_by(Binding.unit_id)
    )
    return defaultdict(int, {row.unit_id: row.bound for row in rows})


def add_resident(
    session: Session, vault: Vault, community_id: int, *, name: str, phone: str
) -> Resident:
    """Write somebody down who was not known, sealed.

    Args:
        phone: as people write it; empty: not known.

    Raises:
        InvalidInput: no name or one too long, or something that is no number.
    """
    plain = " ".join(unicodedata.normalize("NFKC", name).split())
    if not 0 < len(plain) <= NAME_MAX or not plain.isprintable():
        raise InvalidInput("person_name", f"must be a name of 1 to {NAME_MAX} characters")
    digits = read_digits(phone)
    typed = phone.strip()
    if typed and not PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX:
        raise InvalidInput("person_phone", "is no telephone number")
    resident = Resident(
        community_id=community_id,
        name_sealed=vault.seal(plain),
        phone_sealed=vault.seal(digits) if digits else None,
    )
    session.add(resident)
    session.flush()
    write_keys(session, vault, resident)
    return resident


def move_in(
    session: Session,
    community_id: int,
    unit_id: int,
    resident_id: int,
    *,
    role: ResidentRole,
    from_on: date,
    to_on: date | None,
    by: Staff,
) -> Occupancy:
    """Write down that somebody lives in a home from a day on. An owner only where none is known:
    a home with an owner is handed over.

    Args:
        to_on: first day no longer, e.g. of a lease; None: not known.

    Raises:
        InvalidInput: days that end before they begin, or staff who may not.
        NotFound: no such home or resident.
        Conflict: the home has an owner; the person is written down there already.
    """
    require_role(by, community_id, HOUSEKEEPERS)
    if to_on is not None and to_on <= from_on:
        raise InvalidInput("to_on", f"{to_on} must be after {from_on}")
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    lock_home(session, community_id, unit_id)
    stays = _stays_from(session, community_id, unit_id, from_on)
    if role is ResidentRole.OWNER and any(stay.role is role for stay in stays):
        raise Conflict(f"home {unit_id} has an owner: hand it over")
    if any(stay.role is role and stay.resident_id == resident_id for stay in stays):
        raise Conflict(f"resident {resident_id} is {role.value} of home {unit_id} already")
    stay = Occupancy(
        community_id=community_id,
        unit_id=unit_id,
        resident_id=resident_id,
        role=role,
        from_on=from_on,
        to_on=to_on,
    )
    session.add(stay)
    session.flush()
    return stay


def _stays_from(
    session: Session, community_id: int, unit_id: int, from_on: date
) -> Sequence[Occupancy]:
    return session.scalars(
        select(Occupancy).where(
            Occupancy.community_id == community_id,
            Occupancy.unit_id == unit_id,
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > from_on),
        )
    ).all()


def move_out(
    session: Session, community_id: int, stay_id: int, *, unit_id: int, on: date, by: Staff
) -> Occupancy:
    """Write down that a tenant or a member of the family lives there no longer from a day on. The
    bindings of a tenancy end with it (`unbinding.end_moved_out`). Twice with the same day is once.

    Raises:
        NotFound: nobody of this number at this home.
        InvalidInput: a day not after the first, or staff who may not.
        Conflict: an owner, whose home is handed over; or he left before that day.
    """
    require_role(by, community_id, HOUSEKEEPERS)
    lock_home(session, community_id, unit_id)
    stay = session.get(Occupancy, (community_id, stay_id), populate_existing=True)
    if stay is None or stay.unit_id != unit_id:
        raise NotFound(f"no stay {stay_id} in home {unit_id}")
    if stay.role is ResidentRole.OWNER:
        raise Conflict(f"stay {stay_id} is an owner's: hand the home over")
    if on <= stay.from_on:
        raise InvalidInput("on", f"{on} must be after {stay.from_on}, the first day")
    if stay.to_on is not None and stay.to_on < on:
        raise Conflict(f"stay {stay_id} ended on {stay.to_on} already")
    stay.to_on = on
    session.flush()
    return stay
