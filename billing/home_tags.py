"""Tags of homes (标签): the staff's own words, such as 独居老人. Owners do not see them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId
from billing.errors import InvalidInput
from billing.people import Staff, StaffRole, require_role
from billing.property import Unit

TAGGERS = frozenset({StaffRole.MANAGER, StaffRole.ACCOUNTANT, StaffRole.SERVICE})
"""Who may tag homes."""

TAG = re.compile(r"\w{2,12}")
"""Letters, digits and characters: a tag stands in sentences, and in audiences as they are written.
"""


class HomeTag(Base):
    """A home carries a tag."""

    __tablename__ = "home_tag"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        # Read by recipients.RECIPIENTS: the homes of a tag.
        Index("ix_home_tag_tag", "community_id", "tag"),
        {"comment": "Words of the staff for homes (标签); owners do not see them"},
    )

    community_id: Mapped[CommunityId]
    unit_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tag: Mapped[str] = mapped_column(primary_key=True)
    added_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    added_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag, and the homes that carry it in the order of their numbers."""

    tag: str
    rooms: tuple[str, ...]


def add_tag(session: Session, units: Sequence[Unit], tag: str, *, by: Staff, now: datetime) -> int:
    """Tag homes; returns how many did not carry the tag before. Safe to repeat.

    Raises:
        InvalidInput: field `by`, or `tag`: it is no word of 2 to 12 characters.
    """
    if TAG.fullmatch(tag) is None:
        raise InvalidInput("tag", f"{tag!r} is no word of 2 to 12 letters, digits or characters")
    for community_id in {unit.community_id for unit in units}:
        require_role(by, community_id, TAGGERS)
    rows = [
        {
            "community_id": unit.community_id,
            "unit_id": unit.id,
            "tag": tag,
            "added_by": by.id,
            "added_at": now,
        }
        for unit in units
    ]
    added = session.scalars(
        insert(HomeTag).on_conflict_do_nothing().returning(HomeTag.unit_id), rows
    )
    return len(added.all())


def remove_tag(session: Session, units: Sequence[Unit], tag: str, *, by: Staff) -> int:
    """Take a tag off homes; returns how many carried it. Safe to repeat.

    Raises:
        InvalidInput: field `by`.
    """
    removed = 0
    for unit in units:
        require_role(by, unit.community_id, TAGGERS)
        gone = session.scalars(
            delete(HomeTag)
            .where(
                HomeTag.community_id == unit.community_id,
                HomeTag.unit_id == unit.id,
                HomeTag.tag == tag,
            )
            .returning(HomeTag.unit_id)
        )
        removed += len(gone.all())
    return removed


def list_tags(session: Session, community_id: int) -> list[Tagged]:
    """The tags of a community with their homes, in order."""
    found = session.execute(
        select(HomeTag.tag, func.array_agg(Unit.room))
        .join(Unit, (Unit.community_id == HomeTag.community_id) & (Unit.id == HomeTag.unit_id))
        .where(HomeTag.community_id == community_id)
        .group_by(HomeTag.tag)
        .order_by(HomeTag.tag)
    )
    return [Tagged(tag, tuple(sorted(rooms))) for tag, rooms in found]


def tags_of(session: Session, community_id: int, unit_id: int) -> list[str]:
    """The tags a home carries, in order."""
    query = select(HomeTag.tag).where(
        HomeTag.community_id == community_id, HomeTag.unit_id == unit_id
    )
    return list(session.scalars(query.order_by(HomeTag.tag)))


def known_tags(session: Session, community_id: int) -> list[str]:
    """Every tag some home of a community carries, in order."""
    query = select(HomeTag.tag).where(HomeTag.community_id == community_id).distinct()
    return list(session.scalars(query.order_by(HomeTag.tag)))


def tags_in(session: Session, communities: Sequence[int], sentence: str) -> list[str]:
    """The tags of these communities that a sentence names, each once; 装修中 does not name 装修."""
    known = session.scalars(
        select(HomeTag.tag).where(HomeTag.community_id.in_(communities)).distinct()
    )
    named = sorted(tag for tag in known if tag in sentence)
    return [tag for tag in named if not any(tag != other and tag in other for other in named)]
