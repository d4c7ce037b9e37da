"""A whole demo as its user starts it — `mingzhang demo` — and somebody's phone in it."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from bot.embedded import erase

READY_SECONDS_MAX = 90


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, look: Callable[[], Any], seconds: float = 30) -> Any:
    """Look again and again until something is there; fails naming it when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except requests.RequestException:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.1)


@dataclass(slots=True)
class Demo:
    """The running demo, its addresses and its processes."""

    process: "subprocess.Popen[str]"
    var: Path
    service: str
    sandbox: str
    log: list[str] = field(default_factory=list)

    def get(self, path: str) -> Any:
        """GET from the sandbox, as JSON."""
        answer = requests.get(self.sandbox + path, timeout=15)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST to the sandbox, as JSON."""
        answer = requests.post(self.sandbox + path, json=body or {}, timeout=30)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def phone(self) -> "Phone":
        """A new phone that nobody knows yet."""
        return Phone(self, f"o-test-{secrets.token_hex(6)}")

    def home(self, number: int) -> dict[str, str]:
        """Room, binding code and telephone of a home to bind."""
        found: dict[str, str] = self.get("/demo.json")["bind"][number]
        return found

    def pid_of(self, name: str) -> int:
        """Process id of a part of the demo, as it is now."""
        if name in {"postgres", "valkey"}:
            record = json.loads((self.var / name / "run.json").read_text(encoding="utf-8"))
            return int(record["pid"])
        pids = re.findall(rf"event='?started'?.*process='{name}'.* pid=(\d+)", "\n".join(self.log))
        return int(pids[-1])

    def kill(self, name: str) -> None:
        """`kill -9` a part of the demo, with the workers a web server has forked."""
        pid = self.pid_of(name)
        children = Path(f"/proc/{pid}/task/{pid}/children")
        family = [pid] + [int(child) for child in children.read_text(encoding="ascii").split()]
        for member in family:
            os.kill(member, signal.SIGKILL)

    def mingzhang(self, *arguments: str) -> Any:
        """Run a command of the product on this installation; its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            env={**os.environ, "MINGZHANG_VAR": str(self.var)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@dataclass(slots=True)
class Phone:
    """One person's phone in the sandbox."""

    demo: Demo
    openid: str

    def does(self, act: str, body: dict[str, Any] | None = None) -> Any:
        """Any act of the control API."""
        return self.demo.post(f"/phone/{self.openid}/{act}", body)

    def tries(self, act: str, body: dict[str, Any]) -> None:
        """Any act, whatever comes of it: the service may be going down meanwhile."""
        requests.post(f"{self.demo.sandbox}/phone/{self.openid}/{act}", json=body, timeout=60)

    def follows(self, scene: str | None = None) -> str:
        """Follow the account; the text of the answer."""
        return self._text(self.does("follow", {"scene": scene} if scene else {}))

    def says(self, text: str) -> str:
        """Say something; the text of the answer."""
        return self._text(self.does("say", {"text": text}))

    @staticmethod
    def _text(answer: Any) -> str:
        reply = answer["reply"]
        return "" if reply is None else str(reply.get("text", ""))

    def binds(self, home: dict[str, str]) -> None:
        """Follow and bind a home by its code."""
        self.follows()
        assert home["room"] in self.says(f"绑定 {home['code']}")

    def bill_link(self) -> str:
        """The first link in the answer to 账单."""
        found = re.search(r"https?://\S+", self.says("账单"))
        assert found, "no link in the answer"
        return found[0]

    def inbox(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Everything this person saw, or what came one way."""
        messages = self.demo.get(f"/phone/{self.openid}/inbox?since=0")["messages"]
        return [message for message in messages if kind in {None, message["kind"]}]

    def receipts(self, fen: int) -> list[dict[str, Any]]:
        """Template messages that contain a paid amount."""
        whole, rest = divmod(fen, 100)
        shown = {f"{whole:,}.{rest:02d}", f"{whole}.{rest:02d}"}
        return [
            message
            for message in self.inbox("template")
            if any(amount in json.dumps(message, ensure_ascii=False) for amount in shown)
            and "缴费成功" in json.dumps(message, ensure_ascii=False)
        ]


@contextmanager
def running_demo(var: Path, *, households: int = 24, months: int = 4) -> Iterator[Demo]:
    """Start the demo, wait for `ready:`, and stop it as Ctrl-C would."""
    ports = {"MINGZHANG_PORT": str(free_port()), "MINGZHANG_SANDBOX_PORT": str(free_port())}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo"]
        + ["--households", str(households), "--months", str(months)],
        env={**environment, **ports, "MINGZHANG_VAR": str(var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    demo = Demo(
        process=process,
        var=var,
        service=f"http://127.0.0.1:{ports['MINGZHANG_PORT']}",
        sandbox=f"http://127.0.0.1:{ports['MINGZHANG_SANDBOX_PORT']}",
    )
    announced = threading.Event()

    def read_log() -> None:
        for line in process.stderr or ():
            demo.log.append(line.rstrip())

    def read_output() -> None:
        for line in process.stdout or ():
            if line.startswith("ready: "):
                announced.set()

    readers = [threading.Thread(target=read, daemon=True) for read in (read_log, read_output)]
    for reader in readers:
        reader.start()
    try:
        assert announced.wait(READY_SECONDS_MAX), "\n".join(demo.log[-40:])
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(40)
        for reader in readers:
            reader.join(5)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        erase(var)
