"""A child process does not outlive its parent."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel send us SIGTERM when our parent dies, however it does: prctl(2), on Linux.
    Elsewhere Ctrl-C reaches the whole group, and that has to do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
