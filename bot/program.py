"""The one place where parts meet. Nothing else reads the clock, opens an engine or builds a
client.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from billing.channels.alipay import Alipay
from billing.channels.base import Channel
from billing.channels.wechat_pay import WeChatPayChannel
from billing.db import Database, connect
from billing.privacy import Vault
from bot.redis_server import connect_redis
from bot.settings import Settings
from bot.understanding.utterance import read_room
from handlers.services import Services
from notify.aliyun_sms import AliyunSms
from notify.approved import Approved
from notify.catalog import Transport, Urgency
from notify.jobs import Notifier
from notify.links import Links
from notify.queues import Queues
from notify.sms import SmsLine
from notify.wechat import WeChat
from notify.wording import text_environment

REDIS_SECONDS_MAX = 1
"""Somebody waits for whatever we ask Redis: better soon without it than late."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that runs, wired.

    `queues` are for those who run jobs: their connection waits for them as long as RQ likes.
    """

    settings: Settings
    services: Services
    notifier: Notifier
    queues: Queues
    registry: CollectorRegistry


def utc_now() -> datetime:
    """The clock of the program; everything below gets it passed in."""
    return datetime.now(UTC)


def build(
    settings: Settings, clock: Callable[[], datetime] = utc_now, *, plans_once: bool = False
) -> Program:
    """Wire the program. Opens no connection yet: engines and clients connect when first used.

    Args:
        plans_once: as of `billing.db.connect`.
    """
    redis = connect_redis(
        settings.redis_url,
        socket_timeout=REDIS_SECONDS_MAX,
        socket_connect_timeout=REDIS_SECONDS_MAX,
        retry=Retry(NoBackoff(), 0),
    )
    bell = Queues(redis)
    engine = connect(settings.database_url, plans_once=plans_once)
    database = Database(engine, after_facts=lambda: _wake(bell))
    wechat = WeChat(
        app_id=settings.wechat_app_id,
        app_secret=settings.wechat_app_secret,
        api_base=settings.wechat_api_base,
        oauth_base=settings.wechat_oauth_base,
        qr_base=settings.wechat_qr_base,
        redis=redis,
    )
    links = Links(settings.base_url, settings.secret_key)
    text = text_environment()
    vault = Vault(settings.data_keys, settings.hash_key)
    sms = _sms(settings, vault, clock)
    services = Services(
        database=database,
        redis=redis,
        wechat=wechat,
        vault=vault,
        channels=_channels(settings, clock),
        links=links,
        text=text,
        clock=clock,
        base_url=settings.base_url,
        subscribe_page=settings.wechat_subscribe_page,
        read_room=read_room,
        approved=Approved(
            settings.wechat_templates,
            settings.wechat_subscriptions,
            {} if sms is None else sms.templates,
        ),
        sms=sms,
        webhooks_loopback=settings.webhooks_to == "loopback",
    )
    notifier = Notifier(
        database=database,
        redis=redis,
        wechat=wechat,
        links=links,
        text=text,
        templates=settings.wechat_templates,
        clock=clock,
        subscriptions=settings.wechat_subscriptions,
        sms=sms,
        quotas={Transport.TEMPLATE: settings.wechat_template_quota},
        reminders_per_day=settings.reminders_per_day,
    )
    queues = Queues(connect_redis(settings.redis_url))
    return Program(settings, services, notifier, queues, CollectorRegistry())


def _sms(settings: Settings, vault: Vault, clock: Callable[[], datetime]) -> SmsLine | None:
    keys = settings.aliyun_sms
    if keys is None:
        return None
    sender = AliyunSms(keys, settings.aliyun_sms_base, clock)
    return SmsLine(sender, vault, keys.templates)


def _channels(settings: Settings, clock: Callable[[], datetime]) -> dict[str, Channel]:
    """Merchant code → the channel that has its keys."""
    now = clock()
    channels: dict[str, Channel] = {
        code: WeChatPayChannel(keys.without_ended(now), settings.wechat_pay_base)
        for code, keys in settings.merchants.items()
    }
    for code, alipay in settings.alipay_merchants.items():
        channels[code] = Alipay(alipay, settings.alipay_gateway, clock)
    return channels


def _wake(queues: Queues) -> None:
    """Tell the workers there are facts. When Redis is down the sweep finds them within 30 s."""
    try:
        queues.wake(Urgency.AT_ONCE)
    except RedisError as error:
        log.warning("wake_failed", reason=type(error).__name__)
