"""The whole application, made once for each database of this process: making it takes longer than
most tests of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from flask import Flask
from redis import Redis

from bot.app import create_app
from bot.program import Program, build
from tests.conftest import NOW, World, vault_environment
from tests.phone import settings_for

NO_WECHAT = {"WECHAT_API_BASE": "http://127.0.0.1:1", "WECHAT_OAUTH_BASE": "http://127.0.0.1:1"}


@dataclass
class Clock:
    """Time as the tests want it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


@dataclass
class Application:
    """A program on a database, what it serves, and the clock it goes by."""

    program: Program
    app: Flask
    clock: Clock


@dataclass
class Applications:
    """Those of this process, by the address of their database."""

    made: dict[str, Application] = field(default_factory=dict)

    def on(self, url: str, redis_url: str) -> Application:
        """The one on this database; it is half past ten again."""
        if url not in self.made:
            clock = Clock()
            given = {"REDIS_URL": redis_url, "DATABASE_URL": url, **NO_WECHAT}
            given |= vault_environment()
            program = build(settings_for(redis_url, **given), clock=clock)
            self.made[url] = Application(program, create_app(program), clock)
        application = self.made[url]
        application.clock.now = NOW
        return application

    def close(self) -> None:
        """End what is connected."""
        for one in self.made.values():
            one.program.services.redis.close()
            one.program.queues.connection.close()


@pytest.fixture(scope="session")
def applications() -> Iterator[Applications]:
    """Those of this process."""
    applications = Applications()
    yield applications
    applications.close()


@pytest.fixture
def application(
    applications: Applications, world: World, redis_url: str, redis: Redis
) -> Iterator[Application]:
    """The one on the world's database."""
    application = applications.on(world.url, redis_url)
    yield application
    application.program.services.database.engine.dispose()


@pytest.fixture
def clock(application: Application) -> Clock:
    """10:30 on the tests' day, until a test lets time pass."""
    return application.clock


@pytest.fixture
def program(application: Application) -> Program:
    """The program on the world's database."""
    return application.program


@pytest.fixture
def app(application: Application) -> Flask:
    """All that is served."""
    return application.app
