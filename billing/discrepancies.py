"""Where the books and a provider disagree (差错): from finding one to closing it.

A difference that a statement shows no more closes by itself; every other one is closed by a person
who says why. Its alert closes with it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
    update,
)
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.alerts import AlertKind, ClosedBecause, raise_alert
from billing.business_day import business_date
from billing.db import Base, GlobalId
from billing.errors import Conflict, InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.merchants import MerchantAccount
from billing.people import BOOKKEEPERS, Staff, require_role

BOOKED_SINCE = "booked as the provider says"
VANISHED = "the statement and the books agree by now"
"""Reasons of those that close by themselves."""

CLOSE_ALERTS = sql_text(
    """
    UPDATE alert SET closed_at = :now, closed_by = discrepancy.closed_by,
           close_reason = CASE WHEN discrepancy.closed_by IS NOT NULL THEN discrepancy.close_reason
                               WHEN discrepancy.is_healed THEN :booked ELSE :agreed END
    FROM discrepancy
    WHERE alert.kind = 'discrepancy' AND alert.closed_at IS NULL
      AND alert.key = 'discrepancy:' || discrepancy.id
      AND discrepancy.merchant_id = :merchant_id AND discrepancy.closed_at IS NOT NULL
    """
)
CLOSE_DAYS = sql_text(
    """
    UPDATE alert SET closed_at = :now, close_reason = :settled
    FROM merchant_account merchant
    WHERE merchant.id = :merchant_id AND alert.kind = 'discrepancy' AND alert.closed_at IS NULL
      AND alert.data ->> 'merchant' = merchant.code
      AND alert.key LIKE 'reconciliation:%' AND alert.data ->> 'date' IS NOT NULL
      AND NOT EXISTS (SELECT FROM discrepancy
                      WHERE discrepancy.merchant_id = merchant.id
                        AND discrepancy.closed_at IS NULL
                        AND to_char(discrepancy.statement_on, 'YYYY-MM-DD') = alert.data ->> 'date')
    """
)
"""The alert of all that a day's statement showed is over when the last of it is."""


class DiscrepancyKind(LabelEnum):
    """How what a provider says differs from our books."""

    UNKNOWN_ORDER = "unknown_order", "订单不存在"
    WRONG_CURRENCY = "wrong_currency", "币种不符"
    WRONG_MERCHANT = "wrong_merchant", "商户号不符"
    WRONG_AMOUNT = "wrong_amount", "金额不符"
    WRONG_PAYER = "wrong_payer", "付款人不符"
    PAID_TWICE = "paid_twice", "重复支付"
    REFUND = "refund", "退款不符"
    MISSING_HERE = "missing_here", "渠道有、账上无"
    MISSING_THERE = "missing_there", "账上有、渠道无"
    AMOUNT = "amount", "账单金额不符"
    STATE = "state", "状态不符"
    FUNDS = "funds", "资金汇总不符"


class Discrepancy(Base):
    """One disagreement. Nothing was booked for it, unless it is healed."""

    __tablename__ = "discrepancy"
    __table_args__ = (
        UniqueConstraint(
            "merchant_id",
            "out_trade_no",
            "out_refund_no",
            "kind",
            "transaction_id",
            name="uq_discrepancy_once",
        ),
        # Read by reconciliation: what was found on a day's statement.
        Index("ix_discrepancy_statement", "merchant_id", "statement_on"),
        Index("ix_discrepancy_open", "found_at", postgresql_where=sql_text("closed_at IS NULL")),
        {"comment": "Disagreements between provider and books (差错)"},
    )

    id: Mapped[GlobalId]
    merchant_id: Mapped[int] = mapped_column(ForeignKey("merchant_account.id"))
    community_id: Mapped[int | None]
    kind: Mapped[DiscrepancyKind]
    out_trade_no: Mapped[str]
    out_refund_no: Mapped[str] = mapped_column(server_default="")
    transaction_id: Mapped[str] = mapped_column(comment="of the provider; of totals: their day")
    statement_on: Mapped[date | None] = mapped_column(comment="day of the statement that shows it")
    data: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), comment="who sees to it")
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="null when it closed by itself"
    )
    close_reason: Mapped[str | None]
    is_healed: Mapped[bool] = mapped_column(
        server_default="false", comment="mended by booking what the provider answered"
    )


def record_discrepancy(
    session: Session,
    kind: DiscrepancyKind,
    *,
    merchant_id: int,
    community_id: int | None,
    out_trade_no: str,
    transaction_id: str | None,
    data: dict[str, Any],
    now: datetime,
    out_refund_no: str = "",
    statement_on: date | None = None,
) -> None:
    """Write a discrepancy down and alert staff; the same one again changes nothing, unless it had
    closed by itself: then it is open again.
    """
    values = insert(Discrepancy).values(
        merchant_id=merchant_id,
        community_id=community_id,
        kind=kind,
        out_trade_no=out_trade_no,
        out_refund_no=out_refund_no,
        transaction_id=transaction_id or "",
        statement_on=statement_on,
        data=data,
        found_at=now,
    )
    opened = session.execute(
        values.on_conflict_do_update(
            index_elements=[
                "merchant_id",
                "out_trade_no",
                "out_refund_no",
                "kind",
                "transaction_id",
            ],
            set_={
                "data": values.excluded.data,
                "found_at": values.excluded.found_at,
                "closed_at": None,
                "close_reason": None,
                "is_healed": False,
            },
            where=and_(Discrepancy.closed_at.is_not(None), Discrepancy.closed_by.is_(None)),
        ).returning(Discrepancy.id)
    ).scalar_one_or_none()
    if opened is not None:
        merchant = session.get_one(MerchantAccount, merchant_id)
        raise_alert(
            session,
            AlertKind.DISCREPANCY,
            key=f"discrepancy:{opened}",
            community_id=community_id,
            data={
                "discrepancy": opened,
                "kind": kind.value,
                "merchant": merchant.code,
                "date": statement_on.isoformat() if statement_on else None,
                "out_trade_no": out_trade_no,
                "out_refund_no": out_refund_no,
                **data,
            },
            now=now,
        )


