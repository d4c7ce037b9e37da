"""Start one server for a state folder, or attach to the one that runs there already.

Three files in the folder make this safe against every mixture of starts, stops and kills:

- `start.lock` is held during a start, so starts come one after another;
- `run.json` is the record of the running server, locked by its owner (see `record`);
- `server.lock` is inherited by the server and all its children: while it is held, something of the
  last server still lives, and no second one is started on the same data.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.embedded import record
from bot.embedded.account import Account
from bot.embedded.locks import PAUSE, is_held, lock_within, locked
from bot.embedded.wheels import EmbeddedError

_RECORD = "run.json"
_LOCK = "server.lock"
_START_SECONDS = 60
_STARTS_SECONDS = 120
_GRACE_SECONDS = 10
_STOP_SECONDS = 70
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Order:
    """What the keeper is to run.

    `folder` is where it begins, `stop` names the signals that end it, the gentlest first; `facts`
    is what the record tells others: at least `data`, the folder the server works in.
    """

    command: tuple[str, ...]
    folder: Path
    log: Path
    stop: tuple[str, ...]
    account: Account | None
    facts: record.Facts

    def to_json(self, hold: int) -> str:
        """Render the order for the keeper; `hold` is the descriptor of the server's lock."""
        return json.dumps(
            {
                "command": self.command,
                "cwd": str(self.folder),
                "log": str(self.log),
                "stop": self.stop,
                "uid": self.account.uid if self.account else None,
                "gid": self.account.gid if self.account else None,
                "env": ENVIRONMENT,
                "hold": hold,
            }
        )


class Engine(Protocol):
    """What differs between PostgreSQL and Valkey."""

    name: str
    attempts: int
    """How often a start is tried; more than once where a port may be taken in between."""

    def order(self, last: record.Facts, /) -> Order:
        """Prepare the data folder and say what to run; nothing runs on it now.

        Args:
            last: the record of the last start, empty when there is none to follow.
        """

    def answers(self, facts: record.Facts) -> bool:
        """Ask the server of this record for an answer, once, within a few seconds."""


@dataclass(slots=True)
class Running:
    """A server that answers. Whoever started it is its owner, and only the owner can stop it."""

    facts: record.Facts
    control: Path
    keeper: subprocess.Popen[bytes] | None = None
    owned: int | None = None

    @property
    def pid(self) -> int:
        """The process id of the server itself."""
        return int(self.facts["pid"])

    def stop(self) -> None:
        """Stop the server if this handle started it, and wait for its end. Safe to repeat."""
        keeper, owned = self.keeper, self.owned
        if keeper is None or owned is None:
            return
        self.keeper, self.owned = None, None
        os.close(owned)  # from here on nobody attaches to it
        killed = _end_keeper(keeper) != 0
        if killed and last_facts(self.control).get("pid") == self.pid:
            hold = _seize(self.control, self.facts)
            if hold is not None:
                os.close(hold)


def start(engine: Engine, control: Path) -> Running:
    """Return the folder's server, started or found running. Safe to call at any time, twice too.

    Raises:
        EmbeddedError: it does not start, or what runs there neither answers nor ends.
    """
    try:
        with locked(control / "start.lock", _STARTS_SECONDS):
            return _attach(engine, control) or _begin(engine, control)
    except TimeoutError:
        raise EmbeddedError(
            f"Another process has been starting {engine.name} in {control} for two minutes; "
            "end that process and try again."
        ) from None
    except PermissionError as error:
        raise EmbeddedError(
            f"{error.filename or control} belongs to another account; "
            "run as that account, or remove the folder to begin anew."
        ) from error


def has_ended(control: Path) -> bool:
    """Say whether nothing of a server of this folder lives, once an orphan had time to stop."""
    seconds = 0 if record.owner_lives(control / _RECORD) else _GRACE_SECONDS
    hold = lock_within(control / _LOCK, seconds)
    if hold is not None:
        os.close(hold)
    return hold is not None


def last_facts(control: Path) -> record.Facts:
    """Return the record of the last start, empty when there was none."""
    return record.read(control / _RECORD)


