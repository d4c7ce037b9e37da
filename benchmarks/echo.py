"""The floor of `bench webhook`: our server settings around nothing but decryption and encryption.

python -m benchmarks.echo
"""

import os
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from bot.cli.processes import Server
from bot.crypto import MessageCipher
from bot.settings import Settings

SEALED = re.compile("<Encrypt>(.*?)</Encrypt>", re.DOTALL)
Respond = Callable[[str, list[tuple[str, str]]], object]


class Echo(Server):
    """Opens each body and seals it again."""

    def load(self) -> Any:
        """The application, in the serving process."""
        cipher = MessageCipher(self._settings.wechat_app_id, [self._settings.wechat_aes_key])

        def echo(environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
            answer = b"ok"
            if environ["REQUEST_METHOD"] == "POST":
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
                sealed = SEALED.search(body)
                opened = cipher.open(sealed[1] if sealed else "")
                answer = cipher.seal(opened.message, opened.key, secrets.token_bytes(16)).encode()
            respond("200 OK", [("Content-Length", str(len(answer)))])
            return [answer]

        return echo


if __name__ == "__main__":
    Echo(Settings.from_env(os.environ, datetime.now(UTC)), "127.0.0.1").run()
