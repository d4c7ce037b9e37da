"""Telling, on the real engines: bound owners, a clock in the hand, WeChat on the loopback."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import ProviderAnswer, ProviderState
from billing.confirmation import confirm
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.people import Binding, BindingState, Follower, ResidentRole
from bot.demo.templates import PRODUCT_TEMPLATES
from notify.jobs import Notifier
from notify.links import Links
from notify.outbox import Message, Notice
from notify.wechat import WeChat
from notify.wording import text_environment
from tests.conftest import NOW, World
from tests.notify.pretend_wechat import APP_ID, APP_SECRET, PretendWeChat


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> None:
        self.now += timedelta(**step)


@dataclass
class Town:
    """The world, its owners' phones and the notifier, in the words of the tests."""

    world: World
    notifier: Notifier
    wechat: PretendWeChat
    clock: Clock

    def bind(
        self, room: str, name: str, *, wrote: bool = True, sees_from: date | None = None
    ) -> Follower:
        """An owner who follows and is bound to a home since yesterday."""
        unit = self.world.unit(room)
        with self.world.database.transaction() as session:
            follower = see_follower(session, f"o{name}", self.clock.now)
            if wrote:
                follower.last_message_at = self.clock.now
            session.add(
                Binding(
                    community_id=unit.community_id,
                    unit_id=unit.id,
                    follower_id=follower.id,
                    role=ResidentRole.OWNER,
                    sees_from=sees_from,
                    state=BindingState.ACTIVE,
                    requested_at=self.clock.now - timedelta(days=1),
                    decided_at=self.clock.now - timedelta(days=1),
                )
            )
        return follower

    def pay(self, room: str, payer: Follower, *, share: Money | None = None) -> Money:
        """Pay everything the home owes, or a part of its oldest bill; returns the amount."""
        unit = self.world.unit(room)
        with self.world.database.transaction() as session:
            owed = list_unpaid(session, unit.community_id, [unit.id])
            if share:
                designated = {owed[0].id: share}
            else:
                designated = {bill.id: bill.outstanding for bill in owed}
            payment = prepare(
                session,
                community_id=unit.community_id,
                unit_id=unit.id,
                channel=PaymentChannel.WECHAT_JSAPI,
                merchant_id=self.world.merchant_id,
                payer_id=payer.id,
                designated=designated,
                out_trade_no=new_out_trade_no(),
                now=self.clock.now,
            )
            merchant = session.get_one(MerchantAccount, payment.merchant_id)
            answer = ProviderAnswer(
                mchid=merchant.mchid,
                out_trade_no=payment.out_trade_no,
                state=ProviderState.PAID,
                transaction_id="42" + payment.out_trade_no,
                amount=payment.amount,
                payer=payer.openid,
                paid_at=self.clock.now,
            )
            confirm(session, merchant, answer, self.clock.now)
            return payment.amount

    def owed(self, room: str) -> Money:
        unit = self.world.unit(room)
        with self.world.database.transaction() as session:
            bills = list_unpaid(session, unit.community_id, [unit.id])
            return Money(sum(bill.outstanding.fen for bill in bills))

    def change(self, follower: Follower, **values: Any) -> None:
        with self.world.database.transaction() as session:
            session.execute(update(Follower).where(Follower.id == follower.id).values(**values))

    def follower(self, follower: Follower) -> Follower:
        """The follower as he is now."""
        with self.world.database.transaction() as session:
            return session.get_one(Follower, follower.id)

    def unbind(self, follower: Follower) -> None:
        with self.world.database.transaction() as session:
            session.execute(
                update(Binding)
                .where(Binding.follower_id == follower.id)
                .values(state=BindingState.ENDED)
            )

    def remind(self, today: date) -> dict[str, Any]:
        return self.notifier.remind(today)

    def notices(self) -> list[tuple[str, str, str | None]]:
        """(kind, state, reason) of every notice, in the order they were written."""
        with self.world.database.transaction() as session:
            return [
                (n.kind.value, n.state.value, n.reason.value if n.reason else None)
                for n in session.scalars(select(Notice).order_by(Notice.id))
            ]

    def messages(self) -> list[tuple[str, str, str | None]]:
        """(kind, state, reason) of every message, in the order they were made."""
        with self.world.database.transaction() as session:
            return [
                (m.kind.value, m.state.value, m.reason.value if m.reason else None)
                for m in self.rows(session)
            ]

    def rows(self, session: Session) -> list[Message]:
        return list(session.scalars(select(Message).order_by(Message.id)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pretend() -> Iterator[PretendWeChat]:
    server = PretendWeChat()
    yield server
    server.stop()


@pytest.fixture
def wechat(pretend: PretendWeChat, redis: Redis) -> Iterator[WeChat]:
    client = WeChat(APP_ID, APP_SECRET, pretend.base, pretend.base, pretend.base, redis)
    yield client
    client.close()


@pytest.fixture
def town(world: World, redis: Redis, wechat: WeChat, pretend: PretendWeChat, clock: Clock) -> Town:
    notifier = Notifier(
        database=world.database,
        redis=redis,
        wechat=wechat,
        links=Links("http://pay.example", "x" * 32),
        text=text_environment(),
        templates=PRODUCT_TEMPLATES,
        clock=clock,
    )
    return Town(world, notifier, pretend, clock)
