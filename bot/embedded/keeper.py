"""Keeps one server alive exactly as long as its owner; a program of its own, standard library only.

The owner starts it with a pipe on its standard input and never writes to it: the pipe ends when
the owner closes it or dies, whatever killed the owner. Then the keeper asks the server to stop and
makes sure that it does. A parent-death signal set by the owner itself would be simpler and wrong:
it is bound to the thread that started the server, and code of ours between fork and exec may hang
in a process with threads. The keeper has one thread, so it may give its server such a signal.

Usage: `python keeper.py '<order as JSON>'`, the order being `server.Order.to_json()`. Answers one
line on standard output, `{"pid": …}` or `{"error": …}`, and exits with the server.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the server of the order on the command line until it or the owner ends."""
    order = json.loads(sys.argv[1])
    os.umask(0o077)
    wakeup = _wakeup()
    try:
        server = _spawn(order)
    except (OSError, subprocess.SubprocessError) as error:
        _answer({"error": str(error)})
        return 1
    _answer({"pid": server.pid})
    _wait(server, wakeup)
    _end(server, order["stop"])
    return 0


def _wakeup() -> int:
    """Return a descriptor that becomes readable when a child ended or this process shall end."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reader


def _spawn(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    account: dict[str, Any] = {}
    if order["uid"] is not None:
        account = {"user": order["uid"], "group": order["gid"], "extra_groups": []}
    with Path(order["log"]).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the command is the owner's own order
            order["command"],
            cwd=order["cwd"],
            env=order["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[order["hold"]],
            preexec_fn=_die_with_keeper(signal.Signals[order["stop"][0]]),  # noqa: PLW1509
            **account,
        )


def _die_with_keeper(number: signal.Signals) -> Callable[[], None] | None:
    """Return what the server does just before it begins, or None where a kernel lacks it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    keeper = os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != keeper:  # the keeper was killed before the kernel was asked
            os._exit(1)

    return ask_the_kernel


def _answer(line: dict[str, Any]) -> None:
    """Tell the owner, who may be gone already; the pipe is closed for good afterwards."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(line).encode() + b"\n")
    os.close(1)


def _wait(server: subprocess.Popen[bytes], wakeup: int) -> None:
    """Return when the server ended, the owner is gone, or this process is asked to end."""
    while server.poll() is None:
        ready, _, _ = select.select([0, wakeup], [], [])
        if 0 in ready:
            return
        if signal.SIGTERM in os.read(wakeup, 64):
            return


def _end(server: subprocess.Popen[bytes], steps: list[str]) -> None:
    """Ask the server to stop, with ever more force; at once when it has ended by itself."""
    for step in steps:
        if server.poll() is not None:
            return
        server.send_signal(signal.Signals[step])
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    sys.exit(main())
