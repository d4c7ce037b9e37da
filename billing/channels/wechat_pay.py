"""WeChat Pay API v3, JSAPI, in public-key mode, through `wechatpayv3`.

Fences around the library (read in 2.0.4): its gateway is a private attribute; it raises bare
`Exception` for an answer it cannot verify, and does not verify answers other than 2xx; its
`callback()` returns None for forged, probing and tampered notifications alike, accepts any
timestamp, reads the signature from whichever of three spellings of its headers is there, and asks
WeChat Pay for certificates whenever it does not know a serial. Here a notification is either a
typed `ProviderAnswer` or `InvalidNotification`, the headers that were checked are the ones that are
verified, the timestamp must be within five minutes, and no plaintext is ever logged. Rules:
pay.weixin.qq.com/doc/v3 (JSAPI order, query, close, payment notification).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import load_private_key, load_public_key

from billing.channels.base import (
    ChannelRefused,
    ChannelUnreachable,
    InvalidNotification,
    OrderRequest,
    ProviderAnswer,
    ProviderState,
)
from billing.merchants import Provider
from billing.money import Money
from billing.payment_tables import PaymentChannel

TIMEOUT_SECONDS = (3, 5)
NOTIFICATION_AGE_SECONDS_MAX = 300
API_V3_KEY_BYTES = 32
TOO_MANY_REQUESTS = 429
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
SIGNATURE_HEADERS = (
    "Wechatpay-Signature",
    "Wechatpay-Signature-Type",
    "Wechatpay-Serial",
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
)
PROBE_MARK = "WECHATPAY/SIGNTEST/"
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

    def find_fault(self) -> str | None:
        """What makes these keys unusable, naming the field but never its value; None when good."""
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                return f"{name} must be a text that is not empty"
        if len(self.api_v3_key.encode()) != API_V3_KEY_BYTES:
            return f"api_v3_key must be {API_V3_KEY_BYTES} bytes"
        for name, load in (("private_key", load_private_key), ("public_key", load_public_key)):
            try:
                load(getattr(self, name))
            except Exception:  # the library raises nothing more precise
                return f"{name} is not a key in PEM"
        return None


class WeChatPayJsapi:
    """JSAPI payments of one merchant account.

    `timeout_seconds`: to connect, and to wait for each part of an answer.
    """

    def __init__(
        self,
        keys: WeChatPayKeys,
        gateway: str,
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        self.provider = Provider.WECHAT_PAY
        self.ways = frozenset({PaymentChannel.WECHAT_JSAPI})
        self.mchid = keys.mchid
        self._app_id = keys.app_id
        self._public_key_id = keys.public_key_id
        self._client = WeChatPay(
            wechatpay_type=WeChatPayType.JSAPI,
            mchid=keys.mchid,
            private_key=keys.private_key,
            cert_serial_no=keys.serial_no,
            apiv3_key=keys.api_v3_key,
            appid=keys.app_id,
            public_key=keys.public_key,
            public_key_id=keys.public_key_id,
            timeout=timeout_seconds,
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
        if not answer.get("prepay_id"):
            raise ChannelUnreachable("WeChat Pay pay: an answer without prepay_id")
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
            answer = _read_order(self._ask("query", out_trade_no=out_trade_no))
        except ChannelRefused as refusal:
            if refusal.code in MISSING_CODES:
                return ProviderAnswer(self.mchid, out_trade_no, ProviderState.MISSING)
            raise
        if answer.out_trade_no != out_trade_no:
            raise ChannelUnreachable("WeChat Pay query: an answer about another order")
        return answer

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
                a SIGNTEST probe, not a payment, or for another app. Another merchant's number is an
                answer: `payments.confirm` writes it down as a discrepancy.
        """
        signed_by = self._check_headers(headers, now)
        try:
            notification = self._client.callback(signed_by, body)
        except Exception as error:  # the library raises Exception, ValueError and KeyError alike
            raise InvalidNotification(f"unreadable notification: {type(error).__name__}") from None
        if not isinstance(notification, dict):
            raise InvalidNotification("signature or ciphertext does not verify")
        if notification.get("event_type") != "TRANSACTION.SUCCESS":
            raise InvalidNotification(f"not a payment: {notification.get('event_type')}")
        order = notification["resource"]
        if not isinstance(order, dict) or order.get("appid") != self._app_id:
            raise InvalidNotification("made for another app")
        try:
            return _read_order(order)
        except ChannelUnreachable as error:
            raise InvalidNotification(str(error)) from None

    def _check_headers(self, headers: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Refuse what the library would accept or stumble over; returns all it may look at."""
        sent = CaseInsensitiveDict(headers)
        signed_by = {name: sent.get(name) or "" for name in SIGNATURE_HEADERS}
        absent = [name for name, value in signed_by.items() if not value]
        if absent:
            raise InvalidNotification(f"no {', '.join(absent)}")
        if signed_by["Wechatpay-Signature-Type"] != SIGNATURE_TYPE:
            raise InvalidNotification("unknown signature type")
        if signed_by["Wechatpay-Signature"].startswith(PROBE_MARK):
            raise InvalidNotification("a SIGNTEST probe")
        if signed_by["Wechatpay-Serial"] != self._public_key_id:
            raise InvalidNotification("signed with a key we do not know")
        timestamp = signed_by["Wechatpay-Timestamp"]
        if re.fullmatch(r"[0-9]{1,12}", timestamp) is None:
            raise InvalidNotification("timestamp is not a number of seconds")
        if abs(now.timestamp() - int(timestamp)) > NOTIFICATION_AGE_SECONDS_MAX:
            raise InvalidNotification("timestamp outside five minutes")
        return signed_by

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
        answer = _read_object(text)
        if answer is not None and 200 <= status < 300:
            return answer
        # Only WeChat Pay's own word is a refusal: a proxy's error page says nothing of the order.
        said = answer or {}
        code = said.get("code")
        if isinstance(code, str) and 400 <= status < 500 and status != TOO_MANY_REQUESTS:
            raise ChannelRefused(code, str(said.get("message")))
        raise ChannelUnreachable(f"WeChat Pay {method}: HTTP {status} {code or 'without a code'}")


def _read_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in an answer, or None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _read_order(order: Mapping[str, Any]) -> ProviderAnswer:
    """An order as a query or a notification describes it.

    Raises:
        ChannelUnreachable: a field is missing or of the wrong kind.
    """
    try:
        state = STATES[order["trade_state"]]
        paid = state is ProviderState.PAID
        return ProviderAnswer(
            mchid=order["mchid"],
            out_trade_no=order["out_trade_no"],
            state=state,
            transaction_id=order["transaction_id"] if paid else None,
            amount=Money(order["amount"]["total"]) if paid else None,
            payer=order["payer"]["openid"] if paid else None,
            paid_at=datetime.fromisoformat(order["success_time"]) if paid else None,
            currency=order["amount"].get("currency", "CNY") if paid else "CNY",
        )
    except (KeyError, TypeError, ValueError) as error:
        # The kind of error only: its text may quote what was sealed.
        raise ChannelUnreachable(f"an order we cannot use: {type(error).__name__}") from None


def valid_gateway(url: str) -> bool:
    """True for an http(s) address with nothing after the host, as the signature covers the path."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # read here: a malformed one raises when read
    except ValueError:
        return False
    rest = (parts.path.removesuffix("/"), parts.query, parts.fragment)
    return parts.scheme in {"http", "https"} and bool(host) and not any(rest)
