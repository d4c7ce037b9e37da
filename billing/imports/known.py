"""What a community has already, by the names people use for it; grows as rows are accepted.

Read once per import and only where a sheet asks for it, so that a row may refer to another row
of the workbook exactly as to one of the database.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from billing.bills import BillLine
from billing.db import Base
from billing.imports.parsing import Faults
from billing.imports.reasons import Reason
from billing.imports.sheets import Row
from billing.imports.writing import Changes, Ids
from billing.meters import Meter
from billing.people import Staff
from billing.pricing import PricingMethod
from billing.privacy import Vault
from billing.property import Building, Entrance, Subject, SubjectKind, Unit
from billing.shared_costs import SharedCost
from billing.tariffs import ChargeItem, Tariff


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """A home, shop or space, and the home whose account pays for it."""

    id: int
    unit_id: int


@dataclass(frozen=True, slots=True)
class KnownItem:
    """A charge item."""

    id: int
    code: str
    name: str
    subject_kind: SubjectKind
    pass_through: bool


class Known:
    """Names of the community → their ids."""

    def __init__(self, session: Session, community_id: int) -> None:
        self._session = session
        self.community_id = community_id

    def rows(self, model: type[Base]) -> list[dict[str, Any]]:
        """Every row of this community, by column."""
        table = model.__table__
        query = select(table).where(table.c.community_id == self.community_id)
        return [dict(row) for row in self._session.execute(query).mappings()]

    @cached_property
    def buildings(self) -> dict[str, int]:
        """Building code → id."""
        return {row["code"]: row["id"] for row in self.rows(Building)}

    @cached_property
    def entrances(self) -> dict[tuple[int, str], int]:
        """Building id and entrance code → id."""
        return {(row["building_id"], row["code"]): row["id"] for row in self.rows(Entrance)}

    @cached_property
    def units(self) -> dict[str, int]:
        """Room → id."""
        return {row["room"]: row["id"] for row in self.rows(Unit)}

    @cached_property
    def subjects(self) -> dict[tuple[SubjectKind, str], KnownSubject]:
        """Kind and room or code → subject."""
        return {
            (row["kind"], row["code"]): KnownSubject(row["id"], row["unit_id"])
            for row in self.rows(Subject)
        }

    @cached_property
    def items(self) -> dict[str, KnownItem]:
        """Item code → item."""
        return {
            row["code"]: KnownItem(
                row["id"], row["code"], row["name"], row["subject_kind"], row["pass_through"]
            )
            for row in self.rows(ChargeItem)
        }

    @cached_property
    def tiered_items(self) -> set[int]:
        """Items with a tiered version."""
        return {
            row["item_id"]
            for row in self.rows(Tariff)
            if row["price"]["method"] == PricingMethod.TIERED
        }

    @cached_property
    def priced_items(self) -> set[int]:
        """Items with a price of their own."""
        return {row["item_id"] for row in self.rows(Tariff)}

    @cached_property
    def shared_items(self) -> set[int]:
        """Items that share costs."""
        return {row["item_id"] for row in self.rows(SharedCost)}

    @cached_property
    def meters(self) -> dict[str, int]:
        """Number on the meter → id."""
        return {row["code"]: row["id"] for row in self.rows(Meter)}

    @cached_property
    def staff(self) -> dict[str, int]:
        """Login → id, of everybody who works for this community, or for all."""
        query = select(Staff.login, Staff.id).where(
            Staff.left_at.is_(None),
            or_(Staff.community_id.is_(None), Staff.community_id == self.community_id),
        )
        return {row.login: row.id for row in self._session.execute(query)}

    def billed_items(self) -> set[int]:
        """Items with at least one line."""
        lines = exists().where(
            BillLine.community_id == ChargeItem.community_id, BillLine.item_id == ChargeItem.id
        )
        return set(
            self._session.scalars(
                select(ChargeItem.id).where(ChargeItem.community_id == self.community_id, lines)
            )
        )


@dataclass(slots=True)
class Desk:
    """Everything the sheets' checks work with: who they ask, and where they write it down.

    Attributes:
        by: who imports, and may no more than in the console; None: the operator, who may all.
        new_phones: of people known before, by resident.
    """

    session: Session
    known: Known
    ids: Ids
    vault: Vault
    today: date
    now: datetime
    faults: Faults
    by: Staff | None
    warnings: Faults = field(default_factory=Faults)
    changes: Changes = field(default_factory=Changes)
    new_phones: dict[int, str] = field(default_factory=dict)

    @property
    def community_id(self) -> int:
        """The community that is imported into."""
        return self.known.community_id

    def item(self, row: Row, code: str, column: str = "item") -> KnownItem | None:
        """The item of a row, or a fault."""
        found = self.known.items.get(code)
        if found is None:
            self.faults.add(row, column, Reason.UNKNOWN, shown=code)
        return found

    def subject(
        self, row: Row, item: KnownItem, code: str, column: str = "subject"
    ) -> KnownSubject | None:
        """What an item is charged for, by room or code, or a fault."""
        found = self.known.subjects.get((item.subject_kind, code))
        if found is None:
            shown = f"{item.subject_kind.label} {code}"
            self.faults.add(row, column, Reason.UNKNOWN, shown=shown)
        return found

    def unit(self, row: Row, room: str, column: str = "room") -> int | None:
        """The home or shop of a row, or a fault."""
        found = self.known.units.get(room)
        if found is None:
            self.faults.add(row, column, Reason.UNKNOWN, shown=room)
        return found

    def person_in_charge(self, row: Row, login: str, column: str = "approved_by") -> int | None:
        """The member of staff of a row, or a fault."""
        found = self.known.staff.get(login)
        if found is None:
            self.faults.add(row, column, Reason.UNKNOWN, shown=login)
        return found

    def dates_ascend(self, row: Row, start: date, end: date | None, column: str) -> bool:
        """Whether a span has a day; a fault where it has none."""
        if end is not None and end <= start:
            self.faults.add(row, column, Reason.DATES_DESCEND)
            return False
        return True
