"""What is remembered of each follower's conversation, for half an hour; and whose turn it is.

Losing it costs a person one repeated sentence, so when Redis is away the bot answers without it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import LockError, RedisError

from handlers.chat.context import Memory, Question, QuestionKind
from notify.links import HomeRef

MEMORY_SECONDS = 30 * 60
TURN_SECONDS_MAX = 15
"""A turn that was never given back (its process died) ends by itself."""

TURN_WAIT_SECONDS = 3
log = structlog.get_logger(__name__)


class TurnTaken(Exception):
    """The follower's sentence before this one is still being answered."""


class Conversations:
    """State of conversations, one JSON value per follower."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self._redis = redis

    @contextmanager
    def turn(self, openid: str) -> Iterator[None]:
        """One sentence of a follower at a time, in all processes.

        Raises:
            TurnTaken: the one before did not end within three seconds.
        """
        lock = self._redis.lock(
            f"chat:turn:{openid}",
            timeout=TURN_SECONDS_MAX,
            blocking_timeout=TURN_WAIT_SECONDS,
            thread_local=False,
        )
        try:
            held = lock.acquire()
        except RedisError as error:
            log.warning("turn_not_kept", reason=type(error).__name__)
            yield
            return
        if not held:
            raise TurnTaken
        try:
            yield
        finally:
            try:
                lock.release()
            except (LockError, RedisError) as error:
                log.warning("turn_not_released", reason=type(error).__name__)

    def recall(self, openid: str) -> Memory:
        """What is remembered; nothing when it expired, cannot be read or Redis is away."""
        try:
            stored = self._redis.get(_key(openid))
        except RedisError as error:
            log.warning("memory_not_read", reason=type(error).__name__)
            return Memory()
        return _memory_from(json.loads(stored)) if stored else Memory()

    def remember(self, openid: str, memory: Memory) -> None:
        """Keep this for half an hour, instead of what was remembered before."""
        try:
            if memory == Memory():
                self._redis.delete(_key(openid))
            else:
                self._redis.set(_key(openid), json.dumps(asdict(memory)), ex=MEMORY_SECONDS)
        except RedisError as error:
            log.warning("memory_not_kept", reason=type(error).__name__)


def _key(openid: str) -> str:
    return f"chat:memory:{openid}"


def _memory_from(value: dict[str, Any]) -> Memory:
    home, question = value["home"], value["question"]
    return Memory(
        home=HomeRef(**home) if home else None,
        question=Question(QuestionKind(question["kind"]), question["data"]) if question else None,
    )
