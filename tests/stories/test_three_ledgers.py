"""However payments, callbacks, refunds and our own process fail: in the end the providers' ledgers,
our payments and the journal say the same, to the fen.
"""

from collections.abc import Callable
from pathlib import Path

from redis import Redis
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.checks import run_checks
from billing.discrepancies import list_discrepancies
from billing.facts import Fact, FactKind
from billing.ledger import Account, EntryKind, FixedAccount, JournalEntry, Posting
from billing.payment_tables import BOOKED_STATES, Payment, Receipt
from billing.privacy import Vault
from billing.receipts import number_waiting
from billing.refund_tables import Refund, RefundStage
from handlers.reconciling import reconcile
from tests.billing.channels.provider import real_now
from tests.conftest import SOAK, World
from tests.stories.market import Market, open_market, run_together

PAYMENTS = 2000 if SOAK else 40
SEED = 20261125
CLEARING = (FixedAccount.WECHAT_CLEARING, FixedAccount.ALIPAY_CLEARING)


def providers_believe(market: Market) -> tuple[dict[str, int], int]:
    """What each paid order brought, and all that went back, in fen."""
    orders = market.wechat.book.ledger() + market.alipay.book.ledger()
    paid = {str(o["out_trade_no"]): int(str(o["paid_fen"])) for o in orders if o["paid_fen"]}
    return paid, sum(int(str(o["refunded_fen"])) for o in orders)


def payments_say(session: Session) -> tuple[dict[str, int], int]:
    """The same by our payments and refunds."""
    rows = session.execute(
        select(Payment.out_trade_no, Payment.amount).where(
            Payment.state.in_(BOOKED_STATES), Payment.merchant_id.is_not(None)
        )
    )
    refunded = session.scalar(
        select(func.coalesce(func.sum(Refund.amount), 0)).where(Refund.state == RefundStage.DONE)
    )
    return {row.out_trade_no: row.amount.fen for row in rows}, refunded.fen if refunded else 0


def journal_holds(session: Session) -> tuple[int, int]:
    """The same by what was posted to the providers' accounts."""
    sums = []
    for kind, side in ((EntryKind.PAYMENT, Posting.debit), (EntryKind.REFUND, Posting.credit)):
        total = session.scalar(
            select(func.coalesce(func.sum(side), 0))
            .join(
                JournalEntry,
                (JournalEntry.community_id == Posting.community_id)
                & (JournalEntry.id == Posting.entry_id),
            )
            .join(
                Account,
                (Account.community_id == Posting.community_id) & (Account.id == Posting.account_id),
            )
            .where(JournalEntry.kind == kind, Account.code.in_(CLEARING))
        )
        sums.append(total.fen if total else 0)
    return sums[0], sums[1]


def test_after_a_day_of_faults_the_three_ledgers_agree_to_the_fen(
    world: World,
    redis: Redis,
    vault: Vault,
    tmp_path: Path,
    engine_for: Callable[[str], Engine],
) -> None:
    with open_market(world, redis, vault, tmp_path, engine_for) as market:
        first_day = business_date(real_now())
        run_together(market, SEED, PAYMENTS)
        market.close()
        last_day = business_date(real_now())
        for provider in (market.wechat.book, market.alipay):
            provider.calendar.shift(days=2)
        for day in sorted({first_day, last_day}):
            for comparison in reconcile(market.services, day):
                assert comparison.failure is None
                assert comparison.by_statement
        paid, refunded = providers_believe(market)
        with market.services.database.transaction() as session:
            ours, refunded_by_us = payments_say(session)
            assert ours == paid
            assert refunded_by_us == refunded
            assert journal_holds(session) == (sum(paid.values()), refunded)
            assert [found.name for found in run_checks(session) if found.violations] == []
            assert [(one.kind, one.data) for one in list_discrepancies(session)] == []
            while number_waiting(session, market.clock(), limit=500):
                pass
            told = session.scalars(
                select(Fact.ref_id).where(Fact.kind == FactKind.RECEIPT_ISSUED)
            ).all()
            receipts = session.scalar(select(func.count()).select_from(Receipt))
        assert len(told) == len(set(told)) == len(ours)
        assert receipts is not None
        assert receipts >= len(ours)
        assert len(ours) > PAYMENTS // 3, "hardly anything was paid: the story is about nothing"
