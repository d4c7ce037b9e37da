"""Communities, buildings, entrances, homes and shops, parking spaces."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from billing.imports.cells import YesNo
from billing.imports.known import Desk, KnownSubject
from billing.imports.reasons import Reason
from billing.imports.sheets import BuildingRow, CommunityRow, EntranceRow, SpaceRow, UnitRow
from billing.imports.writing import Tally, differs
from billing.merchants import CommunityMerchant, MerchantAccount, Provider
from billing.people import StaffRole
from billing.property import (
    Building,
    Community,
    Entrance,
    ParkingSpace,
    Subject,
    SubjectKind,
    Unit,
)


def plan_communities(rows: list[CommunityRow], desk: Desk, code: str) -> Tally:
    """Communities by code; `code` is the one the rest of the workbook belongs to, and the only one
    staff may import. Its row is changed by its manager, who collects for it by one of them all.
    """
    tally = Tally()
    rows = [row for row in rows if not _refuse_other(row, desk, code)]
    table = Community.__table__
    known = {row["code"]: dict(row) for row in desk.session.execute(select(table)).mappings()}
    collecting = {
        row["community_id"]: dict(row)
        for row in desk.session.execute(
            select(CommunityMerchant.__table__).where(
                CommunityMerchant.provider == Provider.WECHAT_PAY
            )
        ).mappings()
    }
    merchants = _Merchants(desk)
    # First of all, as the accounts' rows must be written before those that name them.
    named = [(row, merchants.of(row)) for row in rows]
    for row, merchant_id in named:
        if merchant_id is None:
            continue
        before = known.get(row.code)
        own = desk.community_id if row.code == code else None
        wanted = {
            "id": before["id"] if before else own or desk.ids.new(Community),
            "code": row.code,
            "name": row.name,
            "company": row.company,
            "service_phone": row.service_phone,
            "billing_day": row.billing_day,
            "due_day": row.due_day,
            "due_month_offset": row.due_month_offset,
            "publishes_itself": row.publishes_itself is YesNo.YES,
        }
        merchant = {
            "community_id": wanted["id"],
            "provider": Provider.WECHAT_PAY,
            "merchant_id": merchant_id,
        }
        if _refuse_settings(row, (before, wanted), (collecting.get(wanted["id"]), merchant), desk):
            continue
        changed = [
            desk.changes.merge(Community, wanted, before),
            desk.changes.merge(CommunityMerchant, merchant, collecting.get(wanted["id"])),
        ]
        tally.count(is_new=before is None, changed=any(changed))
    return tally


def _refuse_other(row: CommunityRow, desk: Desk, code: str) -> bool:
    """Whether staff would write another community's row, which is a fault."""
    if desk.by is None or row.code == code:
        return False
    desk.faults.add(row, "code", Reason.OTHER_COMMUNITY, shown=row.code, known=code)
    return True


Change = tuple[Mapping[str, Any] | None, Mapping[str, Any]]
"""A row as it is, if it is there, and as it shall be."""


def _refuse_settings(row: CommunityRow, community: Change, collector: Change, desk: Desk) -> bool:
    """Whether staff would change what is not theirs to change, which is a fault."""
    if desk.by is None:
        return False
    is_manager = desk.by.role is StaffRole.MANAGER
    may_collect = is_manager and desk.by.community_id is None
    refused = False
    if differs(*collector) and not may_collect:
        desk.faults.add(row, "merchant", Reason.COLLECTOR_FIXED)
        refused = True
    if differs(*community) and not is_manager:
        desk.faults.add(row, "code", Reason.MANAGERS_ONLY)
        refused = True
    return refused


