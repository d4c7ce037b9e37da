"""One line of jobs per phone: in order on one phone, side by side over all phones."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

WORKERS = 24

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Lines:
    """Runs jobs on shared threads; a job starts when the earlier ones of its name are done."""

    def __init__(self, workers: int = WORKERS):
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="push")
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def submit(self, name: str, job: Callable[[], _T]) -> "Future[_T]":
        """Queue a job; its result or its exception is in the Future."""
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                _log.debug("a job of %s failed", name, exc_info=True)
                future.set_exception(error)

        with self._lock:
            line = self._waiting.get(name)
            if line is not None:
                line.append(run)
                return future
            self._waiting[name] = deque([run])
        self._pool.submit(self._work, name)
        return future

    def stop(self) -> None:
        """Take no more jobs; those that run end by themselves, those that wait never start."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, name: str) -> None:
        """Run the first job of the line, then let the next one queue up behind other phones."""
        with self._lock:
            run = self._waiting[name][0]
        run()
        with self._lock:
            line = self._waiting[name]
            line.popleft()
            if not line:
                del self._waiting[name]
                return
        try:
            self._pool.submit(self._work, name)
        except RuntimeError:
            _log.debug("stopped before the line of %s was empty", name)
