"""An owner who reads bills all the time, in a process of his own: does anything make him wait?"""

import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Self

from sqlalchemy import select

from billing.bill_lines import list_lines
from billing.bills import list_bills
from billing.db import Database, connect
from billing.property import Unit

PAUSE_S = 0.005


class Reader:
    """Opens the bills of random homes until the block ends."""

    def __init__(self, url: str, community_id: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_read, args=(url, community_id, theirs, self._stop), daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()  # it is connected
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._process.join(30)

    def rest(self, seconds: float) -> None:
        """Let it read undisturbed."""
        time.sleep(seconds)

    def p99_ms(self) -> float:
        """The slowest of a hundred readings since the last call, in milliseconds."""
        self._ours.send("p99")
        taken: list[float] = sorted(self._ours.recv())
        return round(taken[int(len(taken) * 0.99)], 1)


def _read(url: str, community_id: int, pipe: Connection, stop: Event) -> None:
    database = Database(connect(url, pool_size=1), after_facts=lambda: None)
    with database.transaction() as session:
        homes = session.scalars(select(Unit.id).limit(100_000)).all()
    chance = random.Random(7)  # which home, not a secret
    taken: list[float] = []
    pipe.send("ready")
    while not stop.is_set():
        begin = time.perf_counter()
        with database.transaction() as session:
            bills = list_bills(session, community_id, [chance.choice(homes)])
            list_lines(session, community_id, [bill.id for bill in bills])
        taken.append((time.perf_counter() - begin) * 1000)
        if pipe.poll():
            pipe.recv()
            pipe.send(taken)
            taken = []
        time.sleep(PAUSE_S)
    database.engine.dispose()
