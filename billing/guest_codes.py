"""Codes an owner hands to his tenant or his family, so that they are bound without staff."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.bindings import issue_code
from billing.errors import Conflict, InvalidInput
from billing.homes import Home
from billing.people import BindingCode, ResidentRole
from billing.privacy import Vault
from billing.unbinding import may_manage

GUEST_CODE_LIFE = timedelta(days=7)
GUEST_CODES_OPEN_MAX = 5
"""Codes of one home that owners asked for and nobody used yet."""

GUEST_ROLES = frozenset({ResidentRole.TENANT, ResidentRole.MEMBER})


def issue_guest_code(
    session: Session,
    vault: Vault,
    home: Home,
    role: ResidentRole,
    *,
    follower_id: int,
    now: datetime,
) -> str | None:
    """A one-time code for somebody else at an owner's home, valid seven days; None when five wait
    to be used already. Ends with the owner's own binding (`unbinding`).

    Raises:
        InvalidInput: a role that only staff give.
        Conflict: the home is not his to give.
    """
    if role not in GUEST_ROLES:
        raise InvalidInput("role", f"an owner cannot let in a further {role.value}")
    if not may_manage(home):
        raise Conflict(f"binding {home.binding_id} does not decide who is bound")
    waiting = session.execute(
        select(func.count()).where(
            BindingCode.community_id == home.community_id,
            BindingCode.unit_id == home.unit_id,
            BindingCode.issued_by.is_not(None),
            BindingCode.used_at.is_(None),
            BindingCode.expires_at > now,
        )
    ).scalar_one()
    if waiting >= GUEST_CODES_OPEN_MAX:
        return None
    return issue_code(
        session,
        vault,
        community_id=home.community_id,
        unit_id=home.unit_id,
        now=now,
        role=role,
        life=GUEST_CODE_LIFE,
        issued_by=follower_id,
    )
