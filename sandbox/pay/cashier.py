"""Where a person pays: over the merchant's page, after scanning a code, or outside WeChat."""

from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from uuid import uuid4

from sandbox.clock import Clock
from sandbox.pay import crypto, notices
from sandbox.pay import store as table
from sandbox.pay.kinds import H5, JSAPI, NATIVE, read_code_url, read_h5_url
from sandbox.pay.merchants import Merchant
from sandbox.pay.notices import Notice
from sandbox.pay.notifier import Notifier
from sandbox.pay.refusals import PayRefused
from sandbox.pay.store import Order, Prepay, Store
from sandbox.pay.texts import say
from sandbox.pay.transaction import new_transaction_id

_BRIDGE_FIELDS = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")


@dataclass(frozen=True)
class Checkout:
    """What the cashier shows before the person confirms."""

    prepay_id: str
    mch_name: str
    description: str
    amount_fen: int
    out_trade_no: str


@dataclass(frozen=True)
class Paid:
    """A payment as the provider booked it."""

    out_trade_no: str
    transaction_id: str
    paid_fen: int


class Cashier:
    """Opens for the payer of an order that can be paid, and books the payment."""

    def __init__(
        self, store: Store, merchants: Mapping[str, Merchant], notifier: Notifier, clock: Clock
    ):
        self._store = store
        self._merchants = merchants
        self._notifier = notifier
        self._clock = clock

    def checkout(self, params: Mapping[str, str], openid: str) -> Checkout:
        """Open the cashier with a page's getBrandWCPayRequest parameters.

        Raises PayRefused: a parameter or the paySign is wrong, the order is another person's, is
        paid or closed, or the prepay id has expired. Changes nothing.
        """
        prepay_id = _prepay_id(params)
        with self._store.transaction() as db:
            prepay, order = self._get_prepaid(db, prepay_id)
        if order.trade_type != JSAPI:
            raise PayRefused(say("cashier.parameters"))
        merchant = self._merchants[order.mchid]
        message = crypto.bridge_message(
            params["appId"], params["timeStamp"], params["nonceStr"], params["package"]
        )
        if not crypto.is_signed_by(merchant.public_key, message, params["paySign"]):
            raise PayRefused(say("cashier.signature"))
        if params["appId"] != order.app_id:
            raise PayRefused(say("cashier.parameters"))
        self._check_payable(prepay, order, openid)
        return _checkout(prepay_id, merchant, order)

    def scan(self, code_url: str) -> Checkout:
        """Open the cashier with the code of a Native order, for whoever scans it.

        Raises PayRefused: it is no payment's code, is over, or the order is paid or closed.
        """
        return self._show(NATIVE, read_code_url(code_url))

    def visit(self, h5_url: str) -> Checkout:
        """Open the cashier at the address of an H5 order; raises PayRefused as `scan` does."""
        return self._show(H5, read_h5_url(h5_url))

    def confirm(self, prepay_id: str, openid: str) -> Paid:
        """Pay: book the order and start its callback in the background.

        Raises PayRefused as `checkout` does; of two at once one pays and the other is refused.
        """
        now = self._clock.now()
        transaction_id = new_transaction_id(now)
        with self._store.transaction() as db:
            prepay, order = self._get_prepaid(db, prepay_id)
            self._check_payable(prepay, order, openid)
            notice = _new_notice(order, now.timestamp())
            table.pay_order(db, order, openid, transaction_id, now.timestamp())
            notices.insert_notice(db, notice)
        self._notifier.announce(notice.notice_id, notice.next_at)
        return Paid(order.out_trade_no, transaction_id, order.total_fen)

    def _instant(self) -> float:
        return self._clock.now().timestamp()

    def _get_prepaid(self, db: Connection, prepay_id: str) -> tuple[Prepay, Order]:
        prepay = table.find_prepay(db, prepay_id)
        if prepay is None:
            raise PayRefused(say("cashier.no_order"))
        return prepay, table.get_order(db, prepay.mchid, prepay.out_trade_no, self._instant())

    def _show(self, trade_type: str, prepay_id: str) -> Checkout:
        with self._store.transaction() as db:
            prepay, order = self._get_prepaid(db, prepay_id)
        if order.trade_type != trade_type:
            raise PayRefused(say("cashier.no_order"))
        self._check_payable(prepay, order, openid=order.openid)
        return _checkout(prepay_id, self._merchants[order.mchid], order)

    def _check_payable(self, prepay: Prepay, order: Order, openid: str) -> None:
        if order.trade_type == JSAPI and openid != order.openid:
            raise PayRefused(say("cashier.other_payer"))
        if order.is_paid:
            raise PayRefused(say("cashier.paid"))
        if order.state == "CLOSED":
            raise PayRefused(say("cashier.closed"))
        if prepay.expires_at <= self._instant():
            raise PayRefused(say("cashier.expired"))


def _checkout(prepay_id: str, merchant: Merchant, order: Order) -> Checkout:
    return Checkout(
        prepay_id, merchant.name, order.description, order.total_fen, order.out_trade_no
    )


def _new_notice(order: Order, now: float) -> Notice:
    """Make the callback of a payment, due now."""
    return Notice(str(uuid4()), order.mchid, order.out_trade_no, "", 0, now, "pending", None)


def _prepay_id(params: Mapping[str, str]) -> str:
    """Read the prepay id of complete call-up parameters; raises PayRefused."""
    complete = all(isinstance(params.get(name), str) and params[name] for name in _BRIDGE_FIELDS)
    if not complete or params["signType"] != "RSA" or not params["timeStamp"].isdecimal():
        raise PayRefused(say("cashier.parameters"))
    name, _, prepay_id = params["package"].partition("=")
    if name != "prepay_id":
        raise PayRefused(say("cashier.parameters"))
    return prepay_id
