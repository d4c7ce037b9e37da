"""`kill -9` of the worker, again and again, in the middle of thousands of messages; PostgreSQL and
Valkey killed on the way, and Valkey emptied. A template message is seen exactly once; on every
other transport nothing is seen twice, and of what was not seen the outbox says that nobody knows.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, text

from benchmarks.broadcast import queue_broadcast
from benchmarks.notify import write_notices
from billing.db import Database, connect
from billing.people import Binding, Follower, Occupancy, Resident, ResidentRole
from billing.privacy import Vault
from bot.demo.keys import Addresses, make_account, product_environment, sandbox_config
from bot.demo.templates import SUBSCRIPTIONS
from bot.embedded import Postgres, Valkey, erase, start_postgres, start_valkey
from bot.program import build
from bot.schema import migrate
from bot.settings import Settings
from notify.catalog import Transport, Urgency
from notify.consents import SubscriptionConsent
from notify.jobs import QUESTIONS_PER_SWEEP
from notify.queues import Queues, wake_key
from notify.reports import ASK_AFTER, UNKNOWN_FOR
from tests.notify.pretend_wechat import APP_ID, APP_SECRET, PretendWeChat
from tests.running import free_port, wait_for

PEOPLE = 2500
KILLS = 200
STATES = text(
    """
    SELECT follower.openid, message.state FROM message
    JOIN follower ON follower.id = message.follower_id
    WHERE message.kind = :kind AND message.transport = :transport
    """
)
LEFT = text("SELECT count(*) FROM message WHERE state IN ('queued', 'sending')")
INTERRUPTED = text("SELECT count(*) FROM delivery WHERE finished_at IS NULL")
WAITING = text("SELECT count(*) FROM notice WHERE state = 'queued'")


@dataclass
class Installation:
    """Engines that die and come back at the same address, and the books in them."""

    state: Path
    postgres: Postgres
    valkey: Valkey
    database: Database
    account: dict[str, Any]
    environment: dict[str, str]

    @property
    def queues(self) -> Queues:
        return Queues(Redis.from_url(self.valkey.url))

    def restart_postgres(self) -> None:
        os.kill(self.postgres.pid, signal.SIGKILL)
        self.postgres.stop()
        self.postgres = start_postgres(self.state, fast=True)

    def restart_valkey(self) -> None:
        """Emptied too: these engines keep nothing of it on the disk."""
        os.kill(self.valkey.pid, signal.SIGKILL)
        self.valkey.stop()
        self.valkey = start_valkey(self.state, fast=True)

    def left(self) -> int:
        with self.database.transaction() as session:
            return int(session.scalars(LEFT).one() + session.scalars(WAITING).one())

    def states(self, kind: str, transport: Transport) -> dict[str, str]:
        with self.database.transaction() as session:
            given = {"kind": kind, "transport": transport.value}
            return {row.openid: row.state for row in session.execute(STATES, given)}


@pytest.fixture
def wechat() -> Iterator[PretendWeChat]:
    pretend = PretendWeChat()
    yield pretend
    pretend.stop()


@pytest.fixture
def place(wechat: PretendWeChat, tmp_path: Path) -> Iterator[Installation]:
    """Bills of so many people wait to be told."""
    state = Path(tempfile.mkdtemp(prefix="mingzhang-kill-"))
    state.chmod(0o711)
    postgres, valkey = start_postgres(state, fast=True), start_valkey(state, fast=True)
    postgres.create_database()
    migrate(postgres.url())
    database = Database(connect(postgres.url()), after_facts=lambda: None)
    write_notices(database, PEOPLE)
    account = make_account() | {"app_id": APP_ID, "app_secret": APP_SECRET}
    addresses = Addresses("http://127.0.0.1:9", wechat.base)
    environment = product_environment(account, addresses, tmp_path) | {
        "DATABASE_URL": postgres.url(),
        "REDIS_URL": valkey.url,
    }
    place = Installation(state, postgres, valkey, database, account, environment)
    yield place
    database.engine.dispose()
    place.postgres.stop()
    place.valkey.stop()
    erase(state)


@contextmanager
def workers_of(environment: Mapping[str, str], *arguments: str) -> Iterator[Callable[[], int]]:
    """Another worker for each call; its process id."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.forked_workers", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def begin() -> int:
            orders.write("another\n")
            orders.flush()
            return int(answers.readline())

        yield begin
        process.kill()


def kill_again_and_again(
    place: Installation, kills: int, chance: random.Random, *arguments: str
) -> None:
    """Workers die at random until so many did, then one ends the work."""
    queues = place.queues
    with workers_of(place.environment, *arguments) as begin:
        for number in range(kills):
            worker = begin()
            with suppress(RedisError):
                wake_all(queues)
            time.sleep(chance.uniform(0.2, 1.6))  # when it dies is what is tried
            if number % 50 == 20:
                place.restart_postgres()
            if number % 50 == 45:
                place.restart_valkey()
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            with suppress(RedisError):
                queues.connection.delete(*[wake_key(urgency) for urgency in Urgency])
        begin()

        def nothing_is_left() -> bool:
            wake_all(queues)
            return place.left() == 0

        wait_for("the end of the outbox", nothing_is_left, 180)
    queues.connection.close()
    with place.database.transaction() as session:
        assert session.scalars(INTERRUPTED).one() > 0  # some died while they sent


def wake_all(queues: Queues) -> None:
    for urgency in Urgency:
        queues.wake(urgency)


