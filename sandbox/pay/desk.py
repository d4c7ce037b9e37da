"""Where merchants order, ask and close."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from sqlite3 import Connection

from sandbox.clock import Clock
from sandbox.pay import store as table
from sandbox.pay.kinds import LIFE_S, new_prepay_id
from sandbox.pay.merchants import TIMESTAMP_WINDOW_S, Call, Merchant, authenticate
from sandbox.pay.order_form import OrderForm
from sandbox.pay.refusals import ApiRefused, wrong_parameter, wrong_signature
from sandbox.pay.store import Order, Prepay, Store
from sandbox.pay.texts import say
from sandbox.pay.transaction import describe

ORDER_LIFE_S = 7 * 86400
_EARLIEST_EXPIRY = timedelta(minutes=1)
_LATEST_EXPIRY = timedelta(days=90)


class OrderDesk:
    """Orders as merchants see them. `caller` is who signed the call."""

    def __init__(self, store: Store, merchants: Mapping[str, Merchant], clock: Clock):
        self._store = store
        self._merchants = merchants
        self._clock = clock

    def authenticate(self, call: Call) -> Merchant:
        """Give the merchant who signed this call, never seen before; raises ApiRefused."""
        now = self._clock.now()
        mchid, nonce = authenticate(call, self._merchants, now)
        with self._store.transaction() as db:
            is_new = table.use_nonce(db, mchid, nonce, now.timestamp(), 2 * TIMESTAMP_WINDOW_S)
        if not is_new:
            raise wrong_signature("sign_nonce", "nonce_str")
        return self._merchants[mchid]

    def check_mchid(self, caller: Merchant, mchid: str) -> None:
        """Refuse a call in another merchant's name; raises ApiRefused."""
        if mchid not in self._merchants:
            raise ApiRefused(400, "MCH_NOT_EXISTS", say("api.mch_not_exists"))
        if mchid != caller.mchid:
            raise ApiRefused(403, "NO_AUTH", say("api.other_merchant"))

    def order(self, caller: Merchant, form: OrderForm) -> str:
        """Place an order of any kind and give its prepay id.

        The same number with identical parameters gives the same prepay id while that is valid,
        then a new one; one that is changed, of another kind, closed or paid is refused. Raises
        ApiRefused.
        """
        self.check_mchid(caller, form.mchid)
        if form.app_id not in caller.app_ids:
            raise ApiRefused(400, "APPID_MCHID_NOT_MATCH", say("api.app_mch_mismatch"))
        now = self._clock.now()
        with self._store.transaction() as db:
            order = table.find_order(db, form.mchid, form.out_trade_no, now.timestamp())
            if order is None:
                order = self._new_order(form, now)
                table.insert_order(db, order)
            else:
                _check_repeated(order, form)
            return self._prepay(db, order, now).prepay_id

    def query_number(self, caller: Merchant, out_trade_no: str) -> dict[str, object]:
        """Describe the caller's order by its own number; raises ApiRefused ORDER_NOT_EXIST."""
        with self._store.transaction() as db:
            order = table.find_order(db, caller.mchid, out_trade_no, self._instant())
        return describe(_existing(order))

    def query_transaction(self, caller: Merchant, transaction_id: str) -> dict[str, object]:
        """Describe the caller's paid order by WeChat Pay's number; raises ORDER_NOT_EXIST."""
        with self._store.transaction() as db:
            order = table.find_transaction(db, caller.mchid, transaction_id, self._instant())
        return describe(_existing(order))

    def close(self, caller: Merchant, out_trade_no: str) -> None:
        """Close an unpaid order; closing a closed one again is fine, a paid one is refused."""
        with self._store.transaction() as db:
            order = _existing(table.find_order(db, caller.mchid, out_trade_no, self._instant()))
            if order.is_paid:
                raise ApiRefused(400, "ORDER_PAID", say("api.order_paid"))
            table.close_order(db, order)

    def _instant(self) -> float:
        return self._clock.now().timestamp()

    def _new_order(self, form: OrderForm, now: datetime) -> Order:
        life_s: float = ORDER_LIFE_S
        if form.time_expire is not None:
            life = form.time_expire - now
            if not _EARLIEST_EXPIRY <= life <= _LATEST_EXPIRY:
                value = form.time_expire.isoformat()
                raise wrong_parameter("/body/time_expire", "time_window", value)
            life_s = life.total_seconds()
        return Order(
            mchid=form.mchid,
            out_trade_no=form.out_trade_no,
            app_id=form.app_id,
            openid=form.openid,
            description=form.description,
            attach=form.attach,
            notify_url=form.notify_url,
            total_fen=form.total_fen,
            parameters=form.parameters,
            expires_at=now.timestamp() + self._clock.real_seconds(life_s),
            state="NOTPAY",
            transaction_id=None,
            paid_at=None,
            trade_type=form.trade_type,
        )

    def _prepay(self, db: Connection, order: Order, now: datetime) -> Prepay:
        """Give the order's valid prepay id, or a new one."""
        prepay = table.find_valid_prepay(db, order, now.timestamp())
        if prepay is None:
            ends = now.timestamp() + self._clock.real_seconds(LIFE_S[order.trade_type])
            prepay_id = new_prepay_id(order.trade_type, now)
            prepay = Prepay(prepay_id, order.mchid, order.out_trade_no, ends)
            table.insert_prepay(db, prepay)
        return prepay


def _existing(order: Order | None) -> Order:
    if order is None:
        raise ApiRefused(404, "ORDER_NOT_EXIST", say("api.order_not_exist"))
    return order


def _check_repeated(order: Order, form: OrderForm) -> None:
    """Refuse a second order call unless it repeats an order that can still be paid."""
    same = (form.trade_type, form.parameters) == (order.trade_type, order.parameters)
    if order.state == "CLOSED":
        raise ApiRefused(400, "ORDER_CLOSED", say("api.order_closed"))
    if order.is_paid and same:
        raise ApiRefused(400, "ORDER_PAID", say("api.order_paid"))
    if order.is_paid:
        raise ApiRefused(403, "OUT_TRADE_NO_USED", say("api.number_used"))
    if not same:
        raise ApiRefused(400, "INVALID_REQUEST", say("api.reentry"))
