"""A broadcast to a large estate: how long until everybody's notice is queued, and how soon a
receipt comes while it runs. Two workers, as RQ runs them; a WeChat that takes everything.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Worker
from sqlalchemy import select, text

from benchmarks.by_day import by_day
from benchmarks.notify import sink, write_notices
from billing.bills import list_unpaid
from billing.channels.base import ProviderAnswer, ProviderState
from billing.confirmation import confirm
from billing.db import Database, connect
from billing.merchants import MerchantAccount
from billing.payment_tables import PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.people import Follower, Staff, StaffRole
from billing.property import Community, Unit
from bot.demo.keys import Addresses, make_account, product_environment
from bot.embedded import scratch
from bot.schema import migrate
from notify.audiences import Audience
from notify.broadcast_sending import send_due
from notify.broadcasts import TAKEN_BACK_WITHIN, confirm_broadcast, draft_broadcast
from notify.catalog import Urgency
from notify.queues import Queues

PROCESSES = 2
PAY_EVERY_SECONDS = 0.25
SETTLES_WITHIN_SECONDS = 60
LEAVES_AFTER = TAKEN_BACK_WITHIN + timedelta(seconds=1)
PEAK = "VmHWM:"
TOLD = text(
    """
    SELECT extract(epoch FROM delivery.finished_at - message_fact.at) * 1000 AS ms
    FROM message
    JOIN notice ON notice.community_id = message.community_id AND notice.message_id = message.id
    JOIN delivery ON delivery.community_id = message.community_id
     AND delivery.message_id = message.id AND delivery.outcome = 'accepted'
    JOIN (SELECT community_id, id, confirmed_at AS at FROM payment) message_fact
      ON message_fact.community_id = notice.community_id AND message_fact.id = notice.ref_id
    WHERE message.kind = 'payment_received'
    """
)
STATES = text("SELECT state, count(*) AS told FROM message WHERE kind = 'broadcast' GROUP BY state")


def measure(owners: int = 5_000, payments: int = 40) -> dict[str, Any]:
    """Write to so many followers; meanwhile so many of them pay. Ends with the last receipt."""
    with scratch() as engines, tempfile.TemporaryDirectory() as var, sink() as address:
        migrate(engines.database_url)
        redis = Redis.from_url(engines.redis_url)
        queues = Queues(redis)
        database = Database(connect(engines.database_url), after_facts=lambda: _ring(queues))
        write_notices(database, owners)
        with database.transaction() as session:
            session.execute(text("DELETE FROM notice"))  # bills were told long ago
        queued = queue_broadcast(database)
        peak_mb = _peak_mb()
        redis.flushdb()
        environment = product_environment(
            make_account(), Addresses("http://127.0.0.1:9", address), Path(var)
        ) | {"DATABASE_URL": engines.database_url, "REDIS_URL": engines.redis_url}
        with _workers(environment, redis):
            queues.wake(Urgency.BULK)
            begun = time.perf_counter()
            _pay(database, payments)
            receipts = _receipts(database, payments)
            running = _states(database)
            told = running.get("sent", 0)
            rate = told / (time.perf_counter() - begun)
    receipts.sort()
    return {
        "recipients": owners,
        "queued_seconds": round(queued, 2),
        "peak_mb": peak_mb,
        "told_meanwhile": told,
        "told_per_second": round(rate),
        "receipt_p50_ms": round(receipts[len(receipts) // 2]),
        "receipt_p95_ms": round(receipts[int(len(receipts) * 0.95)]),
    }


def queue_broadcast(database: Database) -> float:
    """Draft, approve and send one to everybody; seconds of the last step."""
    now = by_day()
    with database.transaction() as session:
        [community] = session.scalars(select(Community))
        staff = [Staff(login=login, role=StaffRole.MANAGER, name=login) for login in ("one", "two")]
        session.add_all(staff)
        session.flush()
        draft = draft_broadcast(
            session,
            community_id=community.id,
            audience=Audience(),
            body="明天上午9:00停水，请提前储水",
            by=staff[0],
            now=now,
        )
        for by in staff:
            confirm_broadcast(session, community.id, draft.id, by=by, now=now)
    begun = time.perf_counter()
    with database.transaction() as session:
        sent = send_due(session, now + LEAVES_AFTER)
    if sent != 1:
        raise RuntimeError("nothing was queued")
    seconds = time.perf_counter() - begun
    with database.transaction() as session:
        session.execute(text("UPDATE notice SET not_before = :now"), {"now": now})
    return seconds


def _peak_mb() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(PEAK)) // 1024


def _ring(queues: Queues) -> None:
    queues.wake(Urgency.AT_ONCE)


@contextmanager
def _workers(environment: dict[str, str], redis: Redis) -> Iterator[None]:
    """Workers for whom it is day, once every one of their processes has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.by_day", str(PROCESSES)],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        while len(Worker.all(connection=redis)) < PROCESSES:
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _pay(database: Database, payments: int) -> None:
    """One owner after the other pays, a few a second."""
    with database.transaction() as session:
        units = session.scalars(select(Unit).order_by(Unit.id).limit(payments)).all()
    for unit in units:
        _pay_one(database, unit)
        time.sleep(PAY_EVERY_SECONDS)


def _pay_one(database: Database, unit: Unit) -> None:
    now = by_day()
    with database.transaction() as session:
        owed = list_unpaid(session, unit.community_id, [unit.id])
        merchant = session.scalars(select(MerchantAccount)).one()
        payment = prepare(
            session,
            community_id=unit.community_id,
            unit_id=unit.id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=merchant.id,
            payer_id=session.scalars(select(Follower.id).order_by(Follower.id)).first(),
            designated={bill.id: bill.outstanding for bill in owed},
            out_trade_no=new_out_trade_no(),
            now=now,
        )
        answer = ProviderAnswer(
            mchid=merchant.mchid,
            out_trade_no=payment.out_trade_no,
            state=ProviderState.PAID,
            transaction_id=secrets.token_hex(12),
            amount=payment.amount,
            payer="o-bench-1",
            paid_at=now,
        )
        confirm(session, merchant, answer, now)


def _receipts(database: Database, payments: int) -> list[float]:
    """Milliseconds from each payment to its acknowledged receipt."""
    deadline = time.monotonic() + SETTLES_WITHIN_SECONDS
    while True:
        with database.transaction() as session:
            found = [float(ms) for ms in session.scalars(TOLD)]
        if len(found) >= payments or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if len(found) < payments:
        raise RuntimeError(f"only {len(found)} receipts came")
    return found


def _states(database: Database) -> dict[str, int]:
    with database.transaction() as session:
        return {row.state: row.told for row in session.execute(STATES)}
