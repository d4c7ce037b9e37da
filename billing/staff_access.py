"""Who works here, and signing in: a password, for money roles a second factor, a session.

Wrong tries are counted in the database under a lock, so that many at once count as many. Whoever
asks learns only that login, password or code are wrong, never which.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing.errors import Conflict, InvalidInput
from billing.people import TELLERS, BindingCode, Staff, StaffRole
from billing.privacy import Vault
from billing.staff_tables import StaffCredential, StaffSession

LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,31}")
NAME_CHARACTERS_MAX = 32
PASSWORD_MIN = 10
PASSWORD_MAX = 200
"""Longer ones would make hashing them a way to keep us busy."""

FAILURES_MAX = 5
LOCKED_FOR = timedelta(minutes=15)
IDLE_MAX = timedelta(minutes=30)
SESSION_MAX = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
STEP_SECONDS = 30
STEPS_OFF = (-1, 0, 1)
"""A phone's clock may be half a minute off."""

ISSUER = "Mingzhang"
TOKEN_BYTES = 32
BROWSER_CHARACTERS_MAX = 120

MONEY_ROLES = TELLERS
"""Roles that sign in with a second factor."""


class SignInRefusal(Enum):
    """Why nobody is signed in."""

    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody who signs in sent, and from where."""

    login: str
    password: str
    code: str
    address: str
    browser: str

    def __repr__(self) -> str:
        """Keep the password out of logs."""
        return f"Login({self.login!r})"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What is shown once to whoever made an account: it is kept nowhere else.

    Attributes:
        totp_uri: for a code to scan with an authenticator; None without a second factor.
    """

    staff: Staff
    password: str
    totp_secret: str | None
    totp_uri: str | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in with which session, and whether he has to choose a password first."""

    staff: Staff
    session_id: int
    must_change: bool


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()  # argon2id with the library's costs of RFC 9106


@cache
def _nobody() -> str:
    """What an unknown login is compared with, so that it takes as long as a known one."""
    return _hasher().hash(secrets.token_hex(16))


def add_staff(
    session: Session,
    vault: Vault,
    *,
    login: str,
    name: str,
    role: StaffRole,
    community_id: int | None,
    now: datetime,
) -> NewAccount:
    """Let somebody work here, with a password that has to be changed at the first sign-in.

    Args:
        community_id: where he works; None: everywhere.

    Raises:
        InvalidInput: a login or a name of another form.
        Conflict: the login is taken; one who left keeps his.
    """
    if not LOGIN.fullmatch(login):
        raise InvalidInput("login", "2 to 32 of a-z, 0-9, dot, dash and underscore; a letter first")
    name = name.strip()
    if not (0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable()):
        raise InvalidInput("name", f"must be a text of 1 to {NAME_CHARACTERS_MAX} characters")
    if session.scalar(select(Staff.id).where(Staff.login == login)) is not None:
        raise Conflict(f"login {login!r} is taken; choose another")
    staff = Staff(login=login, name=name, role=role, community_id=community_id)
    session.add(staff)
    session.flush()
    return issue_account(session, vault, staff, now)


def issue_account(session: Session, vault: Vault, staff: Staff, now: datetime) -> NewAccount:
    """A new temporary password and second factor; whatever he had, sessions too, is no use any
    more. For who is new, and for who lost his phone.
    """
    password = secrets.token_urlsafe(9)
    secret = pyotp.random_base32()
    keep_credential(session, vault, staff, password, secret, now, is_temporary=True)
    uri = pyotp.TOTP(secret).provisioning_uri(name=staff.login, issuer_name=ISSUER)
    return NewAccount(staff, password, secret, uri)


def keep_credential(
    session: Session,
    vault: Vault,
    staff: Staff,
    password: str,
    totp_secret: str | None,
    now: datetime,
    *,
    is_temporary: bool,
) -> None:
    """Set what somebody signs in with, and end his sessions."""
    row = session.get(StaffCredential, staff.id, with_for_update=True, populate_existing=True)
    if row is None:
        row = StaffCredential(staff_id=staff.id)
        session.add(row)
    row.password_hash = _hasher().hash(password)
    row.is_temporary = is_temporary
    row.totp_sealed = vault.seal(totp_secret) if totp_secret else None
    row.totp_step = None
    row.failures, row.locked_until, row.changed_at = 0, None, now
    session.flush()
    end_sessions(session, staff.id, now)


def change_password(
    session: Session, staff: Staff, old: str, new: str, now: datetime, *, keep: int | None = None
) -> None:
    """Choose another password; every session but `keep` ends.

    Raises:
        InvalidInput: `old` is not the present one, or `new` is too short, too long or the login.
    """
    row = session.get_one(StaffCredential, staff.id, with_for_update=True, populate_existing=True)
    if not _fits(row.password_hash, old):
        raise InvalidInput("old", "is not the present password")
    if not PASSWORD_MIN <= len(new) <= PASSWORD_MAX:
        raise InvalidInput("new", f"takes {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    if staff.login in new.lower() or new == old or len(set(new)) < PASSWORD_MIN // 2:
        raise InvalidInput("new", "is too easy to guess; choose another")
    row.password_hash, row.is_temporary, row.changed_at = _hasher().hash(new), False, now
    end_sessions(session, staff.id, now, keep=keep)


def change_staff(
    session: Session, staff: Staff, *, role: StaffRole, community_id: int | None, now: datetime
) -> None:
    """Give somebody another role or place; his sessions end. Safe to repeat."""
    if (staff.role, staff.community_id) != (role, community_id):
        staff.role, staff.community_id = role, community_id
        end_sessions(session, staff.id, now)


def let_go(session: Session, staff: Staff, now: datetime) -> None:
    """He does not work here any more: no sign-in, no notice, no order in the chat, and codes that
    would bind his WeChat expire. What he did stays under his name. Safe to repeat.
    """
    session.execute(
        update(BindingCode)
        .where(
            BindingCode.staff_id == staff.id,
            BindingCode.used_at.is_(None),
            BindingCode.expires_at > now,
        )
        .values(expires_at=now)
    )
    session.refresh(
        staff, with_for_update={"key_share": True}
    )  # a code may have bound him a moment ago
    staff.left_at = staff.left_at or now
    staff.follower_id = None
    row = session.get(StaffCredential, staff.id)
    if row is not None:
        session.delete(row)
    end_sessions(session, staff.id, now)


def sign_in(
    session: Session, vault: Vault, login: Login, now: datetime
) -> tuple[SignedIn, str] | SignInRefusal:
    """Prove who one is. The caller commits whatever comes of it: wrong tries count.

    Returns:
        The session and its token, which is kept in the browser alone; or why not.
    """
    row = session.scalars(
        select(StaffCredential)
        .join(Staff, Staff.id == StaffCredential.staff_id)
        .where(Staff.login == login.login.strip().lower(), Staff.left_at.is_(None))
        .with_for_update(of=StaffCredential)
    ).one_or_none()
    if row is None:
        _fits(_nobody(), login.password)
        return SignInRefusal.WRONG
    if row.locked_until is not None and row.locked_until > now:
        return SignInRefusal.LOCKED
    step = _step_of(row, vault, login.code, now)
    if not _fits(row.password_hash, login.password) or (row.totp_sealed and step is None):
        row.failures += 1
        if row.failures >= FAILURES_MAX:
            row.failures, row.locked_until = 0, now + LOCKED_FOR
        return SignInRefusal.WRONG
    staff = session.get_one(Staff, row.staff_id)
    if staff.role in MONEY_ROLES and row.totp_sealed is None:
        return SignInRefusal.WRONG
    row.failures, row.locked_until, row.totp_step = 0, None, step or row.totp_step
    if _hasher().check_needs_rehash(row.password_hash):
        row.password_hash = _hasher().hash(login.password)
    return begin_session(session, staff, login, now)


def begin_session(
    session: Session, staff: Staff, login: Login, now: datetime
) -> tuple[SignedIn, str]:
    """Let somebody in who proved who he is: `sign_in` does, once he did.

    Returns:
        The session and its token.

    Raises:
        NoResultFound: he has nothing to sign in with.
    """
    row = session.get_one(StaffCredential, staff.id)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    begun = StaffSession(
        staff_id=staff.id,
        token_hash=_hash(token),
        began_at=now,
        seen_at=now,
        address=login.address,
        browser=login.browser[:BROWSER_CHARACTERS_MAX],
    )
    session.add(begun)
    session.flush()
    return SignedIn(staff, begun.id, row.is_temporary), token


def _fits(password_hash: str, password: str) -> bool:
    if len(password) > PASSWORD_MAX:
        return False
    try:
        return _hasher().verify(password_hash, password)
    except VerificationError:
        return False


def _step_of(row: StaffCredential, vault: Vault, code: str, now: datetime) -> int | None:
    """The half minute this code is of; None for a wrong one, and one that was used."""
    if row.totp_sealed is None:
        return None
    totp = pyotp.TOTP(vault.open(row.totp_sealed))
    typed = "".join(code.split())
    current = int(now.timestamp()) // STEP_SECONDS
    for step in (current + off for off in STEPS_OFF):
        is_right = hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), typed.encode())
        if is_right and step > (row.totp_step or 0):
            return step
    return None


def find_session(
    session: Session, token: str, now: datetime, *, is_click: bool = True
) -> SignedIn | None:
    """Who is signed in with this token; None when nobody is, or was too long without a click.

    Args:
        is_click: that he is there now; False when a page asks by itself.
    """
    row = session.execute(
        select(StaffSession, Staff, StaffCredential.is_temporary)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .join(StaffCredential, StaffCredential.staff_id == Staff.id)
        .where(
            StaffSession.token_hash == _hash(token),
            StaffSession.ended_at.is_(None),
            StaffSession.seen_at > now - IDLE_MAX,
            StaffSession.began_at > now - SESSION_MAX,
            Staff.left_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    found, staff, must_change = row
    if is_click and now - found.seen_at >= SEEN_EVERY:
        found.seen_at = now
    return SignedIn(staff, found.id, must_change)


def list_sessions(session: Session, staff_id: int, now: datetime) -> list[StaffSession]:
    """Where somebody is signed in, the latest seen first."""
    return list(
        session.scalars(
            select(StaffSession)
            .where(
                StaffSession.staff_id == staff_id,
                StaffSession.ended_at.is_(None),
                StaffSession.seen_at > now - IDLE_MAX,
                StaffSession.began_at > now - SESSION_MAX,
            )
            .order_by(StaffSession.seen_at.desc(), StaffSession.id)
        )
    )


def end_sessions(
    session: Session,
    staff_id: int,
    now: datetime,
    *,
    only: int | None = None,
    keep: int | None = None,
) -> None:
    """End one session of somebody, all, or all but one. Safe to repeat."""
    ending = update(StaffSession).where(
        StaffSession.staff_id == staff_id, StaffSession.ended_at.is_(None)
    )
    if only is not None:
        ending = ending.where(StaffSession.id == only)
    if keep is not None:
        ending = ending.where(StaffSession.id != keep)
    session.execute(ending.values(ended_at=now))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
