"""PostgreSQL and Valkey from their wheels, for the demo, the tests and the benchmarks.

All state lives under one folder. A start may be repeated at any time, by any process: it attaches
to the running engine or, after whatever kind of end, starts it anew on its data, at the same
address. Engines end with the process that started them, also when that is killed.

    with embedded(Path("var")) as engines:
        print(engines.database_url, engines.redis_url)
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.embedded.postgres import Postgres, start_postgres
from bot.embedded.valkey import Valkey, start_valkey
from bot.embedded.wheels import EmbeddedError

__all__ = [
    "EmbeddedError",
    "Engines",
    "Postgres",
    "Valkey",
    "embedded",
    "start_postgres",
    "start_valkey",
]


@dataclass(frozen=True, slots=True)
class Engines:
    """Both engines, answering, with the database `mingzhang` made."""

    postgres: Postgres
    valkey: Valkey

    @property
    def database_url(self) -> str:
        """The value for DATABASE_URL."""
        return self.postgres.url()

    @property
    def redis_url(self) -> str:
        """The value for REDIS_URL; it holds a password."""
        return self.valkey.url


@contextmanager
def embedded(state: Path, *, fast: bool = False) -> Iterator[Engines]:
    """Run both engines on a state folder for a block, and stop those that the block started.

    Args:
        state: made when missing; see `start_postgres` and `start_valkey`.
        fast: for tests: a crash of the machine may lose or destroy the data.

    Raises:
        EmbeddedError: with one sentence that says what to do.
    """
    with ExitStack() as stack:
        postgres = start_postgres(state, fast=fast)
        stack.callback(postgres.stop)
        valkey = start_valkey(state, fast=fast)
        stack.callback(valkey.stop)
        postgres.create_database()
        yield Engines(postgres, valkey)
