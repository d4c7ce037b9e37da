"""Letters of demand (催缴函): their numbers, the paper as it was printed, and their delivery."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from billing.db import id_array
from billing.dunning import DUNNERS, Demanded, clean_note, record_demand
from billing.dunning_tables import Dunning, DunningWay, LetterService, ServiceWay
from billing.errors import Conflict, InvalidInput, NotFound
from billing.payments import lock_home
from billing.people import Staff, require_role
from billing.privacy import Vault
from billing.property import Community, Unit, get_community

TRACKING = re.compile(r"[A-Za-z0-9-]{6,40}")
PRINTED = re.compile(r"(.+)-([0-9]{4})-([0-9]{4,9})")


@dataclass(frozen=True, slots=True)
class LetterNumber:
    """Letters are numbered by community and year, without gaps."""

    code: str
    year: int
    no: int

    def __str__(self) -> str:
        """As printed, `HY-2026-0007`."""
        return f"{self.code}-{self.year}-{self.no:04}"


def take_number(session: Session, community: Community, today: date) -> LetterNumber:
    """The number of the next letter. The community's row serialises it until the caller commits,
    so a letter that is not recorded leaves no gap.
    """
    session.execute(
        select(Community.id).where(Community.id == community.id).with_for_update(key_share=True)
    )
    last = session.scalar(
        select(func.max(Dunning.no)).where(
            Dunning.community_id == community.id, Dunning.year == today.year
        )
    )
    return LetterNumber(community.code, today.year, (last or 0) + 1)


def record_letter(
    session: Session,
    vault: Vault,
    community_id: int,
    asked: Collection[Demanded],
    number: LetterNumber,
    *,
    paper: str,
    respond_by: date,
    by: Staff,
    today: date,
    now: datetime,
) -> Dunning:
    """Keep a letter as it was printed; the paper is encrypted, it names people.

    Args:
        number: from `take_number` in the same transaction.

    Raises:
        InvalidInput: `by` may not, or there is no time to pay.
    """
    require_role(by, community_id, DUNNERS)
    if respond_by <= today:
        raise InvalidInput("respond_by", f"must be after {today}: a demand leaves time to pay")
    return record_demand(
        session,
        asked,
        DunningWay.LETTER,
        made_on=today,
        by=by,
        now=now,
        year=number.year,
        no=number.no,
        respond_by=respond_by,
        paper_sealed=vault.seal(paper),
    )


def get_letter(session: Session, printed: str) -> tuple[Community, Dunning]:
    """The letter with this printed number, and its community.

    Raises:
        NotFound: there is none.
    """
    parts = PRINTED.fullmatch(printed.strip())
    if parts is None:
        raise NotFound(f"no letter {printed[:60]!r}; numbers look like HY-2026-0007")
    community = get_community(session, parts[1])
    letter = session.scalar(
        select(Dunning).where(
            Dunning.community_id == community.id,
            Dunning.way == DunningWay.LETTER,
            Dunning.year == int(parts[2]),
            Dunning.no == int(parts[3]),
        )
    )
    if letter is None:
        raise NotFound(f"no letter {printed!r} in community {community.code}")
    return community, letter


def homes_with_letter(session: Session, community_id: int, on: date) -> set[int]:
    """The homes a letter of this day was printed for."""
    return set(
        session.scalars(
            select(Dunning.unit_id).where(
                Dunning.community_id == community_id,
                Dunning.way == DunningWay.LETTER,
                Dunning.made_on == on,
            )
        )
    )


def get_letters(session: Session, community_id: int, ids: Collection[int]) -> list[Dunning]:
    """Letters of a community by their ids, in the order of their numbers; what is no letter of it
    is left out.
    """
    return list(
        session.scalars(
            select(Dunning)
            .where(
                Dunning.community_id == community_id,
                Dunning.way == DunningWay.LETTER,
                Dunning.id.in_(id_array(ids)),
            )
            .order_by(Dunning.year, Dunning.no)
        )
    )


def letter_rows(community_id: int) -> Select[tuple[Any, ...]]:
    """SELECT of a community's letters: `key`, `year`, `no`, `unit_id`, `room`, `made_on`, `amount`,
    `respond_by`, `staff`, `served` (how it was delivered last; null while nobody recorded it).
    """
    served = (
        select(LetterService.way)
        .where(
            LetterService.community_id == Dunning.community_id,
            LetterService.dunning_id == Dunning.id,
        )
        .order_by(LetterService.served_on.desc(), LetterService.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns: tuple[Any, ...] = (
        Dunning.id.label("key"),
        Dunning.year,
        Dunning.no,
        Dunning.unit_id,
        Unit.room,
        Dunning.made_on,
        Dunning.amount,
        Dunning.respond_by,
        Staff.name.label("staff"),
        served.label("served"),
    )
    return (
        select(*columns)
        .select_from(Dunning)
        .join(Unit, (Unit.community_id == Dunning.community_id) & (Unit.id == Dunning.unit_id))
        .join(Staff, Staff.id == Dunning.made_by)
        .where(Dunning.community_id == community_id, Dunning.way == DunningWay.LETTER)
    )


def record_service(
    session: Session,
    vault: Vault,
    letter: Dunning,
    *,
    way: ServiceWay,
    on: date,
    tracking_number: str | None,
    note: str | None,
    by: Staff,
    today: date,
    now: datetime,
) -> LetterService:
    """Keep how and when a letter was delivered. The same again changes nothing.

    Args:
        tracking_number: of what was posted, and of nothing else.
        note: who signed, who witnessed.

    Raises:
        InvalidInput: `by` may not, a day before the letter or to come, a tracking number that is
            missing, malformed or out of place.
        Conflict: the same way and day are kept with other particulars.
    """
    require_role(by, letter.community_id, DUNNERS)
    if not letter.made_on <= on <= today:
        raise InvalidInput("on", f"must be from {letter.made_on}, the letter's date, to {today}")
    _check_tracking(way, tracking_number)
    lock_home(session, letter.community_id, letter.unit_id)  # one after the other
    known = session.scalar(
        select(LetterService).where(
            LetterService.community_id == letter.community_id,
            LetterService.dunning_id == letter.id,
            LetterService.way == way,
            LetterService.served_on == on,
        )
    )
    if known is not None:
        if known.tracking_number != tracking_number:
            raise Conflict(f"kept already for {on}, with another tracking number")
        return known
    service = LetterService(
        community_id=letter.community_id,
        dunning_id=letter.id,
        way=way,
        served_on=on,
        tracking_number=tracking_number,
        note_sealed=None if note is None else vault.seal(clean_note(note)),
        recorded_by=by.id,
        recorded_at=now,
    )
    session.add(service)
    session.flush()
    return service


def _check_tracking(way: ServiceWay, tracking_number: str | None) -> None:
    if (way is ServiceWay.POSTED) != (tracking_number is not None):
        raise InvalidInput("tracking", "what is posted has a tracking number, and nothing else")
    if tracking_number is not None and TRACKING.fullmatch(tracking_number) is None:
        raise InvalidInput("tracking", "must be 6 to 40 letters, digits and dashes")


def list_services(
    session: Session, community_id: int, dunning_ids: Collection[int]
) -> Mapping[int, list[LetterService]]:
    """Letter → its deliveries, the earliest first; letters without one are left out."""
    found: dict[int, list[LetterService]] = {}
    query = (
        select(LetterService)
        .where(
            LetterService.community_id == community_id,
            LetterService.dunning_id.in_(dunning_ids),
        )
        .order_by(LetterService.served_on, LetterService.id)
    )
    for service in session.scalars(query):
        found.setdefault(service.dunning_id, []).append(service)
    return found
