"""Further communities beside the world's own, with homes and nothing else."""

from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from billing.property import Building, Community, Entrance, Subject, SubjectKind, Unit

HANDED_OVER = date(2021, 6, 1)


def add_community(session: Session, code: str, name: str) -> Community:
    """A community without anything in it."""
    community = Community(
        code=code,
        name=name,
        company=name,
        service_phone="010-5550 0200",
        billing_day=1,
        due_day=30,
        due_month_offset=0,
    )
    session.add(community)
    session.flush()
    return community


def add_building(session: Session, community: Community, code: str, name: str) -> Building:
    """A building without homes."""
    building = Building(community_id=community.id, code=code, name=name)
    session.add(building)
    session.flush()
    return building


def add_home(session: Session, building: Building, room: str) -> Unit:
    """A home in a building; its entrance is made when the number has one."""
    entrance_id = None
    if room.count("-") == 2:
        entrance = Entrance(
            community_id=building.community_id, building_id=building.id, code=room.split("-")[1]
        )
        known = session.query(Entrance).filter_by(
            community_id=building.community_id, building_id=building.id, code=entrance.code
        )
        entrance = known.one_or_none() or entrance
        session.add(entrance)
        session.flush()
        entrance_id = entrance.id
    subject = Subject(
        community_id=building.community_id,
        kind=SubjectKind.HOME,
        code=room,
        unit_id=0,
        billable_from=HANDED_OVER,
    )
    session.add(subject)
    session.flush()
    subject.unit_id = subject.id
    unit = Unit(
        community_id=building.community_id,
        id=subject.id,
        building_id=building.id,
        entrance_id=entrance_id,
        room=room,
        floor=int(room.rpartition("-")[2][:-2]),
        billable_area_m2=Decimal("80.00"),
    )
    session.add(unit)
    session.flush()
    return unit
