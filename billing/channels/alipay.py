"""Alipay: wap and page payments of one application, behind `alipay_gateway`.

Rules: opendocs.alipay.com (alipay.trade.wap.pay, .page.pay, .query, .close, .refund,
.fastpay.refund.query, alipay.data.dataservice.bill.downloadurl.query, asynchronous notification).

Alipay hears of an order only when its payer opens the cashier: until then our link is all there is,
a query answers MISSING and nothing can be closed. The link therefore names the moment it dies at.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from billing.business_day import BEIJING
from billing.channels.alipay_gateway import AlipayKeys, Gateway, beijing
from billing.channels.alipay_statement import download, read_statement
from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    FundTotals,
    InvalidNotification,
    NoStatement,
    OrderRequest,
    ProviderAnswer,
    ProviderState,
    RefundAnswer,
    RefundRequest,
    RefundState,
    StatementRow,
)
from billing.errors import InvalidInput
from billing.merchants import Provider
from billing.money import Money
from billing.payment_tables import PaymentChannel

TIMEOUT_SECONDS = (3.0, 10.0)
SUBJECT_CHARACTERS_MAX = 256
SUBJECT_SPELLING = str.maketrans({"/": "／", "=": "＝", "&": "＆", ",": "，"})
"""Characters Alipay refuses in a subject, and the comma that its bills do not quote."""

NOTIFICATION_FIELDS_MAX = 100
WAYS: Mapping[PaymentChannel, tuple[str, str]] = MappingProxyType(
    {
        PaymentChannel.ALIPAY_WAP: ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
        PaymentChannel.ALIPAY_PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    }
)
STATES = {
    "WAIT_BUYER_PAY": ProviderState.WAITING,
    "TRADE_SUCCESS": ProviderState.PAID,
    "TRADE_FINISHED": ProviderState.PAID,
    "TRADE_CLOSED": ProviderState.CLOSED,
}
MISSING = "ACQ.TRADE_NOT_EXIST"
NOT_WAITING = {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.TRADE_HAS_CLOSE"}
NO_BILL = {"isp.bill_not_exist", "isv.invalid-arguments", "isv.invalid_arguments"}


class Alipay:
    """Wap and page payments of one application. `mchid` is the seller's number (2088…).

    `clock` gives the present, aware; `timeout_seconds`: to connect, and to wait for each part of
    an answer.
    """

    def __init__(
        self,
        keys: AlipayKeys,
        gateway: str,
        clock: Callable[[], datetime],
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        self.provider = Provider.ALIPAY
        self.ways = frozenset(WAYS)
        self.mchid = keys.seller_id
        self._app_id = keys.app_id
        self._gateway = Gateway(keys, gateway, clock, timeout_seconds)

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Build the signed link to the cashier: `{"redirect_url": …}`; asks nobody.

        The link dies at `expires_at`, opened or not.

        Raises:
            InvalidInput: a channel that is not Alipay's, or a link that would be dead already.
        """
        if request.channel not in WAYS:
            raise InvalidInput("channel", f"{request.channel.value} is not a way of Alipay's")
        if request.expires_at <= now:
            raise InvalidInput("expires_at", "the order would be dead before anybody opens it")
        method, product = WAYS[request.channel]
        content = {
            "out_trade_no": request.out_trade_no,
            "total_amount": request.amount.yuan,
            "subject": request.description.translate(SUBJECT_SPELLING)[:SUBJECT_CHARACTERS_MAX],
            "product_code": product,
            "time_expire": beijing(request.expires_at),
        }
        link = self._gateway.link(
            method, content, now, notify_url=request.notify_url, return_url=request.return_url
        )
        return {"redirect_url": link}

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What Alipay believes about our number; MISSING until its payer opened the cashier.

        Raises:
            ChannelRefused, ChannelUnreachable: as the contract says.
        """
        try:
            said = self._gateway.ask("alipay.trade.query", out_trade_no=out_trade_no)
        except ChannelRefused as refusal:
            if refusal.code == MISSING:
                return ProviderAnswer(self.mchid, out_trade_no, ProviderState.MISSING)
            raise
        _check_number(said, "out_trade_no", out_trade_no)
        try:
            return _read_trade(said, self.mchid, paid_at=said.get("send_pay_date"))
        except (KeyError, TypeError, ValueError, InvalidInput) as error:
            raise ChannelUnreachable(f"a trade we cannot use: {type(error).__name__}") from None

    def close(self, out_trade_no: str) -> None:
        """Make a number unpayable whose payer opened the cashier; repeating is safe.

        Raises:
            ChannelRefused: it was paid already, or (`ACQ.TRADE_NOT_EXIST`) nobody opened the
                cashier. Alipay cannot close what it never heard of: the link stays good until it
                dies by itself, and money that still comes is booked when it comes.
            ChannelUnreachable: as for `query`.
        """
        try:
            self._gateway.ask("alipay.trade.close", out_trade_no=out_trade_no)
        except ChannelRefused as refusal:
            if refusal.code not in NOT_WAITING:
                raise
            if self.query(out_trade_no).state is not ProviderState.CLOSED:
                raise

    def refund(self, request: RefundRequest) -> RefundAnswer:
        """Give money back; the same refund number again moves nothing and gives the same answer.

        Raises:
            ChannelRefused: more than was paid, another amount under the same number, too little
                on the seller's account (`ACQ.SELLER_BALANCE_NOT_ENOUGH`), …
            ChannelUnreachable: it may have been done; ask `query_refund`.
        """
        said = self._gateway.ask(
            "alipay.trade.refund",
            out_trade_no=request.out_trade_no,
            refund_amount=request.amount.yuan,
            out_request_no=request.out_refund_no,
            refund_reason=request.reason,
        )
        _check_number(said, "out_trade_no", request.out_trade_no)
        # `refund_fee` is the sum of all refunds of the trade, and `fund_change` N means either a
        # repetition or a refund under way: only the query says what became of this number.
        answer = self.query_refund(request.out_trade_no, request.out_refund_no)
        if answer.state is not RefundState.MISSING:
            return answer
        return RefundAnswer(
            mchid=self.mchid,
            out_trade_no=request.out_trade_no,
            out_refund_no=request.out_refund_no,
            state=RefundState.PROCESSING,
        )

    def query_refund(self, out_trade_no: str, out_refund_no: str) -> RefundAnswer:
        """What Alipay believes about a refund; MISSING when it has none of that number.

        Raises:
            ChannelRefused, ChannelUnreachable: as for `query`.
        """
        state, amount, at = RefundState.MISSING, None, None
        try:
            said = self._gateway.ask(
                "alipay.trade.fastpay.refund.query",
                out_trade_no=out_trade_no,
                out_request_no=out_refund_no,
                query_options=["gmt_refund_pay"],
            )
        except ChannelRefused as refusal:
            if refusal.code != MISSING:
                raise
            said = {}
        # A refund that never was is answered by a success without a single field of a refund.
        if "out_request_no" in said or "refund_amount" in said:
            _check_number(said, "out_trade_no", out_trade_no)
            _check_number(said, "out_request_no", out_refund_no)
            done = said.get("refund_status") == "REFUND_SUCCESS"
            state = RefundState.DONE if done else RefundState.PROCESSING
            try:
                amount = Money.from_yuan(said["refund_amount"])
                at = _instant(said["gmt_refund_pay"]) if "gmt_refund_pay" in said else None
            except (KeyError, TypeError, ValueError, InvalidInput) as error:
                raise ChannelUnreachable(f"an odd refund: {type(error).__name__}") from None
        return RefundAnswer(
            mchid=self.mchid,
            out_trade_no=out_trade_no,
            out_refund_no=out_refund_no,
            state=state,
            amount=amount,
            at=at,
        )

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer | RefundAnswer:
        """Verify a notification and read it; one that tells of a refund names its number.

        Alipay repeats an old notification for 25 hours and does not say when it sent it, so a
        replayed one cannot be told from a late one; it says again what was true, and is booked
        once. A refund's notification gives the sum of all refunds, so `amount` stays None.

        Raises:
            InvalidNotification: not signed by Alipay, for another application, or not about a
                trade. Another seller's is an answer: `confirm` writes it down as a discrepancy.
        """
        fields = _read_form(body)
        if not self._gateway.has_signed(fields):
            raise InvalidNotification("signature does not verify")
        if fields.get("app_id") != self._app_id:
            raise InvalidNotification("made for another application")
        if fields.get("notify_type") != "trade_status_sync":
            raise InvalidNotification("not about a trade")
        try:
            if fields.get("out_biz_no") and fields.get("refund_fee"):
                return RefundAnswer(
                    mchid=_given(fields, "seller_id"),
                    out_trade_no=_given(fields, "out_trade_no"),
                    out_refund_no=fields["out_biz_no"],
                    state=RefundState.DONE,
                    at=_instant(fields["gmt_refund"]),
                )
            seller_id = _given(fields, "seller_id")
            return _read_trade(fields, seller_id, paid_at=fields.get("gmt_payment"))
        except (KeyError, TypeError, ValueError, InvalidInput) as error:
            raise InvalidNotification(f"a trade we cannot use: {type(error).__name__}") from None

    def fetch_statement(self, day: date) -> Iterator[StatementRow]:
        """Alipay's bill of a day (业务明细), row by row; made in the morning after.

        Raises:
            NoStatement: there is none, yet or at all.
            ChannelUnreachable: also from the rows: a column is missing, a row makes no sense, or
                the rows do not sum to the totals under them.
        """
        try:
            said = self._gateway.ask(
                "alipay.data.dataservice.bill.downloadurl.query",
                bill_type="trade",
                bill_date=day.isoformat(),
            )
        except ChannelRefused as refusal:
            if refusal.code in NO_BILL:
                raise NoStatement(f"Alipay has no bill of {day}") from None
            raise
        url = said.get("bill_download_url")
        if not isinstance(url, str):
            raise ChannelUnreachable("Alipay bill: an answer without an address")
        return read_statement(download(self._gateway.secured(url), self._gateway.timeout_seconds))

    def fetch_funds(self, day: date) -> FundTotals | None:
        """None: Alipay's bill of funds knows no totals by kind."""
        return None


