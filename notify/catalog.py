"""What people are told: one row per kind of notice. A new kind is a new row and its templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from types import MappingProxyType

from billing.facts import FactKind
from billing.labels import LabelEnum


class NoticeKind(LabelEnum):
    """Every kind of notice; the code names its folder in `templates/notices`."""

    BILL_ISSUED = "bill_issued", "账单通知"
    DUE_SOON = "due_soon", "到期提醒"
    OVERDUE = "overdue", "逾期提醒"
    PAYMENT_RECEIVED = "payment_received", "到账通知"
    PAYMENT_REVERSED = "payment_reversed", "缴费撤销"
    FAPIAO_REQUESTED = "fapiao_requested", "开票申请"
    FAPIAO_ISSUED = "fapiao_issued", "发票开具"
    FAPIAO_REJECTED = "fapiao_rejected", "开票未通过"
    FAPIAO_REVERSED = "fapiao_reversed", "发票红冲"
    REFUND_DONE = "refund_done", "退款通知"
    REFUND_FAILED = "refund_failed", "退款未成功"
    DEBIT_PLANNED = "debit_planned", "扣款预告"
    DEBIT_FAILED = "debit_failed", "扣款未成功"
    PREPAYMENT_LOW = "prepayment_low", "预存不足"
    HOME_LOOKED_UP = "home_looked_up", "他人代缴查询"
    BINDING_ADDED = "binding_added", "绑定成功"
    BINDING_REFUSED = "binding_refused", "绑定未通过"
    BINDING_REQUESTED = "binding_requested", "绑定待审核"
    BINDING_JOINED = "binding_joined", "房屋新增绑定"
    BINDING_ENDED = "binding_ended", "绑定已解除"
    TICKET_OPENED = "ticket_opened", "新工单"
    TICKET_ANSWERED = "ticket_answered", "工单答复"
    BROADCAST = "broadcast", "物业通知"
    BROADCAST_WAITING = "broadcast_waiting", "群发待复核"
    ALERT = "alert", "异常提醒"
    DAILY_DIGEST = "daily_digest", "每日简报"


class Urgency(LabelEnum):
    """How soon it is told (缓急), the most urgent first: each has a queue of its own, so that a
    receipt never stands behind a hundred thousand announcements.
    """

    AT_ONCE = "at_once", "即时"
    TODAY = "today", "当日"
    BULK = "bulk", "群发"


class Transport(LabelEnum):
    """How a message travels (消息通道). Never called a channel: that is money."""

    TEMPLATE = "template", "模板消息"
    SERVICE = "service", "客服消息"
    SUBSCRIBE = "subscribe", "订阅通知"
    SMS = "sms", "短信"


class Audience(Enum):
    """Who is told."""

    HOME = "home"
    """Followers bound to the home."""

    HOME_AND_PAYER = "home_and_payer"
    """They, and whoever paid, bound or not."""

    FOLLOWER = "follower"
    """The follower the fact names."""

    OTHER_OWNERS = "other_owners"
    """Present owners bound to the home, but the follower the fact names."""

    RESIDENTS = "residents"
    """Followers bound to a home of the community, whom staff chose."""

    APPROVERS = "approvers"
    """Staff of the community who may approve a broadcast, but the one the fact names."""

    STAFF = "staff"
    """Staff of the community who bound their WeChat."""


class Matter(Enum):
    """What a notice is about; begins its fact key, as in `bill:17`."""

    BILL = "bill"
    PAYMENT = "payment"
    FAPIAO = "fapiao"
    REFUND = "refund"
    DEBIT = "debit"
    PREPAYMENT = "prepayment"
    LOOKUP = "lookup"
    BINDING = "binding"
    TICKET = "ticket"
    BROADCAST = "broadcast"
    ALERT = "alert"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRule:
    """How one kind of notice behaves.

    Attributes:
        fact: the fact it comes from; None when a daily walk or a broadcast makes it.
        urgency: which queue it takes.
        transports: tried in this order.
        is_quiet: waits while people sleep (`quiet_hours`).
        merges: several due at once become one message.
        life: not sent any more when it has waited this long.
        is_optional: an owner may switch it off (PIPL); bills and receipts are owed to them.
    """

    matter: Matter
    fact: FactKind | None
    audience: Audience
    transports: tuple[Transport, ...]
    is_quiet: bool
    merges: bool
    life: timedelta
    is_optional: bool = False
    urgency: Urgency = Urgency.AT_ONCE


OWNER_TRANSPORTS = (Transport.TEMPLATE, Transport.SERVICE, Transport.SUBSCRIBE)
"""Consent to a subscription notice is used up by it, so it comes after what costs nothing."""

OWED_TRANSPORTS = (*OWNER_TRANSPORTS, Transport.SMS)
"""What is owed to somebody, or by him, reaches his telephone when nothing else does."""

CHAT_TRANSPORTS = (Transport.SERVICE,)

UNFOLLOWED_KINDS = frozenset({NoticeKind.BILL_ISSUED, NoticeKind.OVERDUE})
"""What an owner who stopped following is still told by SMS, where his community wants that."""

NOTICES: Mapping[NoticeKind, NoticeRule] = MappingProxyType(
    {
        NoticeKind.BILL_ISSUED: NoticeRule(
            matter=Matter.BILL,
            fact=FactKind.BILL_ISSUED,
            audience=Audience.HOME,
            transports=OWED_TRANSPORTS,
            is_quiet=False,
            merges=True,
            life=timedelta(days=5),
            urgency=Urgency.TODAY,
        ),
        NoticeKind.DUE_SOON: NoticeRule(
            matter=Matter.BILL,
            fact=None,
            audience=Audience.HOME,
            transports=OWED_TRANSPORTS,
            is_quiet=True,
            merges=True,
            life=timedelta(days=3),
            is_optional=True,
            urgency=Urgency.TODAY,
        ),
        NoticeKind.OVERDUE: NoticeRule(
            matter=Matter.BILL,
            fact=None,
            audience=Audience.HOME,
            transports=OWED_TRANSPORTS,
            is_quiet=True,
            merges=True,
            life=timedelta(days=5),
            urgency=Urgency.TODAY,
        ),
        NoticeKind.PAYMENT_RECEIVED: NoticeRule(
            matter=Matter.PAYMENT,
            fact=FactKind.RECEIPT_ISSUED,
            audience=Audience.HOME_AND_PAYER,
            transports=OWNER_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.PAYMENT_REVERSED: NoticeRule(
            matter=Matter.PAYMENT,
            fact=FactKind.PAYMENT_REVERSED,
            audience=Audience.HOME_AND_PAYER,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.REFUND_DONE: NoticeRule(
            matter=Matter.REFUND,
            fact=FactKind.REFUND_DONE,
            audience=Audience.HOME_AND_PAYER,
            transports=OWED_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.FAPIAO_REQUESTED: NoticeRule(
            matter=Matter.FAPIAO,
            fact=FactKind.FAPIAO_REQUESTED,
            audience=Audience.STAFF,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=True,
            life=timedelta(days=2),
        ),
        NoticeKind.FAPIAO_ISSUED: NoticeRule(
            matter=Matter.FAPIAO,
            fact=FactKind.FAPIAO_ISSUED,
            audience=Audience.FOLLOWER,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.FAPIAO_REJECTED: NoticeRule(
            matter=Matter.FAPIAO,
            fact=FactKind.FAPIAO_REJECTED,
            audience=Audience.FOLLOWER,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.FAPIAO_REVERSED: NoticeRule(
            matter=Matter.FAPIAO,
            fact=FactKind.FAPIAO_REVERSED,
            audience=Audience.FOLLOWER,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.REFUND_FAILED: NoticeRule(
            matter=Matter.REFUND,
            fact=FactKind.REFUND_FAILED,
            audience=Audience.HOME_AND_PAYER,
            transports=OWED_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.HOME_LOOKED_UP: NoticeRule(
            matter=Matter.LOOKUP,
            fact=FactKind.HOME_LOOKED_UP,
            audience=Audience.HOME,
            transports=OWNER_TRANSPORTS,
            is_quiet=True,
            merges=False,
            life=timedelta(days=2),
        ),
        NoticeKind.BINDING_ADDED: NoticeRule(
            matter=Matter.BINDING,
            fact=FactKind.BINDING_ADDED,
            audience=Audience.FOLLOWER,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=2),
        ),
        NoticeKind.BINDING_REFUSED: NoticeRule(
            matter=Matter.BINDING,
            fact=FactKind.BINDING_REFUSED,
            audience=Audience.FOLLOWER,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=2),
        ),
        NoticeKind.BINDING_JOINED: NoticeRule(
            matter=Matter.BINDING,
            fact=FactKind.BINDING_ADDED,
            audience=Audience.OTHER_OWNERS,
            transports=OWNER_TRANSPORTS,
            is_quiet=False,  # who did not expect it acts at once
            merges=False,
            life=timedelta(days=3),
        ),
        NoticeKind.BINDING_ENDED: NoticeRule(
            matter=Matter.BINDING,
            fact=FactKind.BINDING_ENDED,
            audience=Audience.FOLLOWER,
            transports=CHAT_TRANSPORTS,
            is_quiet=True,
            merges=False,
            life=timedelta(days=2),
        ),
        NoticeKind.BINDING_REQUESTED: NoticeRule(
            matter=Matter.BINDING,
            fact=FactKind.BINDING_REQUESTED,
            audience=Audience.STAFF,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=True,
            life=timedelta(days=2),
        ),
        NoticeKind.TICKET_OPENED: NoticeRule(
            matter=Matter.TICKET,
            fact=FactKind.TICKET_OPENED,
            audience=Audience.STAFF,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=True,
            life=timedelta(days=2),
        ),
        NoticeKind.TICKET_ANSWERED: NoticeRule(
            matter=Matter.TICKET,
            fact=FactKind.TICKET_ANSWERED,
            audience=Audience.FOLLOWER,
            transports=(Transport.SERVICE, Transport.TEMPLATE),  # a field cuts the answer,
            is_quiet=False,
            merges=False,
            life=timedelta(days=5),
        ),
        NoticeKind.BROADCAST: NoticeRule(
            matter=Matter.BROADCAST,
            fact=None,
            audience=Audience.RESIDENTS,
            transports=(Transport.SERVICE, Transport.TEMPLATE),  # a field cuts the words
            is_quiet=True,
            merges=False,
            life=timedelta(days=2),
            urgency=Urgency.BULK,
        ),
        NoticeKind.BROADCAST_WAITING: NoticeRule(
            matter=Matter.BROADCAST,
            fact=FactKind.BROADCAST_WAITING,
            audience=Audience.APPROVERS,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(days=2),
        ),
        NoticeKind.ALERT: NoticeRule(
            matter=Matter.ALERT,
            fact=FactKind.ALERT_RAISED,
            audience=Audience.STAFF,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=True,
            life=timedelta(days=2),
        ),
        NoticeKind.DEBIT_PLANNED: NoticeRule(
            matter=Matter.DEBIT,
            fact=FactKind.DEBIT_ORDERED,
            audience=Audience.HOME,
            transports=OWED_TRANSPORTS,
            is_quiet=True,
            merges=False,
            life=timedelta(days=3),
            urgency=Urgency.TODAY,
        ),
        NoticeKind.DEBIT_FAILED: NoticeRule(
            matter=Matter.DEBIT,
            fact=FactKind.DEBIT_FAILED,
            audience=Audience.HOME,
            transports=OWED_TRANSPORTS,
            is_quiet=True,
            merges=False,
            life=timedelta(days=5),
            urgency=Urgency.TODAY,
        ),
        NoticeKind.PREPAYMENT_LOW: NoticeRule(
            matter=Matter.PREPAYMENT,
            fact=None,
            audience=Audience.HOME,
            transports=OWNER_TRANSPORTS,
            is_quiet=True,
            merges=False,
            life=timedelta(days=5),
            is_optional=True,
            urgency=Urgency.TODAY,
        ),
        NoticeKind.DAILY_DIGEST: NoticeRule(
            matter=Matter.DIGEST,
            fact=None,
            audience=Audience.STAFF,
            transports=CHAT_TRANSPORTS,
            is_quiet=False,
            merges=False,
            life=timedelta(hours=6),
            urgency=Urgency.TODAY,
        ),
    }
)
