"""The bills behind a collection rate, one by one."""

from typing import Any

from sqlalchemy import Select, select, type_coerce

from billing.bills import Bill, issued_bills
from billing.db import MoneyColumn
from billing.period import Period
from billing.property import Building, Unit
from billing.reports.rollups import is_owed


def billed_rows(
    community_id: int, period: Period, *, building: str = "", unpaid: bool = False
) -> Select[tuple[Any, ...]]:
    """SELECT of the issued bills of a month as they stand now: `key`, `room`, `building`,
    `due_on`, `due` (after discounts, waivers and corrections), `paid`, `owed`.

    Args:
        building: its code; only bills of its homes.
        unpaid: only bills on which something is owed.
    """
    issued = issued_bills().where(Bill.community_id == community_id, Bill.period == period)
    if building:
        issued = issued.where(
            Unit.building_id.in_(
                select(Building.id).where(
                    Building.community_id == community_id, Building.code == building
                )
            )
        )
    if unpaid:
        issued = issued.where(is_owed(community_id))
    bill = issued.subquery("bill_state")
    columns: tuple[Any, ...] = (
        bill.c.id.label("key"),
        bill.c.room,
        Building.name.label("building"),
        bill.c.due_on,
        type_coerce(bill.c.amount + bill.c.adjusted, MoneyColumn()).label("due"),
        bill.c.paid,
        type_coerce(bill.c.amount + bill.c.adjusted - bill.c.paid, MoneyColumn()).label("owed"),
    )
    return (
        select(*columns)
        .join(Unit, (Unit.community_id == bill.c.community_id) & (Unit.id == bill.c.unit_id))
        .join(
            Building,
            (Building.community_id == Unit.community_id) & (Building.id == Unit.building_id),
        )
    )
