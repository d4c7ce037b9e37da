"""Meters and what they showed: the quantities of metered charges.

A reading is a fact: it is never edited. What was used between two readings is worked out by
`pricing.usage` from the readings, the replacement of the meter between them, or its roll-over.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId


class Meter(Base):
    """A meter (表具) of one subject, for one charge item. Replacing the device keeps the row."""

    __tablename__ = "meter"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "subject_id"], ["subject.community_id", "subject.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        UniqueConstraint("community_id", "code"),
        UniqueConstraint("community_id", "subject_id", "item_id"),
        CheckConstraint("multiplier > 0", name="multiplier_positive"),
        CheckConstraint("rolls_over_at > 0", name="rolls_over_at_positive"),
        {"comment": "Meters (表具)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    subject_id: Mapped[int]
    item_id: Mapped[int]
    code: Mapped[str] = mapped_column(comment="number on the meter, unique in the community")
    multiplier: Mapped[Decimal] = mapped_column(comment="units per step (倍率)")
    rolls_over_at: Mapped[Decimal | None] = mapped_column(
        comment="shows 0 again after so many steps"
    )


class MeterReading(Base):
    """What a meter showed on a day. The first one of a meter is its base: nothing is charged for
    it.
    """

    __tablename__ = "meter_reading"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "meter_id"], ["meter.community_id", "meter.id"]),
        UniqueConstraint("community_id", "meter_id", "read_on"),
        CheckConstraint("value >= 0", name="value_not_negative"),
        {"comment": "Meter readings (抄表), written once"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    meter_id: Mapped[int]
    read_on: Mapped[date]
    value: Mapped[Decimal]
    recorded_at: Mapped[datetime]


class MeterReplacement(Base):
    """The device was replaced: the last value of the old one, the first of the new one."""

    __tablename__ = "meter_replacement"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "meter_id"], ["meter.community_id", "meter.id"]),
        UniqueConstraint("community_id", "meter_id", "replaced_on"),
        CheckConstraint("old_final >= 0 AND new_initial >= 0", name="values_not_negative"),
        {"comment": "Replaced meters (换表)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    meter_id: Mapped[int]
    replaced_on: Mapped[date]
    old_final: Mapped[Decimal]
    new_initial: Mapped[Decimal]
