"""A sandbox and a tiny service of the tests' own, both on real sockets."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import xmltodict
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, request
from wechatpy.crypto import WeChatCrypto
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response as AnyResponse

from sandbox import config as sandbox_config
from sandbox.app import Sandbox, make_app
from sandbox.clock import Clock

APP_ID, APP_SECRET = "wx0123456789abcdef", "f" * 32
TOKEN, AES_KEY = "sandboxtoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
MCHID, SERIAL_NO, API_V3_KEY = "1900000001", "5F" * 20, "k" * 32
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000000012026"
BILL, RECEIPT = "bill-template", "receipt-template"
PATIENCE_S = 30.0
"""Longer than a busy machine keeps a good answer: only a silent service runs into a limit."""

Push = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    private_pem: str
    public_pem: str


def new_keys() -> Keys:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Keys(private.decode(), public.decode())


class HandClock(Clock):
    """A clock whose hands a test can turn forward."""

    def __init__(self, rate: float = 60.0):
        super().__init__(rate)
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._ahead

    def turn(self, seconds: float) -> None:
        """Let `seconds` real seconds pass at once."""
        self._ahead += timedelta(seconds=seconds)


def values(service_url: str, public_url: str, folder: Path) -> dict[str, Any]:
    """A complete configuration."""
    return {
        "service_url": service_url,
        "public_url": public_url,
        "clock_rate": 60,
        "state_file": str(folder / "sandbox.sqlite3"),
        "demo_file": str(folder / "demo.json"),
        "account": {
            "app_id": APP_ID,
            "app_secret": APP_SECRET,
            "token": TOKEN,
            "aes_key": AES_KEY,
            "mode": "secure",
            "name": "明账物业",
        },
        "templates": [
            {
                "template_id": BILL,
                "title": "物业费账单通知",
                "content": "房号:{{thing1.DATA}}\n金额:{{amount2.DATA}}\n截止:{{time3.DATA}}",
            },
            {
                "template_id": RECEIPT,
                "title": "缴费成功通知",
                "content": "金额：{{amount1.DATA}}\n单号：{{character_string2.DATA}}\n"
                "状态：{{const3.DATA}}",
                "const": {"const3": ["已到账", "已退款"]},
            },
        ],
        "merchants": [],
        "platform": {"public_key_id": PUBLIC_KEY_ID, "private_key_pem": "-"},
    }


@contextmanager
def running(app: Flask) -> Iterator[BaseWSGIServer]:
    """Serve an app on a free port of the loopback."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def address(server: BaseWSGIServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def new_openid() -> str:
    """A phone nobody used before."""
    return f"o{secrets.token_hex(8)}"


def reply_text(push: Push, content: str) -> str:
    """A passive text reply to a push, still bare."""
    return (
        f"<xml><ToUserName><![CDATA[{push['FromUserName']}]]></ToUserName>"
        f"<FromUserName><![CDATA[{push['ToUserName']}]]></FromUserName>"
        f"<CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{content}]]></Content></xml>"
    )


@dataclass
class Service:
    """The service under the sandbox's eyes. `answer` gets each push and gives bare reply XML."""

    mode: str = "secure"
    answer: Callable[[Push], str] = lambda push: ""
    seals: bool | None = None
    pushes: list[Push] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    visits: list[dict[str, str]] = field(default_factory=list)
    pages: dict[str, Callable[[], AnyResponse]] = field(default_factory=dict)
    url: str = ""

    def app(self) -> Flask:
        app = Flask("tiny_service")
        crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)

        @app.post("/wechat")
        def webhook() -> Response:
            body, query = request.get_data(as_text=True), request.args
            self.bodies.append(body)
            self.queries.append(dict(query))
            if self.mode != "plain":
                body = crypto.decrypt_message(
                    body, query["msg_signature"], query["timestamp"], query["nonce"]
                )
            push = dict(xmltodict.parse(body)["xml"])
            self.pushes.append(push)
            answer = self.answer(push)
            seals = self.mode == "secure" if self.seals is None else self.seals
            if seals and answer.startswith("<xml>"):
                answer = crypto.encrypt_message(answer, query["nonce"], query["timestamp"])
            return Response(answer, mimetype="text/xml")

        @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
        @app.route("/<path:path>", methods=["GET", "POST"])
        def page(path: str) -> AnyResponse:
            self.visits.append({name.lower(): value for name, value in request.headers})
            found = self.pages.get(path)
            return found() if found else Response("<title>没有这一页</title>", 404)

        return app

    def says(self, text: str) -> None:
        """Answer every push with this text."""
        self.answer = lambda push: reply_text(push, text)


