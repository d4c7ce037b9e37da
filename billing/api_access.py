"""Outside systems: their tokens, what each may do, and the log of what it did."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.api_tables import ApiCall, ApiToken
from billing.errors import Conflict, InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.refusals import require_text

PREFIX = "mzk_"
"""How every token begins, so that scanners of leaked secrets know one."""

TOKEN_BYTES = 32
USED_EVERY = timedelta(minutes=1)
SUBJECT_CHARACTERS_MAX = 300
ADDRESS_CHARACTERS_MAX = 64


class ApiScope(LabelEnum):
    """What a token may be good for."""

    HOMES_READ = "homes:read", "读取小区与房屋"
    PEOPLE_READ = "people:read", "读取未脱敏的个人信息"
    BILLS_READ = "bills:read", "读取账单"
    PAYMENTS_READ = "payments:read", "读取缴费与收据"
    PAYMENTS_WRITE = "payments:write", "登记外部系统收款"


def add_token(
    session: Session,
    *,
    name: str,
    scopes: Collection[ApiScope],
    community_id: int | None,
    now: datetime,
) -> tuple[ApiToken, str]:
    """Let an outside system in; returns also its token, which is shown once and kept nowhere.

    Raises:
        InvalidInput: an unusable name, or no scope.
        Conflict: the name is taken, also by a revoked token: the log names it.
    """
    name = require_text("name", name)
    if not scopes:
        raise InvalidInput("scopes", "a token that may do nothing is no use; name at least one")
    secret = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    # Of two who take a name at once the second waits here for the first.
    token = session.scalar(
        insert(ApiToken)
        .values(
            name=name,
            token_hash=_hash(secret),
            scopes=sorted(scope.value for scope in set(scopes)),
            community_id=community_id,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(ApiToken)
    )
    if token is None:
        raise Conflict(f"there is a token named {name!r}; choose another name")
    return token, secret


def revoke_token(session: Session, name: str, now: datetime) -> ApiToken:
    """Let nobody in with it any more; revoking twice keeps the first time.

    Raises:
        NotFound: there is none of this name.
    """
    token = session.scalar(select(ApiToken).where(ApiToken.name == name).with_for_update())
    if token is None:
        raise NotFound(f"no token named {name!r}")
    token.revoked_at = token.revoked_at or now
    return token


def list_tokens(session: Session) -> list[ApiToken]:
    """All of them, revoked ones too, in the order they were made."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.id)))


def find_token(session: Session, secret: str, now: datetime) -> ApiToken | None:
    """Whose token this is; None for one that is unknown or revoked. Notes that it was used."""
    if not secret.startswith(PREFIX):
        return None
    token = session.scalar(
        select(ApiToken).where(ApiToken.token_hash == _hash(secret), ApiToken.revoked_at.is_(None))
    )
    if token is not None and (token.used_at is None or now - token.used_at >= USED_EVERY):
        token.used_at = now
    return token


def note_call(
    session: Session,
    token_id: int,
    *,
    community_id: int | None,
    method: str,
    subject: str,
    status: int,
    address: str,
    now: datetime,
) -> None:
    """Write down what an outside system asked, and how it was answered."""
    session.add(
        ApiCall(
            at=now,
            token_id=token_id,
            community_id=community_id,
            method=method,
            subject=subject[:SUBJECT_CHARACTERS_MAX],
            status=status,
            address=address[:ADDRESS_CHARACTERS_MAX],
        )
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
