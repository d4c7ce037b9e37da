"""`/wechat`: verify → decrypt → parse → de-duplicate → dispatch → encrypt, inside five seconds.

One configured mode. In secure and compatible mode only the encrypted part of the body is read, and only
`msg_signature` counts; in plain mode `signature` does. Whatever is not WeChat's, fresh and readable is
answered 4xx with a short English word, counted, and never processed.
Rules: developers.weixin.qq.com/doc/service/guide/dev/push/ (接入概述, 消息加解密).
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from flask import Blueprint, Response, request
from notify.wechat import WeChatError, WeChatUnreachable
from prometheus_client import CollectorRegistry, Counter, Histogram
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from wechatpy.messages import BaseMessage
from werkzeug.exceptions import RequestEntityTooLarge

from bot.answering import REPEAT_WAIT_SECONDS, Overloaded, Pool, Repeats, answer_in_time
from bot.conversation import Conversations
from bot.crypto import CannotOpen, MessageCipher, sign, signature_fits
from bot.dispatch import Dispatcher, awaited
from bot.pushes import Malformed, encrypted_part, push_of, read_message, repeat_key, reply_xml
from bot.settings import Settings
from handlers.chat.context import Push
from handlers.services import Services

BODY_BYTES_MAX = 64 * 1024
AGE_SECONDS_MAX = 300
REDIS_SECONDS_MAX = 0.5
PLAIN_MODE = "plain"
ACKNOWLEDGED = "success"
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
SEALED_REPLY = (
    "<xml>\n<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n"
    "<MsgSignature><![CDATA[{signature}]]></MsgSignature>\n"
    "<TimeStamp>{timestamp}</TimeStamp>\n<Nonce><![CDATA[{nonce}]]></Nonce>\n</xml>"
)
log = structlog.get_logger(__name__)


class Refused(Exception):
    """A push that is not processed; `outcome` is what it is counted as."""

    def __init__(self, status: int, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Received:
    """A verified push, and the key its answer must be sealed with; None in plain mode."""

    message: BaseMessage
    key: bytes | None


class Gate:
    """Tells WeChat's pushes from everything else, and seals answers for them."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.wechat_token
        self._plain = settings.wechat_mode == PLAIN_MODE
        keys = [settings.wechat_aes_key]
        if settings.wechat_aes_key_previous:
            keys.append(settings.wechat_aes_key_previous)
        self._cipher = MessageCipher(settings.wechat_app_id, keys)

    def admit_check(self, signature: str, timestamp: str, nonce: str) -> None:
        """WeChat's check of our address (GET).

        Raises:
            Refused: not signed with our token.
        """
        if not signature_fits(signature, self._token, timestamp, nonce):
            raise Refused(403, "forged", "bad signature")

    def admit(self, args: Mapping[str, str], body: bytes, now: datetime) -> Received:
        """A push as WeChat sent it.

        Raises:
            Refused: stale, forged, not for us, or not readable.
        """
        timestamp, nonce = args.get("timestamp", ""), args.get("nonce", "")
        if not _fresh(timestamp, now):
            raise Refused(403, "stale", "stale timestamp")
        try:
            text = body.decode()
            if self._plain:
                self.admit_check(args.get("signature", ""), timestamp, nonce)
                return Received(read_message(text), None)
            sealed = encrypted_part(text)
            signature = args.get("msg_signature", "")
            if not signature_fits(signature, self._token, timestamp, nonce, sealed):
                raise Refused(403, "forged", "bad signature")
            opened = self._cipher.open(sealed)
            return Received(read_message(opened.message), opened.key)
        except CannotOpen as error:
            raise Refused(403, "forged", "cannot decrypt") from error
        except (Malformed, UnicodeDecodeError) as error:
            raise Refused(400, "malformed", "unreadable message") from error

    def seal(self, xml: str, key: bytes, now: datetime) -> str:
        """The answer as WeChat wants it: encrypted with the key of the push, and signed."""
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(8)
        encrypt = self._cipher.seal(xml, key, secrets.token_bytes(16))
        return SEALED_REPLY.format(
            encrypt=encrypt,
            signature=sign(self._token, timestamp, nonce, encrypt),
            timestamp=timestamp,
            nonce=nonce,
        )


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
    ) -> None:
        self._dispatcher = dispatcher
        self._repeats = repeats
        self._deliver = deliver
        self._pool = pool

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


def webhook(services: Services, settings: Settings, registry: CollectorRegistry) -> Blueprint:
    """Blueprint of `/wechat`. Must be exempt from CSRF protection: WeChat signs instead."""
    return door(Gate(settings), _desk(services, settings), services.clock, registry)


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
        xml = reply_xml(received.message, answered.text, now)
        sealed = gate.seal(xml, received.key, now) if received.key else xml
        return Response(sealed, content_type="application/xml; charset=utf-8")

    @blueprint.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        pushes.labels(error.outcome).inc()
        log.warning("push_refused", outcome=error.outcome, reason=str(error))
        return Response(str(error), status=error.status, content_type="text/plain")

    return blueprint


def _desk(services: Services, settings: Settings) -> Desk:
    """Wire the desk. Its Redis client gives up early: it would rather forget than be late."""
    redis = Redis.from_url(
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

    return Desk(Dispatcher(services, Conversations(redis)), Repeats(redis), deliver, Pool())


def _body() -> bytes:
    request.max_content_length = BODY_BYTES_MAX
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        raise Refused(413, "oversized", "too large") from None


def _fresh(timestamp: str, now: datetime) -> bool:
    """Whether a timestamp in seconds is within five minutes of now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= AGE_SECONDS_MAX
