"""Fixtures on the real engines: PostgreSQL and Valkey from their wheels, one pair per test run.

The controller (not the xdist workers) starts them and prepares two template databases: an empty
schema, and `world`, the demo community in small. A test gets its own copy of a template, so
tests may commit, crash and run in any order.
"""

import gc
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg
import pytest
from cryptography.fernet import Fernet
from hypothesis import settings
from psycopg import sql
from redis import Redis
from sqlalchemy import Engine, select
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from billing.db import Database, connect
from billing.merchants import list_merchants
from billing.privacy import Vault
from billing.property import Community, Unit
from bot.demo.seed import COMMUNITY, Plan, seed_demo
from bot.embedded import scratch
from bot.schema import migrate
from tests.engines import Engines
from tests.once import private_keys_are_read_once, templates_are_compiled_once
from tests.recycling import Pool, Recycled

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
"""10:30 in Beijing, Monday 23 November 2026: the tests' default clock."""

WORLD_PLAN = Plan(households=24, months=5, seed=7, today=TODAY)
MERCHANT = ("HYPM", "1900000001")
DATA_KEY = Fernet.generate_key().decode()
HASH_KEY = "tests-only-hash-key-of-thirty-two-characters"
SOAK = os.environ.get("MINGZHANG_TEST_PROFILE") == "soak"

settings.register_profile("everyday", derandomize=True, deadline=None)
settings.register_profile("soak", deadline=None)
settings.load_profile("soak" if SOAK else "everyday")
# Every day the same examples: what is new is looked for in `make soak`, whose seed is printed.

many_rounds = pytest.mark.usefixtures("round_number")
"""A race is run once, and thirty times in `make soak`."""

_ADMIN, _REDIS, _KEY = "MZ_TEST_ADMIN_URL", "MZ_TEST_REDIS_URL", "MZ_TEST_DATA_KEY"


def pytest_configure(config: pytest.Config) -> None:
    """Start the engines once per run, in the controller; workers find them in the environment."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    engines = ExitStack()
    config.add_cleanup(engines.close)
    running = engines.enter_context(scratch())
    os.environ[_KEY] = DATA_KEY
    os.environ[_ADMIN] = running.postgres.url("{}")
    os.environ[_REDIS] = running.redis_url
    _prepare_templates(running.postgres.url("{}"))


def _prepare_templates(url: str) -> None:
    _create_database("mz_schema", None)
    migrate(url.format("mz_schema"))
    _create_database("mz_world", "mz_schema")
    engine = connect(url.format("mz_world"))
    seed_demo(Database(engine, lambda: None), make_vault(), WORLD_PLAN, MERCHANT)
    engine.dispose()


def _admin(statement: sql.Composed) -> None:
    address = os.environ[_ADMIN].format("postgres").replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


def _create_database(name: str, template: str | None) -> None:
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        statement += sql.SQL(" TEMPLATE {} STRATEGY wal_log").format(sql.Identifier(template))
    _admin(statement)


def make_vault() -> Vault:
    """The vault that sealed the world's people."""
    return Vault([os.environ[_KEY]], HASH_KEY)


