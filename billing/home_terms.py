"""What is agreed for one home and what its meters showed, as staff read it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing.concessions import AgreedPrice, DiscountGrant
from billing.meters import Meter, MeterReading, MeterReplacement
from billing.people import Staff
from billing.property import Subject
from billing.tariffs import ChargeItem

READINGS_SHOWN = 13
"""A year of monthly readings and the one before."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A discount, with the names of what it is for and of who approved it."""

    grant: DiscountGrant
    subject: str
    item: str
    by: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """An agreed price, with the names of what it is for and of who approved it."""

    price: AgreedPrice
    subject: str
    item: str
    by: str


@dataclass(frozen=True, slots=True)
class MeterHistory:
    """A meter with its last readings and every replacement, the latest first."""

    meter: Meter
    item: str
    readings: list[MeterReading]
    replacements: list[MeterReplacement]


def list_granted(session: Session, community_id: int, unit_id: int) -> list[Granted]:
    """Discounts of everything that is billed to a home, in the order they were granted."""
    query = _named(
        select(DiscountGrant, Subject.code, ChargeItem.name, Staff.name),
        DiscountGrant.community_id,
        DiscountGrant.subject_id,
        DiscountGrant.item_id,
    ).join(Staff, Staff.id == DiscountGrant.approved_by)
    here = query.where(Subject.community_id == community_id, Subject.unit_id == unit_id)
    return [Granted(*row) for row in session.execute(here.order_by(DiscountGrant.id))]


def list_agreed_prices(session: Session, community_id: int, unit_id: int) -> list[Agreed]:
    """Agreed prices of everything that is billed to a home, in the order they were agreed."""
    query = _named(
        select(AgreedPrice, Subject.code, ChargeItem.name, Staff.name),
        AgreedPrice.community_id,
        AgreedPrice.subject_id,
        AgreedPrice.item_id,
    ).join(Staff, Staff.id == AgreedPrice.approved_by)
    here = query.where(Subject.community_id == community_id, Subject.unit_id == unit_id)
    return [Agreed(*row) for row in session.execute(here.order_by(AgreedPrice.id))]


def list_meters(session: Session, community_id: int, unit_id: int) -> list[MeterHistory]:
    """Meters of everything that is billed to a home."""
    query = _named(
        select(Meter, ChargeItem.name), Meter.community_id, Meter.subject_id, Meter.item_id
    )
    here = query.where(Subject.community_id == community_id, Subject.unit_id == unit_id)
    return [
        MeterHistory(
            meter,
            item,
            list(
                session.scalars(
                    select(MeterReading)
                    .where(
                        MeterReading.community_id == community_id,
                        MeterReading.meter_id == meter.id,
                    )
                    .order_by(MeterReading.read_on.desc())
                    .limit(READINGS_SHOWN)
                )
            ),
            list(
                session.scalars(
                    select(MeterReplacement)
                    .where(
                        MeterReplacement.community_id == community_id,
                        MeterReplacement.meter_id == meter.id,
                    )
                    .order_by(MeterReplacement.replaced_on.desc())
                )
            ),
        )
        for meter, item in session.execute(here.order_by(Meter.id))
    ]


def _named(
    query: Any,
    community_id: InstrumentedAttribute[int],
    subject_id: InstrumentedAttribute[int],
    item_id: InstrumentedAttribute[int],
) -> Any:
    """With the subject and the charge item that a row names."""
    return query.join(
        Subject, (Subject.community_id == community_id) & (Subject.id == subject_id)
    ).join(ChargeItem, (ChargeItem.community_id == community_id) & (ChargeItem.id == item_id))
