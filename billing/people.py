"""Who lives there, who follows the official account, and who may see which home.

A `Follower` is one openid; a `Binding` lets a follower act for a home. Bindings are made by a
one-time code, by its QR scene, or by a request that staff approve.
"""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, GlobalId, LocalId
from billing.errors import InvalidInput, NotFound
from billing.labels import LabelEnum


class ResidentRole(LabelEnum):
    """What a person is to a home."""

    OWNER = "owner", "业主"
    TENANT = "tenant", "租户"
    MEMBER = "member", "家庭成员"


class StaffRole(LabelEnum):
    """What a member of staff may do."""

    MANAGER = "manager", "经理"
    ACCOUNTANT = "accountant", "会计"
    CASHIER = "cashier", "收银"
    SERVICE = "service", "客服"
    READER = "reader", "只读"


BOOKKEEPERS = frozenset({StaffRole.MANAGER, StaffRole.ACCOUNTANT})
"""Who may decide what changes the books: approve, void, close."""


TELLERS = BOOKKEEPERS | {StaffRole.CASHIER}
"""Who may take money at the counter."""


class BindingState(LabelEnum):
    """Life of a binding; only an active one opens a home's bills."""

    REQUESTED = "requested", "待审核"
    ACTIVE = "active", "已绑定"
    REFUSED = "refused", "未通过"
    ENDED = "ended", "已解绑"


class EndReason(LabelEnum):
    """By whose wish a binding ended."""

    SELF = "self", "本人解绑"
    OWNER = "owner", "业主解绑"
    STAFF = "staff", "物业解绑"
    MOVED_OUT = "moved_out", "租期结束"


class Resident(Base):
    """A person known to the community. Name and phone are sealed by `privacy.Vault`."""

    __tablename__ = "resident"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        {"comment": "People known to a community; personal data encrypted"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    name_sealed: Mapped[str]
    phone_sealed: Mapped[str | None]


class Occupancy(Base):
    """Who owned or lived in a home, from when to when (half-open)."""

    __tablename__ = "occupancy"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        ForeignKeyConstraint(
            ["community_id", "resident_id"], ["resident.community_id", "resident.id"]
        ),
        CheckConstraint("to_on > from_on", name="dates_ascend"),
        Index("ix_occupancy_unit", "community_id", "unit_id"),
        # Read by resident_keys: where somebody lives.
        Index("ix_occupancy_resident", "community_id", "resident_id"),
        {"comment": "Owners, tenants and household members of homes, with dates"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int]
    resident_id: Mapped[int]
    role: Mapped[ResidentRole]
    from_on: Mapped[date]
    to_on: Mapped[date | None] = mapped_column(comment="first day no longer; null while it lasts")


class Follower(Base):
    """One openid of the official account. Row exists from the first message on."""

    __tablename__ = "follower"
    __table_args__ = ({"comment": "Followers (粉丝) of the official account"},)

    id: Mapped[GlobalId]
    openid: Mapped[str] = mapped_column(unique=True)
    first_seen_at: Mapped[datetime]
    followed_at: Mapped[datetime | None]
    unfollowed_at: Mapped[datetime | None] = mapped_column(comment="null while following")
    last_message_at: Mapped[datetime | None] = mapped_column(
        comment="opens the 48-hour window of service messages"
    )
    unreachable_at: Mapped[datetime | None] = mapped_column(
        comment="since when no transport reaches him; null: one does, or none was tried"
    )


class Staff(Base):
    """A member of staff; `community_id` null means every community."""

    __tablename__ = "staff"
    __table_args__ = ({"comment": "Staff of the property company"},)

    id: Mapped[GlobalId]
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[StaffRole]
    community_id: Mapped[int | None] = mapped_column(ForeignKey("community.id"))
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("follower.id"), unique=True)
    left_at: Mapped[datetime | None] = mapped_column(comment="null while working here")


def get_staff(session: Session, login: str) -> Staff:
    """The member of staff with this login.

    Raises:
        NotFound: nobody who works here has it.
    """
    found = session.scalar(select(Staff).where(Staff.login == login, Staff.left_at.is_(None)))
    if found is None:
        raise NotFound(f"no staff with login {login!r}")
    return found


