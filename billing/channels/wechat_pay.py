"""WeChat Pay API v3, JSAPI, in public-key mode, through `wechatpayv3`.

Fences around the library (read in 2.0.4): its gateway is a private attribute; it raises bare
`Exception` for an answer it cannot verify; its `callback()` returns None for forged, probing and
tampered notifications alike and accepts any timestamp. Here a notification is either a typed
`ProviderAnswer` or `InvalidNotification`, the timestamp must be within five minutes, and no
plaintext is ever logged. Rules: pay.weixin.qq.com/doc/v3 (JSAPI order, query, close, payment
notification).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from wechatpayv3 import WeChatPay, WeChatPayType

from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    InvalidNotification,
    OrderRequest,
    ProviderAnswer,
    ProviderState,
)
from billing.money import Money

TIMEOUT_SECONDS = (3, 5)
NOTIFICATION_AGE_SECONDS_MAX = 300
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
STATES = {
    "SUCCESS": ProviderState.PAID,
    "REFUND": ProviderState.PAID,
    "NOTPAY": ProviderState.WAITING,
    "USERPAYING": ProviderState.WAITING,
    "CLOSED": ProviderState.CLOSED,
    "REVOKED": ProviderState.CLOSED,
    "PAYERROR": ProviderState.CLOSED,
}
MISSING_CODES = {"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"}


@dataclass(frozen=True, slots=True)
class WeChatPayKeys:
    """What a merchant account needs; from settings, never from the database."""

    mchid: str
    app_id: str
    serial_no: str
    private_key: str
    api_v3_key: str
    public_key_id: str
    public_key: str

    def __repr__(self) -> str:
        """Keep keys out of tracebacks and logs."""
        return f"WeChatPayKeys(mchid={self.mchid!r})"


class WeChatPayJsapi:
    """JSAPI payments of one merchant account."""

    def __init__(self, keys: WeChatPayKeys, gateway: str) -> None:
        self.mchid = keys.mchid
        self._app_id = keys.app_id
        self._client = WeChatPay(
            wechatpay_type=WeChatPayType.JSAPI,
            mchid=keys.mchid,
            private_key=keys.private_key,
            cert_serial_no=keys.serial_no,
            apiv3_key=keys.api_v3_key,
            appid=keys.app_id,
            public_key=keys.public_key,
            public_key_id=keys.public_key_id,
            timeout=TIMEOUT_SECONDS,
        )
        self._client._core._gate_way = gateway

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Register the order and sign the parameters of `getBrandWCPayRequest`.

        Raises:
            ChannelRefused: WeChat Pay said no.
            ChannelUnreachable: no trustworthy answer; the order may exist.
        """
        answer = self._ask(
            "pay",
            description=request.description,
            out_trade_no=request.out_trade_no,
            amount={"total": request.amount.fen, "currency": "CNY"},
            payer={"openid": request.payer_openid},
            notify_url=request.notify_url,
            time_expire=request.expires_at.isoformat(timespec="seconds"),
        )
        package = f"prepay_id={answer['prepay_id']}"
        timestamp = str(int(now.timestamp()))
        nonce = request.out_trade_no
        return {
            "appId": self._app_id,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._client.sign([self._app_id, timestamp, nonce, package]),
        }

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What WeChat Pay believes about our number.

        Raises:
            ChannelRefused, ChannelUnreachable: as for `order`; an unknown number is an answer.
        """
        try:
            return self._read_order(self._ask("query", out_trade_no=out_trade_no))
        except ChannelRefused as refusal:
            if refusal.code in MISSING_CODES:
                return ProviderAnswer(self.mchid, out_trade_no, ProviderState.MISSING)
            raise

    def close(self, out_trade_no: str) -> None:
        """Make the number unpayable; repeating is safe.

        Raises:
            ChannelRefused: it was paid already (`ORDER_PAID`), or never existed.
            ChannelUnreachable: as for `order`.
        """
        self._ask("close", out_trade_no=out_trade_no)

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer:
        """Verify a payment callback and read it.

        Raises:
            InvalidNotification: not signed by WeChat Pay for this account, older than five minutes,
                a SIGNTEST probe, not a payment, or for another merchant or app.
        """
        _check_headers(headers, now)
        try:
            notification = self._client.callback(dict(headers), body)
        except (
            Exception
        ) as error:  # the library raises bare Exception, ValueError and KeyError alike
            raise InvalidNotification(f"unreadable notification: {type(error).__name__}") from None
        if not isinstance(notification, dict):
            raise InvalidNotification("signature or ciphertext does not verify")
        if notification.get("event_type") != "TRANSACTION.SUCCESS":
            raise InvalidNotification(f"not a payment: {notification.get('event_type')}")
        order = notification["resource"]
        if order.get("appid") != self._app_id:
            raise InvalidNotification("made for another app")
        try:
            return self._read_order(order)
        except ChannelUnreachable as error:
            raise InvalidNotification(str(error)) from None

    def _ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call the library; every way it can fail becomes one of our two errors."""
        try:
            status, text = getattr(self._client, method)(**arguments)
        except requests.RequestException as error:
            raise ChannelUnreachable(f"WeChat Pay {method}: {type(error).__name__}") from error
        except Exception as error:  # bare Exception: an answer whose signature does not verify
            raise ChannelUnreachable(f"WeChat Pay {method}: untrusted answer") from error
        if status == 204:
            return {}
        try:
            answer = json.loads(text)
        except ValueError:
            raise ChannelUnreachable(f"WeChat Pay {method}: HTTP {status} without JSON") from None
        if status >= 500 or status == 429:
            raise ChannelUnreachable(f"WeChat Pay {method}: HTTP {status} {answer.get('code')}")
        if status >= 400:
            raise ChannelRefused(str(answer.get("code")), str(answer.get("message")))
        return dict(answer)

    def _read_order(self, order: Mapping[str, Any]) -> ProviderAnswer:
        try:
            state = STATES[order["trade_state"]]
            paid = state is ProviderState.PAID
            return ProviderAnswer(
                mchid=order["mchid"],
                out_trade_no=order["out_trade_no"],
                state=state,
                transaction_id=order["transaction_id"] if paid else None,
                amount=Money(order["amount"]["total"]) if paid else None,
                payer_openid=order["payer"]["openid"] if paid else None,
                paid_at=datetime.fromisoformat(order["success_time"]) if paid else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ChannelUnreachable(f"an order without a usable {error}") from None


def _check_headers(headers: Mapping[str, str], now: datetime) -> None:
    """Refuse what the library would accept or stumble over."""
    if headers.get("Wechatpay-Signature-Type", SIGNATURE_TYPE) != SIGNATURE_TYPE:
        raise InvalidNotification("unknown signature type")
    if headers.get("Wechatpay-Signature", "").startswith("WECHATPAY/SIGNTEST/"):
        raise InvalidNotification("a SIGNTEST probe")
    try:
        age = now.timestamp() - int(headers.get("Wechatpay-Timestamp", ""))
    except ValueError:
        raise InvalidNotification("no timestamp") from None
    if abs(age) > NOTIFICATION_AGE_SECONDS_MAX:
        raise InvalidNotification("timestamp outside five minutes")


def valid_gateway(url: str) -> bool:
    """True for an http(s) address without path, as the signature covers the path."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and parts.path in {"", "/"}
