"""A market day: people of the world pay in every online way, both pretend providers and our door
for their callbacks on real sockets, and faults planned at every step.

What somebody does is decided by a seed and his number alone; how it interleaves is left to threads.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask
from prometheus_client import CollectorRegistry
from redis import Redis
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import ChannelError
from billing.db import Database
from billing.errors import BillingError
from billing.merchants import CommunityMerchant, MerchantAccount, Provider
from billing.money import ZERO, Money
from billing.payment_channels import CHANNELS
from billing.payment_tables import OPEN_STATES, Payment, PaymentChannel
from billing.payments import InFlight, new_out_trade_no, prepare
from billing.people import Staff
from billing.privacy import Vault
from billing.property import Unit
from billing.refund_tables import Refund, RefundStage
from billing.refunds import approve_refund, new_out_refund_no, request_refund
from handlers.callbacks import callbacks
from handlers.ordering import Superseded, alone, order
from handlers.refunding import send_refund, settle_refunds
from handlers.services import Services
from handlers.settlement import settle_open_payments
from sandbox.pay import PayRefused
from tests.billing.channels.alipay_provider import SELLER_ID, AlipayProvider, running_alipay
from tests.billing.channels.provider import Provider as WeChatProvider
from tests.billing.channels.provider import real_now, running_provider, serving
from tests.billing.test_run_crashes import Killed, Mortal
from tests.conftest import MERCHANT, World
from tests.handlers.callbacks.till import open_till

ALIPAY_CODE = "HYALI"
CLOCK_RATE = 600.0
"""WeChat Pay calls again after 25 ms instead of 15 s."""

WAYS = (
    PaymentChannel.WECHAT_JSAPI,
    PaymentChannel.WECHAT_NATIVE,
    PaymentChannel.WECHAT_H5,
    PaymentChannel.ALIPAY_WAP,
    PaymentChannel.ALIPAY_PAGE,
)
ORDER_FAULTS = ("lost", "drop", "errcode")
NOTIFY_FAULTS = ("drop", "duplicate", "delay", "reorder", "forge")
REFUND_FAULTS = ("stuck", "closed", "not_enough")
ROUNDS_MAX = 40


@dataclass
class Market:
    """The place. `now` is our clock; the providers live in real time."""

    world: World
    wechat: WeChatProvider
    alipay: AlipayProvider
    services: Services
    staff: tuple[Staff, Staff]
    shift: timedelta = timedelta(0)

    def clock(self) -> datetime:
        """Our time."""
        return real_now() + self.shift

    def visit(self, seed: int, number: int) -> None:
        """Somebody pays something somehow, perhaps twice, and perhaps wants his money back."""
        chance = random.Random(f"{seed}:{number}")
        services = self._mortal(chance) if chance.random() < 0.1 else self.services
        try:
            self._pay(services, chance)
            if chance.random() < 0.25:
                self._refund(services, chance)
        except (Killed, ChannelError, InFlight, Superseded, PayRefused):
            return  # he goes away; what he left behind is settled later

    def _mortal(self, chance: random.Random) -> Services:
        """Our process, which ends at one of its next commits, before or after it."""
        engine = self.services.database.engine
        dying = Mortal(engine, chance.randint(1, 5), committed=chance.random() < 0.5)
        return replace(self.services, database=dying)

    def _pay(self, services: Services, chance: random.Random) -> None:
        way = chance.choice(WAYS)
        payment = alone(services, lambda session: self._prepare(session, chance, way))
        with self.world.database.transaction() as session:
            merchant = session.get_one(MerchantAccount, payment.merchant_id)
        if chance.random() < 0.2:
            self._plan("pay_api", chance.choice(ORDER_FAULTS))
        wish = {
            "description": "花园小区",
            "payer_openid": "o-owner" if way is PaymentChannel.WECHAT_JSAPI else None,
            "payer_ip": "127.0.0.1",
            "return_url": f"{services.base_url}/o/paid/x",
        }
        try:
            call = order(services, payment, merchant, **wish)
        except ChannelError:
            if chance.random() < 0.5:
                raise
            call = order(services, payment, merchant, **wish)  # he presses the button again
        if chance.random() < 0.4:
            self._plan("pay_notify", chance.choice(NOTIFY_FAULTS))
        if chance.random() < 0.85:
            self._hand_over(way, call)
            if chance.random() < 0.1:
                self._hand_over(way, call)  # two clicks

    def _prepare(self, session: Session, chance: random.Random, way: PaymentChannel) -> Payment:
        units = session.scalars(select(Unit.id).order_by(Unit.id)).all()
        unit_id = chance.choice(units)
        owed = list_unpaid(session, self.world.community.id, [unit_id])
        chosen = [bill for bill in owed if chance.random() < 0.4][:2]
        designated = {
            bill.id: Money(chance.randint(1, max(bill.outstanding.fen // 4, 1))) for bill in chosen
        }
        more = chance.random() < 0.2 or not designated
        merchant = session.scalars(
            select(CommunityMerchant.merchant_id).where(
                CommunityMerchant.community_id == self.world.community.id,
                CommunityMerchant.provider == CHANNELS[way].provider,
            )
        ).one()
        payer = see_follower(session, "o-owner", self.clock())
        return prepare(
            session,
            community_id=self.world.community.id,
            unit_id=unit_id,
            channel=way,
            merchant_id=merchant,
            payer_id=payer.id if way is PaymentChannel.WECHAT_JSAPI else None,
            designated=designated,
            prepaid=Money(chance.randint(1, 20_000)) if more else ZERO,
            out_trade_no=new_out_trade_no(),
            now=self.clock(),
        )

    def _hand_over(self, way: PaymentChannel, call: dict[str, str]) -> None:
        """At the provider's cashier."""
        if way is PaymentChannel.WECHAT_JSAPI:
            self.wechat.pay(call)
        elif way is PaymentChannel.WECHAT_NATIVE:
            checkout = self.wechat.book.scan(call["code_url"])
            self.wechat.book.confirm(checkout.prepay_id, "o-owner")
        elif way is PaymentChannel.WECHAT_H5:
            self.wechat.book.confirm_visit(call["redirect_url"])
        else:
            self.alipay.confirm(self.alipay.open(call["redirect_url"]))

    def _plan(self, target: str, mode: str) -> None:
        book = random.choice((self.wechat, self.alipay)) if target == "pay_notify" else self.wechat
        book.faults.add(target=target, mode=mode, count=1, seconds=0.05)

    def _refund(self, services: Services, chance: random.Random) -> None:
        requester, approver = self.staff
        with services.database.transaction() as session:
            payments = session.scalars(
                select(Payment).where(
                    Payment.confirmed_at.is_not(None), Payment.merchant_id.is_not(None)
                )
            ).all()
        if not payments:
            return
        payment = chance.choice(payments)
        amount = Money(chance.randint(1, payment.amount.fen))
        try:
            with services.database.transaction() as session:
                refund = request_refund(
                    session,
                    payment.community_id,
                    payment.id,
                    amount,
                    reason="多缴",
                    release_bills=chance.random() < 0.7,
                    by=requester,
                    now=self.clock(),
                    out_refund_no=new_out_refund_no(),
                )
                approve_refund(
                    session,
                    payment.community_id,
                    refund.id,
                    by=approver,
                    today=services.today(),
                    now=self.clock(),
                )
        except BillingError:
            return  # it was used, or went back already
        if chance.random() < 0.3:
            self.wechat.faults.add(
                target="refund", mode=chance.choice(REFUND_FAULTS), count=1, seconds=0.05
            )
        if chance.random() < 0.2:
            self._plan("pay_api", chance.choice(ORDER_FAULTS))
        send_refund(services, refund)

    def close(self) -> int:
        """Evening: what the workers do, until nothing is open any more. Gives how many rounds."""
        self.shift += timedelta(hours=3)
        for round_no in range(1, ROUNDS_MAX):
            settle_open_payments(self.services)
            settle_refunds(self.services)
            self.shift += timedelta(minutes=2)
            if not self._is_open():
                return round_no
        raise AssertionError(f"something is still open after {ROUNDS_MAX} rounds")

    def _is_open(self) -> bool:
        waiting = (RefundStage.APPROVED, RefundStage.UNKNOWN, RefundStage.PROCESSING)
        with self.world.database.transaction() as session:
            payment = session.scalars(
                select(Payment.id).where(Payment.state.in_(OPEN_STATES)).limit(1)
            ).first()
            refund = session.scalars(
                select(Refund.id).where(Refund.state.in_(waiting)).limit(1)
            ).first()
        return payment is not None or refund is not None