def require_role(staff: Staff, community_id: int, roles: Collection[StaffRole]) -> None:
    """Refuse staff of another community, or whose role does not allow what is asked.

    Raises:
        InvalidInput: field `by`; the message says which roles would do.
    """
    if staff.community_id not in (None, community_id):
        raise InvalidInput("by", f"{staff.login} does not work for community {community_id}")
    if staff.role not in roles:
        allowed = " or ".join(role.value for role in StaffRole if role in roles)
        raise InvalidInput("by", f"{staff.login} is {staff.role.value}; this takes {allowed}")


def check_residents(session: Session, community_id: int, ids: Collection[int]) -> None:
    """Refuse nobody, and people the community does not know.

    Raises:
        InvalidInput: no ids.
        NotFound: an unknown one.
    """
    if not ids:
        raise InvalidInput("residents", "name at least one")
    known = session.scalars(
        select(Resident.id).where(Resident.community_id == community_id, Resident.id.in_(ids))
    )
    missing = sorted(set(ids) - set(known))
    if missing:
        raise NotFound(f"no resident {', '.join(map(str, missing))} in community {community_id}")


class Binding(Base):
    """A follower may act for a home. At most one living binding per pair."""

    __tablename__ = "binding"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        Index(
            "uq_binding_living",
            "community_id",
            "unit_id",
            "follower_id",
            unique=True,
            postgresql_where=text("state IN ('requested', 'active')"),
        ),
        Index("ix_binding_follower", "follower_id"),
        CheckConstraint("claim_sealed IS NULL OR state = 'requested'", name="claim_until_decided"),
        CheckConstraint("end_reason IS NULL OR state = 'ended'", name="reason_of_end"),
        {"comment": "Which follower may act for which home (绑定)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    unit_id: Mapped[int]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"))
    role: Mapped[ResidentRole]
    state: Mapped[BindingState]
    requested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[EndReason | None] = mapped_column(comment="null: before it was written down")
    claim_sealed: Mapped[str | None] = mapped_column(
        comment="who the follower said he is, encrypted; only until staff decided"
    )
    claim_fits: Mapped[bool | None] = mapped_column(
        comment="somebody known at the home has that name and number; null: he named none"
    )
    sees_from: Mapped[date | None] = mapped_column(
        comment="bills of earlier days are not shown; null: all"
    )
    sees_to: Mapped[date | None] = mapped_column(
        comment="bills from this day on are not shown, the home was handed over; null: all"
    )


def first_day_seen(
    session: Session, community_id: int, unit_id: int, role: ResidentRole, *, today: date
) -> date | None:
    """The first day whose bills somebody bound in this role today may see; None for all.

    A tenant sees nothing before he moved in, or before today when nobody wrote that down. The
    owner of a home that was handed over, and his family, see nothing before the hand-over.
    """
    wanted = ResidentRole.TENANT if role is ResidentRole.TENANT else ResidentRole.OWNER
    stays = session.scalars(
        select(Occupancy)
        .where(
            Occupancy.community_id == community_id,
            Occupancy.unit_id == unit_id,
            Occupancy.role == wanted,
        )
        .order_by(Occupancy.from_on)
    ).all()
    current = [stay for stay in stays if stay.to_on is None or stay.to_on > today]
    if wanted is ResidentRole.TENANT:
        return current[-1].from_on if current else today
    if not current or current[0] is stays[0]:  # nobody owned it before
        return None
    return current[0].from_on


class BindingCode(Base):
    """A one-time code, for a home or for a member of staff. Only its keyed hash is kept."""

    __tablename__ = "binding_code"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        CheckConstraint("(unit_id IS NULL) <> (staff_id IS NULL)", name="one_purpose"),
        {"comment": "One-time binding codes, hashed"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    code_hash: Mapped[str] = mapped_column(unique=True)
    unit_id: Mapped[int | None]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    role: Mapped[ResidentRole]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[int | None] = mapped_column(ForeignKey("follower.id"))
    issued_by: Mapped[int | None] = mapped_column(
        ForeignKey("follower.id"), comment="the owner who asked for it; null: staff did"
    )


class BindingAttempt(Base):
    """A wrong code, or a name and number given for a home, right or wrong. Counted to lock guessers
    out and to raise an alert.
    """

    __tablename__ = "binding_attempt"
    __table_args__ = (
        Index("ix_binding_attempt_at", "at"),
        Index("ix_binding_attempt_follower", "follower_id", "at"),
        {"comment": "Tries to be let in to a home, for lock-out and alerts"},
    )

    id: Mapped[GlobalId]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"))
    at: Mapped[datetime]
