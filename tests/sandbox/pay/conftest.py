"""A pretend provider on a real socket, a merchant using `wechatpayv3`, and its callback address."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from wechat_pay_world import (
    API_V3_KEY,
    APP_ID,
    MCHID,
    OTHER_MCHID,
    PUBLIC_KEY_ID,
    SERIAL_NO,
    Callbacks,
    Client,
    KeyPair,
    Received,
    load_library,
    new_key_pair,
)
from wechatpayv3 import WeChatPay
from werkzeug.serving import make_server

from sandbox import config as sandbox_config
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.pay import PayBook, pay_routes


@pytest.fixture(scope="session")
def merchant_keys() -> KeyPair:
    return new_key_pair()


@pytest.fixture(scope="session")
def platform_keys() -> KeyPair:
    return new_key_pair()


@pytest.fixture(scope="session")
def config(
    tmp_path_factory: pytest.TempPathFactory, merchant_keys: KeyPair, platform_keys: KeyPair
) -> sandbox_config.SandboxConfig:
    folder = tmp_path_factory.mktemp("pay")
    merchants = [
        {
            "mchid": mchid,
            "name": name,
            "app_ids": [APP_ID],
            "api_v3_key": API_V3_KEY,
            "serial_no": SERIAL_NO,
            "public_key_pem": merchant_keys.public_pem,
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
        "state_file": str(folder / "unused.sqlite3"),
        "account": account,
        "templates": [],
        "merchants": merchants,
        "platform": {
            "public_key_id": PUBLIC_KEY_ID,
            "private_key_pem": platform_keys.private_pem,
        },
    }
    path = folder / "sandbox.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return sandbox_config.load(path)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def open_book(
    config: sandbox_config.SandboxConfig, faults: Faults, tmp_path: Path
) -> Iterator[Callable[..., PayBook]]:
    """Open the book of one state file, again after a `stop()` as after a restart."""
    opened = []

    def open_one(rate: float = 1.0, **changes: Any) -> PayBook:
        changed = replace(config, **changes)
        opened.append(PayBook(changed, Clock(rate), faults, tmp_path / "pay.sqlite3"))
        return opened[-1]

    yield open_one
    for book in opened:
        book.stop()


@pytest.fixture
def book(open_book: Callable[..., PayBook]) -> PayBook:
    return open_book()


@pytest.fixture
def serve() -> Iterator[Callable[[PayBook], str]]:
    """Serve a book's API over HTTP; gives the base URL."""
    servers = []

    def serve_one(book: PayBook) -> str:
        app = Flask("sandbox")
        app.register_blueprint(pay_routes(book))
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve_one
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def callbacks() -> Iterator[Callbacks]:
    kept = Callbacks()
    kept.let_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(kept.accept(Received(dict(self.headers), body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}/callbacks/wechat_pay/hy"
    yield kept
    kept.let_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def libraries(merchant_keys: KeyPair, platform_keys: KeyPair) -> dict[str, WeChatPay]:
    return {
        mchid: load_library(mchid, merchant_keys, platform_keys) for mchid in (MCHID, OTHER_MCHID)
    }


@pytest.fixture
def client_of(
    serve: Callable[[PayBook], str], callbacks: Callbacks, libraries: dict[str, WeChatPay]
) -> Callable[..., Client]:
    """Make a merchant's program that calls this book."""
    return lambda book, mchid=MCHID: Client(libraries[mchid], serve(book), callbacks.url)


@pytest.fixture
def client(client_of: Callable[..., Client], book: PayBook) -> Client:
    return client_of(book)
