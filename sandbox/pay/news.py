"""What a callback says: of a payment, or of a refund."""

from dataclasses import dataclass, replace
from datetime import datetime
from sqlite3 import Connection

from sandbox.pay import refunds
from sandbox.pay import store as table
from sandbox.pay.notices import Notice
from sandbox.pay.refunds import Refund, new_refund_id, refund_notice
from sandbox.pay.store import Order
from sandbox.pay.transaction import PAID, describe, new_transaction_id


@dataclass(frozen=True)
class News:
    """One event, and whom it is told to; `told` is sealed on the way."""

    mchid: str
    notify_url: str
    event: str
    happened_at: float
    told: dict[str, object]

    def lie(self, now: datetime) -> "News":
        """Give the same news of a payment or refund that never was."""
        if self.event == PAID:
            lie: dict[str, object] = {"transaction_id": new_transaction_id(now)}
        else:
            lie = {"refund_id": new_refund_id(now)}
        return replace(self, happened_at=now.timestamp(), told=self.told | lie)


def read_news(db: Connection, notice: Notice, now: float) -> News:
    """Read what a callback has to tell; raises LookupError when its order is gone."""
    order = table.get_order(db, notice.mchid, notice.out_trade_no, now)
    if not notice.out_refund_no:
        return _of_payment(order)
    refund = refunds.find_refund(db, notice.mchid, notice.out_refund_no)
    if refund is None:
        raise LookupError(f"no refund {notice.out_refund_no} of {notice.mchid}")
    return _of_refund(refund, order)


def _of_payment(order: Order) -> News:
    """Tell of a payment as it was when it happened, also when it has been refunded since."""
    if order.paid_at is None:
        raise ValueError("only a paid order has a callback")
    paid = describe(replace(order, state="SUCCESS"))
    return News(order.mchid, order.notify_url, PAID, order.paid_at, paid)


def _of_refund(refund: Refund, order: Order) -> News:
    told = refund_notice(refund, order)
    url = refund.notify_url or ""
    return News(refund.mchid, url, f"REFUND.{refund.fate}", refund.due_at, told)
