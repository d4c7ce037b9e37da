"""What every payment channel can do, and what each step may do to money.

| step | network | money |
| --- | --- | --- |
| `payments.prepare` | no | nothing; our row and number exist before the provider hears of them |
| `order` | yes | nothing moves; the payer may now pay this number once |
| `query` | yes | nothing; says what the provider believes |
| `close` | yes | nothing; afterwards the number cannot be paid |
| `parse_notification` | no | nothing; turns a verified callback into an answer |
| `confirmation.confirm` | no | books the money, once |
| `refunds.approve` | no | holds the money to be given back, so that nobody spends it |
| `refund` | yes | the provider gives it back, once per refund number |
| `query_refund` | yes | nothing; says what the provider believes |
| `refunds.record_answer` | no | books what was given back, or frees what was held, once |
| `fetch_statement`, `fetch_funds` | yes | nothing; what the provider says of a day |

No step is called with a database transaction open. A step that fails without a clear answer raises
`ChannelUnreachable`: the payment or refund becomes UNKNOWN and is asked about later, never charged
or refunded again under another number. Everything a provider says is an answer of one of the types
below, whatever way it came; only `billing` decides what it means for the books.

A channel serves one merchant account with its own keys. It is one module here, and a row of
`payment_channels.CHANNELS` for each of its ways to pay.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol

from billing.errors import BillingError
from billing.merchants import Provider
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel


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


class NoStatement(ChannelError):
    """The provider has no statement of this day: none yet, or nothing happened."""


class ProviderState(Enum):
    """What the provider believes about an order."""

    MISSING = "missing"
    WAITING = "waiting"
    PAID = "paid"
    CLOSED = "closed"


class RefundState(Enum):
    """What the provider believes about a refund."""

    MISSING = "missing"
    PROCESSING = "processing"
    DONE = "done"
    CLOSED = "closed"
    """It failed for good; the money stayed where it was."""

    ABNORMAL = "abnormal"
    """The payer's account cannot take it; somebody must see to it at the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What the provider is asked to collect.

    Attributes:
        channel: which of the channel's ways.
        payer_openid: who will pay; None where anybody may.
        payer_ip: address of the payer's browser; WeChat's H5 asks for it.
        return_url: page of ours the payer's browser comes back to; None where it never leaves.
        expires_at: the last moment it may be paid. The same for every repetition of an order.
    """

    out_trade_no: str
    channel: PaymentChannel
    description: str
    amount: Money
    notify_url: str
    expires_at: datetime
    payer_openid: str | None = None
    payer_ip: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A verified statement of the provider about one order.

    `amount` is the order's total: coupons may lower what the payer paid, never what we are owed;
    in fen of `currency`. `payer` is how the provider knows him (for WeChat Pay his openid).
    Everything but number and state is None unless PAID.
    """

    mchid: str
    out_trade_no: str
    state: ProviderState
    transaction_id: str | None = None
    amount: Money | None = None
    payer: str | None = None
    paid_at: datetime | None = None
    currency: str = "CNY"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """What is to be given back of a paid order. `total` is the order's amount."""

    out_trade_no: str
    out_refund_no: str
    amount: Money
    total: Money
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """A verified statement of the provider about one refund. `refund_id` is its own number."""

    mchid: str
    out_trade_no: str
    out_refund_no: str
    state: RefundState
    refund_id: str | None = None
    amount: Money | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One row of a provider's statement: an order that was paid, or a refund that was begun.

    `out_refund_no`, `refund_id` and `refund_state` are of refunds only; `amount` is what was paid
    or is given back, above zero; `fee` what the provider keeps of it, negative when given back.
    """

    out_trade_no: str
    transaction_id: str
    amount: Money
    at: datetime
    fee: Money = ZERO
    out_refund_no: str | None = None
    refund_id: str | None = None
    refund_state: RefundState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundTotals:
    """What a merchant account's money did in a day, by the provider's bill of funds."""

    received: Money
    refunded: Money
    fees: Money
    withdrawn: Money


class Channel(Protocol):
    """One merchant account at one provider. `ways` are those its contract allows."""

    provider: Provider
    mchid: str
    ways: frozenset[PaymentChannel]

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Register the order; returns what the payer's browser needs, by channel: `jsapi` call
        parameters, a `code_url` to show as QR code, or a `redirect_url` to send him to. The same
        request again is safe.
        """

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What the provider believes now."""

    def close(self, out_trade_no: str) -> None:
        """Make the number unpayable; safe to repeat. Raises ChannelRefused when already paid."""

    def refund(self, request: RefundRequest) -> RefundAnswer:
        """Give money back; the same request again is safe and gives the same answer. Raises
        ChannelRefused when the provider will not, for good.
        """

    def query_refund(self, out_trade_no: str, out_refund_no: str) -> RefundAnswer:
        """What the provider believes about a refund now."""

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer | RefundAnswer:
        """Verify and read a callback. Raises InvalidNotification."""

    def fetch_statement(self, day: date) -> Iterator[StatementRow]:
        """The provider's statement of a business day, row by row. Raises NoStatement."""

    def fetch_funds(self, day: date) -> FundTotals | None:
        """The provider's bill of funds of a day; None where it gives none. Raises NoStatement."""


class MandateState(Enum):
    """What the provider believes about an owner's agreement to be debited."""

    MISSING = "missing"
    SIGNED = "signed"
    ENDED = "ended"


class MandateChannel(Protocol):
    """Debiting an owner who agreed to it beforehand (委托代扣, needs a permission of its own).

    No module implements it yet. An agreement is a row of `direct_debit_mandate`. WeChat wants the
    owner told 2 days before, between 7:00 and 22:00, and no more debited than he was told
    (pay.weixin.qq.com, scheduled deduction).
    """

    def signing_url(self, contract_code: str, payer_openid: str, now: datetime) -> str:
        """Where the owner agrees; the number of the agreement is ours."""

    def query_mandate(self, contract_code: str) -> MandateState:
        """Whether he has agreed."""

    def announce(self, contract_code: str, amount: Money, now: datetime) -> None:
        """Have the provider tell the owner what will be debited; nothing moves."""

    def debit(self, request: OrderRequest, contract_code: str, now: datetime) -> None:
        """Debit what was announced; its result comes as every payment's, by callback or query."""

    def end_mandate(self, contract_code: str, reason: str) -> None:
        """End the agreement; safe to repeat."""
