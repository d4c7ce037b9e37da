"""What is remembered of each follower's conversation, for half an hour; and whose turn it is.

Losing it costs a person one repeated sentence, so when Redis is away the bot answers without it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import structlog
from redis import Redis
from redis.exceptions import LockError, RedisError

from handlers.chat.context import Memory, Question, QuestionKind
from handlers.chat.topics import Topic
from handlers.heard import Said
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

    def __init__(self, redis: Redis, turn_wait_seconds: float = TURN_WAIT_SECONDS) -> None:
        self._redis = redis
        self._turn_wait_seconds = turn_wait_seconds

    @contextmanager
    def turn(self, openid: str) -> Iterator[None]:
        """One sentence of a follower at a time, in all processes.

        Raises:
            TurnTaken: the one before did not end in time.
        """
        lock = self._redis.lock(
            f"chat:turn:{openid}",
            timeout=TURN_SECONDS_MAX,
            blocking_timeout=self._turn_wait_seconds,
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
        try:
            return _from_json(stored) if stored else Memory()
        except (LookupError, TypeError, ValueError):
            log.warning("memory_not_understood")  # written by another version of the program
            return Memory()

    def remember(self, openid: str, memory: Memory) -> None:
        """Keep this for half an hour, instead of what was remembered before."""
        try:
            if memory == Memory():
                self._redis.delete(_key(openid))
            else:
                self._redis.set(_key(openid), _to_json(memory), ex=MEMORY_SECONDS)
        except RedisError as error:
            log.warning("memory_not_kept", reason=type(error).__name__)


def _key(openid: str) -> str:
    return f"chat:memory:{openid}"


def _to_json(memory: Memory) -> str:
    home, question = memory.home, memory.question
    return json.dumps(
        {
            "home": [home.community_id, home.unit_id] if home else None,
            "question": [question.kind.name, dict(question.data)] if question else None,
            "topic": memory.topic.name if memory.topic else None,
            "slots": dict(memory.slots),
            "choices": memory.choices,
            "said": asdict(memory.said) if memory.said else None,
            "community": memory.community_id,
        }
    )


def _from_json(stored: str | bytes) -> Memory:
    value = json.loads(stored)
    home, question = value["home"], value["question"]
    return Memory(
        home=HomeRef(*home) if home else None,
        question=Question(QuestionKind[question[0]], question[1]) if question else None,
        topic=Topic[value["topic"]] if value["topic"] else None,
        slots=value["slots"],
        choices=tuple(value["choices"]),
        said=Said(**value["said"]) if value["said"] else None,
        community_id=value["community"],
    )
