"""Workers that begin at once: everything is loaded beforehand, and each line read forks another.

python -m tests.faults.forked_workers [by-day]; prints the process id of each. By day messages that
wait at night go out, but who looks at the time of a request, as for SMS, refuses it.
"""

import os
import signal
import sys

from benchmarks.by_day import by_day
from bot.cli.processes import work
from bot.orphans import die_with_parent
from bot.program import utc_now
from bot.settings import Settings

if __name__ == "__main__":
    clock = by_day if "by-day" in sys.argv else utc_now
    settings = Settings.from_env(os.environ, clock())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent()
            work(settings, clock)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
