"""Valkey from its wheel, on a free port of the loopback, behind a generated password."""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.embedded import record, server
from bot.embedded.account import make_control_folder
from bot.embedded.wheels import valkey_server

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Valkey:
    """A Valkey that answers, started by this process or found running."""

    running: server.Running

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self.running.pid

    @property
    def url(self) -> str:
        """The URL of database 0, password included; it is the same after a restart."""
        facts = self.running.facts
        return f"redis://:{facts['password']}@{_HOST}:{facts['port']}/0"

    def stop(self) -> None:
        """Stop the server if this process started it, with everything on disk. Safe to repeat."""
        self.running.stop()


@dataclass(slots=True)
class _Engine:
    control: Path
    fast: bool
    name: str = "Valkey"
    attempts: int = 4

    def order(self, last: record.Facts) -> server.Order:
        port = _free_port(last.get("port", 0))
        password = last.get("password") or secrets.token_hex(24)
        data = self.control / "server"
        data.mkdir(0o700, exist_ok=True)
        _write_privately(data / "valkey.conf", _configuration(port, password, fast=self.fast))
        return server.Order(
            command=(str(valkey_server()), "valkey.conf"),
            folder=data,
            log=self.control / "valkey.log",
            stop=("SIGTERM", "SIGKILL"),
            account=None,
            facts={"data": str(data), "port": port, "password": password},
        )

    def answers(self, facts: record.Facts) -> bool:
        with redis.Redis(
            host=_HOST,
            port=facts["port"],
            password=facts["password"],
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            try:
                return bool(client.info("server")["process_id"] == facts["pid"])
            except redis.RedisError:  # not there yet, still loading, or a stranger on its port
                return False


def start_valkey(state: Path, *, fast: bool = False) -> Valkey:
    """Start Valkey on the state folder, or attach to the one that runs there.

    What was acknowledged a second ago survives any end of the server (append-only file, synced
    every second); nothing is ever evicted.

    Args:
        state: made when missing; holds everything that outlives the server.
        fast: for tests: a crash of the machine may lose data.

    Raises:
        EmbeddedError: with one sentence that says what to do.
    """
    control = make_control_folder(state, "valkey")
    return Valkey(server.start(_Engine(control, fast), control))


def _configuration(port: int, password: str, *, fast: bool) -> str:
    """Return the configuration file. Its paths are relative to the folder the server begins in."""
    return "\n".join(
        (
            f"bind {_HOST}",
            f"port {port}",
            f"requirepass {password}",
            "daemonize no",
            "appendonly yes",
            f"appendfsync {'no' if fast else 'everysec'}",
            'save ""',
            "maxmemory-policy noeviction",
            "dir ./",
            "",
        )
    )


def _write_privately(path: Path, text: str) -> None:
    """Write a file that holds a password: for this account only, from its first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)


def _free_port(wanted: int) -> int:
    """Return the wanted port if it is free, else one that is; it may be taken a moment later."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on the loopback")
