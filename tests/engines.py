"""Engines that outlive the tests they are lent to, with the statements they have compiled and a
connection or two for which the server has planned them. A test finds no trace of those before.
"""

from collections import defaultdict
from contextlib import ExitStack

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from billing.db import connect

KEPT_CONNECTIONS = 2
"""A test that needed more than these is not worth waiting for."""

FORGET = "SELECT pg_advisory_unlock_all(); UNLISTEN *; DISCARD TEMP; RESET ALL"
"""`DISCARD ALL` but for the plans and the role; engines set the role once per connection."""


class Engines:
    """The engines of this test process by URL."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[tuple[Engine, set[int]]]] = defaultdict(list)

    def lend(self, url: str) -> Engine:
        """An engine that nobody else has."""
        idle = self._idle[url]
        return idle.pop()[0] if idle else connect(url)

    def take_back(self, url: str, engine: Engine) -> None:
        """Make its connections as good as new, or end them."""
        self._idle[url].append((engine, _renew(engine)))

    def backends(self, url: str) -> set[int]:
        """Process ids, at the server, of the connections that wait for the next test."""
        return {pid for _, pids in self._idle[url] for pid in pids}

    def forget(self, url: str) -> None:
        """The database will be dropped."""
        for engine, _ in self._idle.pop(url, []):
            engine.dispose()

    def close(self) -> None:
        """The process ends."""
        for url in list(self._idle):
            self.forget(url)


def _renew(engine: Engine) -> set[int]:
    """Process ids of the connections that are left."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    if pool.checkedout() or pool.checkedin() > KEPT_CONNECTIONS:
        engine.dispose()
        return set()
    pids = set()
    try:
        with ExitStack() as held:
            for _ in range(pool.checkedin()):
                driver = held.enter_context(engine.connect()).connection.driver_connection
                assert isinstance(driver, psycopg.Connection)
                driver.execute(FORGET)
                driver.commit()
                pids.add(driver.info.backend_pid)
    except (DBAPIError, psycopg.Error):  # the test ended the server or locked the database
        engine.dispose()
        return set()
    return pids
