"""`/wechat`: verify → decrypt → parse → de-duplicate → dispatch → encrypt, inside five seconds.

Whatever is not WeChat's, fresh and readable is answered 4xx with a short English word, counted, and
never processed. 503 asks WeChat to deliver again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from redis.backoff import NoBackoff
from redis.retry import Retry
from wechatpy.messages import BaseMessage
from werkzeug.exceptions import RequestEntityTooLarge

from bot.answering import (
    ANSWER_SECONDS,
    REPEAT_WAIT_SECONDS,
    Overloaded,
    Pool,
    Repeats,
    answer_in_time,
)
from bot.conversation import Conversations
from bot.dispatch import Dispatcher, awaited
from bot.gate import Gate, Refused
from bot.pushes import push_of, repeat_key, reply_json, reply_xml
from bot.redis_server import connect_redis
from bot.settings import Settings
from handlers.chat.context import Push
from handlers.services import Services
from notify.wechat import WeChatError, WeChatUnreachable

BODY_BYTES_MAX = 64 * 1024
REDIS_SECONDS_MAX = 0.5
ACKNOWLEDGED = "success"
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """The words for a push (empty: only acknowledge) and how it went, for the count."""

    text: str
    outcome: str


class Desk:
    """Answers each verified push once and in time."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        repeats: Repeats,
        deliver: Callable[[str, str], None],
        pool: Pool,
        patience_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._dispatcher = dispatcher
        self._repeats = repeats
        self._deliver = deliver
        self._pool = pool
        self._patience_seconds = patience_seconds

    def answer(self, message: BaseMessage, arrived: float) -> Answered:
        """Words for this push.

        Args:
            arrived: when the request came, in seconds of `time.monotonic`.

        Raises:
            Refused: 503, nothing was done and WeChat should deliver it again.
        """
        key = repeat_key(message)
        if not self._repeats.claim(key):
            stored = self._repeats.wait(key, until=arrived + REPEAT_WAIT_SECONDS)
            if stored is None:
                raise Refused(503, "failed", "first delivery still at work")
            return Answered(stored, "repeat")
        answered = self._first_answer(push_of(message), key)
        self._repeats.store(key, answered.text)
        return answered

    def _first_answer(self, push: Push, key: str) -> Answered:
        try:
            text = answer_in_time(
                self._pool,
                work=lambda: self._dispatcher.answer(push),
                deliver_late=lambda late: self._deliver(push.openid, late),
                seconds=self._patience_seconds,
            )
        except Overloaded:
            if awaited(push):
                return Answered(self._dispatcher.say("overloaded"), "overloaded")
            self._repeats.release(key)
            raise Refused(503, "overloaded", "try again") from None
        except Exception as error:
            log.exception("event_failed", kind=push.kind)
            self._repeats.release(key)
            raise Refused(503, "failed", "try again") from error
        if text is None:
            return Answered(self._dispatcher.say("patience") if awaited(push) else "", "late")
        return Answered(text, "answered" if text else "quiet")


def webhook(
    services: Services,
    settings: Settings,
    registry: CollectorRegistry,
    *,
    patience_seconds: float = ANSWER_SECONDS,
) -> Blueprint:
    """Blueprint of `/wechat`. Must be exempt from CSRF protection: WeChat signs instead.

    Args:
        patience_seconds: how long an answer may take before it is sent as a service message.
    """
    desk = _desk(services, settings, patience_seconds)
    return door(Gate(settings), desk, services.clock, registry)


def door(
    gate: Gate, desk: Desk, clock: Callable[[], datetime], registry: CollectorRegistry
) -> Blueprint:
    """Blueprint of `/wechat` for this gate and desk."""
    pushes = Counter(
        "mingzhang_webhook_pushes", "Pushes by outcome", ["outcome"], registry=registry
    )
    seconds = Histogram(
        "mingzhang_webhook_seconds",
        "Time to answer a push",
        buckets=LATENCY_BUCKETS,
        registry=registry,
    )
    blueprint = Blueprint("wechat", __name__)

    @blueprint.get("/wechat")
    def check() -> Response:
        args = request.args
        gate.admit_check(
            args.get("signature", ""), args.get("timestamp", ""), args.get("nonce", "")
        )
        return Response(args.get("echostr", ""), content_type="text/plain; charset=utf-8")

    @blueprint.post("/wechat")
    def receive() -> Response:
        arrived, now = time.monotonic(), clock()
        with seconds.time():
            received = gate.admit(request.args, _body(), now)
            answered = desk.answer(received.message, arrived)
        pushes.labels(answered.outcome).inc()
        if not answered.text:
            return Response(ACKNOWLEDGED, content_type="text/plain")
        form, write = ("json", reply_json) if received.is_json else ("xml", reply_xml)
        sealed = gate.seal(write(received.message, answered.text, now), received, now)
        return Response(sealed, content_type=f"application/{form}; charset=utf-8")

    @blueprint.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        pushes.labels(error.outcome).inc()
        log.warning("push_refused", outcome=error.outcome, reason=str(error))
        return Response(str(error), status=error.status, content_type="text/plain")

    return blueprint


def _desk(services: Services, settings: Settings, patience_seconds: float) -> Desk:
    """Wire the desk. Its Redis client gives up early: it would rather forget than be late."""
    redis = connect_redis(
        settings.redis_url,
        socket_timeout=REDIS_SECONDS_MAX,
        socket_connect_timeout=REDIS_SECONDS_MAX,
        retry=Retry(NoBackoff(), 0),
    )

    def deliver(openid: str, text: str) -> None:
        try:
            services.wechat.send_text(openid, text)
        except (WeChatError, WeChatUnreachable) as error:
            log.warning("late_answer_not_delivered", reason=str(error))

    dispatcher = Dispatcher(services, Conversations(redis))
    return Desk(dispatcher, Repeats(redis), deliver, Pool(), patience_seconds)


def _body() -> bytes:
    request.max_content_length = BODY_BYTES_MAX
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        raise Refused(413, "oversized", "too large") from None
