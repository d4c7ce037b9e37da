"""A WeChat of a few lines on the loopback: as strict as the real one about tokens and repeats."""

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.demo.templates import SANDBOX_TEMPLATES
from sandbox.account.fields import refusal

APP_ID = "wx0123456789abcdef"
APP_SECRET = "secret-of-the-tests"


@dataclass
class Call:
    """One request as it arrived."""

    path: str
    query: dict[str, str]
    body: dict[str, Any]


@dataclass
class Shown:
    """One message as its reader saw it."""

    openid: str
    text: str
    url: str = ""
    data: dict[str, str] = field(default_factory=dict)
    client_msg_id: str = ""
    msgid: str = ""


class PretendWeChat:
    """Answers calls; `next_answers[path]` overrides the next ones.

    An override is an error code, `"silence"` (done, but the answer is lost) or `"http"` (a 502).
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.shown: list[Shown] = []
        self.next_answers: dict[str, deque[int | str]] = defaultdict(deque)
        self.always: dict[str, int] = {}
        self.followers: set[str] = set()
        self.is_snapshot = False
        self.token_number = 1
        self.menu: dict[str, Any] | None = None
        self.templates: list[dict[str, Any]] = SANDBOX_TEMPLATES
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def token(self) -> str:
        return f"TOKEN-{self.token_number}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    def count(self, path: str) -> int:
        return self.paths().count(path)

    def answer(self, call: Call) -> tuple[int, dict[str, Any]] | None:
        """Status and JSON; None to hang up without an answer."""
        with self._lock:
            self.calls.append(call)
            if call.path in self.always:
                return _error(self.always[call.path])
            script = self.next_answers[call.path]
            override = script.popleft() if script else None
            if isinstance(override, int):
                return _error(override)
            if override == "http":
                return 502, {}
            answer = self._answer(call)
            return None if override == "silence" else answer

    def _answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        if call.path == "/cgi-bin/stable_token":
            if call.body["secret"] != APP_SECRET:
                return _error(40125)
            if call.body["force_refresh"]:
                self.token_number += 1
            return 200, {"access_token": self.token, "expires_in": 7200}
        if call.path == "/sns/oauth2/access_token":
            snapshot = {"is_snapshotuser": 1} if self.is_snapshot else {}
            return 200, {"openid": "oVisitor", "access_token": "WEB", **snapshot}
        if call.query.get("access_token") != self.token:
            return _error(40001)
        handler = {
            "/cgi-bin/message/template/send": self._template,
            "/cgi-bin/message/custom/send": self._text,
            "/cgi-bin/message/subscribe/bizsend": self._subscribe,
            "/cgi-bin/template/get_all_private_template": self._list_templates,
            "/wxaapi/newtmpl/gettemplate": self._list_subscriptions,
            "/cgi-bin/menu/create": self._create_menu,
            "/cgi-bin/menu/get": self._get_menu,
            "/cgi-bin/qrcode/create": self._qr,
            "/cgi-bin/user/info": self._user,
        }[call.path]
        return handler(call)

    def _template(self, call: Call) -> tuple[int, dict[str, Any]]:
        body = call.body
        data = {name: value["value"] for name, value in body["data"].items()}
        for name, value in data.items():
            if refusal(name, value) is not None:
                return _error(47003)
        for seen in self.shown:
            if (seen.openid, seen.client_msg_id) == (body["touser"], body["client_msg_id"]):
                return 200, {"errcode": 0, "errmsg": "ok", "msgid": int(seen.msgid)}
        msgid = str(3557254367693750000 + len(self.shown))
        self.shown.append(
            Shown(body["touser"], str(data), body["url"], data, body["client_msg_id"], msgid)
        )
        return 200, {"errcode": 0, "errmsg": "ok", "msgid": int(msgid)}

    def _text(self, call: Call) -> tuple[int, dict[str, Any]]:
        self.shown.append(Shown(call.body["touser"], call.body["text"]["content"]))
        return _error(0)

    def _subscribe(self, call: Call) -> tuple[int, dict[str, Any]]:
        """Neither a number in the answer nor any notion of repeats."""
        data = {name: value["value"] for name, value in call.body["data"].items()}
        if any(refusal(name, value) is not None for name, value in data.items()):
            return _error(47003)
        self.shown.append(Shown(call.body["touser"], str(data), call.body["page"], data))
        return _error(0)

    def _list_templates(self, _call: Call) -> tuple[int, dict[str, Any]]:
        return 200, {"template_list": self.templates}

    def _list_subscriptions(self, _call: Call) -> tuple[int, dict[str, Any]]:
        rows = [{"priTmplId": row["template_id"], **row} for row in self.templates]
        return 200, {"errcode": 0, "errmsg": "ok", "data": rows}

    def _create_menu(self, call: Call) -> tuple[int, dict[str, Any]]:
        self.menu = call.body
        return _error(0)

    def _get_menu(self, _call: Call) -> tuple[int, dict[str, Any]]:
        return (200, {"menu": self.menu}) if self.menu else _error(46003)

    def _qr(self, call: Call) -> tuple[int, dict[str, Any]]:
        scene = call.body["action_info"]["scene"]["scene_str"]
        return 200, {"ticket": f"t=/{scene}", "expire_seconds": 60, "url": f"http://q/{scene}"}

    def _user(self, call: Call) -> tuple[int, dict[str, Any]]:
        return 200, {"subscribe": int(call.query["openid"] in self.followers)}


def _error(errcode: int) -> tuple[int, dict[str, Any]]:
    return 200, {"errcode": errcode, "errmsg": "ok" if errcode == 0 else "refused rid: 1-2"}


def _handler(wechat: PretendWeChat) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = wechat.answer(Call(parts.path, query, json.loads(raw) if raw else {}))
            if answer is None:
                self.close_connection = True
                return
            status, content = answer
            body = json.dumps(content, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
