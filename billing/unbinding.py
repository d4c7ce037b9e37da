"""How bindings end: by their follower, by an owner of the home, by staff, or with the tenancy.

Whoever was bound earlier may end what came later: an owner ends bindings of tenants, of family and
of owners bound after him, never of those before. So somebody who stole in cannot turn the owner
out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text, tuple_, update
from sqlalchemy.orm import Session

from billing.bindings import record_binding
from billing.business_day import BEIJING
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, mark_recorded
from billing.homes import Home
from billing.people import (
    Binding,
    BindingCode,
    BindingState,
    EndReason,
    ResidentRole,
    Staff,
    StaffRole,
    require_role,
)

MAY_UNBIND = frozenset({StaffRole.MANAGER, StaffRole.ACCOUNTANT, StaffRole.SERVICE})

END_MOVED_OUT = text(
    """
    WITH gone AS (
        SELECT binding.community_id, binding.id
        FROM binding
        CROSS JOIN LATERAL (
            SELECT coalesce(binding.sees_from,
                            CAST(binding.decided_at AT TIME ZONE :zone AS date)) AS began
        ) since
        WHERE binding.state = 'active' AND binding.role = 'tenant'
          AND EXISTS (
              SELECT FROM occupancy stay
              WHERE stay.community_id = binding.community_id AND stay.unit_id = binding.unit_id
                AND stay.role = 'tenant' AND stay.from_on <= since.began
                AND stay.to_on > since.began AND stay.to_on <= :today
          )
          AND NOT EXISTS (
              SELECT FROM occupancy stay
              WHERE stay.community_id = binding.community_id AND stay.unit_id = binding.unit_id
                AND stay.role = 'tenant' AND stay.from_on <= :today
                AND (stay.to_on IS NULL OR stay.to_on > :today)
                AND (stay.from_on <= since.began OR EXISTS (  -- the lease was renewed
                    SELECT FROM occupancy earlier
                    WHERE earlier.community_id = stay.community_id
                      AND earlier.unit_id = stay.unit_id AND earlier.role = 'tenant'
                      AND earlier.resident_id = stay.resident_id
                      AND earlier.from_on <= since.began AND earlier.to_on > since.began
                ))
          )
        ORDER BY binding.community_id, binding.id
        FOR UPDATE OF binding
    ),
    ended AS (
        UPDATE binding SET state = 'ended', ended_at = :now, end_reason = :reason
        FROM gone
        WHERE binding.community_id = gone.community_id AND binding.id = gone.id
        RETURNING binding.community_id, binding.id, binding.unit_id, binding.follower_id
    ),
    told AS (
        INSERT INTO fact (community_id, kind, unit_id, ref_id, data, at)
        SELECT community_id, 'binding_ended', unit_id, id,
               jsonb_build_object('follower_id', follower_id), :now
        FROM ended ORDER BY community_id, id
    )
    SELECT count(*) FROM ended
    """
)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody else bound to a home, as its owner is shown him: no name, no openid.

    Attributes:
        no: his number among those of his role, from 1, in the order they were bound.
    """

    binding_id: int
    role: ResidentRole
    no: int
    bound_at: datetime | None


def end_own(session: Session, community_id: int, binding_id: int, now: datetime) -> bool:
    """End a binding at its follower's wish; False when it was not active any more.

    Twice-safe. No fact: nobody is told but the one who asked, and he is answered at once.

    Raises:
        NotFound: no such binding in the community.
    """
    binding = _lock(session, community_id, binding_id)
    return _end(session, binding, EndReason.SELF, now)


def end_guest(session: Session, owner: Home, binding_id: int, now: datetime) -> bool:
    """End the binding of somebody else at the wish of an owner; False when it was not active any
    more. Who is turned out is told.

    Raises:
        NotFound: no such binding of this home.
        Conflict: the owner may not: see the module.
    """
    binding = _lock(session, owner.community_id, binding_id)
    if binding.unit_id != owner.unit_id:
        raise NotFound(f"no binding {binding_id} of home {owner.unit_id}")
    if binding.state is not BindingState.ACTIVE:
        return False
    if binding_id not in {guest.binding_id for guest in list_guests(session, owner)}:
        raise Conflict(f"binding {owner.binding_id} may not end binding {binding_id}")
    return _end(session, binding, EndReason.OWNER, now, by_binding=owner.binding_id)


