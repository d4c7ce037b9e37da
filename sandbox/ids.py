"""Message numbers: 64 bits, rising, new after every restart also on an emptied state file."""

import threading

from sandbox.clock import Clock

# WeChat's own numbers are beyond what a float or JavaScript can hold; so are these.
_TEMPLATE_BASE = 3_500_000_000_000_000_000


class MessageIds:
    """Numbers built on the microseconds of the clock. Thread-safe."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def next_push(self) -> int:
        """Give the MsgId of a person's message."""
        with self._lock:
            self._last = max(self._last + 1, int(self._clock.now().timestamp() * 1_000_000))
            return self._last

    def next_sent(self) -> int:
        """Give the msgid of a message the service sends."""
        return _TEMPLATE_BASE + self.next_push()
