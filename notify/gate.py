"""Whether something may be sent now, for every process at once; kept in Redis.

Three things close a line: a refusal (for so long), a transport that fails again and again (the
breaker), and a quota of ours that is used up. Every closure ends by itself, so sending starts again
without anybody. Losing Redis costs some refused calls, and an exact count of the day.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from redis import Redis
from redis.exceptions import RedisError

from billing.business_day import business_date
from notify.catalog import Transport
from notify.quiet_hours import midnight_after

ACCOUNT = "account"
"""The line every message of the account takes."""

REDIS_DOWN_SECONDS = 15

FAILURES_MAX = 5
"""Failures of a transport itself in a row that open its breaker."""

BREAKS_FIRST_SECONDS = 30
BREAKS_MAX_SECONDS = 900
PROBE_SECONDS = 20
"""How long everybody else waits for the one that tries whether the transport works again."""

BREAKER_LIFE_SECONDS = 24 * 3600
QUOTA_LIFE_SECONDS = 48 * 3600

TAKE_CAPS = """
local now, longest = tonumber(ARGV[1]), 0
for i = 2, #ARGV, 2 do
  local most, within = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local since = now - within
  if redis.call('ZCOUNT', KEYS[1], '(' .. since, '+inf') >= most then
    local last = redis.call('ZREVRANGE', KEYS[1], most - 1, most - 1, 'WITHSCORES')
    longest = math.max(longest, math.ceil(tonumber(last[2]) + within - now))
  end
end
if longest > 0 then return longest end
redis.call('ZADD', KEYS[1], now, ARGV[1] .. ':' .. redis.call('ZCARD', KEYS[1]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[#ARGV]))
redis.call('EXPIRE', KEYS[1], ARGV[#ARGV])
return 0
"""
"""Moving windows, the longest last: one more if all of them allow it, else the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may be made.

    Attributes:
        wait_seconds: 0 when it may.
        used_up: the day's quota of ours is the reason.
        only_last: of the lines asked for only the last, narrowest one is closed.
        is_watched: the transport failed lately, so that a success is news.
    """

    wait_seconds: int
    used_up: bool = False
    only_last: bool = False
    is_watched: bool = False


def template_line(template_id: str) -> str:
    """The line of one template."""
    return f"template:{template_id}"


def transport_line(transport: Transport) -> str:
    """The line of one transport."""
    return f"transport:{transport.value}"


class Gate:
    """Closes lines for a while, counts failures and quotas."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take_caps = redis.register_script(TAKE_CAPS)

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
                return _longest(pipe.execute())
        except RedisError:
            return REDIS_DOWN_SECONDS

    def list_closed(self) -> dict[str, tuple[str, int]]:
        """Lines that are closed now: why, and for how many more seconds.

        Raises:
            RedisError: nobody knows.
        """
        closed = {}
        for key in self._redis.scan_iter(match=_key("*")):
            why, left = self._redis.get(key), _longest([self._redis.pttl(key)])
            if why is not None:
                closed[_text(key).removeprefix(_key(""))] = (_text(why), left)
        return closed

    def list_breakers(self, now: datetime) -> dict[Transport, tuple[int, int]]:
        """Transports that failed lately: how often in a row, and how many more seconds they rest.

        Raises:
            RedisError: nobody knows.
        """
        found = {}
        for transport in Transport:
            state = self._redis.hgetall(_breaker(transport))
            if state:
                left = float(state.get(b"until", 0)) - now.timestamp()
                found[transport] = (int(state.get(b"failures", 0)), max(0, int(left)))
        return found

    def admit(
        self, lines: Sequence[str], transport: Transport, now: datetime, quota: int | None
    ) -> Admission:
        """Ask for leave to make one call; leave given counts towards the day's quota.

        Args:
            quota: calls of this transport in a day of Beijing; None: as many as you like.
        """
        count = f"sending:quota:{transport.value}:{business_date(now)}"
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for line in lines:
                    pipe.pttl(_key(line))
                pipe.hgetall(_breaker(transport))
                if quota is not None:
                    pipe.incr(count)
                    pipe.expire(count, QUOTA_LIFE_SECONDS)
                answers = pipe.execute()
            state = answers[len(lines)]
            wider = _longest(answers[: len(lines) - 1])
            wait = wider or _longest(answers[len(lines) - 1 : len(lines)])
            only_last = bool(wait) and not wider
            wait = wait or self._breaker_wait(transport, state, now)
            used_up = quota is not None and not wait and answers[len(lines) + 1] > quota
            if quota is not None and (wait or used_up):
                self._redis.decr(count)
        except RedisError:
            return Admission(REDIS_DOWN_SECONDS)
        if used_up:
            wait = int((midnight_after(business_date(now)) - now).total_seconds()) + 1
        return Admission(wait, used_up=used_up, only_last=only_last, is_watched=bool(state))

    def _breaker_wait(self, transport: Transport, state: dict[bytes, bytes], now: datetime) -> int:
        """Seconds until the breaker lets one through; half open, the first who asks is the one."""
        until = float(state.get(b"until", 0))
        if not until:
            return 0
        left = until - now.timestamp()
        if left > 0:
            return int(left) + 1
        is_probe = self._redis.set(_probe(transport), b"1", nx=True, ex=PROBE_SECONDS)
        return 0 if is_probe else PROBE_SECONDS

    def note_answer(self, transport: Transport) -> None:
        """The transport works: what was counted against it is forgotten."""
        with suppress(RedisError):
            self._redis.delete(_breaker(transport), _probe(transport))

    def note_failure(self, transport: Transport, now: datetime) -> int:
        """The transport itself failed; returns for how many seconds that opened its breaker.

        Calls that were under way when it opened count for nothing.
        """
        key = _breaker(transport)
        try:
            if float(self._redis.hget(key, "until") or 0) > now.timestamp():
                return 0
            failures = self._redis.hincrby(key, "failures", 1)
            self._redis.expire(key, BREAKER_LIFE_SECONDS)
            if failures < FAILURES_MAX:
                return 0
            seconds: int = BREAKS_FIRST_SECONDS * 2 ** min(failures - FAILURES_MAX, 10)
            seconds = min(seconds, BREAKS_MAX_SECONDS)
            self._redis.hset(key, "until", str(now.timestamp() + seconds))
            self._redis.delete(_probe(transport))
        except RedisError:
            return 0
        return seconds

    def take_caps(self, name: str, caps: Sequence[tuple[int, int]], now: datetime) -> int:
        """Count one for `name` if (number, within seconds) allow it, the longest last; else the
        seconds until they do.
        """
        arguments = [now.timestamp(), *(part for cap in caps for part in cap)]
        try:
            return int(self._take_caps(keys=[f"sending:caps:{name}"], args=arguments))
        except RedisError:
            return REDIS_DOWN_SECONDS


def _longest(milliseconds: Sequence[int]) -> int:
    # -2 means no key; a second that has begun counts.
    return max((0, *(-(-int(left) // 1000) for left in milliseconds)))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _key(line: str) -> str:
    return f"sending:closed:{line}"


def _breaker(transport: Transport) -> str:
    return f"sending:breaker:{transport.value}"


def _probe(transport: Transport) -> str:
    return f"sending:probe:{transport.value}"
