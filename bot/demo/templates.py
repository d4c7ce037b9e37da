"""The demo account's message templates, as registered at WeChat and as mapped by the product."""

from typing import Any

from notify.catalog import NOTICES, Transport
from notify.render import sms_wording
from notify.wording import text_environment

SMS_SIGN = "花园小区物业"
SUBSCRIBED = ("bill_issued", "due_soon", "overdue")
"""Kinds with a subscription notice as well."""

_TEMPLATES: dict[str, tuple[str, str, list[tuple[str, str, str]]]] = {
    # notice kind → template id, title, [(label, WeChat field, our word)]
    "bill_issued": (
        "TMBillIssued000000000000000000000000000001",
        "物业账单通知",
        [
            ("房号", "thing1", "room"),
            ("账期", "time2", "period"),
            ("应缴金额", "amount3", "amount"),
            ("缴费期限", "time4", "due_on"),
        ],
    ),
    "due_soon": (
        "TMDueSoon00000000000000000000000000000002",
        "缴费到期提醒",
        [
            ("房号", "thing1", "room"),
            ("待缴金额", "amount2", "amount"),
            ("缴费期限", "time3", "due_on"),
        ],
    ),
    "overdue": (
        "TMOverdue00000000000000000000000000000003",
        "账单逾期提醒",
        [
            ("房号", "thing1", "room"),
            ("待缴金额", "amount2", "amount"),
            ("缴费期限", "time3", "due_on"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "payment_received": (
        "TMPaymentReceived0000000000000000000000004",
        "缴费成功通知",
        [
            ("房号", "thing1", "room"),
            ("缴费金额", "amount2", "amount"),
            ("缴费时间", "time3", "paid_at"),
            ("收据编号", "character_string4", "receipt"),
        ],
    ),
    "refund_done": (
        "TMRefundDone000000000000000000000000000005",
        "退款到账通知",
        [
            ("房号", "thing1", "room"),
            ("退款金额", "amount2", "amount"),
            ("退款时间", "time3", "refunded_at"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "refund_failed": (
        "TMRefundFailed0000000000000000000000000006",
        "退款失败通知",
        [
            ("房号", "thing1", "room"),
            ("退款金额", "amount2", "amount"),
            ("退款时间", "time3", "refunded_at"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "home_looked_up": (
        "TMHomeLookedUp0000000000000000000000000007",
        "代缴查询提醒",
        [
            ("房号", "thing1", "room"),
            ("小区", "thing2", "community"),
            ("说明", "thing3", "remark"),
        ],
    ),
    "binding_joined": (
        "TMBindingJoined000000000000000000000000008",
        "房屋新增绑定提醒",
        [
            ("房号", "thing1", "room"),
            ("小区", "thing2", "community"),
            ("绑定时间", "time3", "bound_at"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "ticket_answered": (
        "TMTicketAnswered00000000000000000000000008",
        "问题处理结果通知",
        [
            ("反映事项", "thing1", "matter"),
            ("工单编号", "character_string2", "number"),
            ("处理结果", "thing3", "answer"),
            ("处理时间", "time4", "answered_at"),
        ],
    ),
    "debit_planned": (
        "TMDebitPlanned00000000000000000000000000010",
        "托收扣款提醒",
        [
            ("房号", "thing1", "room"),
            ("扣款金额", "amount2", "amount"),
            ("扣款日期", "time3", "debit_on"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "debit_failed": (
        "TMDebitFailed000000000000000000000000000011",
        "托收未成功通知",
        [
            ("房号", "thing1", "room"),
            ("扣款金额", "amount2", "amount"),
            ("失败原因", "thing3", "reason"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "prepayment_low": (
        "TMPrepaymentLow0000000000000000000000000012",
        "预存余额不足提醒",
        [
            ("房号", "thing1", "room"),
            ("预存余额", "amount2", "balance"),
            ("下期预计", "amount3", "expected"),
            ("说明", "thing4", "remark"),
        ],
    ),
    "broadcast": (
        "TMBroadcast000000000000000000000000000009",
        "物业通知",
        [
            ("小区", "thing1", "community"),
            ("通知内容", "thing2", "body"),
            ("发布时间", "time3", "sent_at"),
        ],
    ),
}

PRODUCT_TEMPLATES: dict[str, dict[str, Any]] = {
    kind: {"template_id": template_id, "fields": {field: word for _, field, word in rows}}
    for kind, (template_id, _, rows) in _TEMPLATES.items()
}

SUBSCRIPTIONS: dict[str, dict[str, Any]] = {
    kind: {**PRODUCT_TEMPLATES[kind], "template_id": f"SU{_TEMPLATES[kind][0][2:]}"}
    for kind in SUBSCRIBED
}
"""An id of a template message is none of a subscription notice."""

SANDBOX_TEMPLATES: list[dict[str, Any]] = [
    {
        "template_id": registered,
        "title": title,
        "content": "\n".join(f"{label}:{{{{{field}.DATA}}}}" for label, field, _ in rows),
    }
    for kind, (template_id, title, rows) in _TEMPLATES.items()
    for registered in (template_id, SUBSCRIPTIONS.get(kind, {}).get("template_id"))
    if registered
]


def sms_templates() -> dict[str, tuple[str, str]]:
    """Notice kind → code and wording of its SMS."""
    environment = text_environment()
    by_sms = [kind.value for kind, rule in NOTICES.items() if Transport.SMS in rule.transports]
    return {
        kind: (f"SMS_1000000{number:02d}", sms_wording(kind, environment))
        for number, kind in enumerate(by_sms, start=1)
    }
