"""The application as a server of one's own choice loads it: `gunicorn wsgi:app`."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bot.test_settings import REQUIRED

ROOT = Path(__file__).parents[2]
FAILING = """
import wsgi

def fails():
    phone = "1380000" + "1234"
    raise RuntimeError("the database has gone")

wsgi.app.add_url_rule("/fails", view_func=fails)
assert wsgi.app.test_client().get("/fails").status_code == 500
"""


def test_the_log_of_an_error_has_the_traceback_and_no_local_variables() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FAILING],
        cwd=ROOT,
        env={**os.environ, **REQUIRED, "PYTHONDONTWRITEBYTECODE": "1"},  # nothing beside wsgi.py
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "request_failed" in run.stderr
    assert "RuntimeError: the database has gone" in run.stderr
    assert "in fails" in run.stderr
    assert "13800001234" not in run.stderr + run.stdout
