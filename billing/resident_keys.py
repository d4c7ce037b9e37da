"""Finding people whose names and numbers are sealed: a blind index of keyed hashes.

Whatever somebody may be asked for by is hashed when he is written down: his name, its beginning and
its end, his telephone number and its last four digits. Whoever writes a resident writes his keys.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Select, delete, exists, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, id_array
from billing.labels import LabelEnum
from billing.people import Occupancy, Resident
from billing.privacy import Vault

TAIL = 4
PHONE_DIGITS, COUNTRY = 11, "86"
FINGERPRINT_CHARACTERS = 32
"""128 of the 256 bits: enough that no two texts ever meet, and half the room."""

SURNAME_MAX = 2
"""Characters; a few surnames have two."""

RESIDENTS_AT_ONCE = 2000


class ResidentKeyKind(LabelEnum):
    """What a key is made of."""

    NAME = "name", "姓名"
    PHONE = "phone", "电话"


class ResidentKey(Base):
    """Somebody may be asked for by this."""

    __tablename__ = "resident_key"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "resident_id"], ["resident.community_id", "resident.id"]
        ),
        Index("ix_resident_key_resident", "community_id", "resident_id"),
        {"comment": "Blind index of people: found by equality of keyed hashes"},
    )

    community_id: Mapped[CommunityId]
    kind: Mapped[ResidentKeyKind] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(
        primary_key=True,
        comment="keyed hash of a name or a part of it, of a number or its last four digits",
    )
    resident_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


def name_parts(name: str) -> set[str]:
    """What somebody of this name is asked for by.

    >>> sorted(name_parts("王秀英"))
    ['王', '王秀', '王秀英', '秀英', '英']
    """
    plain = _plain(name)
    ends = {plain[:length] for length in range(1, SURNAME_MAX + 1)}
    return {plain} | ends | {plain[length:] for length in range(1, SURNAME_MAX + 1)} - {""}


def phone_parts(phone: str) -> set[str]:
    """What somebody with this number is asked for by.

    >>> sorted(phone_parts("+86 138-0000-1234"))
    ['1234', '13800001234']
    """
    digits = read_digits(phone)
    return {digits, digits[-TAIL:]} - {""}


def read_digits(typed: str) -> str:
    """The digits of a number as people write it, without the country's."""
    digits = re.sub(r"[^0-9]", "", unicodedata.normalize("NFKC", typed))
    is_abroad = len(digits) == PHONE_DIGITS + len(COUNTRY) and digits.startswith(COUNTRY)
    return digits[len(COUNTRY) :] if is_abroad else digits


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def key_rows(
    vault: Vault, community_id: int, resident_id: int, name: str | None, phone: str | None
) -> Iterator[dict[str, Any]]:
    """Rows of `ResidentKey` for somebody, for whoever writes many people at once."""
    parts = {
        ResidentKeyKind.NAME: name_parts(name) if name else set(),
        ResidentKeyKind.PHONE: phone_parts(phone) if phone else set(),
    }
    for kind, texts in parts.items():
        for one in sorted(texts):
            yield {
                "community_id": community_id,
                "kind": kind,
                "fingerprint": _fingerprint(vault, kind, one),
                "resident_id": resident_id,
            }


def _fingerprint(vault: Vault, kind: ResidentKeyKind, part: str) -> str:
    return vault.fingerprint(f"resident-{kind.value}", part)[:FINGERPRINT_CHARACTERS]


def homes_of(
    vault: Vault, community_id: int, kind: ResidentKeyKind, said: str, *, today: date
) -> Select[int]:
    """SELECT of the homes where somebody of this name or number lives or owns today or later."""
    part = _plain(said) if kind is ResidentKeyKind.NAME else read_digits(said)
    return (
        select(Occupancy.unit_id)
        .join(
            ResidentKey,
            (ResidentKey.community_id == Occupancy.community_id)
            & (ResidentKey.resident_id == Occupancy.resident_id),
        )
        .where(
            ResidentKey.community_id == community_id,
            ResidentKey.kind == kind,
            ResidentKey.fingerprint == _fingerprint(vault, kind, part),
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > today),
        )
    )


def add_phone_keys(
    session: Session, vault: Vault, community_id: int, phones: Mapping[int, str]
) -> None:
    """Let people be found by a new number (resident → number) and no longer by the one before."""
    _forget(session, community_id, phones, ResidentKeyKind.PHONE)
    rows = [
        row
        for resident_id, phone in phones.items()
        for row in key_rows(vault, community_id, resident_id, None, phone)
    ]
    _write(session, rows)


def index_residents(session: Session, vault: Vault, *, limit: int = RESIDENTS_AT_ONCE) -> int:
    """Index people who were written down before there was an index; returns how many. Called until
    it returns 0; safe to repeat.
    """
    known = exists().where(
        ResidentKey.community_id == Resident.community_id, ResidentKey.resident_id == Resident.id
    )
    found = session.execute(
        select(Resident.community_id, Resident.id, Resident.name_sealed, Resident.phone_sealed)
        .where(~known)
        .limit(limit)
        .with_for_update()
    ).all()
    rows = [
        row
        for one in found
        for row in key_rows(
            vault,
            one.community_id,
            one.id,
            vault.open(one.name_sealed),
            one.phone_sealed and vault.open(one.phone_sealed),
        )
    ]
    _write(session, rows)
    return len(found)


def write_keys(session: Session, vault: Vault, resident: Resident) -> None:
    """Index somebody who was just written down."""
    name = vault.open(resident.name_sealed)
    phone = resident.phone_sealed and vault.open(resident.phone_sealed)
    _write(session, list(key_rows(vault, resident.community_id, resident.id, name, phone)))


def _forget(
    session: Session, community_id: int, residents: Collection[int], kind: ResidentKeyKind
) -> None:
    session.execute(
        delete(ResidentKey).where(
            ResidentKey.community_id == community_id,
            ResidentKey.kind == kind,
            ResidentKey.resident_id.in_(id_array(residents)),
        )
    )


def _write(session: Session, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(ResidentKey), rows)
