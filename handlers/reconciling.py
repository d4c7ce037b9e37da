"""Comparing a day with what providers say of it, and mending by asking what can be mended so.

Run by cron every morning for the day before, and by the command line for any day. While a provider
is asked or sends its statement, no transaction is open: the rows go to a file first. A statement
compared twice adds nothing.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.business_day import BEIJING, business_date
from billing.channels.base import (
    Channel,
    ChannelError,
    ChannelUnreachable,
    FundTotals,
    NoStatement,
    ProviderState,
    RefundState,
    StatementRow,
)
from billing.confirmation import Outcome, confirm
from billing.differences import (
    Healable,
    Scope,
    Totals,
    find_differences,
    load_statement,
    read_totals,
    write_differences,
    write_healed,
)
from billing.merchants import MerchantAccount
from billing.money import ZERO
from billing.reconciliation import (
    Spool,
    alert_differences,
    alert_not_done,
    compare_funds,
    is_done,
    list_orders_of,
    list_refunds_of,
    spool,
    write_day,
    write_failure,
)
from billing.refund_outcomes import RefundOutcome, record_answer
from handlers.services import Services

log = structlog.get_logger(__name__)

QUESTIONS_MAX = 500
"""How many orders, how many refunds, and how many differences one comparison asks about."""

SPOOL_MEMORY_BYTES = 1 << 20

STATEMENTS_READY = time(10)
"""Statements of a day are there at ten the next morning (WeChat Pay, bill download)."""

LATE = time(16)
"""A day that is not done by then is told to staff."""

DAYS_BACK = 7
"""So many days are tried again until they are done."""

MENDED = {
    RefundOutcome.DONE,
    RefundOutcome.FAILED,
    RefundOutcome.ABNORMAL,
    RefundOutcome.PROCESSING,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing a day of one merchant account came to; without totals where it could not be
    compared, for the reason in `failure`.
    """

    merchant: MerchantAccount
    totals: Totals | None = None
    by_statement: bool = False
    healed: int = 0
    not_asked: int = 0
    is_done: bool = False
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a provider said of a day: its statement, or its answers about single orders, spooled.

    Attributes:
        asked: order and refund numbers it was asked about; empty with a statement.
        not_asked: how many there was no time to ask about.
    """

    spool: Spool
    is_whole: bool
    asked: Sequence[tuple[str, str]] = ()
    not_asked: int = 0
    funds: FundTotals | None = None


def reconcile(services: Services, day: date) -> list[Comparison]:
    """Compare a day of every merchant account. One whose provider cannot be asked does not hold up
    the others; one without keys is left out unless it has orders of that day.
    """
    with services.database.transaction() as session:
        merchants = [
            merchant
            for merchant in session.scalars(select(MerchantAccount).order_by(MerchantAccount.id))
            if merchant.code in services.channels
            or list_orders_of(session, Scope(merchant.id, day, is_whole=True), limit=1)[0]
        ]
    return [reconcile_merchant(services, merchant, day) for merchant in merchants]


def reconcile_morning(services: Services) -> dict[str, int]:
    """Compare the last days that are not done; yesterday from ten on. Safe to repeat all day: what
    is done is not asked again, and staff are told of what is late.
    """
    now = services.clock()
    clock, yesterday = now.astimezone(BEIJING).time(), business_date(now) - timedelta(days=1)
    with services.database.transaction() as session:
        due = [
            (merchant, day)
            for merchant in session.scalars(select(MerchantAccount).order_by(MerchantAccount.id))
            if merchant.code in services.channels
            for day in (yesterday - timedelta(days=back) for back in reversed(range(DAYS_BACK)))
            if (day < yesterday or clock >= STATEMENTS_READY)
            and not is_done(session, merchant.id, day)
        ]
    counts = {"done": 0, "waiting": 0}
    for merchant, day in due:
        comparison = reconcile_merchant(services, merchant, day)
        counts["done" if comparison.is_done else "waiting"] += 1
        if not comparison.is_done and (day < yesterday or clock >= LATE):
            with services.database.transaction() as session:
                alert_not_done(session, merchant, day, now)
    return counts


def reconcile_merchant(services: Services, merchant: MerchantAccount, day: date) -> Comparison:
    """Compare a day of one merchant account, mend what asking mends, write down the rest."""
    try:
        channel = services.channels.get(merchant.code)
        if channel is None:
            raise ChannelUnreachable(f"no keys for merchant {merchant.code}")
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY_BYTES) as file:
            heard = _listen(services, channel, merchant, day, file)
            return _compare(services, channel, merchant, day, file, heard)
    except ChannelError as error:
        log.warning("not_reconciled", merchant=merchant.code, day=str(day), reason=str(error))
        with services.database.transaction() as session:
            write_failure(session, merchant.id, day, str(error), services.clock())
        return Comparison(merchant, failure=str(error))


def _listen(
    services: Services, channel: Channel, merchant: MerchantAccount, day: date, file: IO[bytes]
) -> Heard:
    """The day's statement, or where there is none what the provider says of our own orders."""
    try:
        return Heard(spool(channel.fetch_statement(day), file), True, funds=_funds(channel, day))
    except NoStatement:
        file.seek(0)
        file.truncate()
    scope = Scope(merchant.id, day, is_whole=False)
    with services.database.transaction() as session:
        orders, orders_left = list_orders_of(session, scope, limit=QUESTIONS_MAX)
        refunds, refunds_left = list_refunds_of(session, scope, limit=QUESTIONS_MAX)
    rows: list[StatementRow] = []
    for payment in orders:
        answer = channel.query(payment.out_trade_no)
        paid_at = answer.paid_at or payment.paid_at or services.clock()
        if answer.state is ProviderState.PAID and business_date(paid_at) == day:
            rows.append(
                StatementRow(
                    out_trade_no=payment.out_trade_no,
                    transaction_id=answer.transaction_id or "",
                    amount=answer.amount or payment.amount,
                    at=paid_at,
                )
            )
    for refund, payment in refunds:
        said = channel.query_refund(payment.out_trade_no, refund.out_refund_no)
        if said.state is not RefundState.MISSING:
            rows.append(
                StatementRow(
                    out_trade_no=payment.out_trade_no,
                    transaction_id=payment.transaction_id or "",
                    amount=said.amount or refund.amount,
                    at=said.at or services.clock(),
                    out_refund_no=refund.out_refund_no,
                    refund_id=said.refund_id,
                    refund_state=said.state,
                )
            )
    asked = [(payment.out_trade_no, "") for payment in orders]
    asked += [(payment.out_trade_no, refund.out_refund_no) for refund, payment in refunds]
    return Heard(spool(rows, file), False, asked, orders_left + refunds_left)


