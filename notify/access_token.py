"""The account's access token: one for all processes, kept in Redis, fetched under a lock.

Rule: developers.weixin.qq.com, getStableAccessToken. The plain call gives the token in force
and costs nothing; the forced one makes a new token, at most 20 times a day: it is the last resort.
"""

from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.exceptions import LockError, RedisError

from notify.wechat_errors import Action, WeChatError, WeChatUnreachable

RENEW_EARLY_SECONDS = 300
"""WeChat renews five minutes before the end, and both tokens work in between."""

LIFE_SECONDS_MIN = 1
LOCK_SECONDS = 20
LOCK_WAIT_SECONDS = 12
"""Longer than one fetch takes at worst, shorter than the life of the lock."""


class AccessToken:
    """Gives the token in force.

    Args:
        fetch: asks WeChat for the token, with force or without; returns its JSON.
    """

    def __init__(self, redis: Redis, app_id: str, fetch: Callable[[bool], dict[str, Any]]) -> None:
        self._redis = redis
        self._key = f"wechat:{app_id}:access_token"
        self._fetch = fetch

    def get(self) -> str:
        """The token all processes share.

        Raises:
            WeChatUnreachable: WeChat or Redis does not answer. Without Redis nothing is fetched:
                every process fetching its own would use up the day's quota.
            WeChatError: WeChat refuses our credentials.
        """
        return self._read() or self._renew(refused=None)

    def replace(self, refused: str) -> str:
        """A token other than the one WeChat refused. Of many callers at once only one fetches."""
        return self._renew(refused=refused)

    def _read(self) -> str | None:
        try:
            value = self._redis.get(self._key)
        except RedisError as error:
            raise _no_store(error) from None
        return value.decode() if isinstance(value, bytes) else value

    def _renew(self, refused: str | None) -> str:
        lock = self._redis.lock(
            f"{self._key}:lock",
            timeout=LOCK_SECONDS,
            blocking_timeout=LOCK_WAIT_SECONDS,
            raise_on_release_error=False,
        )
        try:
            with lock:
                found = self._read()
                if found is not None and found != refused:
                    return found
                return self._keep(self._ask(refused))
        except LockError:
            raise WeChatUnreachable("token lock is held too long", maybe_done=False) from None
        except RedisError as error:
            raise _no_store(error) from None

    def _ask(self, refused: str | None) -> dict[str, Any]:
        """WeChat's answer. What the token was wanted for has certainly not been done yet."""
        try:
            answer = self._fetch(False)
            if answer["access_token"] == refused:
                answer = self._fetch(True)
        except WeChatUnreachable as error:
            raise WeChatUnreachable(f"token: {error}", maybe_done=False) from None
        except WeChatError as error:
            if error.action is not Action.RETRY:
                raise
            raise WeChatUnreachable(f"token: {error}", maybe_done=False) from None
        return answer

    def _keep(self, answer: dict[str, Any]) -> str:
        token = str(answer["access_token"])
        life = max(int(answer["expires_in"]) - RENEW_EARLY_SECONDS, LIFE_SECONDS_MIN)
        self._redis.set(self._key, token, ex=life)
        return token


def _no_store(error: RedisError) -> WeChatUnreachable:
    return WeChatUnreachable(f"token store: {type(error).__name__}", maybe_done=False)
