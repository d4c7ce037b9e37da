"""Carries a push to the webhook: five seconds for an answer, three tries in all.

Rule: developers.weixin.qq.com, "passive replies": without an answer in 5 s the connection is cut
and the same request repeated, three tries in all. An answer of any kind ends it. Real time.
"""

import logging
import threading
import time
from dataclasses import dataclass

import requests

from sandbox.push.envelope import Envelope

ANSWER_WITHIN_S = 5.0
TRIES = 3
ANSWER_BYTES_MAX = 1_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What came back; `http_status` is None where no try got an answer."""

    http_status: int | None
    body: bytes
    attempts: int
    latency_ms: int


class NoAnswerError(Exception):
    """One try was refused, broke off or took longer than it may."""


class Courier:
    """Posts envelopes to one address; every thread has connections of its own."""

    def __init__(self, url: str, answer_within_s: float = ANSWER_WITHIN_S):
        self._url = url
        self._answer_within_s = answer_within_s
        self._own = threading.local()

    def deliver(self, envelope: Envelope) -> Answer:
        """Post until there is an answer or no try left; `latency_ms` is of all tries together."""
        began = time.monotonic()
        for attempt in range(1, TRIES + 1):
            try:
                status, body = self._try(envelope)
            except NoAnswerError as error:
                _log.info("push try %d of %d: %s", attempt, TRIES, error)
                continue
            return Answer(status, body, attempt, _ms_since(began))
        return Answer(None, b"", TRIES, _ms_since(began))

    def _try(self, envelope: Envelope) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._answer_within_s
        try:
            with self._session().post(
                self._url,
                params=envelope.query,
                data=envelope.body,
                headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
                timeout=self._answer_within_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code, _read(answer, deadline)
        except requests.RequestException as error:
            raise NoAnswerError(type(error).__name__) from None

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = requests.Session()
            session.trust_env = False
        return session


def _read(answer: requests.Response, deadline: float) -> bytes:
    """Read the body; a service that drips it slowly runs into the same five seconds."""
    body = b""
    for chunk in answer.iter_content(8192):
        body += chunk
        if time.monotonic() > deadline:
            raise NoAnswerError("the answer took too long")
        if len(body) > ANSWER_BYTES_MAX:
            raise NoAnswerError("the answer is too long")
    return body


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
