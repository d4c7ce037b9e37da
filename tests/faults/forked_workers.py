"""Workers that begin at once, and for whom it is day: everything is loaded beforehand, and each
line read forks another.

python -m tests.faults.forked_workers; prints the process id of each.
"""

import os
import signal
import sys

from benchmarks.by_day import by_day
from bot.cli.processes import work
from bot.orphans import die_with_parent
from bot.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_env(os.environ, by_day())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent()
            work(settings, by_day)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