@contextmanager
def open_market(
    world: World,
    redis: Redis,
    vault: Vault,
    folder: Path,
    engine_for: Callable[[str], Engine],
) -> Iterator[Market]:
    """Both providers and our door, serving while the block runs."""
    database = Database(engine_for(world.url), after_facts=lambda: None)
    with ExitStack() as servers:
        wechat = servers.enter_context(running_provider(folder, CLOCK_RATE))
        alipay = servers.enter_context(running_alipay(folder, CLOCK_RATE))
        app = Flask("market")
        url = servers.enter_context(serving(app))
        with database.transaction() as session:
            merchant = MerchantAccount(
                code=ALIPAY_CODE, provider=Provider.ALIPAY, mchid=SELLER_ID, name="花园物业"
            )
            session.add(merchant)
            session.flush()
            session.add(
                CommunityMerchant(
                    community_id=world.community.id,
                    provider=Provider.ALIPAY,
                    merchant_id=merchant.id,
                )
            )
            manager, accountant = (
                session.scalars(select(Staff).where(Staff.login == login)).one()
                for login in ("zhao", "chen")
            )
        till = open_till(world, redis, vault, wechat)
        markets: list[Market] = []
        services = replace(
            till.services,
            database=database,
            channels={MERCHANT[0]: wechat.channel(h5=True), ALIPAY_CODE: alipay.channel()},
            clock=lambda: real_now() + markets[0].shift,
            base_url=url,
        )
        app.register_blueprint(callbacks(services, CollectorRegistry()), url_prefix="/callbacks")
        markets.append(Market(world, wechat, alipay, services, (accountant, manager)))
        yield markets[0]


def run_together(market: Market, seed: int, count: int, threads: int = 4) -> None:
    """`count` visits, some at once."""
    numbers = iter(range(count))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        while not failures:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                market.visit(seed, number)
            except BaseException as error:  # shown by the test, not swallowed by the thread
                failures.append(error)

    crowd = [threading.Thread(target=work) for _ in range(threads)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    if failures:
        raise failures[0]
