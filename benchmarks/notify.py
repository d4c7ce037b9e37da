"""How fast a month's bills are told: from notices in the outbox to messages WeChat acknowledged,
against bare posts of the very same bodies, over the same connections from the same processes.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy import text

from benchmarks.served import free_port
from benchmarks.town import bind_owners, build_town, record_month
from billing.bill_run import run_bills
from billing.db import Database, connect
from billing.period import Period
from bot.demo.keys import Addresses, make_account, product_environment
from bot.embedded import scratch
from bot.program import build
from bot.schema import migrate
from bot.settings import Settings
from notify.catalog import Urgency
from notify.intake import take_facts
from notify.jobs import SENDING_THREADS

PROCESSES = 2
PERIOD = Period("2026-11")
FACTS_AT_ONCE = 10_000
SEND = "/cgi-bin/message/template/send?access_token=of-the-sink"
COUNT = text("SELECT state, count(*) AS told FROM message GROUP BY state")
BODIES = text(
    """
    SELECT follower.openid, content, client_msg_id FROM message
    JOIN follower ON follower.id = message.follower_id ORDER BY message.id
    """
)


def measure(owners: int = 2_000) -> dict[str, Any]:
    """Tell each of so many owners of a bill of his own."""
    with scratch() as engines, tempfile.TemporaryDirectory() as var, sink() as address:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        write_notices(database, owners)
        addresses = Addresses("http://127.0.0.1:9", address)
        environment = product_environment(make_account(), addresses, Path(var)) | {
            "DATABASE_URL": engines.database_url,
            "REDIS_URL": engines.redis_url,
        }
        seconds, told = together([(_tell, (environment,))] * PROCESSES)
        with database.transaction() as session:
            states = {row.state: row.told for row in session.execute(COUNT)}
            bodies = [_body(*row) for row in session.execute(BODIES)]
        if states != {"sent": owners} or sum(told) != owners:
            raise RuntimeError(f"not everybody was told: {states}")
        shares = [bodies[number::PROCESSES] for number in range(PROCESSES)]
        floor, _ = together([(_post, (address, share)) for share in shares])
    return {
        "notices": owners,
        "seconds": round(seconds, 2),
        "floor_seconds": round(floor, 2),
        "ratio": round(seconds / floor, 2),
    }


def write_notices(database: Database, owners: int) -> None:
    """A community with a bound follower in every home, and a notice of each one's bill."""
    now = datetime.now(UTC)
    community = build_town(database, owners, items=2)
    bind_owners(database, community, owners, now)
    record_month(database, community, PERIOD)
    run_bills(database, community, PERIOD, today=PERIOD.start, now=now, publish=True)
    taken = 1
    while taken:
        with database.transaction() as session:
            taken = take_facts(session, now, FACTS_AT_ONCE, at_once=False)


@contextmanager
def sink() -> Iterator[str]:
    """A WeChat that takes everything; its address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                urlopen(Request(address + SEND, b"{}"), timeout=1).close()  # loopback
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def together(works: list[tuple[Any, tuple[Any, ...]]]) -> tuple[float, list[Any]]:
    """Each in a process of its own, all begun at once when all are ready; seconds until the last
    one ended, and what each returned.
    """
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        ready = manager.Barrier(len(works) + 1)
        with context.Pool(len(works)) as pool:
            running = [pool.apply_async(work, (ready, *args)) for work, args in works]
            ready.wait(120)
            begun = time.perf_counter()
            done = [one.get() for one in running]
            return time.perf_counter() - begun, done


def _tell(ready: Any, environment: dict[str, str]) -> int:
    """Work until nothing is left; messages told."""
    os.environ.update(environment)
    program = build(Settings.from_env(os.environ, datetime.now(UTC)))
    ready.wait(120)
    return program.notifier.lane(Urgency.TODAY).done["messages"]


def _post(ready: Any, address: str, bodies: list[dict[str, Any]]) -> int:
    """Post each body; as many at a time as a worker sends."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=SENDING_THREADS))

    def post(body: dict[str, Any]) -> None:
        session.post(address + SEND, json=body, timeout=10).json()

    with ThreadPoolExecutor(SENDING_THREADS) as threads:
        ready.wait(120)
        return len(list(threads.map(post, bodies)))


def _body(openid: str, content: dict[str, Any], client_msg_id: str) -> dict[str, Any]:
    return {
        "touser": openid,
        "template_id": content["template_id"],
        "url": content["url"],
        "client_msg_id": client_msg_id,
        "data": {field: {"value": value} for field, value in content["fields"].items()},
    }