def _instant(text: object) -> datetime:
    """An instant as Alipay spells it, perhaps with a part of a second that nobody needs.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(text, str):
        raise TypeError("not a text")
    seconds = text.partition(".")[0]
    return datetime.strptime(seconds, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)


def _check_number(said: Mapping[str, Any], name: str, number: str) -> None:
    if said.get(name) != number:
        raise ChannelUnreachable("Alipay: an answer about another order")


def _given(said: Mapping[str, Any], name: str) -> str:
    """A text that must be there. Raises KeyError, TypeError or ValueError when it is not."""
    value = said[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    if not value:
        raise ValueError(f"{name} is empty")
    return value


def _read_form(body: bytes) -> dict[str, str]:
    """The fields of a notification, exactly as they came.

    Raises:
        InvalidNotification: not a form in UTF-8, or a field that is there twice.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=NOTIFICATION_FIELDS_MAX,
        )
    except ValueError:
        raise InvalidNotification("not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidNotification("a field is there twice")
    if fields.get("charset", "").lower() != "utf-8":
        raise InvalidNotification("not in UTF-8")
    return fields


def _read_trade(said: Mapping[str, Any], mchid: str, *, paid_at: str | None) -> ProviderAnswer:
    """A trade as a query or a notification describes it.

    `paid_at` is there for every trade that was paid: one that was refunded in full is closed like
    one that never was, but for us it is paid, and its refunds are told of separately.

    Raises:
        KeyError, TypeError, ValueError, InvalidInput: a field is missing or makes no sense.
    """
    state, out_trade_no = STATES[said["trade_status"]], _given(said, "out_trade_no")
    if state is ProviderState.CLOSED and paid_at:
        state = ProviderState.PAID
    if state is not ProviderState.PAID:
        return ProviderAnswer(mchid, out_trade_no, state)
    if not paid_at:
        raise ValueError("a payment without its moment")
    return ProviderAnswer(
        mchid=mchid,
        out_trade_no=out_trade_no,
        state=state,
        transaction_id=_given(said, "trade_no"),
        amount=Money.from_yuan(said["total_amount"]),
        payer=said.get("buyer_user_id") or said.get("buyer_id") or said.get("buyer_open_id"),
        paid_at=_instant(paid_at),
        currency=said.get("trans_currency") or "CNY",
    )