def heal_discrepancies(
    session: Session, merchant_id: int | None, out_refund_no: str, now: datetime
) -> None:
    """Close what is open about a refund that is booked now as its provider says."""
    healed = session.execute(
        update(Discrepancy)
        .where(
            Discrepancy.merchant_id == merchant_id,
            Discrepancy.out_refund_no == out_refund_no,
            Discrepancy.kind == DiscrepancyKind.REFUND,
            Discrepancy.closed_at.is_(None),
        )
        .values(closed_at=now, close_reason=BOOKED_SINCE, is_healed=True)
        .returning(Discrepancy.id)
    )
    if merchant_id is not None and healed.all():
        close_alerts_of_closed(session, merchant_id, now)


def close_alerts_of_closed(session: Session, merchant_id: int, now: datetime) -> None:
    """Close the alerts of a merchant account's discrepancies that are closed, for the reason and by
    the person those were closed. Whoever closes discrepancies ends with this; calling it twice
    changes nothing.
    """
    session.flush()
    session.execute(
        CLOSE_ALERTS,
        {
            "merchant_id": merchant_id,
            "now": now,
            "booked": ClosedBecause.BOOKED.label,
            "agreed": ClosedBecause.AGREED.label,
        },
    )
    session.execute(
        CLOSE_DAYS,
        {
            "merchant_id": merchant_id,
            "now": now,
            "settled": ClosedBecause.DAY_SETTLED.label,
        },
    )


def list_discrepancies(
    session: Session,
    *,
    day: date | None = None,
    community_id: int | None = None,
    merchant_id: int | None = None,
    with_closed: bool = False,
) -> Sequence[Discrepancy]:
    """Open discrepancies, the oldest first.

    Args:
        day: those of this day's statement, and those found on this day otherwise.
        community_id: of one community, and those that could not be told to belong to any.
        with_closed: closed ones too.
    """
    conditions: list[ColumnElement[bool]] = []
    if not with_closed:
        conditions.append(Discrepancy.closed_at.is_(None))
    if day is not None:
        found_on = func.date(func.timezone("Asia/Shanghai", Discrepancy.found_at))
        conditions.append(
            or_(
                Discrepancy.statement_on == day,
                and_(Discrepancy.statement_on.is_(None), found_on == day),
            )
        )
    if community_id is not None:
        conditions.append(
            or_(Discrepancy.community_id == community_id, Discrepancy.community_id.is_(None))
        )
    if merchant_id is not None:
        conditions.append(Discrepancy.merchant_id == merchant_id)
    return session.scalars(
        select(Discrepancy).where(*conditions).order_by(Discrepancy.found_at, Discrepancy.id)
    ).all()


def assign_discrepancy(session: Session, discrepancy_id: int, *, to: Staff) -> Discrepancy:
    """Name who sees to an open discrepancy; again for somebody else.

    Raises:
        NotFound: no such discrepancy.
        Conflict: it is closed.
        InvalidInput: somebody of another community.
    """
    found = _lock_open(session, discrepancy_id)
    if None not in (to.community_id, found.community_id) and to.community_id != found.community_id:
        raise InvalidInput("to", f"{to.login} does not work for community {found.community_id}")
    found.owner_id = to.id
    return found


def close_discrepancy(
    session: Session, discrepancy_id: int, *, by: Staff, reason: str, now: datetime
) -> Discrepancy:
    """Say what became of a discrepancy. It is not found again afterwards; its alert is closed too.

    Raises:
        NotFound: no such discrepancy.
        InvalidInput: no reason, or `by` may not decide about the books.
        Conflict: it is closed already.
    """
    found = _lock_open(session, discrepancy_id)
    # Nobody knows whose it is: whoever keeps any community's books may close it.
    require_role(by, found.community_id or by.community_id or 0, BOOKKEEPERS)
    if not reason.strip():
        raise InvalidInput("reason", "say what became of the money")
    found.closed_at, found.closed_by, found.close_reason = now, by.id, reason.strip()
    close_alerts_of_closed(session, found.merchant_id, now)
    return found


def _lock_open(session: Session, discrepancy_id: int) -> Discrepancy:
    found = session.get(Discrepancy, discrepancy_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(f"no discrepancy {discrepancy_id}")
    if found.closed_at is not None:
        raise Conflict(f"discrepancy {discrepancy_id} is closed already: {found.close_reason}")
    return found


def age_days(discrepancy: Discrepancy, today: date) -> int:
    """How many days ago it came about: on its statement's day, or else when it was found."""
    began = discrepancy.statement_on or business_date(discrepancy.found_at)
    return max((today - began).days, 0)
