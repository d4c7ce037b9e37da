"""What Alipay tells about a trade: to a query, in notifications, on the way back to the page.

Rule: opendocs.alipay.com, "asynchronous notification" and "alipay.trade.query". Amounts are yuan
with two decimals, instants Beijing time without a zone.
"""

import json
import secrets
from datetime import date, datetime

from sandbox.alipay.store import WAITING, Refund, Trade
from sandbox.clock import SHANGHAI


def yuan(fen: int) -> str:
    """Spell an amount as Alipay does, as `320.50` or `-0.01`."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def beijing(instant: float) -> str:
    """Spell an instant to the second, as `2026-11-23 20:15:00`."""
    moment = datetime.fromtimestamp(instant, SHANGHAI).replace(tzinfo=None)
    return moment.isoformat(" ", "seconds")


def to_json(values: object) -> str:
    """Spell an answer as it goes over the wire and is signed."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def new_trade_no(now: date, number: int | None = None) -> str:
    """Make up Alipay's own number of a trade: 28 digits that begin with the day."""
    tail = secrets.randbelow(10**14) if number is None else number
    return f"{now:%Y%m%d}220014{tail:014}"


def new_notice_id(now: datetime) -> str:
    """Make up the number of a notification."""
    return f"{now:%Y%m%d}0022{secrets.randbelow(10**22):022}"


def masked_login(buyer_id: str) -> str:
    """Give the payer's masked account name, as `186****7910`."""
    return f"186****{buyer_id[-4:]}"


def describe(trade: Trade) -> dict[str, object]:
    """Give the fields of a query's answer; those of a payment only once it is paid."""
    total = yuan(trade.total_fen)
    described: dict[str, object] = {
        "code": "10000",
        "msg": "Success",
        "buyer_logon_id": masked_login(trade.buyer_id),
        "buyer_pay_amount": total if trade.paid_at else "0.00",
        "buyer_user_id": trade.buyer_id,
        "invoice_amount": total if trade.paid_at else "0.00",
        "out_trade_no": trade.out_trade_no,
        "point_amount": "0.00",
        "receipt_amount": total if trade.paid_at else "0.00",
        "total_amount": total,
        "trade_no": trade.trade_no,
        "trade_status": trade.state,
    }
    if trade.paid_at is not None:
        described["fund_bill_list"] = [{"amount": total, "fund_channel": "ALIPAYACCOUNT"}]
        described["send_pay_date"] = beijing(trade.paid_at)
    return described


def notification(
    trade: Trade, seller_id: str, notice_id: str, refund: tuple[Refund, int] | None = None
) -> dict[str, str]:
    """Build the fields of a notification, without `notify_time` and signature.

    `refund` is the refund it is about and the fen refunded of the trade in all.
    """
    if trade.paid_at is None or trade.state == WAITING:
        raise ValueError("only a paid trade has notifications")
    total = yuan(trade.total_fen)
    fields = {
        "app_id": trade.app_id,
        "auth_app_id": trade.app_id,
        "buyer_id": trade.buyer_id,
        "buyer_logon_id": masked_login(trade.buyer_id),
        "buyer_pay_amount": total,
        "charset": "utf-8",
        "fund_bill_list": to_json([{"amount": total, "fundChannel": "ALIPAYACCOUNT"}]),
        "gmt_create": beijing(trade.created_at),
        "gmt_payment": beijing(trade.paid_at),
        "invoice_amount": total,
        "notify_id": notice_id,
        "notify_type": "trade_status_sync",
        "out_trade_no": trade.out_trade_no,
        "point_amount": "0.00",
        "receipt_amount": total,
        "seller_id": seller_id,
        "subject": trade.subject,
        "total_amount": total,
        "trade_no": trade.trade_no,
        "trade_status": trade.state,
        "version": "1.0",
    }
    if refund is not None:
        latest, refunded_fen = refund
        fields["out_biz_no"] = latest.out_request_no
        fields["refund_fee"] = yuan(refunded_fen)
        fields["gmt_refund"] = f"{beijing(latest.at)}.{int(latest.at * 1000) % 1000:03d}"
        if refunded_fen == trade.total_fen:
            fields["gmt_close"] = beijing(latest.at)
    return fields


def way_back(trade: Trade, seller_id: str, now: datetime) -> dict[str, str]:
    """Build the parameters the payer's browser carries back to `return_url`, unsigned yet."""
    return {
        "app_id": trade.app_id,
        "auth_app_id": trade.app_id,
        "charset": "utf-8",
        "method": f"{trade.method}.return",
        "out_trade_no": trade.out_trade_no,
        "seller_id": seller_id,
        "timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
        "total_amount": yuan(trade.total_fen),
        "trade_no": trade.trade_no,
        "version": "1.0",
    }
