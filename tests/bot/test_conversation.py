"""What is remembered, for how long, and that one follower's sentences do not overlap."""

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.conversation import Conversations, TurnTaken
from handlers.chat.context import Memory, Question, QuestionKind
from notify.links import HomeRef

MEMORIES = [
    Memory(),
    Memory(home=HomeRef(1, 42)),
    Memory(question=Question(QuestionKind.SIGN_IN, {"nonce": "n"})),
    Memory(HomeRef(1, 42), Question(QuestionKind.UNBIND, {"binding_id": 7})),
]


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_was_remembered_is_recalled(redis: Redis, memory: Memory) -> None:
    conversations = Conversations(redis)
    conversations.remember("o-zhang", memory)
    assert conversations.recall("o-zhang") == memory
    assert conversations.recall("o-li") == Memory()


def test_memory_fades_after_half_an_hour(redis: Redis) -> None:
    Conversations(redis).remember("o-zhang", MEMORIES[1])
    assert 1790 < redis.ttl("chat:memory:o-zhang") <= 1800


@pytest.mark.parametrize("stored", ["", "{", "[]", "{}", '{"home": null, "question": ["X", {}]}'])
def test_memory_of_another_version_is_no_memory(redis: Redis, stored: str) -> None:
    redis.set("chat:memory:o-zhang", stored)
    assert Conversations(redis).recall("o-zhang") == Memory()


def test_remembering_nothing_leaves_nothing_behind(redis: Redis) -> None:
    conversations = Conversations(redis)
    conversations.remember("o-zhang", MEMORIES[1])
    conversations.remember("o-zhang", Memory())
    assert redis.keys("chat:memory:*") == []


def test_one_follower_has_one_turn_at_a_time(redis: Redis) -> None:
    conversations = Conversations(redis, turn_wait_seconds=0)
    with conversations.turn("o-zhang"):
        with conversations.turn("o-li"):
            pass
        with pytest.raises(TurnTaken), conversations.turn("o-zhang"):
            pytest.fail("two turns at once")
    with conversations.turn("o-zhang"):
        pass


def test_a_turn_ends_when_its_sentence_fails(redis: Redis) -> None:
    conversations = Conversations(redis, turn_wait_seconds=0)
    with pytest.raises(ZeroDivisionError), conversations.turn("o-zhang"):
        raise ZeroDivisionError
    with conversations.turn("o-zhang"):
        pass


def test_a_turn_dies_with_its_process(redis: Redis) -> None:
    with Conversations(redis).turn("o-zhang"):
        assert 0 < redis.ttl("chat:turn:o-zhang") <= 15


def test_without_redis_nothing_is_remembered_and_everybody_has_a_turn() -> None:
    conversations = Conversations(Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)))
    conversations.remember("o-zhang", MEMORIES[1])
    assert conversations.recall("o-zhang") == Memory()
    with conversations.turn("o-zhang"), conversations.turn("o-zhang"):
        pass
