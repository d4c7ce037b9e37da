"""WSGI entry point: `gunicorn wsgi:app`."""

import os

from bot.app import create_app
from bot.logs import log_to_stderr
from bot.program import build, utc_now
from bot.settings import Settings

log_to_stderr()
app = create_app(build(Settings.from_env(os.environ, utc_now())))
