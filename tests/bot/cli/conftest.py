"""`mingzhang` on the real engines."""

from collections.abc import Callable

import pytest
from redis import Redis

from tests.bot.cli.command_line import Mingzhang, environment
from tests.conftest import World


@pytest.fixture
def mingzhang(world: World, redis: Redis, redis_url: str) -> Mingzhang:
    """On the world's books."""
    return Mingzhang(environment(world.url, redis_url))


@pytest.fixture
def elsewhere(redis_url: str) -> Callable[[str], Mingzhang]:
    """On another database."""
    return lambda url: Mingzhang(environment(url, redis_url))
