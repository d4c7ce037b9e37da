"""A till: the world's books, the real payment channel, and the pretend provider it talks to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from redis import Redis
from sqlalchemy import func, select

from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import Channel
from billing.checks import run_checks
from billing.discrepancies import Discrepancy
from billing.ledger import FixedAccount, balance
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import ORDER_LIFE, new_out_trade_no, prepare, record_call
from billing.privacy import Vault
from handlers.services import Services
from notify.links import Links
from notify.wechat import WeChat
from notify.wording import text_environment
from tests.billing.channels.provider import (
    NOTIFY_URL,
    OWNER,
    Provider,
    order_request,
    real_now,
    transaction,
)
from tests.conftest import MERCHANT, World

NOWHERE = "http://127.0.0.1:1"


@dataclass
class Till:
    """Where a home pays. `now` is our clock; the provider's is the real one."""

    world: World
    provider: Provider
    services: Services
    now: datetime

    def forward(self, **span: float) -> None:
        """Let time pass on our side."""
        self.now += timedelta(**span)

    def with_channels(self, channels: Mapping[str, Channel]) -> Services:
        """The same services with other channels."""
        return replace(self.services, channels=channels)

    def prepared(self, room: str = "1-1-302") -> Payment:
        """A payment of everything a home owes; the provider has not heard of it."""
        unit = self.world.unit(room)
        with self.world.database.transaction() as session:
            payer = see_follower(session, OWNER, self.now)
            owed = list_unpaid(session, self.world.community.id, [unit.id])
            return prepare(
                session,
                community_id=self.world.community.id,
                unit_id=unit.id,
                channel=PaymentChannel.WECHAT_JSAPI,
                merchant_id=self.world.merchant_id,
                payer_id=payer.id,
                designated={bill.id: bill.outstanding for bill in owed},
                out_trade_no=new_out_trade_no(),
                now=self.now,
            )

    def order(self, payment: Payment, notify_url: str = NOTIFY_URL) -> dict[str, Any]:
        """Register it at the provider, as the pay page does; gives what the phone needs."""
        call = self.services.channels[MERCHANT[0]].order(
            order_request(
                payment.out_trade_no,
                amount=payment.amount,
                notify_url=notify_url,
                expires_at=payment.prepared_at + ORDER_LIFE,
            ),
            self.now,
        )
        with self.world.database.transaction() as session:
            record_call(session, payment, call)
        return call

    def said(self, payment: Payment, **changes: Any) -> dict[str, Any]:
        """What WeChat Pay says once this payment was made."""
        return transaction(
            **{
                "out_trade_no": payment.out_trade_no,
                "transaction_id": f"42{payment.out_trade_no[2:]}",
                "amount": {"total": payment.amount.fen, "currency": "CNY"},
                **changes,
            }
        )

    def state(self, payment: Payment) -> PaymentState:
        """What our books say about it now."""
        with self.world.database.transaction() as session:
            return session.get_one(Payment, (payment.community_id, payment.id)).state

    def arrived(self) -> Money:
        """All that came in through the provider. The books are whole, or this fails."""
        with self.world.database.transaction() as session:
            assert [found.name for found in run_checks(session) if found.violations] == []
            return balance(session, self.world.community.id, FixedAccount.WECHAT_CLEARING)

    def discrepancies(self) -> list[str]:
        """Kinds of the disagreements written down."""
        with self.world.database.transaction() as session:
            return [found.kind.value for found in session.scalars(select(Discrepancy))]

    def payments(self) -> int:
        """How many payments there are, of any state."""
        with self.world.database.transaction() as session:
            return session.scalar(select(func.count(Payment.id))) or 0


def open_till(world: World, redis: Redis, vault: Vault, provider: Provider) -> Till:
    """A till on the world's books."""
    tills: list[Till] = []
    services = Services(
        database=world.database,
        redis=redis,
        wechat=WeChat(
            app_id="wx",
            app_secret="s" * 16,
            api_base=NOWHERE,
            oauth_base=NOWHERE,
            qr_base=NOWHERE,
            redis=redis,
        ),
        vault=vault,
        channels={MERCHANT[0]: provider.channel()},
        links=Links(NOWHERE, "k" * 32),
        text=text_environment(),
        clock=lambda: tills[0].now,
        base_url=NOWHERE,
    )
    tills.append(Till(world, provider, services, real_now()))
    return tills[0]
