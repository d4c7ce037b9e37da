"""A refund as the merchant asks for it: every field checked, nothing stored.

Rule: pay.weixin.qq.com, "refund", POST /v3/refund/domestic/refunds.
"""

import json
from dataclasses import dataclass

from sandbox.pay.fields import check_currency, read_notify_url, read_object

_NUMBER = r"^[0-9A-Za-z_\-|*@]{1,64}$"


@dataclass(frozen=True)
class RefundForm:
    """A well-formed request; one of the order's two numbers is given, or both."""

    transaction_id: str | None
    out_trade_no: str | None
    out_refund_no: str
    reason: str | None
    notify_url: str | None
    refund_fen: int
    total_fen: int
    parameters: str


def read_refund_form(body: bytes) -> RefundForm:
    """Check a refund's fields; raises ApiRefused PARAM_ERROR naming the first wrong one."""
    fields = read_object(body)
    transaction_id = fields.optional_text("transaction_id", most=32)
    if not transaction_id:
        fields.required("out_trade_no")
    amount = fields.group("amount")
    amount.required("currency")
    check_currency(amount)
    return RefundForm(
        transaction_id=transaction_id,
        out_trade_no=fields.optional_text("out_trade_no", most=32),
        out_refund_no=fields.text("out_refund_no", most=64, pattern=_NUMBER),
        reason=fields.optional_text("reason", most=80),
        notify_url=read_notify_url(fields) if fields.given("notify_url") else None,
        refund_fen=amount.whole_number("refund", least=1),
        total_fen=amount.whole_number("total", least=1),
        parameters=json.dumps(fields.values, sort_keys=True),
    )
