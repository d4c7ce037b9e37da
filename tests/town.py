"""A town of phones that talk to the real webhook, the real books and the real Redis."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry
from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.bill_run import run_bills
from billing.bills import BillState, list_unpaid
from billing.bindings import issue_code, see_follower
from billing.business_day import BEIJING, business_date
from billing.channels.base import Channel, ProviderAnswer, ProviderState
from billing.confirmation import Outcome, confirm
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.people import Follower, get_staff
from billing.period import Period
from billing.privacy import Vault
from billing.receipts import number_waiting
from bot.webhook import webhook
from handlers.services import Services
from notify.links import Links
from notify.wechat import WeChat
from notify.wording import text_environment
from tests.conftest import World
from tests.phone import Phone, settings_for

NOWHERE = "http://127.0.0.1:1"


@dataclass
class Town:
    """The world with its official account; `now` can be moved."""

    world: World
    services: Services
    app: Flask
    vault: Vault
    now: datetime
    channels: dict[str, Channel]

    def phone(self, openid: str) -> Phone:
        """The phone of a follower."""
        return Phone(self.app.test_client(), lambda: self.now, openid)

    def code_for(self, room: str) -> str:
        """A fresh binding code of a home."""
        unit = self.world.unit(room)
        with self.world.database.transaction() as session:
            return issue_code(
                session,
                self.vault,
                community_id=unit.community_id,
                unit_id=unit.id,
                now=self.now,
            )

    def staff_code(self, login: str = "zhao") -> str:
        """A fresh binding code of a member of staff: the manager, unless another is named."""
        community_id = self.world.community.id
        with self.world.database.transaction() as session:
            staff = get_staff(session, login)
            return issue_code(
                session, self.vault, community_id=community_id, staff_id=staff.id, now=self.now
            )

    def owner(self, room: str, openid: str = "") -> Phone:
        """A phone bound to a home."""
        phone = self.phone(openid or f"o-{room}")
        phone.says(f"绑定 {self.code_for(room)}").shows("绑定成功", room)
        return phone

    def follower(self, phone: Phone) -> Follower:
        """The row of a phone's follower."""
        with self.world.database.transaction() as session:
            return session.scalars(select(Follower).where(Follower.openid == phone.openid)).one()

    def count_followers(self) -> int:
        """How many followers are known."""
        with self.world.database.transaction() as session:
            return session.execute(select(func.count()).select_from(Follower)).scalar_one()

    def forget(self, phone: Phone) -> None:
        """Half an hour of silence."""
        self.services.redis.delete(f"chat:memory:{phone.openid}")

    def next_month(self) -> None:
        """Move on to the first of the next month, 09:00 in Beijing."""
        self.now = datetime.combine(self.period().next().start, time(9), BEIJING)

    def period(self) -> Period:
        """The current month."""
        return Period.of(business_date(self.now))

    def issue_bills(self) -> None:
        """Issue the bills of the current month, today."""
        run_bills(
            self.world.database,
            self.world.community,
            self.period(),
            today=self.now.date(),
            now=self.now,
            publish=True,
        )

    def pay_everything(self, room: str) -> None:
        """Pay all that a home owes."""
        with self.world.database.transaction() as session:
            unpaid = self._unpaid(session, room)
        self.pay(room, Money(sum(bill.outstanding.fen for bill in unpaid)))

    def pay(self, room: str, amount: Money) -> None:
        """Pay this much of what a home owes, oldest first, and book it."""
        with self.world.database.transaction() as session:
            designated, rest = {}, amount.fen
            for bill in self._unpaid(session, room):
                part = min(bill.outstanding.fen, rest)
                rest -= part
                if part:
                    designated[bill.id] = Money(part)
            unit = self.world.unit(room)
            payer = see_follower(session, "o-payer", self.now)
            payment = prepare(
                session,
                community_id=unit.community_id,
                unit_id=unit.id,
                channel=PaymentChannel.WECHAT_JSAPI,
                merchant_id=self.world.merchant_id,
                payer_id=payer.id,
                designated=designated,
                out_trade_no=new_out_trade_no(),
                now=self.now,
            )
            merchant = session.get_one(MerchantAccount, payment.merchant_id)
            answer = ProviderAnswer(
                mchid=merchant.mchid,
                out_trade_no=payment.out_trade_no,
                state=ProviderState.PAID,
                transaction_id=f"T{payment.out_trade_no}",
                amount=amount,
                payer="o-payer",
                paid_at=self.now,
            )
            assert confirm(session, merchant, answer, self.now) is Outcome.BOOKED
            number_waiting(session, self.now, limit=100)

    def _unpaid(self, session: Session, room: str) -> list[BillState]:
        unit = self.world.unit(room)
        return list_unpaid(session, unit.community_id, [unit.id])


@pytest.fixture
def town(world: World, vault: Vault, redis: Redis, redis_url: str) -> Town:
    """The world, open for conversation; nothing listens where WeChat's servers would be."""
    settings = settings_for(redis_url)
    channels: dict[str, Channel] = {}
    towns: list[Town] = []
    clock: Callable[[], datetime] = lambda: towns[0].now  # noqa: E731
    services = Services(
        database=world.database,
        redis=redis,
        wechat=WeChat(
            app_id=settings.wechat_app_id,
            app_secret=settings.wechat_app_secret,
            api_base=NOWHERE,
            oauth_base=NOWHERE,
            qr_base=NOWHERE,
            redis=redis,
        ),
        vault=vault,
        channels=channels,
        links=Links(settings.base_url, settings.secret_key),
        text=text_environment(),
        clock=clock,
        base_url=settings.base_url,
    )
    app = Flask(__name__)
    # Stories are about words; how long the bot may take is tested in test_webhook_answering.
    app.register_blueprint(webhook(services, settings, CollectorRegistry(), patience_seconds=30))
    towns.append(Town(world, services, app, vault, world.now, channels))
    return towns[0]
