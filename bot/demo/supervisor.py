"""Keeps the demo's processes running: starts them, starts again what dies, stops all of them.

honcho, the usual tool, stops everything when one process ends; a demo in which somebody kills
the worker to see what happens needs the opposite, as systemd would do it in production.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from bot.orphans import die_with_parent

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.5
STOP_SECONDS = 10
RESTART_PAUSE_SECONDS_MAX = 8.0
STEADY_SECONDS = 20


@dataclass(slots=True)
class Child:
    """One process: how to start it, and how it has been doing."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    restart_at: float = 0.0
    pause: float = 0.5


@dataclass(slots=True)
class Supervisor:
    """Owns the children. `heal` is called before each look, to bring back what they depend on."""

    children: list[Child]
    heal: Callable[[], None]
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            self._start(child)

    def watch(self) -> None:
        """Restart what dies until `stopping` is set; then stop everything."""
        try:
            while not self.stopping.wait(WATCH_SECONDS):
                self.heal()
                for child in self.children:
                    self._look(child)
        finally:
            self.stop()

    def stop(self) -> None:
        """Ask every child to end, and end those that do not. Safe to call twice."""
        running = [child.process for child in self.children if child.process]
        for process in running:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(  # noqa: S603  # our own commands
            child.command,
            env=dict(child.environment),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            preexec_fn=die_with_parent,  # noqa: PLW1509  # called from the main thread only
        )
        child.started = time.monotonic()
        log.info("started", process=child.name, pid=child.process.pid)

    def _look(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            steady = now - child.started > STEADY_SECONDS
            child.pause = 0.5 if steady else min(child.pause * 2, RESTART_PAUSE_SECONDS_MAX)
            child.restart_at = now + child.pause
            child.process = None
            log.warning("ended", process=child.name, code=code, again_in=child.pause)
        elif now >= child.restart_at:
            self._start(child)
