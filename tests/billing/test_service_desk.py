"""When somebody sits at the service desk."""

from datetime import datetime, time

import pytest

from billing.errors import InvalidInput
from billing.property import Community
from billing.service_desk import is_open, next_opening, set_service_desk


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.fixture
def community() -> Community:
    """08:30 to 17:30, not at weekends; 23 November 2026 is a Monday."""
    return Community(
        service_from=time(8, 30), service_to=time(17, 30), service_weekends=False, has_agents=False
    )


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-23T08:30", "2026-11-23T08:30"),
        ("2026-11-23T17:29:59", "2026-11-23T17:29:59"),
        ("2026-11-23T17:30", "2026-11-24T08:30"),
        ("2026-11-23T03:00", "2026-11-23T08:30"),
        ("2026-11-27T18:00", "2026-11-30T08:30"),  # Friday evening
        ("2026-11-28T10:00", "2026-11-30T08:30"),
        ("2026-11-29T07:00", "2026-11-30T08:30"),
    ],
)
def test_it_opens_next_at(community: Community, now: str, opens: str) -> None:
    assert next_opening(community, beijing(now)) == beijing(opens)
    assert is_open(community, beijing(now)) == (now == opens)


def test_a_desk_that_serves_at_weekends_is_open_then(community: Community) -> None:
    set_service_desk(community, weekends=True)
    assert is_open(community, beijing("2026-11-28T10:00"))


def test_it_closes_after_it_opens(community: Community) -> None:
    with pytest.raises(InvalidInput, match="08:00 is not after 08:30"):
        set_service_desk(community, closes=time(8))
    assert community.service_to == time(17, 30)