class _Merchants:
    """Merchant accounts by code; one that is new is described by the row that names it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        found = desk.session.execute(
            select(MerchantAccount.id, MerchantAccount.code, MerchantAccount.mchid)
        ).all()
        self._ids: dict[str, int] = {row.code: row.id for row in found}
        self._holders: dict[str, str] = {row.mchid: row.code for row in found}

    def of(self, row: CommunityRow) -> int | None:
        """The account that collects for a community, or None and a fault."""
        if row.merchant not in self._ids:
            if row.mchid is None:
                self._desk.faults.add(row, "merchant", Reason.UNKNOWN, shown=row.merchant)
                return None
            holder = self._holders.setdefault(row.mchid, row.merchant)
            if holder != row.merchant:
                self._desk.faults.add(row, "mchid", Reason.TAKEN, known=holder)
                return None
            self._ids[row.merchant] = self._desk.ids.new(MerchantAccount)
            self._desk.changes.insert(
                MerchantAccount,
                {
                    "id": self._ids[row.merchant],
                    "code": row.merchant,
                    "provider": Provider.WECHAT_PAY,
                    "mchid": row.mchid,
                    "name": row.merchant_name or row.company,
                },
            )
        return self._ids[row.merchant]


def plan_buildings(rows: list[BuildingRow], desk: Desk) -> Tally:
    """Buildings by code."""
    tally = Tally()
    known = {row["code"]: row for row in desk.known.rows(Building)} if rows else {}
    for row in rows:
        before = known.get(row.code)
        building_id = before["id"] if before else desk.ids.new(Building)
        wanted = {
            "community_id": desk.community_id,
            "id": building_id,
            "code": row.code,
            "name": row.name,
        }
        desk.known.buildings[row.code] = building_id
        tally.count(is_new=before is None, changed=desk.changes.merge(Building, wanted, before))
    return tally


def plan_entrances(rows: list[EntranceRow], desk: Desk) -> Tally:
    """Entrances by building and code; nothing of them can change."""
    tally = Tally()
    for row in rows:
        building_id = desk.known.buildings.get(row.building)
        if building_id is None:
            desk.faults.add(row, "building", Reason.UNKNOWN, shown=row.building)
            continue
        is_new = (building_id, row.code) not in desk.known.entrances
        if is_new:
            entrance_id = desk.ids.new(Entrance)
            wanted = {
                "community_id": desk.community_id,
                "id": entrance_id,
                "building_id": building_id,
                "code": row.code,
            }
            desk.changes.insert(Entrance, wanted)
            desk.known.entrances[building_id, row.code] = entrance_id
        tally.count(is_new=is_new, changed=False)
    return tally


def plan_units(rows: list[UnitRow], desk: Desk) -> Tally:
    """Homes and shops by room; a home does not become a shop, because its charges differ."""
    tally = Tally()
    units = {row["room"]: row for row in desk.known.rows(Unit)} if rows else {}
    subjects = {row["id"]: row for row in desk.known.rows(Subject)} if rows else {}
    for row in rows:
        place = _place(row, desk)
        ascend = desk.dates_ascend(row, row.billable_from, row.billable_to, "billable_to")
        before = units.get(row.room)
        subject = subjects[before["id"]] if before else None
        if subject is not None and subject["kind"] is not row.kind:
            desk.faults.add(row, "kind", Reason.FIXED, known=subject["kind"].label)
            continue
        if place is None or not ascend:
            continue
        unit_id = before["id"] if before else desk.ids.new(Subject)
        changed = _merge_subject(desk, row, row.kind, row.room, (unit_id, unit_id), subject)
        wanted = {
            "community_id": desk.community_id,
            "id": unit_id,
            "building_id": place[0],
            "entrance_id": place[1],
            "room": row.room,
            "floor": row.floor,
            "billable_area_m2": row.area,
        }
        changed = desk.changes.merge(Unit, wanted, before) or changed
        desk.known.units[row.room] = unit_id
        tally.count(is_new=before is None, changed=changed)
    return tally


def _place(row: UnitRow, desk: Desk) -> tuple[int, int | None] | None:
    """Building and entrance of a room number, or None and a fault."""
    building, *middle, _ = row.room.split("-")
    building_id = desk.known.buildings.get(building)
    if building_id is None:
        desk.faults.add(row, "room", Reason.UNKNOWN, shown=building)
        return None
    if not middle:
        return building_id, None
    entrance_id = desk.known.entrances.get((building_id, middle[0]))
    if entrance_id is None:
        desk.faults.add(row, "room", Reason.UNKNOWN, shown=f"{building}-{middle[0]}")
        return None
    return building_id, entrance_id


def plan_spaces(rows: list[SpaceRow], desk: Desk) -> Tally:
    """Parking spaces by code; a space may pass to another home's account."""
    tally = Tally()
    subjects = {
        row["code"]: row
        for row in (desk.known.rows(Subject) if rows else ())
        if row["kind"] is SubjectKind.PARKING
    }
    spaces = {row["id"]: row for row in desk.known.rows(ParkingSpace)} if rows else {}
    for row in rows:
        account = desk.unit(row, row.room)
        ascend = desk.dates_ascend(row, row.billable_from, row.billable_to, "billable_to")
        if account is None or not ascend:
            continue
        subject = subjects.get(row.code)
        space_id = subject["id"] if subject else desk.ids.new(Subject)
        ids = (space_id, account)
        changed = _merge_subject(desk, row, SubjectKind.PARKING, row.code, ids, subject)
        wanted = {
            "community_id": desk.community_id,
            "id": space_id,
            "area": row.area,
            "plate": row.plate,
        }
        changed = desk.changes.merge(ParkingSpace, wanted, spaces.get(space_id)) or changed
        tally.count(is_new=subject is None, changed=changed)
    return tally


def _merge_subject(
    desk: Desk,
    row: UnitRow | SpaceRow,
    kind: SubjectKind,
    code: str,
    ids: tuple[int, int],
    before: Mapping[str, Any] | None,
) -> bool:
    """The subject of a home or space; `ids` are its own and its account's. Whether it changes."""
    subject_id, unit_id = ids
    wanted = {
        "community_id": desk.community_id,
        "id": subject_id,
        "kind": kind,
        "code": code,
        "unit_id": unit_id,
        "billable_from": row.billable_from,
        "billable_to": row.billable_to,
    }
    desk.known.subjects[kind, code] = KnownSubject(subject_id, unit_id)
    return desk.changes.merge(Subject, wanted, before)
