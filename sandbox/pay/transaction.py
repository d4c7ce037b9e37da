"""What WeChat Pay tells about an order, and how it seals what it tells in callbacks.

Rule: pay.weixin.qq.com, "query an order" and "payment notice"; the two documents share one shape.
"""

import json
import secrets
from datetime import datetime

from sandbox.clock import SHANGHAI
from sandbox.pay import crypto
from sandbox.pay.merchants import Merchant
from sandbox.pay.store import Order
from sandbox.pay.texts import say

PAID = "TRANSACTION.SUCCESS"


def rfc3339(instant: float) -> str:
    """Spell an instant in Beijing time to the second, as 2026-11-23T20:15:00+08:00."""
    return datetime.fromtimestamp(instant, SHANGHAI).isoformat(timespec="seconds")


def to_json(values: dict[str, object]) -> bytes:
    """Spell an answer as it goes over the wire and is signed."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def new_transaction_id(now: datetime) -> str:
    """Make up WeChat Pay's own number of a payment: 28 digits, the day among them."""
    return f"4200{secrets.randbelow(10**6):06}{now:%Y%m%d}{secrets.randbelow(10**10):010}"


def describe(order: Order) -> dict[str, object]:
    """Give an order's documented fields; those of a payment only once it is paid."""
    amount: dict[str, object] = {"total": order.total_fen, "currency": "CNY"}
    described: dict[str, object] = {
        "appid": order.app_id,
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "trade_state": order.state,
        "trade_state_desc": say(f"state.{order.state}"),
        "promotion_detail": [],
        "amount": amount,
    }
    if order.attach is not None:
        described["attach"] = order.attach
    if order.paid_at is not None:
        amount |= {"payer_total": order.total_fen, "payer_currency": "CNY"}
        described |= {
            "transaction_id": order.transaction_id,
            "trade_type": order.trade_type,
            "bank_type": "OTHERS",
            "success_time": rfc3339(order.paid_at),
            "payer": {"openid": order.openid},
        }
    return described


def callback_body(
    merchant: Merchant,
    notice_id: str,
    created_at: float,
    nonce: str,
    told: dict[str, object],
    event: str = PAID,
) -> bytes:
    """Build a callback of an event, what it tells sealed for its merchant.

    `nonce` has 12 characters and must never be used twice with one merchant's key.
    """
    original_type = event.partition(".")[0].lower()
    resource = {
        "original_type": original_type,
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": crypto.seal(merchant.api_v3_key, to_json(told), nonce, original_type),
        "associated_data": original_type,
        "nonce": nonce,
    }
    return to_json(
        {
            "id": notice_id,
            "create_time": rfc3339(created_at),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": say(f"notice.{event}"),
            "resource": resource,
        }
    )
