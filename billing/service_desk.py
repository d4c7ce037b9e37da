"""When somebody sits at a community's service desk (pure), and the settings that say so."""

from datetime import date, datetime, time, timedelta

from billing.business_day import BEIJING
from billing.errors import InvalidInput
from billing.property import Community

SATURDAY = 5


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
) -> None:
    """Change the settings that are given. Twice-safe.

    Args:
        opens: Beijing time, every day alike.
        closes: the first minute without service.
        weekends: whether there is service on Saturdays and Sundays.
        agents: whether agents sit at WeChat's customer service, so that who asks for a person is
            transferred to them.

    Raises:
        InvalidInput: it would close before it opens.
    """
    begins, ends = opens or community.service_from, closes or community.service_to
    if ends <= begins:
        raise InvalidInput("closes", f"{ends:%H:%M} is not after {begins:%H:%M}")
    community.service_from, community.service_to = begins, ends
    if weekends is not None:
        community.service_weekends = weekends
    if agents is not None:
        community.has_agents = agents


def _serves_on(community: Community, day: date) -> bool:
    return community.service_weekends or day.weekday() < SATURDAY
