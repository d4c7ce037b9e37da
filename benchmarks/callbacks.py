"""How soon a payment is in the books: callbacks of WeChat Pay at a steady rate against `serve`,
with years of payments in the tables.

The provider is a process of its own that signs beforehand and sends on time, whether or not earlier
callbacks were answered; a callback's time runs from when it was due until it is answered, and it is
answered once it is booked.
"""

import base64
import http.client
import json
import multiprocessing
import secrets
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import local
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import select, text

from benchmarks.paid_years import MONTHS, build_paid_years
from benchmarks.served import environment_of, free_port, served
from billing.db import Database, connect
from billing.merchants import MerchantAccount
from billing.payment_tables import Payment
from billing.period import Period
from bot.demo.keys import make_account
from bot.embedded import scratch
from bot.schema import migrate

MERCHANT_ID = 1
SENDERS = 32
WARM_UP = 50
"""Sent first and counted apart: a server that has just started connects and compiles its SQL."""

ORDERS = [
    text(statement)
    for statement in (
        """
        INSERT INTO payment (community_id, merchant_id, out_trade_no, unit_id, channel, state,
                             amount, is_designated, prepared_at)
        SELECT community_id, :merchant, 'MZ' || lpad(CAST(id AS text), 26, '0'), unit_id,
               'wechat_native', 'waiting', amount, true, :now
        FROM bill WHERE community_id = :c AND period = :period ORDER BY id LIMIT :count
        """,
        """
        INSERT INTO provider_order (merchant_id, out_trade_no, community_id, payment_id, created_at)
        SELECT merchant_id, out_trade_no, community_id, id, prepared_at
        FROM payment WHERE community_id = :c AND state = 'waiting'
        """,
        """
        INSERT INTO payment_target (community_id, payment_id, bill_id, amount)
        SELECT community_id, id, CAST(substr(out_trade_no, 3) AS bigint), amount
        FROM payment WHERE community_id = :c AND state = 'waiting'
        """,
    )
]


@dataclass(frozen=True, slots=True)
class Callback:
    """A sealed and signed notification, as it goes over the wire."""

    headers: dict[str, str]
    body: bytes


def measure(seconds: int = 5, rate: int = 100, payments: int = 20_000) -> dict[str, Any]:
    """Send `rate` callbacks a second for `seconds`, each about another home's order.

    Args:
        payments: how many are in the tables already.
    """
    period, now = Period("2026-11"), datetime.now(UTC)
    account = make_account()
    with scratch() as engines, tempfile.TemporaryDirectory() as var:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        count = WARM_UP + seconds * rate
        community = build_paid_years(
            database, max(payments // MONTHS, count), period, MERCHANT_ID, now
        )
        with database.transaction() as session:
            merchant = session.get_one(MerchantAccount, MERCHANT_ID)
            merchant.mchid = account["mchid"]
            parameters = {"c": community.id, "merchant": MERCHANT_ID, "now": now}
            for statement in ORDERS:
                session.execute(statement, {**parameters, "period": str(period), "count": count})
            orders = session.execute(
                select(Payment.out_trade_no, Payment.amount).where(Payment.state == "waiting")
            ).all()
        urls = {"DATABASE_URL": engines.database_url, "REDIS_URL": engines.redis_url}
        port = free_port()
        environment = environment_of(account, merchant.code, port, Path(var)) | urls
        with served(["bot", "serve"], environment, port) as server:
            path = f"/callbacks/wechat_pay/{merchant.code}"
            numbers = [(row.out_trade_no, row.amount.fen) for row in orders]
            context = multiprocessing.get_context("spawn")
            with context.Pool(1) as provider:
                before = server.cpu_seconds()
                taken = provider.apply(_send_all, (account, numbers, port, path, rate))
                used = server.cpu_seconds() - before
        with database.transaction() as session:
            booked = session.scalar(
                text("SELECT count(*) FROM payment WHERE state = 'confirmed' AND paid_at >= :now"),
                {"now": now},
            )
            total = session.scalar(text("SELECT count(*) FROM payment"))
        database.engine.dispose()
    if booked != count:
        raise AssertionError(f"{booked} of {count} callbacks are booked")
    cold, taken = taken[:WARM_UP], sorted(taken[WARM_UP:])
    return {
        "payments": total,
        "callbacks": len(taken),
        "rate": rate,
        "p50_ms": round(taken[len(taken) // 2], 1),
        "p99_ms": round(taken[int(len(taken) * 0.99)], 1),
        "worst_ms": round(taken[-1], 1),
        "worst_of_cold_ms": round(max(cold), 1),
        "server_cpu_ms": round(used * 1000 / count, 2),
    }


def _send_all(
    account: dict[str, Any], orders: list[tuple[str, int]], port: int, path: str, rate: int
) -> list[float]:
    """Runs in the provider's process; milliseconds from when each was due."""
    key = load_pem_private_key(account["platform_private"].encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    callbacks = [_callback(account, key, number, fen) for number, fen in orders]
    lines = local()

    def send(due: float, callback: Callback) -> float:
        while (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        if not hasattr(lines, "line"):
            lines.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        lines.line.request("POST", path, callback.body, callback.headers)
        answer = lines.line.getresponse()
        answer.read()
        if answer.status != 204:
            raise RuntimeError(f"HTTP {answer.status}")
        return (time.perf_counter() - due) * 1000

    def send_steadily(some: list[Callback]) -> list[float]:
        begin = time.perf_counter() + 1
        due = [begin + number / rate for number in range(len(some))]
        return list(senders.map(send, due, some))

    with ThreadPoolExecutor(SENDERS) as senders:
        return send_steadily(callbacks[:WARM_UP]) + send_steadily(callbacks[WARM_UP:])


def _callback(account: dict[str, Any], key: RSAPrivateKey, number: str, fen: int) -> Callback:
    now = datetime.now(UTC)
    order = {
        "appid": account["app_id"],
        "mchid": account["mchid"],
        "out_trade_no": number,
        "transaction_id": f"42{number}",
        "trade_type": "NATIVE",
        "trade_state": "SUCCESS",
        "success_time": now.isoformat(timespec="seconds"),
        "payer": {"openid": "o-bench"},
        "amount": {"total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY"},
    }
    nonce = secrets.token_hex(6)
    sealed = AESGCM(account["api_v3_key"].encode()).encrypt(
        nonce.encode(), json.dumps(order).encode(), b"transaction"
    )
    body = json.dumps(
        {
            "id": secrets.token_hex(16),
            "create_time": now.isoformat(timespec="seconds"),
            "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS",
            "summary": "-",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": "transaction",
                "nonce": nonce,
            },
        }
    ).encode()
    timestamp = str(int(now.timestamp()))
    message = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return Callback(
        {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": base64.b64encode(
                key.sign(message, PKCS1v15(), SHA256())
            ).decode(),
            "Wechatpay-Serial": account["public_key_id"],
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        },
        body,
    )
