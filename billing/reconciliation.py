"""Where the books and a provider disagree: discrepancies that somebody must close."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.alerts import AlertKind, raise_alert
from billing.db import Base, GlobalId
from billing.labels import LabelEnum


class DiscrepancyKind(LabelEnum):
    """How a statement of the provider differs from our books."""

    UNKNOWN_ORDER = "unknown_order", "订单不存在"
    WRONG_CURRENCY = "wrong_currency", "币种不符"
    WRONG_MERCHANT = "wrong_merchant", "商户号不符"
    WRONG_AMOUNT = "wrong_amount", "金额不符"
    WRONG_PAYER = "wrong_payer", "付款人不符"
    PAID_TWICE = "paid_twice", "重复支付"


class Discrepancy(Base):
    """One disagreement, open until somebody closes it with a reason. Nothing was booked for it."""

    __tablename__ = "discrepancy"
    __table_args__ = (
        UniqueConstraint("merchant_id", "out_trade_no", "kind", "transaction_id"),
        {"comment": "Disagreements between provider and books (差错)"},
    )

    id: Mapped[GlobalId]
    merchant_id: Mapped[int] = mapped_column(ForeignKey("merchant_account.id"))
    community_id: Mapped[int | None]
    kind: Mapped[DiscrepancyKind]
    out_trade_no: Mapped[str]
    transaction_id: Mapped[str]
    data: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


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
) -> None:
    """Write a discrepancy down and alert staff; the same one again changes nothing."""
    created = session.execute(
        insert(Discrepancy)
        .values(
            merchant_id=merchant_id,
            community_id=community_id,
            kind=kind,
            out_trade_no=out_trade_no,
            transaction_id=transaction_id or "",
            data=data,
            found_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Discrepancy.id)
    ).scalar_one_or_none()
    if created is not None:
        raise_alert(
            session,
            AlertKind.DISCREPANCY,
            key=f"discrepancy:{created}",
            community_id=community_id,
            data={"kind": kind.value, "out_trade_no": out_trade_no, **data},
            now=now,
        )
