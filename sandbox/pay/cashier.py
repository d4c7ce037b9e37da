"""Where a person pays: the cashier WeChat opens over the merchant's page."""

from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from uuid import uuid4

from sandbox.clock import Clock
from sandbox.pay import crypto
from sandbox.pay import store as table
from sandbox.pay.merchants import Merchant
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
        merchant = self._merchants[order.mchid]
        message = crypto.bridge_message(
            params["appId"], params["timeStamp"], params["nonceStr"], params["package"]
        )
        if not crypto.is_signed_by(merchant.public_key, message, params["paySign"]):
            raise PayRefused(say("cashier.signature"))
        if params["appId"] != order.app_id:
            raise PayRefused(say("cashier.parameters"))
        self._check_payable(prepay, order, openid)
        return Checkout(prepay_id, merchant.name, order.description, order.total_fen)

    def confirm(self, prepay_id: str, openid: str) -> Paid:
        """Pay: book the order and start its callback in the background.

        Raises PayRefused as `checkout` does; of two at once one pays and the other is refused.
        """
        now = self._clock.now()
        transaction_id, notice_id = new_transaction_id(now), str(uuid4())
        with self._store.transaction() as db:
            prepay, order = self._get_prepaid(db, prepay_id)
            self._check_payable(prepay, order, openid)
            table.pay_order(db, order, transaction_id, notice_id, now.timestamp())
        self._notifier.announce(notice_id)
        return Paid(order.out_trade_no, transaction_id, order.total_fen)

    def _instant(self) -> float:
        return self._clock.now().timestamp()

    def _get_prepaid(self, db: Connection, prepay_id: str) -> tuple[Prepay, Order]:
        prepay = table.find_prepay(db, prepay_id)
        if prepay is None:
            raise PayRefused(say("cashier.no_order"))
        return prepay, table.get_order(db, prepay.mchid, prepay.out_trade_no, self._instant())

    def _check_payable(self, prepay: Prepay, order: Order, openid: str) -> None:
        if openid != order.openid:
            raise PayRefused(say("cashier.other_payer"))
        if order.state == "SUCCESS":
            raise PayRefused(say("cashier.paid"))
        if order.state == "CLOSED":
            raise PayRefused(say("cashier.closed"))
        if prepay.expires_at <= self._instant():
            raise PayRefused(say("cashier.expired"))


def _prepay_id(params: Mapping[str, str]) -> str:
    """Read the prepay id of complete call-up parameters; raises PayRefused."""
    complete = all(isinstance(params.get(name), str) and params[name] for name in _BRIDGE_FIELDS)
    if not complete or params["signType"] != "RSA" or not params["timeStamp"].isdecimal():
        raise PayRefused(say("cashier.parameters"))
    name, _, prepay_id = params["package"].partition("=")
    if name != "prepay_id":
        raise PayRefused(say("cashier.parameters"))
    return prepay_id
