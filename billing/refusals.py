"""What every change of the configuration refuses: strangers, absurd days, empty texts."""

from datetime import date, datetime

from billing.errors import InvalidInput
from billing.people import Staff, StaffRole
from billing.period import add_months

EARLIEST = date(1990, 1, 1)
"""Before the first property company there was nothing to charge: an earlier date is a typing error.
"""
YEARS_AHEAD = 10
TEXT_MAX = 200


def refuse_stranger(by: Staff, community_id: int, roles: tuple[StaffRole, ...]) -> None:
    """Only staff of the community, in one of these roles, may do this.

    Raises:
        InvalidInput: somebody else.
    """
    if by.community_id not in (None, community_id):
        raise InvalidInput("by", f"{by.login} does not work for this community")
    if by.role not in roles:
        allowed = " or ".join(role.value for role in roles)
        raise InvalidInput("by", f"{by.login} is {by.role.value}; only a {allowed} may do this")


def refuse_absurd_day(field: str, day: date, now: datetime) -> None:
    """A day before `EARLIEST` or more than `YEARS_AHEAD` years from now is a typing error.

    Raises:
        InvalidInput: such a day.
    """
    if not EARLIEST <= day <= add_months(now.date(), 12 * YEARS_AHEAD):
        raise InvalidInput(field, f"{day} is before {EARLIEST} or over {YEARS_AHEAD} years ahead")


def require_text(field: str, text: str) -> str:
    """A text of 1 to `TEXT_MAX` printable characters, without spaces around it.

    Raises:
        InvalidInput: any other.
    """
    stripped = text.strip()
    if not (0 < len(stripped) <= TEXT_MAX and stripped.isprintable()):
        raise InvalidInput(field, f"must be a text of 1 to {TEXT_MAX} printable characters")
    return stripped
