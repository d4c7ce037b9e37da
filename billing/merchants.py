"""Who collects money for which community, and which order numbers the provider has seen from us."""

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, GlobalId
from billing.labels import LabelEnum


class Provider(LabelEnum):
    """Payment service providers."""

    WECHAT_PAY = "wechat_pay", "微信支付"
    ALIPAY = "alipay", "支付宝"


class MerchantAccount(Base):
    """A contract with a payment provider. Its keys are settings, never rows."""

    __tablename__ = "merchant_account"
    __table_args__ = (
        UniqueConstraint("provider", "mchid"),
        UniqueConstraint("id", "provider"),
        {"comment": "Merchant accounts at payment providers; one payment never spans two"},
    )

    id: Mapped[GlobalId]
    code: Mapped[str] = mapped_column(unique=True)
    provider: Mapped[Provider]
    mchid: Mapped[str]
    name: Mapped[str]


class CommunityMerchant(Base):
    """Which merchant account of a provider collects for a community. At most one per provider."""

    __tablename__ = "community_merchant"
    __table_args__ = (
        ForeignKeyConstraint(
            ["merchant_id", "provider"], ["merchant_account.id", "merchant_account.provider"]
        ),
        {"comment": "Merchant accounts that collect for communities, one per provider"},
    )

    community_id: Mapped[int] = mapped_column(
        ForeignKey("community.id"), primary_key=True, autoincrement=False
    )
    provider: Mapped[Provider] = mapped_column(primary_key=True)
    merchant_id: Mapped[int]


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


def list_merchants(session: Session, community_id: int) -> list[MerchantAccount]:
    """The merchant accounts that collect for a community, WeChat Pay's first."""
    found = session.scalars(
        select(MerchantAccount)
        .join(CommunityMerchant, CommunityMerchant.merchant_id == MerchantAccount.id)
        .where(CommunityMerchant.community_id == community_id)
    )
    order = list(Provider)
    return sorted(found, key=lambda merchant: order.index(merchant.provider))


def find_merchant(
    session: Session, community_id: int, provider: Provider
) -> MerchantAccount | None:
    """The merchant account of this provider that collects for a community, if there is one."""
    found = list_merchants(session, community_id)
    return next((merchant for merchant in found if merchant.provider is provider), None)
