"""Every way to pay, in one table: who collects, where the money then is, where it is offered.

A new channel is a row here, a module in `channels/` where a provider is asked, and its tests. A
provider's ways are offered only where its keys are among the settings and the community names a
merchant account for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from billing.ledger import FixedAccount
from billing.merchants import Provider
from billing.payment_tables import PaymentChannel


class Place(Enum):
    """Where somebody is when he is about to pay."""

    WECHAT = "wechat"
    """WeChat's own browser. Alipay is blocked there."""

    ALIPAY = "alipay"
    """Alipay's own browser."""

    PHONE = "phone"
    """Any other browser on a phone."""

    DESKTOP = "desktop"
    """A browser on a computer."""

    COUNTER = "counter"
    """At the counter, in front of a cashier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRule:
    """What one channel is.

    Attributes:
        account: where its money is once it is booked; debited by a payment.
        provider: who collects and confirms it; None when nobody outside is asked.
        places: where it is offered to a payer; empty when he cannot choose it.
        by_hand: a cashier books it.
        has_receipt: False for money that was receipted when it came.
    """

    account: FixedAccount
    provider: Provider | None = None
    places: frozenset[Place] = frozenset()
    by_hand: bool = False
    has_receipt: bool = True


CHANNELS: Mapping[PaymentChannel, ChannelRule] = MappingProxyType(
    {
        PaymentChannel.WECHAT_JSAPI: ChannelRule(
            account=FixedAccount.WECHAT_CLEARING,
            provider=Provider.WECHAT_PAY,
            places=frozenset({Place.WECHAT}),
        ),
        PaymentChannel.WECHAT_NATIVE: ChannelRule(
            account=FixedAccount.WECHAT_CLEARING,
            provider=Provider.WECHAT_PAY,
            places=frozenset({Place.DESKTOP, Place.COUNTER}),
        ),
        PaymentChannel.WECHAT_H5: ChannelRule(
            account=FixedAccount.WECHAT_CLEARING,
            provider=Provider.WECHAT_PAY,
            places=frozenset({Place.PHONE}),
        ),
        PaymentChannel.ALIPAY_WAP: ChannelRule(
            account=FixedAccount.ALIPAY_CLEARING,
            provider=Provider.ALIPAY,
            places=frozenset({Place.ALIPAY, Place.PHONE}),
        ),
        PaymentChannel.ALIPAY_PAGE: ChannelRule(
            account=FixedAccount.ALIPAY_CLEARING,
            provider=Provider.ALIPAY,
            places=frozenset({Place.DESKTOP}),
        ),
        PaymentChannel.BANK_TRANSFER: ChannelRule(account=FixedAccount.BANK),
        PaymentChannel.DIRECT_DEBIT: ChannelRule(account=FixedAccount.BANK),
        PaymentChannel.CASH: ChannelRule(
            account=FixedAccount.CASH, places=frozenset({Place.COUNTER}), by_hand=True
        ),
        PaymentChannel.POS: ChannelRule(
            account=FixedAccount.POS_CLEARING, places=frozenset({Place.COUNTER}), by_hand=True
        ),
        PaymentChannel.SLIP: ChannelRule(
            account=FixedAccount.BANK, places=frozenset({Place.COUNTER}), by_hand=True
        ),
        PaymentChannel.PREPAID: ChannelRule(account=FixedAccount.PREPAYMENTS, has_receipt=False),
        PaymentChannel.EXTERNAL: ChannelRule(account=FixedAccount.EXTERNAL_CLEARING),
        PaymentChannel.IMPORTED: ChannelRule(account=FixedAccount.CASH),
    }
)
"""Channel → what it is."""
