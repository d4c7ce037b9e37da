"""Sign-in on a computer by scanning: the page asks, the chat answers, Redis carries one word.

`signin:<nonce>` holds `waiting`, then `openid:<openid>` or `refused`; it lives five minutes and is
used once. The nonce is in the scene of the QR code and in the session of the browser that shows it,
so only that browser is signed in by whoever scans and confirms.
"""

import secrets
from dataclasses import dataclass
from enum import Enum

from redis import Redis

REQUEST_SECONDS = 300
SCENE_PREFIX = "signin_"
WAITING = b"waiting"
REFUSED = b"refused"
CONFIRMED = b"openid:"

ANSWER_ONCE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""
"""The first answer counts: somebody who scans the same code later cannot replace it."""


class SignInState(Enum):
    """How far a request has come."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What came of a request; `openid` is set when it was confirmed."""

    state: SignInState
    openid: str | None = None


def scene(nonce: str) -> str:
    """The scene of the request's QR code, within WeChat's 64 characters."""
    return SCENE_PREFIX + nonce


def read_scene(text: str) -> str | None:
    """The nonce in a scanned scene, or None when the scene is about something else."""
    return text.removeprefix(SCENE_PREFIX) if text.startswith(SCENE_PREFIX) else None


def open_request(redis: Redis) -> str:
    """Begin a request, open for five minutes; returns its nonce of 24 url-safe characters."""
    nonce = secrets.token_urlsafe(18)
    redis.set(_key(nonce), WAITING, ex=REQUEST_SECONDS)
    return nonce


def is_waiting(redis: Redis, nonce: str) -> bool:
    """True while the request may still be answered; ask before offering 确认 in the chat."""
    return redis.get(_key(nonce)) == WAITING


def confirm(redis: Redis, nonce: str, openid: str) -> bool:
    """Let the person in; False when the request expired or was answered before."""
    return _answer(redis, nonce, CONFIRMED + openid.encode())


def refuse(redis: Redis, nonce: str) -> bool:
    """Turn the request down; False when it expired or was answered before."""
    return _answer(redis, nonce, REFUSED)


def take(redis: Redis, nonce: str) -> SignIn:
    """What came of the request. An answer is given out once; afterwards the request is expired."""
    if is_waiting(redis, nonce):
        return SignIn(SignInState.WAITING)
    answer = redis.getdel(_key(nonce))
    if not isinstance(answer, bytes):
        return SignIn(SignInState.EXPIRED)
    if answer.startswith(CONFIRMED):
        return SignIn(SignInState.CONFIRMED, answer.removeprefix(CONFIRMED).decode())
    return SignIn(SignInState.REFUSED)


def _key(nonce: str) -> str:
    return f"signin:{nonce}"


def _answer(redis: Redis, nonce: str, answer: bytes) -> bool:
    return bool(redis.eval(ANSWER_ONCE, 1, _key(nonce), WAITING, answer))
