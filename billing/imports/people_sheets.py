"""People and where they live. Names and telephone numbers are sealed before they are written."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from billing.imports.known import Desk
from billing.imports.reasons import Reason
from billing.imports.sheets import PersonRow
from billing.imports.writing import Tally
from billing.people import Occupancy, Resident, ResidentRole
from billing.resident_keys import ResidentKey, key_rows

Stay = tuple[int, str, ResidentRole, date]
"""What makes an occupancy the same one: home, name, role, first day."""


@dataclass(slots=True)
class _Person:
    """A person as known, opened."""

    id: int
    name: str
    phone: str | None
    row: int = 0
    """The row that last said something about this person."""


def plan_people(rows: list[PersonRow], desk: Desk) -> Tally:
    """Occupancies by home, name, role and first day.

    People of one name and one telephone number are one person, with as many homes as rows; a
    person without a number is nobody else. A new number is the number of the person, everywhere.

    A home is not handed over here: that ends bindings and settles what is owed. So no owner moves
    in beside another but on the same day, and none who is known moves out.
    """
    tally = Tally()
    unit_ids = {desk.known.units[row.room] for row in rows if row.room in desk.known.units}
    stays, people = _load(desk, unit_ids)
    owned = _owned(stays)
    for row in rows:
        unit_id = desk.unit(row, row.room)
        ascend = desk.dates_ascend(row, row.from_on, row.to_on, "to_on")
        if unit_id is None or not ascend:
            continue
        stay = stays.get((unit_id, row.name, row.role, row.from_on))
        if stay is None:
            if row.role is ResidentRole.OWNER and _refuse_hand_over(row, owned[unit_id], desk):
                continue
            _move_in(desk, row, unit_id, people)
            tally.count(is_new=True, changed=True)
            continue
        occupancy_id, to_on, person = stay
        if row.role is ResidentRole.OWNER and to_on != row.to_on:
            desk.faults.add(row, "to_on", Reason.HAND_OVER)
            continue
        changed = _new_phone(desk, row, person)
        if to_on != row.to_on:
            key = {"community_id": desk.community_id, "id": occupancy_id}
            desk.changes.update(Occupancy, {**key, "to_on": row.to_on})
            changed = True
        tally.count(is_new=False, changed=changed)
    return tally


Span = tuple[date, date | None]
"""First day, and first day no longer or None."""


def _owned(stays: Mapping[Stay, tuple[int, date | None, _Person]]) -> defaultdict[int, list[Span]]:
    """When homes were owned."""
    owned: defaultdict[int, list[Span]] = defaultdict(list)
    for (unit_id, _, role, from_on), (_, to_on, _) in stays.items():
        if role is ResidentRole.OWNER:
            owned[unit_id].append((from_on, to_on))
    return owned


def _refuse_hand_over(row: PersonRow, owned: list[Span], desk: Desk) -> bool:
    """Whether somebody else owns the home on a day of a new owner's, which is a fault unless both
    moved in on one day; else it is his from here on.
    """
    for start, end in owned:
        begins_before_its_end = end is None or row.from_on < end
        ends_after_its_begin = row.to_on is None or row.to_on > start
        if start != row.from_on and begins_before_its_end and ends_after_its_begin:
            desk.faults.add(row, "from_on", Reason.HAND_OVER)
            return True
    owned.append((row.from_on, row.to_on))
    return False


def _load(
    desk: Desk, unit_ids: set[int]
) -> tuple[dict[Stay, tuple[int, date | None, _Person]], dict[tuple[str, str], _Person]]:
    """Stays in these homes with their people, and people by name and number."""
    found = desk.session.execute(
        select(
            Occupancy.id,
            Occupancy.unit_id,
            Occupancy.role,
            Occupancy.from_on,
            Occupancy.to_on,
            Occupancy.resident_id,
            Resident.name_sealed,
            Resident.phone_sealed,
        )
        .join(
            Resident,
            (Resident.community_id == Occupancy.community_id)
            & (Resident.id == Occupancy.resident_id),
        )
        .where(Occupancy.community_id == desk.community_id)
    )
    opened: dict[int, _Person] = {}
    stays = {}
    for row in found:
        if row.unit_id not in unit_ids:
            continue
        if row.resident_id not in opened:
            phone = row.phone_sealed and desk.vault.open(row.phone_sealed)
            opened[row.resident_id] = _Person(
                row.resident_id, desk.vault.open(row.name_sealed), phone
            )
        person = opened[row.resident_id]
        stays[row.unit_id, person.name, row.role, row.from_on] = (row.id, row.to_on, person)
    people = {(person.name, person.phone): person for person in opened.values() if person.phone}
    return stays, people


def _move_in(
    desk: Desk, row: PersonRow, unit_id: int, people: dict[tuple[str, str], _Person]
) -> None:
    person = people.get((row.name, row.phone)) if row.phone else None
    if person is None:
        person = _Person(desk.ids.new(Resident), row.name, row.phone, row.row)
        desk.changes.insert(
            Resident,
            {
                "community_id": desk.community_id,
                "id": person.id,
                "name_sealed": desk.vault.seal(row.name),
                "phone_sealed": row.phone and desk.vault.seal(row.phone),
            },
        )
        for key in key_rows(desk.vault, desk.community_id, person.id, row.name, row.phone):
            desk.changes.insert(ResidentKey, key)
        if row.phone:
            people[row.name, row.phone] = person
    desk.changes.insert(
        Occupancy,
        {
            "community_id": desk.community_id,
            "id": desk.ids.new(Occupancy),
            "unit_id": unit_id,
            "resident_id": person.id,
            "role": row.role,
            "from_on": row.from_on,
            "to_on": row.to_on,
        },
    )


def _new_phone(desk: Desk, row: PersonRow, person: _Person) -> bool:
    """Give a known person the number of the row; an empty cell takes no number away."""
    if row.phone is None or row.phone == person.phone:
        person.row = row.row
        return False
    if person.row:
        desk.faults.add(row, "phone", Reason.TWO_PHONES, other=person.row)
        return False
    person.phone, person.row = row.phone, row.row
    desk.new_phones[person.id] = row.phone
    desk.changes.update(
        Resident,
        {
            "community_id": desk.community_id,
            "id": person.id,
            "phone_sealed": desk.vault.seal(row.phone),
        },
    )
    return True
