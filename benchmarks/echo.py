"""The floor of `bench webhook`: our server settings around nothing but decryption and encryption.

python -m benchmarks.echo
"""

import os
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from flask import Flask, request

from bot.cli.processes import Server
from bot.crypto import MessageCipher
from bot.settings import Settings

SEALED = re.compile("<Encrypt>(.*?)</Encrypt>", re.DOTALL)


class Echo(Server):
    """Opens each body and seals it again."""

    def load(self) -> Any:
        """The application, in the serving process."""
        cipher = MessageCipher(self._settings.wechat_app_id, [self._settings.wechat_aes_key])
        app = Flask(__name__)

        @app.get("/healthz")
        def healthz() -> str:
            return "ok"

        @app.post("/wechat")
        def echo() -> str:
            sealed = SEALED.search(request.get_data(as_text=True))
            opened = cipher.open(sealed[1] if sealed else "")
            return cipher.seal(opened.message, opened.key, secrets.token_bytes(16))

        return app


if __name__ == "__main__":
    Echo(Settings.from_env(os.environ, datetime.now(UTC)), "127.0.0.1").run()
