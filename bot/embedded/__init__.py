"""PostgreSQL and Valkey from their wheels, for the demo, the tests and the benchmarks.

All state lives under one folder. A start may be repeated at any time, by any process: it attaches
to the running engine or, after whatever kind of end, starts it anew on its data, at the same
address. Engines end with the process that started them, also when that is killed.

    with embedded(Path("var")) as engines:
        print(engines.database_url, engines.redis_url)
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.embedded.postgres import Postgres, folders_outside, start_postgres
from bot.embedded.server import has_ended
from bot.embedded.valkey import Valkey, start_valkey
from bot.embedded.wheels import EmbeddedError

__all__ = [
    "EmbeddedError",
    "Engines",
    "Postgres",
    "Valkey",
    "embedded",
    "erase",
    "scratch",
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


@contextmanager
def scratch() -> Iterator[Engines]:
    """Run both engines for a block on a new folder, fast and unsafe, and remove all they wrote."""
    state = Path(tempfile.mkdtemp(prefix="mingzhang-scratch-"))
    state.chmod(0o711)  # new and ours; PostgreSQL may have to pass it as another account
    try:
        with embedded(state, fast=True) as engines:
            yield engines
    finally:
        erase(state)


def erase(state: Path) -> None:
    """Remove a state folder and what the engines keep outside it. Safe to repeat.

    Raises:
        EmbeddedError: an engine still runs there; nothing is removed.
    """
    controls = [state.resolve() / name for name in ("postgres", "valkey")]
    for control in controls:
        if control.is_dir() and not has_ended(control):
            raise EmbeddedError(f"An engine still runs in {control}; stop it before erasing it.")
    for folder in (*folders_outside(controls[0]), state):
        if folder.exists():
            shutil.rmtree(folder)
