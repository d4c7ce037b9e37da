"""The record of a running server, locked by its owner for as long as the owner lives.

`run.json` says how to reach the server. Every start writes a new file, and the owner keeps that
file locked: a record that can be locked describes a server whose owner is gone. The last record
stays behind after a stop, so that the next start can take the same port and password again.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Facts = Mapping[str, Any]


def read(path: Path) -> dict[str, Any]:
    """Return what the last start wrote, or nothing when there was none or it is unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_owned(path: Path, facts: Facts) -> int:
    """Replace the record in one step; only this account may read it (it may hold a password).

    Returns:
        The descriptor that marks this process as the owner until it is closed.
    """
    descriptor, name = tempfile.mkstemp(prefix=".run-", dir=path.parent)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, json.dumps(dict(facts)).encode())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def owner_lives(path: Path) -> bool:
    """Say whether the process that wrote the record is alive and still owns the server."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
