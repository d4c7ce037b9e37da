"""Which lines are closed, for every process at once: the whole account, or one template.

Kept in Redis with an end, so that sending starts again by itself. Losing it costs a refused call.
"""

from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisError

ACCOUNT = "account"
"""The line every message takes."""

REDIS_DOWN_SECONDS = 15


def template_line(template_id: str) -> str:
    """The line of one template."""
    return f"template:{template_id}"


class Gate:
    """Closes lines for a while."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def close(self, line: str, seconds: int, why: str) -> None:
        """Nobody sends on this line for so long; a longer closure in force is kept."""
        with suppress(RedisError):
            if self.seconds_closed(line) < seconds:
                self._redis.set(_key(line), why, ex=seconds)

    def seconds_closed(self, *lines: str) -> int:
        """How long until all these lines are open, in whole seconds; 0 when they are.

        While Redis does not answer, everything is closed: the token is kept there too.
        """
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for line in lines:
                    pipe.pttl(_key(line))
                left = [int(milliseconds) for milliseconds in pipe.execute()]
        except RedisError:
            return REDIS_DOWN_SECONDS
        # -2 means no key; a second that has begun counts.
        return max(0, *(-(-milliseconds // 1000) for milliseconds in left))


def _key(line: str) -> str:
    return f"sending:closed:{line}"
