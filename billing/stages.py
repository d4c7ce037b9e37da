"""A stage of a pipeline: one thread that takes work in order, and never runs far behind."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self

WAITING_MAX = 2
"""Pieces of work that may wait; so memory stays the same however much there is to do."""

Arguments = ParamSpec("Arguments")


class Stage:
    """Does what it is given in another thread, one after the other.

    Leaving the block waits for what was given; an error there, or in `put`, ends the block. After
    an error nothing that waits is begun.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._given: deque[Future[None]] = deque()
        self._failed = False

    def put(
        self,
        work: Callable[Arguments, None],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        """Give it work; waits while too much is waiting. Raises what earlier work raised."""
        self._given.append(self._thread.submit(self._do, partial(work, *args, **kwargs)))
        while self._given and (self._given[0].done() or len(self._given) > WAITING_MAX):
            self._given.popleft().result()

    def _do(self, work: Callable[[], None]) -> None:
        # In the thread itself: whoever gives work hears of an error later than the next piece.
        if self._failed:
            return
        try:
            work()
        except BaseException:
            self._failed = True
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            while error is None and self._given:
                self._given.popleft().result()
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)
