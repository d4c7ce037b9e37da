"""WeChat Pay API v3: orders in WeChat (JSAPI), by QR code (Native) and outside WeChat (H5), refunds
and bills of one merchant account, behind `wechat_pay_gateway`.

Rules: pay.weixin.qq.com/doc/v3 (order, query, close, refund, query a refund, payment and refund
notification, trade bill, fund bill).
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from wechatpayv3 import WeChatPayType

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
from billing.channels.wechat_pay_bills import Bill, read_funds, read_trades, unpack
from billing.channels.wechat_pay_gateway import TIMEOUT_SECONDS, Gateway, WeChatPayKeys
from billing.errors import InvalidInput
from billing.merchants import Provider
from billing.money import Money
from billing.payment_tables import PaymentChannel

WAYS: Mapping[PaymentChannel, WeChatPayType] = MappingProxyType(
    {
        PaymentChannel.WECHAT_JSAPI: WeChatPayType.JSAPI,
        PaymentChannel.WECHAT_NATIVE: WeChatPayType.NATIVE,
        PaymentChannel.WECHAT_H5: WeChatPayType.H5,
    }
)
STATES = {
    "SUCCESS": ProviderState.PAID,
    # It was paid, and some of it was given back.
    "REFUND": ProviderState.PAID,
    "NOTPAY": ProviderState.WAITING,
    "USERPAYING": ProviderState.WAITING,
    "CLOSED": ProviderState.CLOSED,
    "REVOKED": ProviderState.CLOSED,
    "PAYERROR": ProviderState.CLOSED,
}
REFUND_STATES = {
    "SUCCESS": RefundState.DONE,
    "PROCESSING": RefundState.PROCESSING,
    "CLOSED": RefundState.CLOSED,
    "ABNORMAL": RefundState.ABNORMAL,
}
PAYMENT_EVENT = "TRANSACTION.SUCCESS"
REFUND_EVENTS = {"REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED"}
MISSING_CODES = {"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"}
NO_BILL_CODES = {"NO_STATEMENT_EXIST", "NO_BILL_EXIST", "BILL_CREATING", "STATEMENT_CREATING"}


class WeChatPayChannel:
    """One merchant account. H5 is among its ways only where its keys say so.

    `timeout_seconds`: to connect, and to wait for each part of an answer.
    """

    def __init__(
        self,
        keys: WeChatPayKeys,
        gateway: str,
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        self.provider = Provider.WECHAT_PAY
        self.ways = frozenset(way for way in WAYS if keys.h5 or way != PaymentChannel.WECHAT_H5)
        self.mchid = keys.mchid
        self._app_id = keys.app_id
        self._gateway = Gateway(keys, gateway, timeout_seconds)

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Register the order. JSAPI gives the signed parameters of `getBrandWCPayRequest`, Native a
        `code_url`, H5 a `redirect_url`, which lives five minutes.

        Raises:
            InvalidInput: a way this account has not, or who pays, or from where, is not said.
            ChannelRefused: WeChat Pay said no.
            ChannelUnreachable: no trustworthy answer; the order may exist.
        """
        if request.channel not in self.ways:
            raise InvalidInput("channel", f"{request.channel.value} is not a way of this account")
        answer = self._gateway.ask(
            "pay",
            pay_type=WAYS[request.channel],
            description=request.description,
            out_trade_no=request.out_trade_no,
            amount={"total": request.amount.fen, "currency": "CNY"},
            notify_url=request.notify_url,
            time_expire=request.expires_at.isoformat(timespec="seconds"),
            **_payer(request),
        )
        if request.channel is PaymentChannel.WECHAT_NATIVE:
            return {"code_url": _given(answer, "code_url")}
        if request.channel is PaymentChannel.WECHAT_H5:
            address = _given(answer, "h5_url")
            if request.return_url is not None:
                address += f"&redirect_url={quote(request.return_url, safe='')}"
            return {"redirect_url": address}
        return self._call_up(request.out_trade_no, _given(answer, "prepay_id"), now)

    def _call_up(self, nonce: str, prepay_id: str, now: datetime) -> dict[str, Any]:
        package = f"prepay_id={prepay_id}"
        timestamp = str(int(now.timestamp()))
        return {
            "appId": self._app_id,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._gateway.sign([self._app_id, timestamp, nonce, package]),
        }

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What WeChat Pay believes about our number.

        Raises:
            ChannelRefused, ChannelUnreachable: as for `order`; an unknown number is an answer.
        """
        try:
            said = self._gateway.ask("query", out_trade_no=quote(out_trade_no, safe=""))
        except ChannelRefused as refusal:
            if refusal.code in MISSING_CODES:
                return ProviderAnswer(self.mchid, out_trade_no, ProviderState.MISSING)
            raise
        answer = _read_order(said)
        if answer.out_trade_no != out_trade_no:
            raise ChannelUnreachable("WeChat Pay query: an answer about another order")
        return answer

    def close(self, out_trade_no: str) -> None:
        """Make the number unpayable; repeating is safe.

        Raises:
            ChannelRefused: it was paid already (`ORDER_PAID`), or never existed.
            ChannelUnreachable: as for `order`.
        """
        self._gateway.ask("close", out_trade_no=quote(out_trade_no, safe=""))

    def refund(self, request: RefundRequest) -> RefundAnswer:
        """Have money given back from the account's balance; the same request again is safe. WeChat
        Pay answers when it took the request: what became of it comes by callback or query.

        Raises:
            ChannelRefused: more than is left, too little on the account (`NOT_ENOUGH`), too late
                (365 days), too often (50 times), …
            ChannelUnreachable: it may have been taken; ask `query_refund`.
        """
        said = self._gateway.ask(
            "refund",
            out_refund_no=request.out_refund_no,
            out_trade_no=request.out_trade_no,
            amount={"refund": request.amount.fen, "total": request.total.fen, "currency": "CNY"},
            reason=request.reason,
            notify_url=request.notify_url,
        )
        return self._read_refund(said, request.out_trade_no, request.out_refund_no)

    def query_refund(self, out_trade_no: str, out_refund_no: str) -> RefundAnswer:
        """What WeChat Pay believes about a refund now.

        Raises:
            ChannelRefused, ChannelUnreachable: as for `order`; an unknown number is an answer.
        """
        try:
            said = self._gateway.ask("query_refund", out_refund_no=quote(out_refund_no, safe=""))
        except ChannelRefused as refusal:
            if refusal.code in MISSING_CODES:
                return RefundAnswer(
                    mchid=self.mchid,
                    out_trade_no=out_trade_no,
                    out_refund_no=out_refund_no,
                    state=RefundState.MISSING,
                )
            raise
        return self._read_refund(said, out_trade_no, out_refund_no)

    def _read_refund(
        self, said: dict[str, Any], out_trade_no: str, out_refund_no: str
    ) -> RefundAnswer:
        """An answer to a call of ours, which does not repeat whose account it is about."""
        answer = _read_refund(said, said.get("status"), self.mchid)
        if (answer.out_trade_no, answer.out_refund_no) != (out_trade_no, out_refund_no):
            raise ChannelUnreachable("WeChat Pay refund: an answer about another refund")
        return answer

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer | RefundAnswer:
        """Verify a callback about a payment or a refund, and read it.

        Raises:
            InvalidNotification: not signed by WeChat Pay for this account, older than five minutes,
                a SIGNTEST probe, about something else, or for another app. Another merchant's
                number is an answer: it is written down as a discrepancy.
        """
        event, said = self._gateway.open_notification(headers, body, now)
        try:
            if event in REFUND_EVENTS:
                return _read_refund(said, said.get("refund_status"), said.get("mchid"))
            if event != PAYMENT_EVENT:
                raise InvalidNotification(f"neither a payment nor a refund: {event}")
            if said.get("appid") != self._app_id:
                raise InvalidNotification("made for another app")
            return _read_order(said)
        except ChannelUnreachable as error:
            raise InvalidNotification(str(error)) from None

    def fetch_statement(self, day: date) -> Iterator[StatementRow]:
        """The day's trade bill, payments and refunds, row by row; there from ten the next morning.

        Raises:
            NoStatement: none yet, or nothing happened.
            ChannelRefused, ChannelUnreachable: as for `order`; the latter also while reading, when
                a column is missing, a row makes no sense or the rows do not sum to its totals.
        """
        bill = self._fetch_bill("trade_bill", day, bill_type="ALL")
        return read_trades(bill)

    def fetch_funds(self, day: date) -> FundTotals:
        """What the day's fund bill says of the basic account.

        Raises:
            NoStatement, ChannelRefused, ChannelUnreachable: as for `fetch_statement`.
        """
        return read_funds(self._fetch_bill("fundflow_bill", day, account_type="BASIC"))

    def _fetch_bill(self, method: str, day: date, **kind: str) -> Bill:
        try:
            packed, sha1 = self._gateway.fetch_bill(
                method, bill_date=day.isoformat(), tar_type="GZIP", **kind
            )
        except ChannelRefused as refusal:
            if refusal.code in NO_BILL_CODES:
                raise NoStatement(f"WeChat Pay has no bill of {day}: {refusal.code}") from None
            raise
        return unpack(packed, sha1)


def _payer(request: OrderRequest) -> dict[str, Any]:
    """What an order says about who pays, by its way.

    Raises:
        InvalidInput: it is not said.
    """
    if request.channel is PaymentChannel.WECHAT_JSAPI:
        if not request.payer_openid:
            raise InvalidInput("payer_openid", "a payment in WeChat needs to know who pays")
        return {"payer": {"openid": request.payer_openid}}
    if request.channel is PaymentChannel.WECHAT_H5:
        if not request.payer_ip:
            raise InvalidInput("payer_ip", "a payment outside WeChat needs the payer's address")
        h5_info = {"type": "Wap"}
        return {"scene_info": {"payer_client_ip": request.payer_ip, "h5_info": h5_info}}
    return {}


def _given(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ChannelUnreachable(f"WeChat Pay pay: an answer without {name}")
    return value


def _read_order(order: Mapping[str, Any]) -> ProviderAnswer:
    """An order as a query or a notification describes it.

    Raises:
        ChannelUnreachable: a field is missing or of the wrong kind.
    """
    try:
        state = STATES[order["trade_state"]]
        if state is not ProviderState.PAID:
            return ProviderAnswer(_text(order["mchid"]), _text(order["out_trade_no"]), state)
        payer = order.get("payer")
        if order.get("trade_type") == "JSAPI" and not payer:
            raise KeyError("payer")
        return ProviderAnswer(
            mchid=_text(order["mchid"]),
            out_trade_no=_text(order["out_trade_no"]),
            state=state,
            transaction_id=_text(order["transaction_id"]),
            amount=Money(order["amount"]["total"]),
            payer=_text(payer["openid"]) if payer else None,
            paid_at=_moment(order["success_time"]),
            currency=order["amount"].get("currency", "CNY"),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # The kind of error only: its text may quote what was sealed.
        raise ChannelUnreachable(f"an order we cannot use: {type(error).__name__}") from None


def _read_refund(refund: Mapping[str, Any], state: object, mchid: object) -> RefundAnswer:
    """A refund as an answer or a notification describes it.

    Raises:
        ChannelUnreachable: a field is missing or of the wrong kind.
    """
    try:
        done_at = refund.get("success_time")
        return RefundAnswer(
            mchid=_text(mchid),
            out_trade_no=_text(refund["out_trade_no"]),
            out_refund_no=_text(refund["out_refund_no"]),
            state=REFUND_STATES[_text(state)],
            refund_id=_text(refund["refund_id"]),
            amount=Money(refund["amount"]["refund"]),
            at=_moment(done_at) if done_at else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ChannelUnreachable(f"a refund we cannot use: {type(error).__name__}") from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without its zone")
    return moment
