"""A queue whose entries become visible at an instant, shared by threads."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True)
class Attempt:
    """One delivery of a callback, due at seconds since the epoch.

    `held`: a fault put it off already; `awaits_another`: due as soon as another one is delivered.
    """

    due: float
    notice_id: str = field(compare=False)
    held: bool = field(default=False, compare=False)
    awaits_another: bool = field(default=False, compare=False)


class DueQueue:
    """Attempts in the order in which they fall due; `now` gives seconds since the epoch."""

    def __init__(self, now: Callable[[], float]):
        self._now = now
        self._attempts: list[Attempt] = []
        self._changed = threading.Condition()
        self._stopped = False

    def put(self, attempt: Attempt) -> None:
        """Add an attempt; nobody takes it once stopped."""
        with self._changed:
            heapq.heappush(self._attempts, attempt)
            self._changed.notify_all()

    def take(self) -> Attempt | None:
        """Wait for the next attempt to fall due; None once stopped."""
        with self._changed:
            while not self._stopped:
                wait_s = self._attempts[0].due - self._now() if self._attempts else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._attempts)
                self._changed.wait(wait_s)
            return None

    def release_waiting(self) -> None:
        """Make everything that awaited another delivery due now."""
        with self._changed:
            now = self._now()
            for attempt in self._attempts:
                if attempt.awaits_another:
                    attempt.due = min(attempt.due, now)
            heapq.heapify(self._attempts)
            self._changed.notify_all()

    def hasten(self, notice_id: str) -> None:
        """Make the attempts at one callback due now; one already taken is left alone."""
        with self._changed:
            now = self._now()
            for attempt in self._attempts:
                if attempt.notice_id == notice_id:
                    attempt.due = min(attempt.due, now)
            heapq.heapify(self._attempts)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let every waiting thread go; attempts left stay in the store, not here."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