def _attach(engine: Engine, control: Path) -> Running | None:
    """Return the running server, or None when there is none or its owner is gone."""
    deadline = time.monotonic() + _START_SECONDS
    while record.owner_lives(control / _RECORD) and is_held(control / _LOCK):
        facts = last_facts(control)
        if engine.answers(facts):
            return Running(facts, control)
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"{engine.name} runs in {control} as process {facts['pid']} but does not "
                "answer; end that process and try again."
            )
        time.sleep(PAUSE)
    return None


def _begin(engine: Engine, control: Path) -> Running:
    """Start a new server once the last one is gone completely."""
    last = last_facts(control)
    hold = _seize(control, last)
    if hold is None:
        raise EmbeddedError(
            f"The last {engine.name} of {control}, process {last.get('pid')}, does not end; "
            "end it and try again."
        )
    try:
        for _ in range(engine.attempts - 1):
            try:
                return _run(engine, engine.order(last), control, hold)
            except EmbeddedError:
                last = {**last, "port": 0}  # its port was taken since it was found free
        return _run(engine, engine.order(last), control, hold)
    finally:
        os.close(hold)


def _run(engine: Engine, order: Order, control: Path, hold: int) -> Running:
    """Launch a keeper with this order and wait until the server answers."""
    begin = order.log.stat().st_size if order.log.exists() else 0
    keeper = _launch(order, hold)
    try:
        facts = {**order.facts, "stop": order.stop[0], "pid": _server_pid(engine, keeper)}
        deadline = time.monotonic() + _START_SECONDS
        while not engine.answers(facts):
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{engine.name} does not start{_last_words(order.log, begin)}; "
                    f"read its log, {order.log}."
                )
            time.sleep(PAUSE)
        return Running(facts, control, keeper, record.write_owned(control / _RECORD, facts))
    except BaseException:
        _end_keeper(keeper)
        raise


def _launch(order: Order, hold: int) -> subprocess.Popen[bytes]:
    """Start the keeper in a session of its own: Ctrl-C is for the owner, who stops it in order."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [
            sys.executable,
            "-I",
            "-S",
            str(Path(__file__).with_name("keeper.py")),
            order.to_json(hold),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[hold],
        start_new_session=True,
        cwd="/",
    )


def _server_pid(engine: Engine, keeper: subprocess.Popen[bytes]) -> int:
    if keeper.stdout is None:
        raise AssertionError("the keeper's answer is a pipe")
    answer = json.loads(keeper.stdout.readline() or '{"error": "its keeper ended"}')
    if "error" in answer:
        raise EmbeddedError(f"{engine.name} cannot be run: {answer['error']}.")
    return int(answer["pid"])


def _end_keeper(keeper: subprocess.Popen[bytes]) -> int:
    """Tell the keeper, by the end of its pipe, to stop the server; wait until both have ended."""
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe is not None:
            pipe.close()
    try:
        return keeper.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()
        return keeper.wait()


def _seize(control: Path, last: record.Facts) -> int | None:
    """Take the server's lock, waiting for a server that is stopping, and stopping an orphan.

    An orphan is a server whose keeper was killed, on a system without parent-death signals.

    Returns:
        The descriptor to hand down, or None when the last server does not end.
    """
    hold = lock_within(control / _LOCK, _GRACE_SECONDS)
    if hold is None and "pid" in last and works_in(last["pid"], Path(last["data"])):
        os.kill(last["pid"], signal.Signals[last["stop"]])
        hold = lock_within(control / _LOCK, _STOP_SECONDS)
    return hold


def works_in(pid: int, data: Path) -> bool:
    """Say whether the process lives and its working folder is `data`, as both servers' is.

    A process id alone proves nothing: after a restart another process may bear it. Only Linux tells
    the folder; elsewhere every living process is taken for the server.
    """
    try:
        os.kill(pid, 0)
        return sys.platform != "linux" or Path(f"/proc/{pid}/cwd").readlink() == data
    except (ProcessLookupError, PermissionError, FileNotFoundError):
        return False


def _last_words(log: Path, begin: int) -> str:
    """Return `: <the reason>` from what the log gained since `begin` bytes, or nothing."""
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line[line.index("FATAL") :] for line in lines if "FATAL" in line]
    words = fatal[:1] or lines[-1:]
    return f": {words[0].rstrip('.')}" if words else ""
