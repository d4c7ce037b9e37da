"""How a follower comes to act for a home: one-time codes, typed or scanned.

Requests that staff decide are made in `binding_requests`, ends in `unbinding`.

A code is ten characters of Crockford's base32 (no I, L, O, U), the last of which checks the
others, so that most typing errors are caught before they count as guesses. Only a keyed hash is
stored.
"""

import secrets
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.binding_tries import count_try, is_locked_out
from billing.business_day import business_date
from billing.errors import NotFound
from billing.facts import FactKind, record
from billing.people import (
    Binding,
    BindingCode,
    BindingState,
    Follower,
    ResidentRole,
    Staff,
    first_day_seen,
)
from billing.privacy import Vault

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10
CODE_LIFE = timedelta(days=30)
LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})
LIVING = (BindingState.REQUESTED, BindingState.ACTIVE)


class Redeemed(Enum):
    """What came of a code."""

    BOUND = "bound"
    STAFF_BOUND = "staff_bound"
    ALREADY_BOUND = "already_bound"
    MISTYPED = "mistyped"
    WRONG = "wrong"
    USED = "used"
    EXPIRED = "expired"
    LOCKED = "locked"


def check_character(body: str) -> str:
    """Luhn mod 32 over the alphabet: catches every single wrong character and most swaps.

    >>> check_character("000000000")
    '0'
    """
    total, factor = 0, 2
    for character in reversed(body):
        addend = factor * ALPHABET.index(character)
        total += addend // 32 + addend % 32
        factor = 3 - factor
    return ALPHABET[-total % 32]


def new_code() -> str:
    """A fresh code with its check character, e.g. `7K9QF2M8TX`: 45 bits of chance."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH - 1))
    return body + check_character(body)


def normalize_code(text: str) -> str | None:
    """The code a person typed, or None when it cannot be one.

    Lower case, spaces, dashes and the look-alikes O→0, I→1, L→1 are forgiven; a check character
    that does not fit is not.
    """
    code = "".join(text.upper().replace("-", " ").split()).translate(LOOK_ALIKES)
    if len(code) != CODE_LENGTH or any(character not in ALPHABET for character in code):
        return None
    return code if check_character(code[:-1]) == code[-1] else None


def issue_code(
    session: Session,
    vault: Vault,
    *,
    community_id: int,
    now: datetime,
    unit_id: int | None = None,
    staff_id: int | None = None,
    role: ResidentRole = ResidentRole.OWNER,
    life: timedelta = CODE_LIFE,
    issued_by: int | None = None,
) -> str:
    """Make a one-time code for a home or for a member of staff. Shown once, here.

    Args:
        life: how long it may be used.
        issued_by: the follower who asked for it, an owner of the home; None: staff did.
    """
    code = new_code()
    session.add(
        BindingCode(
            community_id=community_id,
            code_hash=vault.fingerprint("binding-code", code),
            unit_id=unit_id,
            staff_id=staff_id,
            role=role,
            issued_at=now,
            expires_at=now + life,
            issued_by=issued_by,
        )
    )
    return code


def see_follower(session: Session, openid: str, now: datetime) -> Follower:
    """The follower with this openid, created on first sight. Safe to call at once from two
    places.
    """
    session.execute(
        insert(Follower)
        .values(openid=openid, first_seen_at=now)
        .on_conflict_do_nothing(index_elements=["openid"])
    )
    return session.scalars(select(Follower).where(Follower.openid == openid)).one()


def redeem_code(
    session: Session, vault: Vault, follower: Follower, typed: str, now: datetime
) -> Redeemed:
    """Use a code. The caller commits whatever comes of it: wrong codes are counted.

    A code of staff who left is as good as expired.
    Wrong codes are counted by `binding_tries`; a mistyped one (check character) is not.
    """
    if is_locked_out(session, follower.id, now):
        return Redeemed.LOCKED
    code = normalize_code(typed)
    if code is None:
        return Redeemed.MISTYPED
    found = session.scalar(
        select(BindingCode)
        .where(BindingCode.code_hash == vault.fingerprint("binding-code", code))
        .with_for_update()
    )
    if found is None:
        count_try(session, follower.id, now)
        return Redeemed.WRONG
    if found.used_at is not None:
        same_person = found.used_by == follower.id
        return Redeemed.ALREADY_BOUND if same_person else Redeemed.USED
    # Locked after the code, as `let_go` locks them: who leaves at this moment stays out.
    member = None
    if found.staff_id is not None:
        member = session.get_one(Staff, found.staff_id, with_for_update={"key_share": True})
    if found.expires_at <= now or (member is not None and member.left_at is not None):
        return Redeemed.EXPIRED
    found.used_at = now
    found.used_by = follower.id
    if member is not None:
        # One phone speaks for one member of staff: the one of its newest code.
        session.execute(
            update(Staff).where(Staff.follower_id == follower.id).values(follower_id=None)
        )
        member.follower_id = follower.id
        return Redeemed.STAFF_BOUND
    if found.unit_id is None:
        raise NotFound(f"binding code {found.id} names neither home nor staff")
    _bind(session, found.community_id, found.unit_id, follower, found.role, now)
    return Redeemed.BOUND


def _bind(
    session: Session,
    community_id: int,
    unit_id: int,
    follower: Follower,
    role: ResidentRole,
    now: datetime,
) -> None:
    """Make the binding active, whether it was requested, is new, or already active; one that a
    hand-over limited is opened again, as its follower was given a fresh code.
    """
    binding = find_living(session, community_id, unit_id, follower.id)
    if binding is None:
        binding = Binding(
            community_id=community_id,
            unit_id=unit_id,
            follower_id=follower.id,
            requested_at=now,
        )
        session.add(binding)
    elif binding.state is BindingState.ACTIVE and binding.sees_to is None:
        return
    binding.role = role
    binding.sees_to = None
    binding.state = BindingState.ACTIVE
    binding.claim_sealed = None
    binding.decided_at = now
    limit_sight(session, binding, now)
    session.flush()  # the fact names the binding's id
    record_binding(session, FactKind.BINDING_ADDED, binding, now)


def find_living(
    session: Session, community_id: int, unit_id: int, follower_id: int
) -> Binding | None:
    """The binding of a follower to a home that is active or asked for, if there is one."""
    return session.scalar(
        select(Binding).where(
            Binding.community_id == community_id,
            Binding.unit_id == unit_id,
            Binding.follower_id == follower_id,
            Binding.state.in_(LIVING),
        )
    )


def limit_sight(session: Session, binding: Binding, now: datetime) -> None:
    """A fresh binding sees bills from the day its people moved in or took over."""
    if binding.sees_from is None:
        binding.sees_from = first_day_seen(
            session,
            binding.community_id,
            binding.unit_id,
            binding.role,
            today=business_date(now),
        )


def record_binding(
    session: Session, kind: FactKind, binding: Binding, now: datetime, **data: int | str
) -> None:
    """Write down what happened to a binding; the fact names its follower and what else is given."""
    record(
        session,
        kind,
        community_id=binding.community_id,
        unit_id=binding.unit_id,
        ref_id=binding.id,
        at=now,
        data={"follower_id": binding.follower_id, **data},
    )
