"""A provider that does what it is told: orders, refunds and statements are plain rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    FundTotals,
    NoStatement,
    OrderRequest,
    ProviderAnswer,
    ProviderState,
    RefundAnswer,
    RefundRequest,
    RefundState,
    StatementRow,
)
from billing.merchants import Provider
from billing.money import ZERO
from billing.payment_tables import Payment, PaymentChannel
from tests.conftest import MERCHANT

PAYER = "o-payer"


@dataclass
class PretendChannel:
    """One merchant account. `refunds` and `paid` are what it believes; `said` is how often it was
    told or asked something.
    """

    now: Callable[[], datetime]
    provider: Provider = Provider.WECHAT_PAY
    mchid: str = MERCHANT[1]
    ways: frozenset[PaymentChannel] = frozenset({PaymentChannel.WECHAT_JSAPI})
    paid: dict[str, ProviderAnswer] = field(default_factory=dict)
    refunds: dict[str, RefundAnswer] = field(default_factory=dict)
    statement: list[StatementRow] | None = None
    funds: FundTotals | None = None
    refund_state: RefundState = RefundState.PROCESSING
    calls: list[str] = field(default_factory=list)
    silent: bool = False
    loses_answers: bool = False
    refuses: str = ""
    before: Callable[[str], object] = lambda _: None

    def _called(self, what: str) -> None:
        self.calls.append(what)
        self.before(what)
        if self.silent:
            raise ChannelUnreachable("nobody answers")

    def take(self, payment: Payment, at: datetime | None = None, **changes: Any) -> ProviderAnswer:
        """The payer pays; nobody is told."""
        answer = ProviderAnswer(
            **{
                "mchid": self.mchid,
                "out_trade_no": payment.out_trade_no,
                "state": ProviderState.PAID,
                "transaction_id": f"42{payment.out_trade_no[2:]}",
                "amount": payment.amount,
                "payer": PAYER,
                "paid_at": at or self.now(),
            }
            | changes
        )
        self.paid[payment.out_trade_no] = answer
        return answer

    def state_everything(self) -> None:
        """Make the statement out of what was paid and refunded."""
        self.statement = [
            StatementRow(
                out_trade_no=each.out_trade_no,
                transaction_id=each.transaction_id or "",
                amount=each.amount or ZERO,
                at=each.paid_at or self.now(),
            )
            for each in self.paid.values()
        ]
        self.statement += [
            StatementRow(
                out_trade_no=each.out_trade_no,
                transaction_id="42",
                amount=each.amount or ZERO,
                at=self.now(),
                out_refund_no=each.out_refund_no,
                refund_id=each.refund_id,
                refund_state=each.state,
            )
            for each in self.refunds.values()
        ]

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Not needed here."""
        raise NotImplementedError

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What was paid; anything else it never heard of."""
        self._called(f"query {out_trade_no}")
        missing = ProviderAnswer(self.mchid, out_trade_no, ProviderState.MISSING)
        return self.paid.get(out_trade_no, missing)

    def close(self, out_trade_no: str) -> None:
        """Nothing is left to close."""

    def refund(self, request: RefundRequest) -> RefundAnswer:
        """Refund once per number, in `refund_state`."""
        self._called(f"refund {request.out_refund_no}")
        if self.refuses:
            raise ChannelRefused(self.refuses, "no")
        known = self.refunds.setdefault(
            request.out_refund_no,
            RefundAnswer(
                mchid=self.mchid,
                out_trade_no=request.out_trade_no,
                out_refund_no=request.out_refund_no,
                state=self.refund_state,
                refund_id=f"50{request.out_refund_no[2:]}",
                amount=request.amount,
                at=self.now(),
            ),
        )
        if self.loses_answers:
            raise ChannelUnreachable("the answer got lost")
        return known

    def query_refund(self, out_trade_no: str, out_refund_no: str) -> RefundAnswer:
        """What became of a refund."""
        self._called(f"query_refund {out_refund_no}")
        missing = RefundAnswer(
            mchid=self.mchid,
            out_trade_no=out_trade_no,
            out_refund_no=out_refund_no,
            state=RefundState.MISSING,
        )
        return self.refunds.get(out_refund_no, missing)

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer | RefundAnswer:
        """Nobody calls back."""
        raise NotImplementedError

    def fetch_statement(self, day: date) -> Iterator[StatementRow]:
        """The rows put into `statement`; None is no statement."""
        self._called(f"statement {day}")
        if self.statement is None:
            raise NoStatement(f"none of {day}")
        yield from self.statement

    def fetch_funds(self, day: date) -> FundTotals | None:
        """The totals put into `funds`."""
        return self.funds
