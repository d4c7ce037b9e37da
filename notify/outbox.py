"""The outbox: what is to be told, what was frozen to be sent, and every attempt to send it.

A `Notice` is one thing one follower is to be told; its key makes telling it twice impossible. Due
notices are merged into a `Message`, whose content never changes again. A `Delivery` is one attempt.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.labels import LabelEnum
from notify.catalog import NoticeKind, Transport, Urgency


class NoticeState(LabelEnum):
    """Life of a notice."""

    QUEUED = "queued", "待合并"
    MERGED = "merged", "已成消息"
    SUPPRESSED = "suppressed", "不再发送"


class MessageState(LabelEnum):
    """Life of a message. UNKNOWN is real: it may have arrived, so it is not sent again."""

    QUEUED = "queued", "待发送"
    SENDING = "sending", "发送中"
    SENT = "sent", "已发送"
    DELIVERED = "delivered", "已送达"
    FAILED = "failed", "发送失败"
    UNKNOWN = "unknown", "结果不明"
    SUPPRESSED = "suppressed", "不再发送"


class Reason(LabelEnum):
    """Why something was not sent, or did not arrive."""

    PAID = "paid", "已缴清"
    DISPUTED = "disputed", "异议处理中"
    BEING_DEBITED = "being_debited", "银行托收中"
    NOT_WANTED = "not_wanted", "已关闭或暂停提醒"
    UNBOUND = "unbound", "已解绑"
    UNFOLLOWED = "unfollowed", "已取消关注"
    EXPIRED = "expired", "已过时效"
    GONE = "gone", "事项已不存在"
    STOPPED = "stopped", "群发已中止"
    TOLD_IN_CHAT = "told_in_chat", "对话中已告知"
    SUPERSEDED = "superseded", "金额已变化，重新生成"
    NO_TRANSPORT = "no_transport", "没有可用的消息通道"
    REFUSED = "refused", "微信拒绝发送"
    GAVE_UP = "gave_up", "多次尝试未成功"
    NO_ANSWER = "no_answer", "微信未答复"
    USER_BLOCK = "user_block", "用户拒收"
    SYSTEM_FAILED = "system_failed", "微信系统失败"
    FREQ_LIMIT = "freq_limit", "微信频率限制"
    NOT_DELIVERED = "not_delivered", "未送达"


class Outcome(LabelEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted", "微信已接受"
    REFUSED = "refused", "微信拒绝"
    UNREACHABLE = "unreachable", "未能连接"
    NO_ANSWER = "no_answer", "未收到答复"
    NOT_TRIED = "not_tried", "未发出"


class Message(Base):
    """What one follower is told at once: frozen when made, sent under a lease.

    Its `client_msg_id` is the same for every attempt, so WeChat shows it once within ten minutes.
    """

    __tablename__ = "message"
    __table_args__ = (
        # Read by claim.claim: what may be sent now.
        Index(
            "ix_message_due",
            "urgency",
            "next_attempt_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        # Read by delivery.claim: what a crashed worker left behind.
        Index("ix_message_leased", "lease_until", postgresql_where=text("state = 'sending'")),
        # Read by sent: what failed lately, of very many that did not.
        Index(
            "ix_message_failed",
            "community_id",
            "id",
            postgresql_where=text("state = 'failed'"),
        ),
        # Read by reports.list_unsettled and close_unknown: what nobody has told us about yet.
        Index(
            "ix_message_unknown",
            "first_sent_at",
            postgresql_where=text("state = 'unknown' AND settled_at IS NULL"),
        ),
        # Read by reports.record_subscription: WeChat names the person and the template only.
        Index(
            "ix_message_subscribed",
            "follower_id",
            postgresql_where=text(
                "transport = 'subscribe' AND state IN ('sending', 'sent', 'unknown')"
            ),
        ),
        # Read by caps.count_reminders.
        Index(
            "ix_message_reminded",
            "follower_id",
            "created_at",
            postgresql_where=text("kind IN ('due_soon', 'overdue')"),
        ),
        # Read by learning: what came of a community's messages of some days.
        Index(
            "ix_message_sent",
            "community_id",
            "first_sent_at",
            postgresql_where=text("kind IN ('bill_issued', 'due_soon', 'overdue')"),
        ),
        {"comment": "Messages: frozen content, one per follower, kind and moment"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"))
    kind: Mapped[NoticeKind]
    urgency: Mapped[Urgency] = mapped_column(comment="catalog.NOTICES, of its kind when written")
    transport: Mapped[Transport] = mapped_column(comment="the one in use, or to be tried next")
    content: Mapped[dict[str, Any]] = mapped_column(comment="render.Content, never changed")
    client_msg_id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[MessageState]
    reason: Mapped[Reason | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime] = mapped_column(comment="not tried before")
    lease_until: Mapped[datetime | None] = mapped_column(comment="set while sending")
    attempts: Mapped[int] = mapped_column(comment="claims so far; also fences late workers off")
    first_sent_at: Mapped[datetime | None] = mapped_column(
        comment="since when it may have arrived; null while it certainly has not"
    )
    settled_at: Mapped[datetime | None] = mapped_column(
        comment="when the state became final; null for an unknown one that is still asked about"
    )


class MessageOpen(Base):
    """The page a message leads to was opened by its reader; the first time counts."""

    __tablename__ = "message_open"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "message_id"], ["message.community_id", "message.id"]
        ),
        {"comment": "Messages whose link was opened (已读), once each"},
    )

    community_id: Mapped[CommunityId]
    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opened_at: Mapped[datetime]


class Notice(Base):
    """One thing one follower is to be told. Unique per follower, kind and fact key."""

    __tablename__ = "notice"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "message_id"], ["message.community_id", "message.id"]
        ),
        UniqueConstraint("community_id", "follower_id", "kind", "fact_key"),
        # Read by freeze.freeze_due: what waits to become a message.
        Index(
            "ix_notice_due",
            "urgency",
            "not_before",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        # Read by delivery.claim: what a message tells.
        Index(
            "ix_notice_message",
            "community_id",
            "message_id",
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        # Read by broadcast_results and broadcasts.cancel_broadcast: what a broadcast became.
        Index(
            "ix_notice_broadcast",
            "community_id",
            "ref_id",
            postgresql_where=text("kind = 'broadcast'"),
        ),
        # Read by dunned.list_told and billing's last_dunned: what was said of some bills.
        Index(
            "ix_notice_bill",
            "community_id",
            "ref_id",
            postgresql_where=text("kind IN ('bill_issued', 'due_soon', 'overdue')"),
        ),
        {"comment": "What each follower is to be told, once per fact"},
    )

    community_id: Mapped[CommunityId] = mapped_column(comment="0 when it concerns every community")
    id: Mapped[LocalId]
    follower_id: Mapped[int] = mapped_column(ForeignKey("follower.id"))
    kind: Mapped[NoticeKind]
    urgency: Mapped[Urgency] = mapped_column(comment="catalog.NOTICES, of its kind when written")
    fact_key: Mapped[str] = mapped_column(comment="bill:17, or bill:17:T+7 for a reminder")
    unit_id: Mapped[int | None]
    ref_id: Mapped[int] = mapped_column(comment="bill, payment, binding or alert, by kind")
    data: Mapped[dict[str, Any]]
    state: Mapped[NoticeState]
    reason: Mapped[Reason | None]
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime]
    message_id: Mapped[int | None]


class Delivery(Base):
    """One attempt, written before it is made. With `finished_at` null, the worker died half way."""

    __tablename__ = "delivery"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "message_id"], ["message.community_id", "message.id"]
        ),
        {"comment": "Attempts to send messages; evidence of what was told when"},
    )

    community_id: Mapped[CommunityId]
    message_id: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    transport: Mapped[Transport]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None]
    errcode: Mapped[int | None]
    errmsg: Mapped[str | None]


class DeliveredMessage(Base):
    """What WeChat calls our message, and what it reported. Either half may be written first.

    An SMS is `sms:` and the provider's number of it.
    """

    __tablename__ = "delivered_message"
    __table_args__ = ({"comment": "WeChat's msgid of sent messages, and the reported result"},)

    msgid: Mapped[str] = mapped_column(primary_key=True)
    community_id: Mapped[int | None] = mapped_column(comment="null until our send is recorded")
    message_id: Mapped[int | None]
    status: Mapped[str | None] = mapped_column(comment="as reported; null until then")
    reported_at: Mapped[datetime | None]
