"""WSGI entry point: `gunicorn wsgi:app`."""

import os

from bot.app import create_app
from bot.program import build, utc_now
from bot.settings import Settings

app = create_app(build(Settings.from_env(os.environ, utc_now())))
