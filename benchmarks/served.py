"""A web server of ours in a process of its own, on a free port."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bot.demo.keys import Addresses, product_environment

STARTS_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Served:
    """Where it listens, and the process that answers."""

    port: int
    worker: int

    def cpu_seconds(self) -> float:
        """Processor time the answering process has used."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> int:
        """The most memory the answering process held since the last `forget_peak`, in MB."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def forget_peak(self) -> None:
        """Begin anew to look for the most memory, from what is held now (proc(5), clear_refs)."""
        Path(f"/proc/{self.worker}/clear_refs").write_text("5")


def free_port() -> int:
    """A port nobody is likely to use."""
    return 20_000 + secrets.randbelow(20_000)


def environment_of(account: dict[str, Any], code: str, port: int, var: Path) -> dict[str, str]:
    """Settings of the service as in production, collecting for the merchant with this code."""
    addresses = Addresses(f"http://127.0.0.1:{port}", "http://127.0.0.1:9")
    environment = product_environment(account, addresses, var)
    [keys] = json.loads(environment["WECHAT_PAY_MERCHANTS"]).values()
    return environment | {"WECHAT_PAY_MERCHANTS": json.dumps({code: keys})}


@contextmanager
def served(module: Sequence[str], environment: Mapping[str, str], port: int) -> Iterator[Served]:
    """`python -m <module>` until the end; it must answer `/healthz` and have one worker."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service did not start")
            time.sleep(0.2)
        [worker] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Served(port, int(worker))
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:  # loopback
            return bool(answer.status == 200)
    except OSError:
        return False
