"""A pretend WeChat Pay on a real socket, a merchant's keys for it, and its pen for odd callbacks.

The sandbox checks and signs with its own code, so it does not share the product's mistakes.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from flask import Flask
from werkzeug.serving import make_server

from billing.channels.base import OrderRequest, RefundRequest
from billing.channels.wechat_pay import WeChatPayChannel
from billing.channels.wechat_pay_gateway import WeChatPayKeys
from billing.money import Money
from billing.payment_tables import PaymentChannel
from sandbox import config as sandbox_config
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.pay import Paid, PayBook, crypto, pay_routes
from sandbox.pay.merchants import Merchant
from sandbox.pay.platform import Platform
from sandbox.pay.transaction import callback_body
from tests.conftest import MERCHANT, NOW

APP_ID = "wxsandbox0000000001"
MCHID = MERCHANT[1]
OTHER_MCHID = "1900000202"
SERIAL_NO = "5A0B1C2D3E4F"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000001012026"
CERTIFICATE_SERIAL = "05157F09EFDC096DE15EBE81A47057A7232F1B8E"
API_V3_KEY = "sandbox-only-api-v3-key-32-bytes"
OWNER = "o-owner"
NOTIFY_URL = "http://127.0.0.1:9/callbacks/wechat_pay/HYPM"


@dataclass(frozen=True)
class KeyPair:
    """An RSA key pair in PEM."""

    private: str
    public: str


@cache
def key_pair(owner: str) -> KeyPair:
    """The key pair of this owner, made once per test process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


