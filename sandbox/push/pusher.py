"""A push from sealing it to what the person is to see."""

import logging
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock
from sandbox.config import Account
from sandbox.push.courier import Answer, Courier
from sandbox.push.documents import Fields, document
from sandbox.push.envelope import open_answer, seal
from sandbox.push.replies import BrokenReplyError, Reply, read_reply

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pushed:
    """What became of a push; `fault` says why WeChat would show that the service is broken."""

    reply: Reply | None
    fault: str | None
    http_status: int | None
    latency_ms: int
    attempts: int

    def to_json(self) -> dict[str, Any]:
        """Give the outcome as the control API shows it."""
        outcome: dict[str, Any] = {
            "reply": self.reply.to_json() if self.reply else None,
            "http_status": self.http_status,
            "latency_ms": self.latency_ms,
            "attempts": self.attempts,
        }
        return outcome | ({"fault": self.fault} if self.fault else {})


class Pusher:
    """Pushes to the service's webhook in the account's mode."""

    def __init__(self, account: Account, clock: Clock, courier: Courier):
        self._account = account
        self._clock = clock
        self._courier = courier

    def push(self, openid: str, fields: Fields) -> Pushed:
        """Push one message or event of this person and read the answer."""
        account, timestamp = self._account, int(self._clock.now().timestamp())
        head: Fields = {
            "ToUserName": account.original_id,
            "FromUserName": openid,
            "CreateTime": timestamp,
        }
        envelope = seal(account, openid, document({**head, **fields}), timestamp)
        answer = self._courier.deliver(envelope)
        fault, reply = None, None
        try:
            reply = self._read(openid, answer, to_event=fields["MsgType"] == "event")
        except BrokenReplyError as error:
            fault = str(error)
            _log.warning("push to %s: %s", openid, fault)
        return Pushed(reply, fault, answer.http_status, answer.latency_ms, answer.attempts)

    def _read(self, openid: str, answer: Answer, *, to_event: bool) -> Reply | None:
        """Give the reply, None for an empty answer or "success"; raises BrokenReplyError."""
        if answer.http_status is None:
            raise BrokenReplyError(f"no answer in {answer.attempts} tries")
        if answer.http_status != 200:
            raise BrokenReplyError(f"the answer is HTTP {answer.http_status}")
        try:
            body = answer.body.decode()
        except UnicodeDecodeError:
            raise BrokenReplyError("the answer is not UTF-8") from None
        if body.strip() in ("", "success"):
            return None
        account = self._account
        return read_reply(
            open_answer(account, body),
            sender=account.original_id,
            receiver=openid,
            to_event=to_event,
        )
