"""The words that a notice offers to templates, as staff call them."""

from billing.labels import LabelEnum
from notify.catalog import NoticeKind, Transport
from notify.template_setting import UNSHOWN, holds, offered_words, samples
from notify.wechat import AccountTemplate


class Word(LabelEnum):
    """What a field of a template may show."""

    ROOM = "room", "房号"
    COMMUNITY = "community", "小区"
    PERIOD = "period", "账期"
    AMOUNT = "amount", "金额"
    DUE_ON = "due_on", "到期日"
    REMARK = "remark", "说明"
    PHONE = "phone", "服务电话"
    REFUNDED_AT = "refunded_at", "退款时间"
    CHANNEL = "channel", "支付方式"
    PAID_AT = "paid_at", "缴费时间"
    RECEIPT = "receipt", "收据号"
    ROLE = "role", "身份"
    BOUND_AT = "bound_at", "绑定时间"
    BODY = "body", "通知内容"
    SENT_AT = "sent_at", "发送时间"
    MATTER = "matter", "事项"
    NUMBER = "number", "编号"
    ANSWER = "answer", "答复"
    ANSWERED_AT = "answered_at", "答复时间"
    ACCOUNT = "account", "账号尾号"
    BALANCE = "balance", "余额"
    DEBIT_ON = "debit_on", "扣款日"
    EXPECTED = "expected", "预计金额"
    REASON = "reason", "原因"


def words_of(kind: NoticeKind, way: Transport) -> list[tuple[str, str, str]]:
    """What a kind offers by a transport: our word, its name, an example."""
    return [(word, Word(word).label, samples()[word]) for word in offered_words(kind, way)]


def field_options(
    kind: NoticeKind, chosen: AccountTemplate
) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    """Of every field whether it may stay empty, and the words that it can show."""
    return [
        (
            field,
            field in UNSHOWN,
            [
                (word, f"{label}（{sample}）")
                for word, label, sample in words_of(kind, Transport.TEMPLATE)
                if field in UNSHOWN or holds(field, word)
            ],
        )
        for field in chosen.fields
    ]
