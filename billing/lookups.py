"""Paying for somebody else's home: found by its room and the end of its owner's telephone number.

Who guesses gets five tries an hour, and so does a room, whoever guesses; both are counted in the
database. A room that does not exist, or has no telephone number, answers like wrong digits.
"""

import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import ForeignKeyConstraint, Index, func, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.business_day import business_date
from billing.db import Base, CommunityId, LocalId
from billing.facts import FactKind, record
from billing.people import Occupancy, Resident, ResidentRole
from billing.privacy import Vault
from billing.property import Community, Unit

TRIES_MAX = 5
TRIES_WINDOW = timedelta(hours=1)
DIGITS = 4
ROOM_CHARACTERS_MAX = 32
ROOM_PART = re.compile(r"[0-9A-Za-z]+")

LOCK_TRIES = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 20261108))")


class HomeLookup(Base):
    """One try to find a home. `room` is what was typed, of no home when none has it."""

    __tablename__ = "home_lookup"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        ForeignKeyConstraint(["community_id", "unit_id"], ["unit.community_id", "unit.id"]),
        Index("ix_home_lookup_payer", "payer_hash", "at"),
        Index("ix_home_lookup_room", "community_id", "room", "at"),
        {"comment": "Tries to find a home by room and telephone number, to lock guessers out"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    payer_hash: Mapped[str] = mapped_column(comment="keyed hash of the follower or the browser")
    room: Mapped[str]
    unit_id: Mapped[int | None] = mapped_column(comment="the home that was found; null: not found")
    at: Mapped[datetime]


class LookedUp(Enum):
    """What came of a try."""

    FOUND = "found"
    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to one try; `unit_id` only when found."""

    outcome: LookedUp
    unit_id: int | None = None


def read_room_parts(typed: str) -> str:
    """The canonical number of a room as people write it: its numbers, joined by dashes.

    >>> read_room_parts("03-2-501"), read_room_parts("b1 - 2 - 0501")
    ('3-2-501', 'B1-2-501')
    """
    parts = ROOM_PART.findall(unicodedata.normalize("NFKC", typed).upper())
    return "-".join(part.lstrip("0") or "0" for part in parts)[:ROOM_CHARACTERS_MAX]


def read_digits(typed: str) -> str | None:
    """The last four digits of a telephone number as typed; None when they are not four digits."""
    digits = "".join(unicodedata.normalize("NFKC", typed).split())
    return digits if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else None


def look_up_home(
    session: Session,
    vault: Vault,
    *,
    community: Community,
    typed_room: str,
    digits: str,
    payer: str,
    now: datetime,
) -> Lookup:
    """Find a home for somebody who wants to pay for it. The caller commits whatever comes of it:
    every try counts, the right ones too.

    The home is told of a payer once a day. Safe to call at once from several places.

    Args:
        digits: the last four of the telephone number of one of the home's present owners.
        payer: who tries: his openid, or what names his browser.
    """
    room = read_room_parts(typed_room)
    payer_hash = vault.fingerprint("home-lookup", payer)
    # Tries of one payer, and at one room, wait for each other, or many at once would pass as one.
    for name in sorted((f"payer:{payer_hash}", f"room:{community.id}:{room}")):
        session.execute(LOCK_TRIES, {"name": name})
    if _is_locked(session, community.id, room, payer_hash, now):
        return Lookup(LookedUp.LOCKED)
    unit = session.scalar(select(Unit).where(Unit.community_id == community.id, Unit.room == room))
    found = unit is not None and _has_owner_with(session, vault, unit, digits, now)
    lookup = HomeLookup(
        community_id=community.id,
        payer_hash=payer_hash,
        room=room,
        unit_id=unit.id if unit is not None and found else None,
        at=now,
    )
    is_news = found and not _was_told_today(session, lookup, now)
    session.add(lookup)
    session.flush()  # the fact names the try's id
    if is_news:
        record(
            session,
            FactKind.HOME_LOOKED_UP,
            community_id=community.id,
            unit_id=lookup.unit_id,
            ref_id=lookup.id,
            at=now,
        )
    return Lookup(LookedUp.FOUND if found else LookedUp.WRONG, lookup.unit_id)


def _is_locked(
    session: Session, community_id: int, room: str, payer_hash: str, now: datetime
) -> bool:
    own = HomeLookup.payer_hash == payer_hash
    there = (HomeLookup.community_id == community_id) & (HomeLookup.room == room)
    tries = session.execute(
        select(func.count().filter(own), func.count().filter(there)).where(
            HomeLookup.at > now - TRIES_WINDOW, or_(own, there)
        )
    ).one()
    return max(tries) >= TRIES_MAX


def _has_owner_with(session: Session, vault: Vault, unit: Unit, digits: str, now: datetime) -> bool:
    """Whether a present owner's telephone number ends so. Only this home's are opened."""
    today = business_date(now)
    sealed = session.scalars(
        select(Resident.phone_sealed)
        .join(
            Occupancy,
            (Occupancy.community_id == Resident.community_id)
            & (Occupancy.resident_id == Resident.id),
        )
        .where(
            Occupancy.community_id == unit.community_id,
            Occupancy.unit_id == unit.id,
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.from_on <= today,
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > today),
            Resident.phone_sealed.is_not(None),
        )
    )
    ends = [vault.open(phone)[-DIGITS:] for phone in sealed if phone is not None]
    return any(hmac.compare_digest(end.encode(), digits.encode()) for end in ends)


def _was_told_today(session: Session, lookup: HomeLookup, now: datetime) -> bool:
    """Whether the home has heard of this payer today (Beijing)."""
    last = session.scalar(
        select(func.max(HomeLookup.at)).where(
            HomeLookup.payer_hash == lookup.payer_hash,
            HomeLookup.community_id == lookup.community_id,
            HomeLookup.unit_id == lookup.unit_id,
        )
    )
    return last is not None and business_date(last) == business_date(now)
