"""File locks that the kernel releases when their last holder is gone, however it went.

A lock belongs to the open file, not to the process: whoever inherits the descriptor holds the lock
as well. So a lock handed down to a server is free exactly when no process of that server is left.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.02
"""Seconds between two looks at something another process has to do."""


def try_lock(path: Path) -> int | None:
    """Take the lock at once, or return None when somebody holds it.

    Returns:
        The descriptor that holds it; closing the descriptor releases the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def lock_within(path: Path, seconds: float) -> int | None:
    """Take the lock as soon as it is free, or return None when it is not free in time."""
    deadline = time.monotonic() + seconds
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            return None
        time.sleep(PAUSE)
    return descriptor


def is_held(path: Path) -> bool:
    """Say whether a living process holds the lock. The file is created when it is missing."""
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock for a block; blocks of all processes come one after another.

    Raises:
        TimeoutError: it was not free within `seconds`.
    """
    descriptor = lock_within(path, seconds)
    if descriptor is None:
        raise TimeoutError(f"{path} is locked by another process")
    try:
        yield
    finally:
        os.close(descriptor)
