"""How many owners a second get their 账单 answered from the database, against a server that only
decrypts and encrypts, on the same server settings; and how long it takes at 80 % of that.

WeChat is a process of its own: its pushes are sealed beforehand, each of another message, and sent
over as many connections as the server has threads. At 80 % they are sent on time, whether or not
earlier ones were answered; a push's time runs from when it was due.
"""

import http.client
import multiprocessing
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from threading import Lock, local
from typing import Any, NamedTuple
from urllib.parse import urlencode

from benchmarks.paid_years import build_paid_years
from benchmarks.served import Served, free_port, served
from benchmarks.town import bind_owners
from billing.db import Database, connect
from billing.period import Period
from bot.cli.processes import THREADS
from bot.crypto import MessageCipher, sign
from bot.demo.keys import Addresses, make_account, product_environment
from bot.embedded import scratch
from bot.schema import migrate

FOLLOWERS = 1000
LOAD = 0.8
PER_SECOND_MAX = 1500
"""More than we answer; only the echo, which knows no repetition, gets the same ones again."""

WARM_UP_SECONDS = 2


class Push(NamedTuple):
    """A sealed push as it goes over the wire."""

    path: str
    body: bytes


def measure(seconds: int = 5, households: int = 2_000) -> dict[str, Any]:
    """Answer for `seconds` as fast as possible, echo for as long, then at 80 % for as long.

    Args:
        households: homes, each with two years of bills.
    """
    now = datetime.now(UTC)
    account = make_account()
    with scratch() as engines, tempfile.TemporaryDirectory() as var:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community = build_paid_years(database, households, Period("2026-11"), 1, now)
        followers = min(FOLLOWERS, households)
        bind_owners(database, community, followers, now)
        database.engine.dispose()
        urls = {"DATABASE_URL": engines.database_url, "REDIS_URL": engines.redis_url}
        with multiprocessing.get_context("spawn").Pool(1) as wechat:
            port = free_port()
            addresses = Addresses(f"http://127.0.0.1:{port}", "http://127.0.0.1:9")
            environment = product_environment(account, addresses, Path(var)) | urls
            with served(["bot", "serve"], environment, port) as server:
                wechat.apply(_send, (account, followers, server, WARM_UP_SECONDS, None))
                answered = wechat.apply(_send, (account, followers, server, seconds, None))
                rps = len(answered) / seconds
                before = server.cpu_seconds()
                timed = wechat.apply(_send, (account, followers, server, seconds, LOAD * rps))
                used = server.cpu_seconds() - before
            with served(["benchmarks.echo"], environment, port) as server:
                wechat.apply(_send, (account, followers, server, WARM_UP_SECONDS, None))
                echoed = wechat.apply(_send, (account, followers, server, seconds, None))
    timed.sort()
    return {
        "households": households,
        "rps": round(rps, 1),
        "echo_rps": round(len(echoed) / seconds, 1),
        "ratio": round(len(answered) / len(echoed), 3),
        "p50_ms": round(timed[len(timed) // 2], 1),
        "p99_ms": round(timed[int(len(timed) * 0.99)], 1),
        "server_cpu_ms": round(used * 1000 / len(timed), 2),
    }


def _send(
    account: dict[str, Any], followers: int, server: Served, seconds: int, rate: float | None
) -> list[float]:
    """Runs in WeChat's process; milliseconds of each push answered in time, from when it was due.

    Args:
        rate: pushes per second; None: each connection sends as soon as it was answered.
    """
    count = int(seconds * (rate or PER_SECOND_MAX))
    pushes = cycle(_pushes(account, followers, count))
    lines, lock = local(), Lock()
    begin = time.perf_counter() + 0.5
    taken: list[float] = []

    def send(push: Push, due: float) -> None:
        while (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        if not hasattr(lines, "line"):
            lines.line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        lines.line.request("POST", push.path, push.body, {"Content-Type": "text/xml"})
        answer = lines.line.getresponse()
        body = answer.read()
        if answer.status != 200 or len(body) < 100:
            raise RuntimeError(f"HTTP {answer.status}: {body[:80]!r}")
        taken.append((time.perf_counter() - due) * 1000)

    def send_at_once() -> None:
        time.sleep(max(0.0, begin - time.perf_counter()))
        while (due := time.perf_counter()) < begin + seconds:
            with lock:
                push = next(pushes)
            send(push, due)

    with ThreadPoolExecutor(THREADS) as senders:
        if rate is None:
            ends = [senders.submit(send_at_once) for _ in range(THREADS)]
        else:
            ends = [
                senders.submit(send, push, begin + number / rate)
                for number, push in enumerate(islice(pushes, count))
            ]
        for end in ends:
            end.result()
    return taken


def _pushes(account: dict[str, Any], followers: int, count: int) -> list[Push]:
    """Texts of one follower after the other, each with a number of its own."""
    cipher = MessageCipher(account["app_id"], [account["aes_key"]])
    now = str(int(time.time()))
    first = time.time_ns()
    return [
        _push(account, cipher, now, f"o-bench-{n % followers + 1}", first + n) for n in range(count)
    ]


def _push(
    account: dict[str, Any], cipher: MessageCipher, now: str, openid: str, number: int
) -> Push:
    xml = (
        f"<xml><ToUserName>gh_bench</ToUserName><FromUserName>{openid}</FromUserName>"
        f"<CreateTime>{now}</CreateTime><MsgType>text</MsgType><Content>账单</Content>"
        f"<MsgId>{number}</MsgId></xml>"
    )
    sealed = cipher.seal(xml, cipher.current_key, number.to_bytes(16, "big"))
    query = {
        "timestamp": now,
        "nonce": "bench",
        "openid": openid,
        "encrypt_type": "aes",
        "msg_signature": sign(account["token"], now, "bench", sealed),
    }
    body = f"<xml><ToUserName>gh_bench</ToUserName><Encrypt>{sealed}</Encrypt></xml>"
    return Push("/wechat?" + urlencode(query), body.encode())
