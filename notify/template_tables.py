"""What staff set of templates and transports, per kind of notice: a row wins over the settings."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base
from notify.catalog import NoticeKind, Transport


class NoticeTemplate(Base):
    """The template of a kind for one transport, as approved by WeChat or the provider of SMS."""

    __tablename__ = "notice_template"
    __table_args__ = (
        CheckConstraint("transport IN ('template', 'subscribe', 'sms')", name="has_templates"),
        {"comment": "Approved templates by kind of notice and transport; wins over the settings"},
    )

    kind: Mapped[NoticeKind] = mapped_column(primary_key=True)
    transport: Mapped[Transport] = mapped_column(primary_key=True)
    template_id: Mapped[str] = mapped_column(comment="of an SMS its code")
    fields: Mapped[dict[str, Any]] = mapped_column(
        comment="field of the template: our word; empty for an SMS, whose words have names"
    )
    set_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    set_at: Mapped[datetime]


class NoticeRoute(Base):
    """In which order a kind takes its transports; one that is left out is off."""

    __tablename__ = "notice_route"
    __table_args__ = (
        {"comment": "Order of transports by kind of notice; wins over the catalogue"},
    )

    kind: Mapped[NoticeKind] = mapped_column(primary_key=True)
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="codes, first to last")
    set_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    set_at: Mapped[datetime]
