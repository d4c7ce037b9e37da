"""Every push is answered once, and within WeChat's five seconds.

WeChat delivers a push again when no answer came in 5 s, three times in all, and may do so while
the first delivery is still being worked on. So the first one claims the push in Redis, works, and
stores its answer; a repeat waits for that answer and gives the same one. Work runs in a bounded
pool: what is not ready after two seconds gets a short word at once, and the answer follows as
a service message.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.pushes import Transfer

log = structlog.get_logger(__name__)

CLAIMED = b"claimed"
ANSWER = b"answer:"
TRANSFER = b"transfer:"
STORED_SECONDS = 600
CLAIM_SECONDS = 5
"""Longer than an answer takes; a claim whose process died ends in time for WeChat's retry."""

ANSWER_SECONDS = 2.0
REPEAT_WAIT_SECONDS = 4.0
REPEAT_LOOK_SECONDS = 0.05
WORKERS = 4
"""An answer waits for PostgreSQL and Redis alone, never for WeChat: more threads than a few only
fight for the interpreter.
"""

WAITING_MAX = 76


class Overloaded(Exception):
    """As much work is waiting as can be done in reasonable time."""


class Repeats:
    """Answers of the last ten minutes, by the key of their push, shared by all processes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def claim(self, key: str) -> bool:
        """Whether this delivery is the first; without Redis every delivery is."""
        try:
            return bool(self._redis.set(_name(key), CLAIMED, nx=True, ex=CLAIM_SECONDS))
        except RedisError as error:
            log.warning("repeats_not_seen", reason=type(error).__name__)
            return True

    def store(self, key: str, answer: str) -> None:
        """Keep the answer for repeats."""
        try:
            kind = TRANSFER if isinstance(answer, Transfer) else ANSWER
            self._redis.set(_name(key), kind + answer.encode(), ex=STORED_SECONDS)
        except RedisError as error:
            log.warning("answer_not_stored", reason=type(error).__name__)

    def release(self, key: str) -> None:
        """Give a claim back, so that the next delivery is worked on."""
        try:
            self._redis.delete(_name(key))
        except RedisError as error:
            log.warning("claim_not_released", reason=type(error).__name__)

    def wait(self, key: str, until: float) -> str | None:
        """The stored answer; None when the first delivery has none by then or gave up.

        Args:
            until: in seconds of `time.monotonic`.
        """
        while True:
            try:
                stored = self._redis.get(_name(key))
            except RedisError as error:
                log.warning("answer_not_read", reason=type(error).__name__)
                return None
            if not isinstance(stored, bytes):
                return None
            if stored.startswith(TRANSFER):
                return Transfer(stored.removeprefix(TRANSFER).decode())
            if stored != CLAIMED:
                return stored.removeprefix(ANSWER).decode()
            if time.monotonic() >= until:
                return None
            time.sleep(REPEAT_LOOK_SECONDS)


class Handover:
    """One answer, either taken in time by the one who waits or left to the one who made it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._answer: str | None = None
        self._error: BaseException | None = None
        self._ready = False
        self._late = False

    def offer(self, answer: str | None, error: BaseException | None = None) -> bool:
        """Hand over an answer or an error; False when nobody waits for it any more."""
        with self._condition:
            if self._late:
                return False
            self._answer, self._error, self._ready = answer, error, True
            self._condition.notify()
            return True

    def take(self, seconds: float) -> str | None:
        """The answer, or None when there is none in time; from then on offers are declined.

        Raises:
            the error that was offered.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._ready, timeout=seconds)
            if not self._ready:
                self._late = True
                return None
            if self._error is not None:
                raise self._error
            return self._answer


class Pool:
    """A bounded number of threads with a bounded number of waiting pieces of work."""

    def __init__(self, workers: int = WORKERS, waiting_max: int = WAITING_MAX) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="answer")
        self._places = threading.BoundedSemaphore(workers + waiting_max)

    def run(self, work: Callable[[], None]) -> None:
        """Run the work when a thread is free; what it raises is logged.

        Raises:
            Overloaded: too much is waiting already.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded
        self._executor.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("work_failed")
        finally:
            self._places.release()


def answer_in_time(
    pool: Pool,
    work: Callable[[], str],
    deliver_late: Callable[[str], None],
    *,
    seconds: float = ANSWER_SECONDS,
) -> str | None:
    """What the work answers, or None when it takes longer; then `deliver_late` gets it, once.

    Raises:
        Overloaded: the pool is full; nothing was begun.
        whatever the work raises in time; what it raises later is logged.
    """
    handover = Handover()

    def run() -> None:
        try:
            answer = work()
        except Exception as error:
            if not handover.offer(None, error):
                log.exception("late_answer_failed")
            return
        if not handover.offer(answer) and answer:
            deliver_late(answer)

    pool.run(run)
    return handover.take(seconds)


def _name(key: str) -> str:
    return f"chat:push:{key}"
