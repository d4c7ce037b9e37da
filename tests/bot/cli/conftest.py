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
def nowhere(redis_url: str) -> Mingzhang:
    """Well configured, but for a database that does not answer."""
    return Mingzhang(
        environment("postgresql+psycopg://clerk:database-password@127.0.0.1:1/none", redis_url)
    )


@pytest.fixture
def elsewhere(redis_url: str) -> Callable[[str], Mingzhang]:
    """On another database."""
    return lambda url: Mingzhang(environment(url, redis_url))
