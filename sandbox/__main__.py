"""`python -m sandbox --config FILE --port 8100`: serve the sandbox on 127.0.0.1."""

import argparse
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from sandbox.app import create_app
from sandbox.config import ConfigError, SandboxConfig, load

THREADS = 32


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One worker process with threads: the sandbox's state is in its memory and one file."""

    def __init__(self, config: SandboxConfig, port: int):
        self._sandbox_config = config
        self._options: dict[str, Any] = {
            "bind": f"127.0.0.1:{port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "loglevel": "warning",
            "proc_name": "sandbox",
            "control_socket_disable": True,
            "graceful_timeout": 5,
        }
        super().__init__()

    def load_config(self) -> None:
        """Take the options above and nothing from files or the environment."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the app inside the worker, where its threads must live."""
        return create_app(self._sandbox_config)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; 2 for a configuration that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args(arguments)
    try:
        config = load(options.config)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - what the operator must read
        return 2
    _Server(config, options.port).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
