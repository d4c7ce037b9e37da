"""`mingzhang worker` as its user runs it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from redis import Redis
from rq import Worker

from tests.conftest import World
from tests.phone import environment_for
from tests.running import wait_for


@pytest.mark.soak
@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_pool(
    world: World, redis: Redis, redis_url: str, blow: signal.Signals
) -> None:
    pool = subprocess.Popen(
        [sys.executable, "-m", "bot", "worker", "--processes", "2"],
        env={**os.environ, **environment_for(redis_url), "DATABASE_URL": world.url},
    )
    workers = wait_for("two workers", lambda: _two(redis), 60)
    pool.send_signal(blow)
    pool.wait(20)
    wait_for("the end of both", lambda: not any(_lives(pid) for pid in workers), 20)


def _two(redis: Redis) -> list[int]:
    pids = [worker.pid for worker in Worker.all(connection=redis)]
    return pids if len(pids) == 2 else []


def _lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
