"""Reconciliation (对账): a day of a merchant account, compared with what the books say of it.

Talking to the provider is `handlers.reconciling`; here are the statement on its way into the
database, what a day came to, and which payments and refunds are asked about when there is no
statement.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import IO

from sqlalchemy import ForeignKey, and_, case, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.alerts import AlertKind, ClosedBecause, close_alerts, raise_alert
from billing.channels.base import FundTotals, StatementRow
from billing.db import Base
from billing.differences import Scope, Totals
from billing.discrepancies import (
    VANISHED,
    Discrepancy,
    DiscrepancyKind,
    close_alerts_of_closed,
    record_discrepancy,
)
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import BOOKED_STATES, OPEN_STATES, Payment
from billing.refund_tables import Refund, RefundStage

SPOOL_MEMORY_BYTES = 1 << 16
UNSETTLED_STAGES = (RefundStage.UNKNOWN, RefundStage.PROCESSING, RefundStage.ABNORMAL)


class Reconciliation(Base):
    """A day of a merchant account, and what comparing it came to, last time."""

    __tablename__ = "reconciliation"
    __table_args__ = ({"comment": "Days of merchant accounts that were reconciled (对账)"},)

    merchant_id: Mapped[int] = mapped_column(ForeignKey("merchant_account.id"), primary_key=True)
    statement_on: Mapped[date] = mapped_column(primary_key=True)
    tried_at: Mapped[datetime]
    done_at: Mapped[datetime | None] = mapped_column(
        comment="when it was compared with everything the provider has of the day"
    )
    failure: Mapped[str | None] = mapped_column(comment="why it could not be compared, last time")
    by_statement: Mapped[bool] = mapped_column(comment="false: single orders were asked about")
    statement_hash: Mapped[str | None] = mapped_column(comment="SHA-256 of the rows, in order")
    rows: Mapped[int]
    provider: Mapped[Money] = mapped_column(comment="paid, by the provider, fen")
    booked: Mapped[Money] = mapped_column(comment="paid, by our books, fen")
    refunded: Mapped[Money] = mapped_column(comment="refunds begun, by the provider, fen")
    booked_refunded: Mapped[Money] = mapped_column(comment="refunds begun, by our books, fen")
    fees: Mapped[Money] = mapped_column(comment="kept by the provider, fen")
    matched: Mapped[int]
    healed: Mapped[int] = mapped_column(comment="booked by asking, over all tries")
    not_asked: Mapped[int] = mapped_column(comment="orders there was no time to ask about")


@dataclass(frozen=True, slots=True)
class Spool:
    """A statement on its way into the database."""

    rows: int
    sha256: str


def spool(rows: Iterable[StatementRow], file: IO[bytes]) -> Spool:
    """Write a statement's rows to a file as they come, so that no transaction is open while the
    provider sends them and memory does not grow with them.
    """
    digest = hashlib.sha256()
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    count = 0

    def flush() -> None:
        block = buffer.getvalue().encode()
        digest.update(block)
        file.write(block)
        buffer.seek(0)
        buffer.truncate()

    for row in rows:
        writer.writerow(
            (
                row.out_trade_no,
                row.transaction_id,
                row.amount.fen,
                row.at.isoformat(),
                row.fee.fen,
                row.out_refund_no,
                row.refund_id,
                row.refund_state.value if row.refund_state else None,
            )
        )
        count += 1
        if buffer.tell() > SPOOL_MEMORY_BYTES:
            flush()
    flush()
    return Spool(count, digest.hexdigest())


def list_orders_of(session: Session, scope: Scope, *, limit: int) -> tuple[list[Payment], int]:
    """Payments of the day that a provider can be asked about, and how many are left out: first
    those still open, then what was closed without being paid, then what is booked.
    """
    day = scope.parameters()
    begun = and_(
        Payment.prepared_at >= day["day_starts"] - timedelta(days=1),
        Payment.prepared_at < day["day_ends"],
    )
    rows = session.execute(
        select(Payment, func.count().over().label("found"))
        .where(
            Payment.merchant_id == scope.merchant_id,
            or_(
                and_(Payment.paid_at >= day["day_starts"], Payment.paid_at < day["day_ends"]),
                and_(Payment.paid_at.is_(None), begun),
            ),
        )
        .order_by(
            case(
                (Payment.state.in_(OPEN_STATES), 0), (Payment.state.in_(BOOKED_STATES), 2), else_=1
            ),
            Payment.id,
        )
        .limit(limit)
    ).all()
    return [row.Payment for row in rows], (rows[0].found - len(rows) if rows else 0)


def list_refunds_of(
    session: Session, scope: Scope, *, limit: int
) -> tuple[list[tuple[Refund, Payment]], int]:
    """Refunds the provider was told of on the day, with their payments, those unsettled first; and
    how many are left out.
    """
    day = scope.parameters()
    rows = session.execute(
        select(Refund, Payment, func.count().over().label("found"))
        .join(
            Payment,
            (Payment.community_id == Refund.community_id) & (Payment.id == Refund.payment_id),
        )
        .where(
            Payment.merchant_id == scope.merchant_id,
            Refund.called_at >= day["day_starts"],
            Refund.called_at < day["day_ends"],
        )
        .order_by(case((Refund.state.in_(UNSETTLED_STAGES), 0), else_=1), Refund.id)
        .limit(limit)
    ).all()
    refunds = [(row.Refund, row.Payment) for row in rows]
    return refunds, (rows[0].found - len(rows) if rows else 0)


def compare_funds(
    session: Session, scope: Scope, totals: Totals, funds: FundTotals, now: datetime
) -> None:
    """The provider's bill of funds against its own statement, total by total."""
    said = {"received": funds.received, "refunded": funds.refunded, "fees": funds.fees}
    listed = {"received": totals.provider, "refunded": totals.refunded, "fees": totals.fees}
    apart = {
        name: {"funds_fen": said[name].fen, "statement_fen": listed[name].fen}
        for name in said
        if said[name] != listed[name]
    }
    if apart:
        record_discrepancy(
            session,
            DiscrepancyKind.FUNDS,
            merchant_id=scope.merchant_id,
            community_id=None,
            out_trade_no="",
            transaction_id=scope.day.isoformat(),
            data=apart,
            now=now,
            statement_on=scope.day,
        )
        return
    found = session.scalars(
        select(Discrepancy).where(
            Discrepancy.merchant_id == scope.merchant_id,
            Discrepancy.kind == DiscrepancyKind.FUNDS,
            Discrepancy.statement_on == scope.day,
            Discrepancy.closed_at.is_(None),
        )
    )
    for discrepancy in found:
        discrepancy.closed_at, discrepancy.close_reason = now, VANISHED
    close_alerts_of_closed(session, scope.merchant_id, now)


