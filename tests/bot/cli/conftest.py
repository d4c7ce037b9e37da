"""`mingzhang` on the real engines."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from redis import Redis
from werkzeug.serving import make_server

from bot.demo.templates import PRODUCT_TEMPLATES, SANDBOX_TEMPLATES
from sandbox import config as sandbox_config
from sandbox.app import Sandbox, make_app
from sandbox.clock import Clock
from tests.bot.cli.command_line import Mingzhang, environment
from tests.conftest import World

APP_ID, APP_SECRET = "wx0123456789abcdef", "f" * 32


@pytest.fixture
def mingzhang(world: World, redis: Redis, redis_url: str) -> Mingzhang:
    """On the world's books."""
    return Mingzhang(environment(world.url, redis_url))


@pytest.fixture
def nowhere(redis_url: str) -> Mingzhang:
    """Well configured, but for a database that does not answer."""
    return Mingzhang(
        environment("postgresql+psycopg://clerk:database-password@127.0.0.1:1/none", redis_url)
    )


@pytest.fixture
def elsewhere(redis_url: str) -> Callable[[str], Mingzhang]:
    """On another database."""
    return lambda url: Mingzhang(environment(url, redis_url))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    """Address of a sandbox with the demo's templates."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    server = make_server("127.0.0.1", 0, Flask("unborn"), threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    values = {
        "service_url": "http://127.0.0.1:1",
        "public_url": url,
        "clock_rate": 60,
        "state_file": "sandbox.sqlite3",
        "account": {
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "token": "token",
            "aes_key": "a" * 43,
            "mode": "secure",
            "name": "明账物业",
        },
        "templates": SANDBOX_TEMPLATES,
        "merchants": [],
        "platform": {
            "public_key_id": "PUB_KEY_ID_0119000000012026",
            "private_key_pem": key.decode(),
        },
    }
    box = Sandbox(sandbox_config.read(values, tmp_path), Clock(60))
    server.app = make_app(box)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
    box.stop()


@pytest.fixture
def account(mingzhang: Mingzhang, sandbox: str) -> Mingzhang:
    """On the world's books, with the sandbox as WeChat and its templates in the settings."""
    return Mingzhang(
        mingzhang.env
        | {
            "WECHAT_APP_ID": APP_ID,
            "WECHAT_APP_SECRET": APP_SECRET,
            "WECHAT_API_BASE": sandbox,
            "WECHAT_TEMPLATES": json.dumps(PRODUCT_TEMPLATES),
        }
    )
