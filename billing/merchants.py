"""Who collects money for which community, and which order numbers the provider has seen from us."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, GlobalId
from billing.labels import LabelEnum


class Provider(LabelEnum):
    """Payment service providers."""

    WECHAT_PAY = "wechat_pay", "微信支付"


class MerchantAccount(Base):
    """A contract with a payment provider. Its keys are settings, never rows."""

    __tablename__ = "merchant_account"
    __table_args__ = (
        UniqueConstraint("provider", "mchid"),
        {"comment": "Merchant accounts at payment providers; one payment never spans two"},
    )

    id: Mapped[GlobalId]
    code: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[Provider]
    mchid: Mapped[str]
    name: Mapped[str]


class ProviderOrder(Base):
    """One number given to a provider, unique for ever. Leads from a callback to its community.

    Global on purpose: a callback knows only the merchant and the number.
    """

    __tablename__ = "provider_order"
    __table_args__ = (
        UniqueConstraint("merchant_id", "transaction_id"),
        {"comment": "Our order numbers at each merchant account, and the payment each belongs to"},
    )

    merchant_id: Mapped[int] = mapped_column(ForeignKey("merchant_account.id"), primary_key=True)
    out_trade_no: Mapped[str] = mapped_column(primary_key=True)
    community_id: Mapped[int]
    payment_id: Mapped[int]
    transaction_id: Mapped[str | None]
    created_at: Mapped[datetime]