class Api:
    """The official account's API as a service calls it, and the control API beside it."""

    def __init__(self, url: str):
        self.url = url
        self._token = ""

    def token(self, **changes: Any) -> dict[str, Any]:
        body = {"grant_type": "client_credential", "appid": APP_ID, "secret": APP_SECRET}
        return self.post_raw("/cgi-bin/stable_token", body | changes)

    def classic_token(self, **changes: str) -> dict[str, Any]:
        query = {"grant_type": "client_credential", "appid": APP_ID, "secret": APP_SECRET}
        answer = requests.get(f"{self.url}/cgi-bin/token", params=query | changes, timeout=30)
        assert answer.status_code == 200
        return dict(answer.json())

    def call(self, path: str, body: Any = None, token: str | None = None, **query: str) -> Any:
        """Call with a living token; POST where there is a body, else GET."""
        if token is None:
            self._token = self._token or self.token()["access_token"]
            token = self._token
        url, query = f"{self.url}/cgi-bin/{path}", {"access_token": token, **query}
        if body is None:
            answer = requests.get(url, params=query, timeout=30)
        else:
            answer = requests.post(url, params=query, json=body, timeout=30)
        assert answer.status_code == 200
        return answer.json()

    def post_raw(self, path: str, body: Any) -> dict[str, Any]:
        answer = requests.post(self.url + path, json=body, timeout=30)
        assert answer.status_code == 200
        return dict(answer.json())

    def send_bill(self, openid: str, **changes: Any) -> dict[str, Any]:
        """Send the bill template; `thing1` and the like change its data."""
        data = {"thing1": "3-2-501", "amount2": "275.80元", "time3": "2026年11月30日"}
        for name in [name for name in changes if name in data]:
            data[name] = changes.pop(name)
        body = {
            "touser": openid,
            "template_id": BILL,
            "data": {name: {"value": value} for name, value in data.items()},
        }
        return dict(self.call("message/template/send", body | changes))

    def send_text(self, openid: str, text: str = "您好") -> dict[str, Any]:
        body = {"touser": openid, "msgtype": "text", "text": {"content": text}}
        return dict(self.call("message/custom/send", body))

    def phone(self, openid: str, verb: str, body: Any = None) -> requests.Response:
        """Let a phone act; the raw answer."""
        return requests.post(f"{self.url}/phone/{openid}/{verb}", json=body, timeout=30)

    def act(self, openid: str, verb: str, **body: Any) -> dict[str, Any]:
        """Let a phone act, which must be possible."""
        answer = self.phone(openid, verb, body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def inbox(self, openid: str, since: int = 0) -> list[dict[str, Any]]:
        answer = self.get(f"/phone/{openid}/inbox?since={since}")
        return list(answer.json()["messages"])

    def texts(self, openid: str) -> list[str]:
        return [message["text"] for message in self.inbox(openid)]

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=30, **options)


@dataclass
class World:
    """A sandbox, the service it pushes to, and the clock between them."""

    service: Service
    clock: HandClock
    sandbox: Sandbox
    api: Api
    folder: Path


@contextmanager
def world(
    folder: Path,
    platform: Keys,
    service: Service,
    answer_within_s: float = PATIENCE_S,
    **changes: Any,
) -> Iterator[World]:
    """Run a sandbox and its service; the same folder goes on where an earlier one ended."""
    clock = HandClock()
    with running(service.app()) as service_server, running(Flask("unborn")) as server:
        service.url = address(service_server)
        config = values(service.url, address(server), folder) | changes
        config["account"]["mode"] = service.mode
        config["platform"]["private_key_pem"] = platform.private_pem
        sandbox = Sandbox(sandbox_config.read(config, folder), clock, answer_within_s)
        server.app = make_app(sandbox)
        try:
            yield World(service, clock, sandbox, Api(address(server)), folder)
        finally:
            sandbox.stop()


def html(body: str, title: str = "网页") -> Response:
    """A page of the service."""
    return Response(
        f"<!doctype html><html><head><title>{title}</title></head><body>{body}</body></html>",
        content_type="text/html; charset=utf-8",
    )


def wait_until(holds: Callable[[], bool], within_s: float = 30) -> None:
    """Wait for something another thread brings about."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.005)
