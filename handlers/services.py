"""Exactly what handlers may use. Built once by `bot.program.build`; tests build their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from jinja2 import Environment
from redis import Redis

from billing.addresses import RoomReader
from billing.business_day import business_date
from billing.channels.base import Channel
from billing.db import Database
from billing.lookups import read_room_parts
from billing.merchants import MerchantAccount
from billing.privacy import Vault
from notify.approved import Approved
from notify.links import Links
from notify.sms import SmsLine
from notify.wechat import WeChat


@dataclass(frozen=True, slots=True)
class Services:
    """The parts a handler answers with. `channels` is keyed by merchant account code;
    `subscribe_page` is an article of the account in which notices are subscribed to, if there is;
    `read_room` reads a room as people say it;
    `approved` is what the settings say of templates; rows of staff's win (`notify.approved`);
    `sms` is a line to the provider of SMS, if there is one;
    `webhooks_loopback`: systems of this machine may be told of changes, for tests and demos.
    """

    database: Database
    redis: Redis
    wechat: WeChat
    vault: Vault
    channels: Mapping[str, Channel]
    links: Links
    text: Environment
    clock: Callable[[], datetime]
    base_url: str
    subscribe_page: str | None = None
    read_room: RoomReader = read_room_parts
    approved: Approved = field(default_factory=Approved)
    sms: SmsLine | None = None
    webhooks_loopback: bool = False

    def callback_url(self, merchant: MerchantAccount) -> str:
        """Where the provider of this account tells us what happened."""
        return f"{self.base_url}/callbacks/{merchant.provider.value}/{merchant.code}"

    def today(self) -> date:
        """The business date now."""
        return business_date(self.clock())
