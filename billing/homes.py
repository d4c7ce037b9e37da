"""Who writes to us, and the homes he may act for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing.bindings import see_follower
from billing.people import Binding, BindingState, Follower, ResidentRole, Staff
from billing.period import DayWindow
from billing.property import Community, Unit


@dataclass(frozen=True, slots=True)
class Home:
    """A home a follower may act for, and the days whose bills he sees."""

    community_id: int
    community_name: str
    unit_id: int
    room: str
    role: ResidentRole
    binding_id: int
    seen: DayWindow


@dataclass(frozen=True, slots=True)
class Person:
    """Who writes to us: the follower, whom of the staff he is if any, and the homes he may act for,
    in the order they were bound.
    """

    follower: Follower
    staff: Staff | None
    homes: tuple[Home, ...]


HOME_COLUMNS = (
    Binding.community_id,
    Community.name,
    Binding.unit_id,
    Unit.room,
    Binding.role,
    Binding.id,
    Binding.sees_from,
    Binding.sees_to,
)
HOMES_OF = (
    select(*HOME_COLUMNS)
    .join(Unit, (Unit.community_id == Binding.community_id) & (Unit.id == Binding.unit_id))
    .join(Community, Community.id == Binding.community_id)
    .where(Binding.follower_id == bindparam("follower_id"), Binding.state == BindingState.ACTIVE)
    .order_by(Binding.decided_at, Binding.id)
)
PERSON_OF = (
    select(Follower, Staff, *HOME_COLUMNS)
    .outerjoin(Staff, (Staff.follower_id == Follower.id) & Staff.left_at.is_(None))
    .outerjoin(
        Binding, (Binding.follower_id == Follower.id) & (Binding.state == BindingState.ACTIVE)
    )
    .outerjoin(Unit, (Unit.community_id == Binding.community_id) & (Unit.id == Binding.unit_id))
    .outerjoin(Community, Community.id == Binding.community_id)
    .where(Follower.openid == bindparam("openid"))
    .order_by(Binding.decided_at, Binding.id)
)
"""Everybody who writes is looked up, so it is one question, put together once."""


def list_homes(session: Session, follower_id: int) -> list[Home]:
    """Homes this follower may act for, in the order they were bound."""
    return [_home(row) for row in session.execute(HOMES_OF, {"follower_id": follower_id})]


def meet(session: Session, openid: str, now: datetime) -> Person:
    """Who writes to us with this openid; a follower is created on first sight, as by
    `see_follower`.
    """
    rows = session.execute(PERSON_OF, {"openid": openid}).all()
    if not rows:
        return Person(see_follower(session, openid, now), None, ())
    follower, staff = rows[0][:2]
    return Person(follower, staff, tuple(_home(row[2:]) for row in rows if row[2] is not None))


def _home(row: Any) -> Home:
    community_id, community_name, unit_id, room, role, binding_id, sees_from, sees_to = row
    return Home(
        community_id=community_id,
        community_name=community_name,
        unit_id=unit_id,
        room=room,
        role=role,
        binding_id=binding_id,
        seen=DayWindow(sees_from, sees_to),
    )