@cache
def certificate_pem(owner: str = "certificate", days: int = 1800) -> str:
    """A platform certificate for this owner's key, from the day before the tests' today on."""
    key = load_pem_private_key(key_pair(owner).private.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pretend WeChat Pay")])
    starts_at = NOW - timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(CERTIFICATE_SERIAL, 16))
        .not_valid_before(starts_at)
        .not_valid_after(starts_at + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()


def by_either() -> dict[str, Any]:
    """Changes for `merchant_keys` of an account that moves from certificates to the public key."""
    return {"platform_certificates": (certificate_pem(),)}


def by_certificate() -> dict[str, Any]:
    """Changes for `merchant_keys` of an account in certificate mode."""
    return by_either() | {"public_key_id": None, "public_key": None}


def merchant_keys(**changes: Any) -> WeChatPayKeys:
    """The keys of the world's merchant account."""
    values: dict[str, Any] = {
        "mchid": MCHID,
        "app_id": APP_ID,
        "serial_no": SERIAL_NO,
        "private_key": key_pair("merchant").private,
        "api_v3_key": API_V3_KEY,
        "public_key_id": PUBLIC_KEY_ID,
        "public_key": key_pair("platform").public,
    }
    return WeChatPayKeys(**values | changes)


def real_now() -> datetime:
    """The provider lives in real time, so whoever talks to it does too."""
    return datetime.now(UTC)


def order_request(out_trade_no: str = "MZ20261123A01", **changes: Any) -> OrderRequest:
    """An order of 320.50 yuan for the owner."""
    values: dict[str, Any] = {
        "out_trade_no": out_trade_no,
        "description": "花园小区 3-2-501 物业费",
        "amount": Money(32050),
        "channel": PaymentChannel.WECHAT_JSAPI,
        "payer_openid": OWNER,
        "notify_url": NOTIFY_URL,
        "expires_at": real_now() + timedelta(hours=2),
    }
    return OrderRequest(**values | changes)


def refund_request(out_trade_no: str, out_refund_no: str, **changes: Any) -> RefundRequest:
    """20.50 of such an order given back."""
    values: dict[str, Any] = {
        "amount": Money(2050),
        "total": Money(32050),
        "reason": "多收了电费",
        "notify_url": NOTIFY_URL,
    }
    return RefundRequest(out_trade_no=out_trade_no, out_refund_no=out_refund_no, **values | changes)


@dataclass
class Provider:
    """The running provider."""

    book: PayBook
    url: str
    faults: Faults

    def channel(self, **changes: Any) -> WeChatPayChannel:
        """The merchant's program, talking to this provider."""
        return WeChatPayChannel(merchant_keys(**changes), self.url)

    def pay(self, call: dict[str, Any], openid: str = OWNER) -> Paid:
        """Open the cashier with what the page was given, and confirm."""
        return self.book.confirm(self.book.checkout(call, openid).prepay_id, openid)


@contextmanager
def running_provider(folder: Path, clock_rate: float = 1.0) -> Iterator[Provider]:
    """A provider with its state file in `folder`, on a loopback port, while the block runs."""
    faults = Faults()
    book = PayBook(_sandbox(folder), Clock(clock_rate), faults, folder / "pay.sqlite3")
    app = Flask("provider")
    app.register_blueprint(pay_routes(book))
    with serving(app) as url:
        yield Provider(book, url, faults)
        book.stop()


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve an application on a loopback port; gives its base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _sandbox(folder: Path) -> sandbox_config.SandboxConfig:
    merchants = [
        {
            "mchid": mchid,
            "name": name,
            "app_ids": [APP_ID],
            "api_v3_key": API_V3_KEY,
            "serial_no": SERIAL_NO,
            "public_key_pem": key_pair("merchant").public,
        }
        for mchid, name in ((MCHID, "花园物业"), (OTHER_MCHID, "滨江物业"))
    ]
    account = {
        "app_id": APP_ID,
        "app_secret": "s" * 32,
        "token": "sandboxtoken",
        "aes_key": "a" * 43,
        "mode": "secure",
        "name": "明账",
    }
    values = {
        "service_url": "http://127.0.0.1:9",
        "public_url": "http://127.0.0.1:9",
        "state_file": "unused.sqlite3",
        "account": account,
        "templates": [],
        "merchants": merchants,
        "platform": {
            "public_key_id": PUBLIC_KEY_ID,
            "private_key_pem": key_pair("platform").private,
            "certificate_serial": CERTIFICATE_SERIAL,
            "certificate_private_key_pem": key_pair("certificate").private,
            "certificate_pem": certificate_pem(),
        },
    }
    return sandbox_config.read(values, folder)


def transaction(**changes: Any) -> dict[str, Any]:
    """What WeChat Pay says about a paid order; a change to None leaves the field out."""
    said = {
        "appid": APP_ID,
        "mchid": MCHID,
        "out_trade_no": "MZ20261123A01",
        "transaction_id": "4200000001202611230000000001",
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "bank_type": "OTHERS",
        "success_time": "2026-11-23T10:30:00+08:00",
        "payer": {"openid": OWNER},
        "amount": {"total": 32050, "payer_total": 30050, "currency": "CNY"},
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def refund_news(**changes: Any) -> dict[str, Any]:
    """What WeChat Pay tells about a refund that is done; a change to None leaves the field out."""
    said = {
        "mchid": MCHID,
        "out_trade_no": "MZ20261123A01",
        "transaction_id": "4200000001202611230000000001",
        "out_refund_no": "RF20261123A01",
        "refund_id": "50300000012026112300000000001",
        "refund_status": "SUCCESS",
        "success_time": "2026-11-23T10:30:00+08:00",
        "user_received_account": "支付用户零钱",
        "amount": {"total": 32050, "refund": 2050, "payer_total": 30050, "payer_refund": 2050},
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def signed(body: bytes, now: datetime, *, key: str = "platform") -> dict[str, str]:
    """The headers WeChat Pay sends with this body; `key` says who signs."""
    pen = crypto.load_private_key(key_pair(key).private)
    serial = CERTIFICATE_SERIAL if key == "certificate" else PUBLIC_KEY_ID
    return Platform(serial, pen).signed_headers(body, now)


def callback(
    now: datetime,
    said: Any = None,
    *,
    event: str = "TRANSACTION.SUCCESS",
    key: str = "platform",
    api_v3_key: str = API_V3_KEY,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a notification, signed and sealed as WeChat Pay does it."""
    public = crypto.load_public_key(key_pair("merchant").public)
    merchant = Merchant(MCHID, "花园物业", (APP_ID,), api_v3_key, SERIAL_NO, public)
    said = transaction() if said is None else said
    sealed = callback_body(merchant, "notice-1", now.timestamp(), "0123456789ab", said)
    body = json.dumps(json.loads(sealed) | {"event_type": event}, ensure_ascii=False).encode()
    return signed(body, now, key=key), body


Answer = Callable[[], tuple[int, dict[str, str], bytes]]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Somebody who gives this answer to every call; gives the base URL."""
    app = Flask("answering")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def reply(path: str) -> tuple[bytes, int, dict[str, str]]:
        status, headers, body = answer()
        return body, status, headers

    with serving(app) as url:
        yield url