def vault_environment() -> dict[str, str]:
    """Settings of a program that can open the world's people."""
    return {"MINGZHANG_DATA_KEYS": os.environ[_KEY], "MINGZHANG_HASH_KEY": HASH_KEY}


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Engines of this process."""
    engines = Engines()
    yield engines
    engines.close()


@pytest.fixture
def make_database(engines: Engines) -> Iterator[Callable[[str], str]]:
    """Make a database from a template (`mz_schema`, `mz_world`); returns its URL."""
    made: list[str] = []

    def make(template: str) -> str:
        name = f"mz_{secrets.token_hex(6)}"
        _create_database(name, template)
        made.append(name)
        return _url(name)

    yield make
    for name in made:
        engines.forget(_url(name))
        _drop(name)


@pytest.fixture
def empty_url(make_database: Callable[[str], str]) -> str:
    """URL of a database with the schema and no rows, fresh: for tests that change the schema."""
    return make_database("mz_schema")


def _url(name: str) -> str:
    return os.environ[_ADMIN].format(name)


def _copy_of(template: str) -> Recycled:
    name = f"mz_{secrets.token_hex(6)}"
    _create_database(name, template)
    return Recycled.take(name, _url(name).replace("+psycopg", ""))


def _drop(name: str) -> None:
    _admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def pool(engines: Engines) -> Iterator[Pool]:
    """Databases of this process; they end with the engines."""

    def drop(name: str) -> None:
        engines.forget(_url(name))
        _drop(name)

    pool = Pool(_copy_of, drop)
    yield pool
    pool.close()


@pytest.fixture
def world_url(pool: Pool, engines: Engines) -> Iterator[str]:
    """URL of a database with the demo community in small, as it was for the test before."""
    used = pool.borrow("mz_world")
    yield _url(used.name)
    pool.give_back("mz_world", used, engines.backends(_url(used.name)))


@pytest.fixture
def blank_url(pool: Pool, engines: Engines) -> Iterator[str]:
    """URL of a database without rows, recycled as `world_url`."""
    used = pool.borrow("mz_schema")
    yield _url(used.name)
    pool.give_back("mz_schema", used, engines.backends(_url(used.name)))


@pytest.fixture
def engine_for(engines: Engines) -> Iterator[Callable[[str], Engine]]:
    """Engines for this test; each call gives another one."""
    lent: list[tuple[str, Engine]] = []

    def lend(url: str) -> Engine:
        lent.append((url, engines.lend(url)))
        return lent[-1][1]

    yield lend
    for url, engine in lent:
        engines.take_back(url, engine)


@pytest.fixture
def database(blank_url: str, engine_for: Callable[[str], Engine]) -> Database:
    """An empty installation."""
    return Database(engine_for(blank_url), after_facts=lambda: None)


@dataclass(frozen=True, slots=True)
class World:
    """The demo community in small: 24 homes, the cast among them, five months of bills."""

    database: Database
    url: str
    community: Community
    today: date
    now: datetime
    merchant_id: int

    def unit(self, room: str) -> Unit:
        """The home with this room number."""
        with self.database.transaction() as session:
            return session.scalars(
                select(Unit).where(Unit.community_id == self.community.id, Unit.room == room)
            ).one()


def _world(url: str, engine: Engine) -> World:
    database = Database(engine, after_facts=lambda: None)
    with database.transaction() as session:
        community = session.scalars(select(Community).where(Community.code == COMMUNITY)).one()
        [merchant] = list_merchants(session, community.id)
    return World(database, url, community, TODAY, NOW, merchant.id)


@pytest.fixture
def world(world_url: str, engine_for: Callable[[str], Engine]) -> World:
    """A copy of the world of its own for this test."""
    return _world(world_url, engine_for(world_url))


@pytest.fixture
def make_world(
    make_database: Callable[[str], str], engine_for: Callable[[str], Engine]
) -> Callable[[], World]:
    """Further copies, to compare with."""

    def make() -> World:
        url = make_database("mz_world")
        return _world(url, engine_for(url))

    return make


@pytest.fixture(scope="session", autouse=True)
def dear_things_are_done_once() -> Iterator[None]:
    """In this process."""
    with private_keys_are_read_once(), templates_are_compiled_once():
        yield


@pytest.fixture
def vault() -> Vault:
    """Keys of the world."""
    return make_vault()


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """A Valkey database of this xdist worker's own, empty at the start of the test."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "gw0")
    return os.environ[_REDIS].rsplit("/", 1)[0] + f"/{int(worker.removeprefix('gw')) % 16}"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of it."""
    client = Redis.from_url(redis_url)
    client.flushdb()
    yield client
    client.close()


def pytest_collection_finish() -> None:
    """What is there now stays to the end: the collector of garbage need not look at it again."""
    gc.freeze()


class DemosStayTogether(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Spread tests one by one, but keep the files that start a whole demo on one worker each.

    xdist's own groups need `--dist loadgroup`, which does nothing under pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        starts_a_demo = file.startswith(("tests/faults/", "tests/browser/"))
        return file if starts_a_demo else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> DemosStayTogether:
    """Use it; the files with the most tests of one scope, the demos, are started first."""
    return DemosStayTogether(config, log)


@pytest.fixture(params=range(30 if SOAK else 1))
def round_number(request: pytest.FixtureRequest) -> int:
    """Which time a race is run."""
    number: int = request.param
    return number
