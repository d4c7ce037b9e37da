"""Whole lists read page by page, in the order of their keys, for systems that copy them.

A page is found in the primary key however long the list is; nothing is counted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing.bills import Bill, BillState, issued_bills
from billing.business_day import business_date
from billing.db import id_array
from billing.payment_tables import BOOKED_STATES, Payment, Receipt
from billing.people import Occupancy, Resident, ResidentRole
from billing.period import Period
from billing.property import Building, Unit

LOOKED_AT_MAX = 2000
"""Bills of a page's search: what is paid or void is known only by looking."""


class HomeRow(NamedTuple):
    """A home with the building it lies in."""

    unit: Unit
    building: str


class PaymentRow(NamedTuple):
    """Money that was booked, whose home it is for, and its receipt once that is numbered."""

    payment: Payment
    room: str
    receipt: Receipt | None


class ReceiptRow(NamedTuple):
    """A receipt and what it proves."""

    receipt: Receipt
    payment: Payment
    room: str


def page_of_homes(
    session: Session, community_id: int, *, after: int, limit: int
) -> Sequence[HomeRow]:
    """Homes with a greater key than `after`."""
    rows = session.execute(
        select(Unit, Building.code)
        .join(
            Building,
            (Building.community_id == Unit.community_id) & (Building.id == Unit.building_id),
        )
        .where(Unit.community_id == community_id, Unit.id > after)
        .order_by(Unit.id)
        .limit(limit)
    )
    return [HomeRow(*row) for row in rows]


def people_of(
    session: Session, unit: Unit, now: datetime
) -> Sequence[tuple[Resident, ResidentRole]]:
    """Who owns a home or lives in it today; names and numbers are sealed."""
    today = business_date(now)
    rows = session.execute(
        select(Resident, Occupancy.role)
        .join(
            Occupancy,
            (Occupancy.community_id == Resident.community_id)
            & (Occupancy.resident_id == Resident.id),
        )
        .where(
            Occupancy.community_id == unit.community_id,
            Occupancy.unit_id == unit.id,
            Occupancy.from_on <= today,
            Occupancy.to_on.is_(None) | (Occupancy.to_on > today),
        )
        .order_by(Occupancy.id)
    )
    return [(resident, role) for resident, role in rows]


def page_of_bills(
    session: Session,
    community_id: int,
    *,
    after: int,
    limit: int,
    period: Period | None = None,
    unit_id: int | None = None,
    is_paid: bool | None = None,
) -> tuple[list[BillState], int | None]:
    """Issued bills that are not void, with a greater key than `after`; all, or those of a period,
    a home, or with nothing (something) owed on them.

    Looks at so many bills at most, so a page may hold few or none though others follow.

    Returns:
        Also behind which key to go on; None when there is nothing more.
    """
    looked_at = select(Bill.id).where(Bill.community_id == community_id, Bill.id > after)
    if period is not None:
        looked_at = looked_at.where(Bill.period == period)
    if unit_id is not None:
        looked_at = looked_at.where(Bill.unit_id == unit_id)
    ids = session.scalars(looked_at.order_by(Bill.id).limit(LOOKED_AT_MAX)).all()
    query = issued_bills().where(Bill.community_id == community_id, Bill.id.in_(id_array(ids)))
    if is_paid is not None:
        paid, adjusted = query.selected_columns.paid, query.selected_columns.adjusted
        owed = Bill.amount + adjusted
        query = query.where(owed <= paid if is_paid else owed > paid)
    rows = session.execute(query.order_by(Bill.id).limit(limit))
    found = [BillState(*row) for row in rows]
    if len(found) == limit:
        return found, found[-1].id
    return found, ids[-1] if len(ids) == LOOKED_AT_MAX else None


def page_of_payments(
    session: Session, community_id: int, *, after: int, limit: int, unit_id: int | None = None
) -> Sequence[PaymentRow]:
    """Booked payments, also those taken back again, with a greater key than `after`.

    The key is that of the order, which a payer may have made long before he paid.
    """
    query = _payments(community_id).where(Payment.id > after, Payment.state.in_(BOOKED_STATES))
    if unit_id is not None:
        query = query.where(Payment.unit_id == unit_id)
    return [PaymentRow(*row) for row in session.execute(query.order_by(Payment.id).limit(limit))]


def find_payment(session: Session, community_id: int, payment_id: int) -> PaymentRow | None:
    """One booked payment; None when there is none."""
    row = session.execute(
        _payments(community_id).where(Payment.id == payment_id, Payment.state.in_(BOOKED_STATES))
    ).one_or_none()
    return None if row is None else PaymentRow(*row)


def _payments(community_id: int) -> Select[Payment, str, Receipt]:
    return (
        select(Payment, Unit.room, Receipt)
        .join(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .outerjoin(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(Payment.community_id == community_id)
    )


def page_of_receipts(
    session: Session, community_id: int, year: int, *, after: int, limit: int
) -> Sequence[ReceiptRow]:
    """Receipts of a year with a greater number than `after`."""
    rows = session.execute(
        select(Receipt, Payment, Unit.room)
        .join(
            Payment,
            (Payment.community_id == Receipt.community_id) & (Payment.id == Receipt.payment_id),
        )
        .join(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .where(Receipt.community_id == community_id, Receipt.year == year, Receipt.no > after)
        .order_by(Receipt.no)
        .limit(limit)
    )
    return [ReceiptRow(*row) for row in rows]
