"""What matching knows of a community: its rooms, its people, what its homes owe."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import BigInteger, func, or_, select, text, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from billing.bills import Bill, issued_bills
from billing.db import id_array
from billing.money import ZERO, Money
from billing.owed_lines import is_of_former_owner
from billing.people import Occupancy, Resident, ResidentRole
from billing.privacy import Vault
from billing.property import Unit
from billing.statements.matching import Directory, Owed
from billing.statements.names import Names
from billing.statements.rooms import Rooms

PAYERS = (ResidentRole.OWNER, ResidentRole.TENANT)

LATEST_MONTHS = text(
    """
    SELECT DISTINCT ON (bill.unit_id) bill.unit_id, bill.amount
    FROM bill
    JOIN bill_run run ON run.community_id = bill.community_id AND run.id = bill.run_id
     AND run.kind = 'regular'
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
    WHERE bill.community_id = :community_id AND bill.unit_id = ANY(CAST(:unit_ids AS bigint[]))
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
    ORDER BY bill.unit_id, bill.period DESC, bill.id DESC
    """
)
"""The latest regular bill of each home."""


def load_directory(session: Session, vault: Vault, community_id: int, *, today: date) -> Directory:
    """Rooms, and the names of owners and tenants of today, opened once for all rows to come.

    The names are in memory only, for as long as the caller keeps what is returned.
    """
    homes = session.execute(select(Unit.id, Unit.room).where(Unit.community_id == community_id))
    rooms = [(unit_id, room) for unit_id, room in homes]
    people = session.execute(
        select(Occupancy.unit_id, Resident.name_sealed)
        .join(
            Resident,
            (Resident.community_id == Occupancy.community_id)
            & (Resident.id == Occupancy.resident_id),
        )
        .where(
            Occupancy.community_id == community_id,
            Occupancy.role.in_(PAYERS),
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > today),
        )
    )
    names = Names.of((unit_id, vault.open(sealed)) for unit_id, sealed in people)
    return Directory(frozenset(unit_id for unit_id, _ in rooms), Rooms.of(rooms), names)


def read_owed(session: Session, community_id: int, unit_ids: Collection[int]) -> dict[int, Owed]:
    """What each of these homes' present owners owe, as a transfer pays it, and its latest regular
    bill; thousands at once.
    """
    issued = (
        issued_bills()
        .where(Bill.community_id == community_id, Bill.unit_id.in_(id_array(unit_ids)))
        .where(~is_of_former_owner())
        .subquery()
    )
    left = type_coerce(issued.c.amount + issued.c.adjusted - issued.c.paid, BigInteger)
    in_order = (issued.c.due_on, issued.c.period, issued.c.id)
    rows = session.execute(
        select(issued.c.unit_id, func.array_agg(aggregate_order_by(left, *in_order)))
        .where(left > 0)
        .group_by(issued.c.unit_id)
    )
    bills = {unit_id: tuple(Money(int(fen)) for fen in owed) for unit_id, owed in rows}
    months = session.execute(
        LATEST_MONTHS, {"community_id": community_id, "unit_ids": list(unit_ids)}
    )
    monthly = {row.unit_id: Money(row.amount) for row in months}
    return {
        unit_id: Owed(bills.get(unit_id, ()), monthly.get(unit_id, ZERO)) for unit_id in unit_ids
    }