def write_day(
    session: Session,
    scope: Scope,
    totals: Totals,
    *,
    statement_hash: str | None,
    healed: int,
    not_asked: int,
    is_done: bool,
    now: datetime,
) -> None:
    """Keep what a day came to; over all tries for what was healed. Once it is done nobody need be
    reminded of it any more.
    """
    values = {
        "tried_at": now,
        "done_at": now if is_done else None,
        "failure": None,
        "by_statement": scope.is_whole,
        "statement_hash": statement_hash,
        "rows": totals.rows,
        "provider": totals.provider,
        "booked": totals.booked,
        "refunded": totals.refunded,
        "booked_refunded": totals.booked_refunded,
        "fees": totals.fees,
        "matched": totals.matched,
        "not_asked": not_asked,
    }
    session.execute(
        insert(Reconciliation)
        .values(merchant_id=scope.merchant_id, statement_on=scope.day, healed=healed, **values)
        .on_conflict_do_update(
            index_elements=["merchant_id", "statement_on"],
            set_={**values, "healed": Reconciliation.healed + healed},
        )
    )
    if is_done:
        merchant = session.get_one(MerchantAccount, scope.merchant_id)
        key = _not_done_key(merchant, scope.day)
        close_alerts(session, [key], now, ClosedBecause.DAY_COMPARED)


def write_failure(
    session: Session, merchant_id: int, day: date, failure: str, now: datetime
) -> None:
    """Keep that a day could not be compared this time."""
    nothing = dict.fromkeys(("provider", "booked", "refunded", "booked_refunded", "fees"), Money(0))
    counts = dict.fromkeys(("rows", "matched", "healed", "not_asked"), 0)
    session.execute(
        insert(Reconciliation)
        .values(
            merchant_id=merchant_id,
            statement_on=day,
            tried_at=now,
            failure=failure,
            by_statement=False,
            **nothing,
            **counts,
        )
        .on_conflict_do_update(
            index_elements=["merchant_id", "statement_on"],
            set_={"tried_at": now, "failure": failure},
        )
    )


def is_done(session: Session, merchant_id: int, day: date) -> bool:
    """Whether a day was compared with everything the provider has of it."""
    found = session.get(Reconciliation, (merchant_id, day))
    return found is not None and found.done_at is not None


def alert_differences(
    session: Session, merchant: MerchantAccount, day: date, found: int, now: datetime
) -> None:
    """One alert for all that a day's statement brought to light; none for nothing."""
    if found:
        raise_alert(
            session,
            AlertKind.DISCREPANCY,
            key=f"reconciliation:{merchant.code}:{day}:{now.isoformat()}",
            community_id=None,
            data={"merchant": merchant.code, "date": day.isoformat(), "found": found},
            now=now,
        )


def alert_not_done(session: Session, merchant: MerchantAccount, day: date, now: datetime) -> None:
    """Tell staff that a day is still not reconciled; once while that is open."""
    raise_alert(
        session,
        AlertKind.NOT_RECONCILED,
        key=_not_done_key(merchant, day),
        community_id=None,
        data={"merchant": merchant.code, "date": day.isoformat()},
        now=now,
    )


def _not_done_key(merchant: MerchantAccount, day: date) -> str:
    return f"not_reconciled:{merchant.code}:{day}"
