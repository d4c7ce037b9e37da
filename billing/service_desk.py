"""When somebody sits at a community's service desk (pure), and the settings that say so."""

import re
from datetime import date, datetime, time, timedelta

from billing.business_day import BEIJING
from billing.errors import InvalidInput
from billing.property import Community
from billing.refusals import require_text

SATURDAY = 5
PHONE = re.compile(r"\+?[0-9][0-9 -]{5,22}[0-9]")
"""Of the desk, as it is shown and dialled: an area code and an extension may be set apart."""


def is_open(community: Community, now: datetime) -> bool:
    """Whether `now` lies within the service hours; public holidays are not known."""
    local = now.astimezone(BEIJING)
    hours = community.service_from <= local.time() < community.service_to
    return hours and _serves_on(community, local.date())


def next_opening(community: Community, now: datetime) -> datetime:
    """`now` while the desk is open, else the next instant at which it opens, in Beijing."""
    if is_open(community, now):
        return now
    local = now.astimezone(BEIJING)
    day = local.date()
    if local.time() >= community.service_from:
        day += timedelta(days=1)
    while not _serves_on(community, day):
        day += timedelta(days=1)
    return datetime.combine(day, community.service_from, BEIJING)


def set_service_desk(
    community: Community,
    *,
    opens: time | None = None,
    closes: time | None = None,
    weekends: bool | None = None,
    agents: bool | None = None,
    phone: str | None = None,
) -> None:
    """Change the settings that are given. Twice-safe.

    Args:
        opens: Beijing time, every day alike.
        closes: the first minute without service.
        weekends: whether there is service on Saturdays and Sundays.
        agents: whether agents sit at WeChat's customer service, so that who asks for a person is
            transferred to them.
        phone: shown to owners who want to speak to somebody.

    Raises:
        InvalidInput: it would close before it opens, or no telephone number.
    """
    begins, ends = opens or community.service_from, closes or community.service_to
    if ends <= begins:
        raise InvalidInput("closes", f"{ends:%H:%M} is not after {begins:%H:%M}")
    if phone is not None:
        community.service_phone = _phone(phone)
    community.service_from, community.service_to = begins, ends
    if weekends is not None:
        community.service_weekends = weekends
    if agents is not None:
        community.has_agents = agents


def _phone(typed: str) -> str:
    phone = require_text("phone", typed)
    if PHONE.fullmatch(phone) is None:
        raise InvalidInput("phone", "is no telephone number: digits, blanks and - between them")
    return phone


def _serves_on(community: Community, day: date) -> bool:
    return community.service_weekends or day.weekday() < SATURDAY
