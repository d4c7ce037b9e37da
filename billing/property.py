"""What stands on the ground: communities, buildings, entrances, homes, shops, parking spaces.

Everything a charge can attach to is a `Subject`; each subject belongs to the account of one `Unit`
(the home or shop whose owner receives the bill).
"""

from datetime import date, time
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Numeric,
    UniqueConstraint,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, GlobalId, LocalId
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import Money


class SubjectKind(LabelEnum):
    """What a charge can attach to."""

    HOME = "home", "房屋"
    SHOP = "shop", "商铺"
    PARKING = "parking", "车位"


class Community(Base):
    """A residential community (小区) and its billing policy."""

    __tablename__ = "community"
    __table_args__ = (
        CheckConstraint("billing_day BETWEEN 1 AND 28", name="billing_day"),
        CheckConstraint("due_day BETWEEN 1 AND 31", name="due_day"),
        CheckConstraint("due_month_offset BETWEEN 0 AND 12", name="due_month_offset"),
        CheckConstraint("service_to > service_from", name="service_hours"),
        CheckConstraint("broadcasts_per_minute > 0", name="broadcasts_per_minute"),
        {"comment": "Communities (小区) and their billing policy"},
    )

    id: Mapped[GlobalId]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    company: Mapped[str] = mapped_column(comment="the property company that bills (物业公司)")
    service_phone: Mapped[str] = mapped_column(comment="public telephone of the service desk")
    billing_day: Mapped[int] = mapped_column(comment="day of month on which bills are issued")
    due_day: Mapped[int] = mapped_column(comment="day of month on which a bill falls due")
    due_month_offset: Mapped[int]
    publishes_itself: Mapped[bool] = mapped_column(
        server_default="true", comment="on the billing day: issue at once, or wait for staff"
    )
    late_fee_first: Mapped[bool] = mapped_column(
        server_default="false",
        comment="money without a word what for pays late fees before what they are for",
    )
    refund_limit: Mapped[Money] = mapped_column(
        server_default="100000", comment="refunds above it are approved by two people, fen"
    )
    service_from: Mapped[time] = mapped_column(
        server_default="08:30:00", comment="the service desk opens, Beijing time"
    )
    service_to: Mapped[time] = mapped_column(
        server_default="17:30:00", comment="the service desk closes, Beijing time"
    )
    service_weekends: Mapped[bool] = mapped_column(
        server_default="true", comment="service on Saturdays and Sundays too"
    )
    has_agents: Mapped[bool] = mapped_column(
        server_default="false", comment="agents sit at WeChat's customer service in these hours"
    )
    sms_unfollowed: Mapped[bool] = mapped_column(
        server_default="false",
        comment="owners who stopped following are told of bills and arrears by SMS",
    )
    broadcasts_per_minute: Mapped[int | None] = mapped_column(
        comment="messages of a broadcast, unless it says otherwise; null: as fast as it goes"
    )


class Building(Base):
    """A building (楼栋); `code` is the first part of a room number."""

    __tablename__ = "building"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "code"),
        {"comment": "Buildings (楼栋)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    code: Mapped[str]
    name: Mapped[str]


class Entrance(Base):
    """A stair of a building (单元). Not a `Unit`: that is the home."""

    __tablename__ = "entrance"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "building_id"], ["building.community_id", "building.id"]
        ),
        UniqueConstraint("community_id", "building_id", "code"),
        {"comment": "Entrances (单元) of buildings"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    building_id: Mapped[int]
    code: Mapped[str]


class Subject(Base):
    """Anything a charge can attach to; `unit_id` names the account that is billed for it."""

    __tablename__ = "subject"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        UniqueConstraint("community_id", "kind", "code"),
        # Read by bill_run: what is charged to the next accounts.
        Index("ix_subject_unit", "community_id", "unit_id"),
        {"comment": "What a charge can attach to: homes, shops, parking spaces"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    kind: Mapped[SubjectKind]
    code: Mapped[str] = mapped_column(comment="room 3-2-501, space B1-088")
    unit_id: Mapped[int] = mapped_column(comment="the account that is billed")
    billable_from: Mapped[date] = mapped_column(comment="first charged day (hand-over or lease)")
    billable_to: Mapped[date | None] = mapped_column(comment="first day no longer charged")


class Unit(Base):
    """A home or shop; shares its key with its `Subject`."""

    __tablename__ = "unit"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "id"], ["subject.community_id", "subject.id"]),
        ForeignKeyConstraint(
            ["community_id", "building_id"], ["building.community_id", "building.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "entrance_id"], ["entrance.community_id", "entrance.id"]
        ),
        UniqueConstraint("community_id", "room"),
        CheckConstraint("billable_area_m2 > 0", name="area_positive"),
        # Read by shared_costs: who lives in a building.
        Index("ix_unit_building", "community_id", "building_id"),
        {"comment": "Homes and shops: the accounts that are billed"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    building_id: Mapped[int]
    entrance_id: Mapped[int | None]
    room: Mapped[str] = mapped_column(comment="canonical room number, e.g. 3-2-501")
    floor: Mapped[int]
    billable_area_m2: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class ParkingSpace(Base):
    """A parking space; shares its key with its `Subject`."""

    __tablename__ = "parking_space"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "id"], ["subject.community_id", "subject.id"]),
        {"comment": "Parking spaces (车位)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    area: Mapped[str] = mapped_column(comment="part of the garage, e.g. B1")
    plate: Mapped[str | None] = mapped_column(comment="plate of the car that is kept here")


def get_community(session: Session, code: str) -> Community:
    """The community with this code.

    Raises:
        NotFound: there is none; the message lists the codes that exist.
    """
    found = session.scalar(select(Community).where(Community.code == code))
    if found is None:
        known = (
            ", ".join(session.scalars(select(Community.code).order_by(Community.code))) or "none"
        )
        raise NotFound(f"no community {code!r}; known: {known}")
    return found


def get_unit(session: Session, community_id: int, room: str) -> Unit:
    """The home with this canonical room number.

    Raises:
        NotFound: no such room in the community.
    """
    found = session.scalar(select(Unit).where(Unit.community_id == community_id, Unit.room == room))
    if found is None:
        raise NotFound(f"no room {room!r} in community {community_id}")
    return found


def get_subject(session: Session, community_id: int, kind: SubjectKind, code: str) -> Subject:
    """The subject of this kind with this code: a room number, or the number of a parking space.

    Raises:
        NotFound: there is none.
    """
    found = session.scalar(
        select(Subject).where(
            Subject.community_id == community_id, Subject.kind == kind, Subject.code == code
        )
    )
    if found is None:
        raise NotFound(f"no {kind.value} {code!r} in community {community_id}")
    return found
