"""`kill -9` of the worker, again and again, in the middle of thousands of messages; Redis emptied
on the way. A template message is seen exactly once; a message of the chat never twice, and when it
was not seen the outbox says that nobody knows.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
from redis import Redis
from sqlalchemy import text

from benchmarks.broadcast import queue_broadcast
from benchmarks.notify import write_notices
from billing.db import Database, connect
from bot.demo.templates import PRODUCT_TEMPLATES
from bot.schema import migrate
from notify.catalog import Urgency
from notify.queues import Queues
from tests.notify.pretend_wechat import APP_ID, APP_SECRET, PretendWeChat
from tests.phone import environment_for
from tests.running import wait_for

PEOPLE = 2500
KILLS = 200
STATES = text(
    """
    SELECT follower.openid, message.state FROM message
    JOIN follower ON follower.id = message.follower_id WHERE message.kind = :kind
    """
)
LEFT = text("SELECT count(*) FROM message WHERE state IN ('queued', 'sending')")
INTERRUPTED = text("SELECT count(*) FROM delivery WHERE finished_at IS NULL")
WAITING = text("SELECT count(*) FROM notice WHERE state = 'queued'")


@pytest.fixture
def database(make_database: object) -> Iterator[Database]:
    url = make_database("mz_schema")  # type: ignore[operator]
    migrate(url)
    database = Database(connect(url), after_facts=lambda: None)
    write_notices(database, PEOPLE)
    with database.transaction() as session:  # each has just written, so words come in the chat
        session.execute(text("UPDATE follower SET last_message_at = now()"))
    queue_broadcast(database)
    yield database
    database.engine.dispose()


@pytest.fixture
def wechat() -> Iterator[PretendWeChat]:
    pretend = PretendWeChat()
    yield pretend
    pretend.stop()


@pytest.fixture
def workers(
    database: Database, redis_url: str, wechat: PretendWeChat
) -> Iterator["subprocess.Popen[str]"]:
    """Another worker for each line written to it."""
    environment = environment_for(redis_url) | {
        "DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
        "WECHAT_APP_ID": APP_ID,
        "WECHAT_APP_SECRET": APP_SECRET,
        "WECHAT_API_BASE": wechat.base,
        "WECHAT_TEMPLATES": json.dumps(PRODUCT_TEMPLATES),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.forked_workers"],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def begin(workers: "subprocess.Popen[str]") -> int:
    assert workers.stdin is not None
    assert workers.stdout is not None
    workers.stdin.write("another\n")
    workers.stdin.flush()
    return int(workers.stdout.readline())


def left(database: Database) -> int:
    with database.transaction() as session:
        return int(session.scalars(LEFT).one() + session.scalars(WAITING).one())


def states(database: Database, kind: str) -> dict[str, str]:
    with database.transaction() as session:
        return {row.openid: row.state for row in session.execute(STATES, {"kind": kind})}


@pytest.mark.soak
def test_a_worker_killed_two_hundred_times_repeats_and_loses_nothing(
    database: Database,
    redis: Redis,
    wechat: PretendWeChat,
    workers: "subprocess.Popen[str]",
) -> None:
    queues, chance = Queues(redis), random.Random(20261126)
    for number in range(KILLS):
        worker = begin(workers)
        for urgency in Urgency:
            queues.wake(urgency)
        time.sleep(chance.uniform(0.15, 0.6))  # when it dies is what is tried
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        redis.delete(*[f"wake:{urgency.value}" for urgency in Urgency])
        if number % 50 == 25:
            redis.flushdb()
    begin(workers)

    def nothing_is_left() -> bool:
        for urgency in Urgency:
            queues.wake(urgency)
        return left(database) == 0

    wait_for("the end of the outbox", nothing_is_left, 180)
    with database.transaction() as session:
        assert session.scalars(INTERRUPTED).one() > 0  # some died while they sent
    told = Counter((one.openid, bool(one.data)) for one in wechat.shown)
    bills, words = states(database, "bill_issued"), states(database, "broadcast")
    assert len(bills) == len(words) == PEOPLE
    assert set(bills.values()) == {"sent"}
    assert {told[openid, True] for openid in bills} == {1}
    assert {told[openid, False] for openid, state in words.items() if state == "sent"} == {1}
    assert {told[openid, False] for openid in words} <= {0, 1}
    unseen = [state for openid, state in words.items() if not told[openid, False]]
    assert set(unseen) <= {"unknown"}