def never_seen_twice(
    seen: Counter[str], states: Mapping[str, str], unseen: Collection[str]
) -> None:
    """Of each person at most one; of who saw none the outbox does not say that he did."""
    assert {seen[person] for person, state in states.items() if state == "sent"} <= {1}
    assert set(seen.values()) <= {1}
    assert {state for person, state in states.items() if not seen[person]} <= set(unseen)


@pytest.mark.soak
def test_a_worker_killed_two_hundred_times_repeats_and_loses_nothing(
    place: Installation, wechat: PretendWeChat
) -> None:
    """Bills by template message, a broadcast in the chat, which is open: each has just written."""
    with place.database.transaction() as session:
        session.execute(text("UPDATE follower SET last_message_at = now()"))
    queue_broadcast(place.database)
    kill_again_and_again(place, KILLS, random.Random(20261126), "by-day")
    templates = Counter(one.openid for one in wechat.shown if one.data)
    words = Counter(one.openid for one in wechat.shown if not one.data)
    bills = place.states("bill_issued", Transport.TEMPLATE)
    assert len(bills) == PEOPLE
    assert set(bills.values()) == {"sent"}
    assert {templates[person] for person in bills} == {1}
    broadcast = place.states("broadcast", Transport.SERVICE)
    assert len(broadcast) == PEOPLE
    never_seen_twice(words, broadcast, {"unknown"})


def leave_only_consents_and_sms(place: Installation) -> dict[str, str]:
    """Every other person consented to one notice; the others follow no more, and the books have
    their numbers, which are returned.
    """
    now = datetime.now(UTC)
    vault = Vault(
        [place.environment["MINGZHANG_DATA_KEYS"]], place.environment["MINGZHANG_HASH_KEY"]
    )
    phones = {}
    with place.database.transaction() as session:
        session.execute(text("UPDATE community SET sms_unfollowed = true"))
        bound = session.execute(
            select(Follower, Binding.community_id, Binding.unit_id)
            .join(Binding, Binding.follower_id == Follower.id)
            .order_by(Follower.id)
        )
        for number, (follower, community_id, unit_id) in enumerate(bound):
            if number % 2:
                consent = SubscriptionConsent(
                    follower_id=follower.id,
                    template_id=SUBSCRIPTIONS["bill_issued"]["template_id"],
                    remaining=1,
                    changed_at=now,
                )
                session.add(consent)
                continue
            follower.unfollowed_at = now
            phones[follower.openid] = f"139{number:08d}"
            owner = Resident(
                community_id=community_id,
                name_sealed=vault.seal("业主"),
                phone_sealed=vault.seal(phones[follower.openid]),
            )
            session.add(owner)
            session.flush()
            session.add(
                Occupancy(
                    community_id=community_id,
                    unit_id=unit_id,
                    resident_id=owner.id,
                    role=ResidentRole.OWNER,
                    from_on=date(2020, 1, 1),
                )
            )
    return phones


@contextmanager
def provider(account: dict[str, Any], folder: Path) -> Iterator[str]:
    """The sandbox, of which only the SMS service is used; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    config = sandbox_config(
        account, Addresses("http://127.0.0.1:9", address), folder, folder / "none.json", 60
    )
    (folder / "sandbox.json").write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "sandbox", "--config", str(folder / "sandbox.json")]
    with subprocess.Popen([*command, "--port", str(port)]) as process:
        try:
            wait_for("the sandbox", lambda: requests.get(f"{address}/healthz", timeout=1).ok)
            yield address
        finally:
            process.terminate()


def ask_the_provider(place: Installation) -> None:
    """What nobody knows is asked about after a minute, and given up after half an hour."""
    for later in (datetime.now(UTC) + wait for wait in (ASK_AFTER, UNKNOWN_FOR)):
        settings = Settings.from_env(place.environment, later)
        program = build(settings, clock=lambda later=later: later)  # type: ignore[misc]
        try:
            for _ in range(PEOPLE // QUESTIONS_PER_SWEEP):
                program.notifier.settle_unknown()
        finally:
            program.services.database.engine.dispose()
            program.services.redis.close()
            program.queues.connection.close()


@pytest.mark.soak
def test_subscription_notices_and_sms_are_never_sent_twice_and_never_lost_in_silence(
    place: Installation, wechat: PretendWeChat, tmp_path: Path
) -> None:
    """Without approved templates: half consented once to a notice, half are reached by SMS."""
    phones = leave_only_consents_and_sms(place)
    with provider(place.account, tmp_path) as sms:
        place.environment |= {"WECHAT_TEMPLATES": "{}", "ALIYUN_SMS_BASE": sms}
        kill_again_and_again(place, KILLS // 2, random.Random(20261127))
        sent = Counter(
            one["openid"] for one in requests.get(f"{sms}/sent", timeout=30).json()["messages"]
        )
        by_sms = place.states("bill_issued", Transport.SMS)
        assert by_sms.keys() == phones.keys()
        assert set(sent.values()) == {1}
        ask_the_provider(place)
    noticed = Counter(one.openid for one in wechat.shown)
    by_notice = place.states("bill_issued", Transport.SUBSCRIBE)
    assert len(by_notice) == PEOPLE - len(phones)
    never_seen_twice(noticed, by_notice, {"unknown"})
    # The provider knows: of an SMS nobody is left in doubt when it was sent.
    seen = Counter({person: sent[phone] for person, phone in phones.items()})
    fates = place.states("bill_issued", Transport.SMS)
    assert {fates[person] for person, times in seen.items() if times} <= {"sent", "delivered"}
    assert {fates[person] for person, times in seen.items() if not times} <= {"unknown", "failed"}
