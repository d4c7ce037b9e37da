"""One Redis by URL, or whichever is the master by Sentinel's word."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from bot.embedded.wheels import valkey_server
from bot.redis_server import connect_redis
from notify.catalog import Urgency
from notify.queues import Queues
from tests.running import free_port, wait_for


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[str]:
    """The URL of a master that one Sentinel watches."""
    server, watch = free_port(), free_port()
    (tmp_path / "sentinel.conf").write_text(
        f"port {watch}\nbind 127.0.0.1\nsentinel monitor books 127.0.0.1 {server} 1\n"
        "sentinel auth-pass books s3cr3t\n"
    )
    commands = [
        [str(valkey_server()), "--port", str(server), "--bind", "127.0.0.1", "--save", "",
         "--requirepass", "s3cr3t"],
        [str(valkey_server()), "sentinel.conf", "--sentinel"],
    ]  # fmt: skip
    running = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for command in commands
    ]
    yield f"redis+sentinel://:s3cr3t@127.0.0.1:{watch}/books/2"
    for process in running:
        process.terminate()
    for process in running:
        process.wait(10)


def test_the_master_is_found_and_takes_jobs(sentinel: str) -> None:
    client = connect_redis(sentinel, socket_timeout=1)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except Exception:  # the engines are still starting
            return False

    wait_for("the master", answers, 20)
    assert client.connection_pool.connection_kwargs["db"] == 2
    queues = Queues(client)
    assert queues.wake(Urgency.AT_ONCE)
    assert queues.lanes[Urgency.AT_ONCE].count == 1
    client.close()


def test_a_plain_url_is_a_plain_server(redis_url: str, redis: Redis) -> None:
    redis.set("key", "value")
    with connect_redis(redis_url, decode_responses=True) as client:
        assert client.get("key") == "value"
