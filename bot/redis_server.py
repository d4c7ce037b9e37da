"""Connections to Redis, by URL: one server, or whichever of several Sentinel names the master."""

from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.sentinel import Sentinel

SENTINEL = "redis+sentinel"
SENTINEL_PORT = 26379
SCHEMES = ("redis", "rediss", "unix", SENTINEL)


def connect_redis(url: str, **options: Any) -> Redis:
    """A client; connects when first used.

    Args:
        url: `redis://host:6379/0`, or `redis+sentinel://user:password@host1:26379,host2/master/0`
            with every Sentinel's address and the name they know the master by.
        options: of `redis.Redis`.

    Raises:
        ValueError: it is no such URL, or names no master.
    """
    parts = urlsplit(url)
    if parts.scheme != SENTINEL:
        return Redis.from_url(url, **options)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    name, _, number = parts.path.strip("/").partition("/")
    if not hosts or not name:
        raise ValueError(f"{SENTINEL}://host:{SENTINEL_PORT}/master/0 is expected")
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [_address(host) for host in hosts.split(",")],
        sentinel_kwargs={"socket_timeout": 1, "socket_connect_timeout": 1},
    )
    master: Redis = sentinels.master_for(  # type: ignore[no-untyped-call]
        name,
        db=int(number or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        **options,
    )
    return master


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name, int(port or SENTINEL_PORT)