def _funds(channel: Channel, day: date) -> FundTotals | None:
    try:
        return channel.fetch_funds(day)
    except NoStatement:
        return None


def _compare(
    services: Services,
    channel: Channel,
    merchant: MerchantAccount,
    day: date,
    file: IO[bytes],
    heard: Heard,
) -> Comparison:
    """Compare, ask about what may be mended, and compare again if there was anything to ask."""
    scope = Scope(merchant.id, day, heard.is_whole)
    healed = 0
    for may_ask in (True, False):
        with services.database.transaction() as session:
            load_statement(session, file, heard.asked)
            healable = find_differences(session, scope, limit=QUESTIONS_MAX)
            if not (may_ask and healable):
                return _write(session, merchant, scope, heard, healed, services.clock())
        healed = sum(_heal(services, channel, merchant, scope, item) for item in healable)
    raise AssertionError("the second comparison asks nothing")  # for the type checker


def _write(
    session: Session,
    merchant: MerchantAccount,
    scope: Scope,
    heard: Heard,
    healed: int,
    now: datetime,
) -> Comparison:
    """Write down what is left to people, and what the day came to."""
    totals = read_totals(session, scope)
    found = write_differences(session, scope, now)
    alert_differences(session, merchant, scope.day, found, now)
    if heard.funds is not None:
        compare_funds(session, scope, totals, heard.funds, now)
    done = heard.is_whole or _nothing_happened(scope.day, totals, heard, now)
    write_day(
        session,
        scope,
        totals,
        statement_hash=heard.spool.sha256 if heard.is_whole else None,
        healed=healed,
        not_asked=heard.not_asked,
        is_done=done,
        now=now,
    )
    return Comparison(merchant, totals, heard.is_whole, healed, heard.not_asked, done)


def _nothing_happened(day: date, totals: Totals, heard: Heard, now: datetime) -> bool:
    """Whether there is no statement because there was nothing to state."""
    ready = datetime.combine(day + timedelta(days=1), STATEMENTS_READY, BEIJING)
    nothing = totals.rows == 0 and totals.booked == totals.booked_refunded == ZERO
    return now >= ready and nothing and heard.not_asked == 0


def _heal(
    services: Services, channel: Channel, merchant: MerchantAccount, scope: Scope, item: Healable
) -> int:
    """Ask about one payment or refund and book the answer; 1 when that was news."""
    try:
        if item.refund_id is None:
            answer = channel.query(item.out_trade_no)
        else:
            said = channel.query_refund(item.out_trade_no, item.out_refund_no)
    except ChannelError as error:
        log.warning("difference_not_asked", out_trade_no=item.out_trade_no, reason=str(error))
        return 0
    with services.database.transaction() as session:
        now = services.clock()
        if item.refund_id is None:
            is_news = confirm(session, merchant, answer, now) is Outcome.BOOKED
        else:
            is_news = record_answer(session, merchant, said, now) in MENDED
        if is_news:
            write_healed(session, scope, item, json.dumps(item.data), now)
    return int(is_news)
