"""What every payment channel can do, and what each step may do to money.

| step | network | money |
| --- | --- | --- |
| `payments.prepare` | no | nothing; our row and number exist before the provider hears of them |
| `order` | yes | nothing moves; the payer may now pay this number once |
| `query` | yes | nothing; says what the provider believes |
| `close` | yes | nothing; afterwards the number cannot be paid |
| `parse_notification` | no | nothing; turns a verified callback into a `ProviderAnswer` |
| `payments.confirm` | no | books the money, once |

No step is called with a database transaction open. A step that fails without a clear answer raises
`ChannelUnreachable`: the payment becomes UNKNOWN and is asked about later, never charged again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from billing.errors import BillingError
from billing.money import Money


class ChannelError(BillingError):
    """Base of what a channel reports."""


class ChannelUnreachable(ChannelError):
    """No trustworthy answer (time-out, 5xx, bad signature): the truth is unknown, ask again
    later.
    """


class ChannelRefused(ChannelError):
    """The provider said no, for good; `code` is the provider's word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class InvalidNotification(ChannelError):
    """A callback that is forged, stale, malformed or not for us; answered 4xx and never
    processed.
    """


class ProviderState(Enum):
    """What the provider believes about an order."""

    MISSING = "missing"
    WAITING = "waiting"
    PAID = "paid"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What the provider is asked to collect. `expires_at` is the last moment it may be paid."""

    out_trade_no: str
    description: str
    amount: Money
    payer_openid: str
    notify_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A verified statement of the provider about one order.

    `amount` is the order's total in fen: coupons may lower what the payer paid, never what we
    are owed. Everything but number and state is None unless PAID.
    """

    mchid: str
    out_trade_no: str
    state: ProviderState
    transaction_id: str | None = None
    amount: Money | None = None
    payer_openid: str | None = None
    paid_at: datetime | None = None


class Channel(Protocol):
    """One way to collect money for one merchant account."""

    mchid: str

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Register the order; returns what the payer's phone needs. Same request again is safe."""

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What the provider believes now."""

    def close(self, out_trade_no: str) -> None:
        """Make the number unpayable; safe to repeat. Raises ChannelRefused when already paid."""

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer:
        """Verify and read a callback. Raises InvalidNotification."""
