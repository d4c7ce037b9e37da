"""`mingzhang` as a test runs it: in this process, in an environment of its own."""

import json
import os
from dataclasses import dataclass
from typing import Any

import click
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from bot.cli import main
from tests.conftest import HASH_KEY

NO_INSTALLATION: dict[str, str | None] = {
    f"{name}{suffix}": None
    for name in ("DATABASE_URL", "REDIS_URL", "MINGZHANG_VAR")
    for suffix in ("", "_FILE")
}


@dataclass
class Mingzhang:
    """The console script in an environment."""

    env: dict[str, str | None]

    def run(self, *arguments: str, **env: str | None) -> Result:
        """Run a command as `mingzhang` does, but for `main`'s logging: it would tie this process's
        loggers to streams that end with the command.
        """
        command = main.get_command(click.Context(main), arguments[0])
        assert command is not None
        with capture_logs():
            return CliRunner().invoke(command, arguments[1:], env=self.env | env)

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints: one JSON document and nothing else."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    def refusal(self, *arguments: str, **env: str | None) -> str:
        """The sentence of a command that refuses."""
        result = self.run(*arguments, **env)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert isinstance(result.exception, SystemExit)
        [line] = result.stderr.splitlines()
        return line.removeprefix("Error: ")


def environment(database_url: str, redis_url: str) -> dict[str, str | None]:
    """Settings of an installation whose personal data the tests' keys open."""
    return NO_INSTALLATION | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MINGZHANG_BASE_URL": "https://pay.example.test",
        "MINGZHANG_SECRET_KEY": "k" * 32,
        "MINGZHANG_DATA_KEYS": os.environ["MZ_TEST_DATA_KEY"],
        "MINGZHANG_HASH_KEY": HASH_KEY,
        "WECHAT_APP_ID": "wxa1b2c3d4e5f60718",
        "WECHAT_APP_SECRET": "s" * 16,
        "WECHAT_TOKEN": "token",
        "WECHAT_AES_KEY": "a" * 43,
        "WECHAT_API_BASE": "http://127.0.0.1:1",
    }