def end_by_staff(
    session: Session, community_id: int, binding_id: int, *, by: Staff, now: datetime
) -> Binding:
    """End a binding by staff. Who is turned out is told. Ending it twice keeps the first time.

    Raises:
        NotFound: no such binding in the community.
        Conflict: it was never active.
        InvalidInput: staff of another community, or whose role does not allow it.
    """
    require_role(by, community_id, MAY_UNBIND)
    binding = _lock(session, community_id, binding_id)
    if binding.state not in (BindingState.ACTIVE, BindingState.ENDED):
        raise Conflict(f"binding {binding_id} is {binding.state.value}, not active")
    _end(session, binding, EndReason.STAFF, now, by_staff=by.id)
    return binding


def end_moved_out(session: Session, today: date, now: datetime) -> int:
    """End the bindings of tenants who moved out, in all communities; returns how many.

    A binding belongs to the tenancies of the home that ran on the first day it sees. When all of
    these are over, and none was renewed, it ends; of a tenancy nobody wrote down no end is known.
    Who is unbound is told. Safe to call twice.

    Raises:
        InvalidInput: a day in the future.
    """
    if today > now.astimezone(BEIJING).date():
        raise InvalidInput("today", f"{today} is in the future")
    ended = session.execute(
        END_MOVED_OUT,
        {"today": today, "now": now, "zone": BEIJING.key, "reason": EndReason.MOVED_OUT.value},
    ).scalar_one()
    if ended:
        mark_recorded(session)
    return int(ended)


def may_manage(home: Home) -> bool:
    """Whether a follower decides who else is bound to this home of his: its present owner does."""
    return home.role is ResidentRole.OWNER and home.seen.end is None


def list_guests(session: Session, home: Home) -> list[Guest]:
    """Whose bindings the follower may end at this home, in the order they were bound; nobody for
    who is not its present owner.
    """
    if not may_manage(home):
        return []
    rows = _others(session, [home])
    own = next(row for row in rows if row.id == home.binding_id)
    numbers: Counter[ResidentRole] = Counter()
    guests = []
    for row in rows:
        is_earlier_owner = row.role is ResidentRole.OWNER and _age(row) < _age(own)
        if row.id == home.binding_id or is_earlier_owner:
            continue
        numbers[row.role] += 1
        guests.append(Guest(row.id, row.role, numbers[row.role], row.decided_at))
    return guests


def count_others(session: Session, homes: Sequence[Home]) -> dict[int, dict[ResidentRole, int]]:
    """How many others are bound to these homes by role, keyed by the follower's own binding; only
    for homes whose present owner he is.
    """
    own = {(home.community_id, home.unit_id): home for home in homes if may_manage(home)}
    counted: dict[int, Counter[ResidentRole]] = {
        home.binding_id: Counter() for home in own.values()
    }
    for row in _others(session, list(own.values())):
        home = own[row.community_id, row.unit_id]
        if row.id != home.binding_id:
            counted[home.binding_id][row.role] += 1
    return {
        binding_id: {role: counts[role] for role in ResidentRole if counts[role]}
        for binding_id, counts in counted.items()
    }


def _others(session: Session, homes: Sequence[Home]) -> Sequence[Binding]:
    """Everybody bound to these homes today; not who sold them and still sees his days."""
    if not homes:
        return []
    keys = [(home.community_id, home.unit_id) for home in homes]
    return session.scalars(
        select(Binding)
        .where(
            tuple_(Binding.community_id, Binding.unit_id).in_(keys),
            Binding.state == BindingState.ACTIVE,
            Binding.sees_to.is_(None),
        )
        .order_by(Binding.decided_at, Binding.id)
    ).all()


def _age(binding: Binding) -> tuple[datetime, int]:
    return (binding.decided_at or binding.requested_at, binding.id)


def _lock(session: Session, community_id: int, binding_id: int) -> Binding:
    binding = session.get(
        Binding, (community_id, binding_id), with_for_update=True, populate_existing=True
    )
    if binding is None:
        raise NotFound(f"no binding {binding_id} in community {community_id}")
    return binding


def _end(session: Session, binding: Binding, reason: EndReason, now: datetime, **by: int) -> bool:
    if binding.state is not BindingState.ACTIVE:
        return False
    binding.state = BindingState.ENDED
    binding.ended_at = now
    binding.end_reason = reason
    # Codes he asked for must not let him in again by another phone.
    session.execute(
        update(BindingCode)
        .where(
            BindingCode.community_id == binding.community_id,
            BindingCode.unit_id == binding.unit_id,
            BindingCode.issued_by == binding.follower_id,
            BindingCode.used_at.is_(None),
            BindingCode.expires_at > now,
        )
        .values(expires_at=now)
    )
    if reason is not EndReason.SELF:
        record_binding(session, FactKind.BINDING_ENDED, binding, now, **by)
    return True
