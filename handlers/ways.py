"""Which ways to pay a community offers, wherever somebody is. Without keys a way is absent."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.merchants import MerchantAccount, Provider, list_merchants
from billing.payment_channels import CHANNELS, Place
from billing.payment_tables import PaymentChannel
from handlers.services import Services


@dataclass(frozen=True, slots=True)
class Way:
    """A channel that is open here, and the account it collects for."""

    channel: PaymentChannel
    merchant: MerchantAccount

    @property
    def provider(self) -> Provider:
        """Who asks the payer for his money."""
        return self.merchant.provider

    @property
    def mark(self) -> str:
        """How pages mark the form that starts it: `wechat` or `alipay`."""
        return self.provider.value.partition("_")[0]


def offered_ways(
    services: Services, session: Session, community_id: int, place: Place
) -> list[Way]:
    """The ways offered to somebody at this place, WeChat Pay's first.

    A provider's way needs a merchant account of the community whose keys are among the settings
    and whose contract includes it.
    """
    return [
        Way(channel, merchant)
        for merchant in list_merchants(session, community_id)
        if merchant.code in services.channels
        for channel, rule in CHANNELS.items()
        if rule.provider is merchant.provider
        and place in rule.places
        and channel in services.channels[merchant.code].ways
    ]


def offered_providers(services: Services, session: Session, community_id: int) -> list[Provider]:
    """Whose ways a payer finds with his phone, WeChat Pay's first."""
    found = {
        way.provider
        for place in (Place.WECHAT, Place.ALIPAY, Place.PHONE)
        for way in offered_ways(services, session, community_id, place)
    }
    return [provider for provider in Provider if provider in found]
