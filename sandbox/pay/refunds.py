"""Refunds, rows of `pay_refund`, and what WeChat Pay tells about one.

A refund is accepted with its fate and the instant at which that becomes known; until then it is
PROCESSING. Rule: pay.weixin.qq.com, "refund", "query a refund" and "refund notice".
"""

import secrets
from dataclasses import dataclass, fields
from datetime import datetime
from sqlite3 import Connection

from sandbox.pay.store import Order
from sandbox.pay.texts import say
from sandbox.pay.transaction import rfc3339

SUCCESS, ABNORMAL, CLOSED, PROCESSING = "SUCCESS", "ABNORMAL", "CLOSED", "PROCESSING"


@dataclass(frozen=True)
class Refund:
    """A refund; `asks_left` counts the queries after which a stuck one goes on."""

    mchid: str
    out_refund_no: str
    refund_id: str
    out_trade_no: str
    reason: str | None
    notify_url: str | None
    refund_fen: int
    parameters: str
    created_at: float
    fate: str
    due_at: float
    asks_left: int

    def status(self, now: float) -> str:
        """Give the status at this instant."""
        return self.fate if self.due_at <= now else PROCESSING


def new_refund_id(now: datetime) -> str:
    """Make up WeChat Pay's own number of a refund: 29 digits, the day among them."""
    return f"5030{secrets.randbelow(10**6):06}{now:%Y%m%d}{secrets.randbelow(10**11):011}"


def find_refund(db: Connection, mchid: str, out_refund_no: str) -> Refund | None:
    """Read a refund by the merchant's number."""
    row = db.execute(
        "SELECT * FROM pay_refund WHERE mchid = ? AND out_refund_no = ?", (mchid, out_refund_no)
    ).fetchone()
    return Refund(**row) if row else None


def list_refunds(db: Connection, order: Order) -> list[Refund]:
    """Read every refund of an order."""
    rows = db.execute(
        "SELECT * FROM pay_refund WHERE mchid = ? AND out_trade_no = ? ORDER BY rowid",
        (order.mchid, order.out_trade_no),
    )
    return [Refund(**row) for row in rows]


def insert_refund(db: Connection, refund: Refund) -> None:
    """Keep a refund just accepted."""
    names = [field.name for field in fields(Refund)]
    places = ", ".join(f":{name}" for name in names)
    db.execute(f"INSERT INTO pay_refund ({', '.join(names)}) VALUES ({places})", vars(refund))  # noqa: S608 - our own field names


def update_refund(db: Connection, refund: Refund) -> None:
    """Keep when the fate becomes known, and how many queries are left until then."""
    db.execute(
        "UPDATE pay_refund SET due_at = :due_at, asks_left = :asks_left"
        " WHERE mchid = :mchid AND out_refund_no = :out_refund_no",
        vars(refund),
    )


def describe_refund(refund: Refund, order: Order, now: float) -> dict[str, object]:
    """Give the documented fields of an answer about a refund."""
    status = refund.status(now)
    described: dict[str, object] = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": order.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": say("refund.account"),
        "create_time": rfc3339(refund.created_at),
        "status": status,
        "funds_account": "AVAILABLE",
        "amount": _paid_back(refund, order)
        | {
            "from": [],
            "settlement_refund": refund.refund_fen,
            "settlement_total": order.total_fen,
            "discount_refund": 0,
            "currency": "CNY",
        },
        "promotion_detail": [],
    }
    if status == SUCCESS:
        described["success_time"] = rfc3339(refund.due_at)
    return described


def refund_notice(refund: Refund, order: Order) -> dict[str, object]:
    """Give what a callback tells about a refund whose fate is known."""
    told: dict[str, object] = {
        "mchid": refund.mchid,
        "transaction_id": order.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "refund_status": refund.fate,
        "user_received_account": say("refund.account"),
        "amount": _paid_back(refund, order),
    }
    if refund.fate == SUCCESS:
        told["success_time"] = rfc3339(refund.due_at)
    return told


def _paid_back(refund: Refund, order: Order) -> dict[str, object]:
    return {
        "total": order.total_fen,
        "refund": refund.refund_fen,
        "payer_total": order.total_fen,
        "payer_refund": refund.refund_fen,
    }
