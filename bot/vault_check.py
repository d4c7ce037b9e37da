"""Whether the keys of an installation are those that its books were written with."""

from dataclasses import dataclass

from cryptography.fernet import InvalidToken
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.people import Resident
from billing.privacy import Vault
from billing.resident_keys import ResidentKey, ResidentKeyKind, key_rows


@dataclass(frozen=True, slots=True)
class KeysTried:
    """What came of trying the keys; None where there is nothing to try them on.

    Attributes:
        opens: the data keys open the names of people.
        finds: the hash key finds people by their names or numbers.
    """

    opens: bool | None
    finds: bool | None


def try_keys(session: Session, vault: Vault) -> KeysTried:
    """Try the keys on the first and the last person of the books: where a key was put in place of
    another instead of in front of it, it is one of them who is lost.
    """
    key = (Resident.community_id, Resident.id)
    people = [
        one
        for order in (key, [column.desc() for column in key])
        for one in session.scalars(select(Resident).order_by(*order).limit(1))
    ]
    if not people:
        return KeysTried(None, None)
    names = [_open(vault, one) for one in people]
    found = [
        _finds(session, vault, one, name)
        for one, name in zip(people, names, strict=True)
        if name is not None
    ]
    told = [one for one in found if one is not None]
    return KeysTried(None not in names, all(told) if told else None)


def _open(vault: Vault, resident: Resident) -> str | None:
    try:
        return vault.open(resident.name_sealed)
    except InvalidToken:
        return None


def _finds(session: Session, vault: Vault, resident: Resident, name: str) -> bool | None:
    """None for somebody who was not indexed yet."""
    theirs = select(ResidentKey.fingerprint).where(
        ResidentKey.community_id == resident.community_id,
        ResidentKey.resident_id == resident.id,
        ResidentKey.kind == ResidentKeyKind.NAME,
    )
    written = set(session.scalars(theirs))
    ours = {
        row["fingerprint"]
        for row in key_rows(vault, resident.community_id, resident.id, name, None)
    }
    return bool(written & ours) if written else None
