"""A desk that refunds and reconciles: the world's books and a pretend provider, on one clock."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import Channel, RefundAnswer, RefundState
from billing.checks import run_checks
from billing.confirmation import Outcome, confirm
from billing.discrepancies import Discrepancy
from billing.ledger import balance
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import new_out_trade_no, prepare
from billing.people import get_staff
from billing.privacy import Vault
from billing.refund_outcomes import RefundOutcome, record_answer
from billing.refund_tables import Refund, RefundStage
from billing.refunds import approve_refund, get_refund, new_out_refund_no, request_refund
from handlers.services import Services
from notify.links import Links
from notify.wechat import WeChat
from notify.wording import text_environment
from tests.conftest import MERCHANT, World
from tests.pretend_channel import PAYER, PretendChannel

NOWHERE = "http://127.0.0.1:1"


@dataclass
class Desk:
    """Where refunds are made and days compared."""

    world: World
    services: Services
    channel: PretendChannel
    now: datetime

    @property
    def here(self) -> int:
        """The community."""
        return self.world.community.id

    @property
    def today(self) -> date:
        """Its day."""
        return self.services.today()

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def with_channels(self, channels: dict[str, Channel]) -> Services:
        """The same services with other channels."""
        return replace(self.services, channels=channels)

    def offered(self, room: str = "1-1-302", prepaid: Money | None = None) -> Payment:
        """A payment of everything a home owes, or of this much as a prepayment; not paid yet."""
        unit = self.world.unit(room)
        with self.world.database.transaction() as session:
            owed = [] if prepaid else list_unpaid(session, self.here, [unit.id])
            return prepare(
                session,
                community_id=self.here,
                unit_id=unit.id,
                channel=PaymentChannel.WECHAT_JSAPI,
                merchant_id=self.world.merchant_id,
                payer_id=see_follower(session, PAYER, self.now).id,
                designated={bill.id: bill.outstanding for bill in owed},
                prepaid=prepaid or Money(0),
                out_trade_no=new_out_trade_no(),
                now=self.now,
            )

    def paid(self, room: str = "1-1-302", prepaid: Money | None = None) -> Payment:
        """The same, paid and booked."""
        payment = self.offered(room, prepaid)
        answer = self.channel.take(payment)
        with self.world.database.transaction() as session:
            assert confirm(session, self.merchant(session), answer, self.now) is Outcome.BOOKED
        return payment

    def merchant(self, session: Session) -> MerchantAccount:
        """The account that collects."""
        return session.get_one(MerchantAccount, self.world.merchant_id)

    def approved(self, payment: Payment, fen: int | None = None, **wishes: Any) -> Refund:
        """A refund of a payment, whole or of so much, that was approved."""
        with self.world.database.transaction() as session:
            asked = request_refund(
                session,
                self.here,
                payment.id,
                payment.amount if fen is None else Money(fen),
                by=get_staff(session, "liu"),
                now=self.now,
                **{
                    "reason": "重复缴费",
                    "release_bills": True,
                    "out_refund_no": new_out_refund_no(),
                    **wishes,
                },
            )
            for login in ("zhao", "chen"):
                if asked.state is RefundStage.REQUESTED:
                    by = get_staff(session, login)
                    approve_refund(
                        session, self.here, asked.id, by=by, today=self.today, now=self.now
                    )
            return asked

    def told(self, refund: Refund, state: RefundState, **changes: Any) -> RefundOutcome:
        """The provider says what became of a refund."""
        with self.world.database.transaction() as session:
            payment = session.get_one(Payment, (refund.community_id, refund.payment_id))
            answer = RefundAnswer(
                **{
                    "mchid": self.channel.mchid,
                    "out_trade_no": payment.out_trade_no,
                    "out_refund_no": refund.out_refund_no,
                    "state": state,
                    "refund_id": f"50{refund.out_refund_no[2:]}",
                    "amount": refund.amount,
                    "at": self.now,
                    **changes,
                }
            )
            return record_answer(session, self.merchant(session), answer, self.now)

    def stage(self, refund: Refund) -> RefundStage:
        """What our books say about it now."""
        with self.world.database.transaction() as session:
            return get_refund(session, self.here, refund.id).state

    def state(self, payment: Payment) -> PaymentState:
        """What our books say about it now."""
        with self.world.database.transaction() as session:
            return session.get_one(Payment, (payment.community_id, payment.id)).state

    def account(self, code: str, room: str | None = None) -> Money:
        """Debits less credits of an account. The books are whole, or this fails."""
        with self.world.database.transaction() as session:
            assert {r.name: r.violations for r in run_checks(session) if r.violations} == {}
            return balance(session, self.here, code, self.world.unit(room).id if room else None)

    def discrepancies(self, *, closed: bool = False) -> list[tuple[str, str]]:
        """Kind and reason of the open ones, or of those that are closed."""
        with self.world.database.transaction() as session:
            return [
                (found.kind.value, str(found.data.get("reason", "")))
                for found in session.scalars(select(Discrepancy).order_by(Discrepancy.id))
                if (found.closed_at is not None) is closed
            ]


@pytest.fixture
def desk(world: World, redis: Redis, vault: Vault) -> Desk:
    """A desk on the world's books, at the world's hour; nobody listens where WeChat would be."""
    desks: list[Desk] = []
    channel = PretendChannel(lambda: desks[0].now)
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
        channels={MERCHANT[0]: channel},
        links=Links(NOWHERE, "k" * 32),
        text=text_environment(),
        clock=lambda: desks[0].now,
        base_url=NOWHERE,
    )
    desks.append(Desk(world, services, channel, world.now))
    return desks[0]
