"""Where a person pays: opened by the merchant's signed link, the trade begins to exist here."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sandbox.alipay import signing
from sandbox.alipay import store as table
from sandbox.alipay.gateway import App, Request
from sandbox.alipay.notifier import Notifier
from sandbox.alipay.refusals import business, wrong
from sandbox.alipay.store import Trade
from sandbox.alipay.telling import new_trade_no, way_back
from sandbox.clock import SHANGHAI, Clock
from sandbox.store import Store

PRODUCTS = {
    "alipay.trade.wap.pay": "QUICK_WAP_WAY",
    "alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY",
}
LIFE_S_MAX = 15 * 86400
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
_EXPRESS = re.compile(r"([0-9]{1,5})([mhd])")


class Cashier:
    """Opens for a signed link, and books the payment its payer confirms."""

    def __init__(self, store: Store, apps: Mapping[str, App], notifier: Notifier, clock: Clock):
        self._store = store
        self._apps = apps
        self._notifier = notifier
        self._clock = clock

    def open(self, request: Request, buyer_id: str) -> Trade:
        """Show a link's trade to a payer, new where nobody opened it before.

        Raises Refused: a parameter is wrong or differs from the trade's, the link's life is over,
        the trade is paid or closed.
        """
        now = self._clock.now()
        asked = self._read(request, buyer_id, now)
        with self._store.transaction() as db:
            trade = table.find_trade(
                db, asked.app_id, now.timestamp(), out_trade_no=asked.out_trade_no
            )
            if trade is None:
                if asked.expires_at <= now.timestamp():
                    raise business("cashier.expired")
                table.insert_trades(db, [asked])
                return asked
        _check_payable(trade)
        if trade.parameters != asked.parameters:
            raise business("ACQ.CONTEXT_INCONSISTENT")
        return trade

    def confirm(self, trade_no: str) -> Trade:
        """Pay an opened trade and start its notification; of two at once one pays."""
        now = self._clock.now()
        with self._store.transaction() as db:
            trade = table.find_open_trade(db, trade_no, now.timestamp())
            if trade is None or trade.app_id not in self._apps:
                raise business("ACQ.TRADE_NOT_EXIST")
            _check_payable(trade)
            paid = replace(trade, state=table.SUCCESS, paid_at=now.timestamp())
            table.update_trade(db, paid)
            notice_id = self._notifier.write(db, paid)
        if notice_id is not None:
            self._notifier.announce(notice_id)
        return paid

    def return_address(self, trade: Trade) -> str | None:
        """Give the signed address the payer's browser goes back to, if the merchant named one."""
        if not trade.return_url:
            return None
        app = self._apps[trade.app_id]
        params = way_back(trade, app.seller_id, self._clock.now())
        query = urlencode(signing.signed_params(app.alipay_key, params))
        return f"{trade.return_url}{'&' if '?' in trade.return_url else '?'}{query}"

    def _read(self, request: Request, buyer_id: str, now: datetime) -> Trade:
        number = request.text("out_trade_no", most=64)
        if not _NUMBER.fullmatch(number):
            raise wrong("out_trade_no")
        if request.content.get("product_code") != PRODUCTS[request.method]:
            raise wrong("product_code")
        fen = request.fen("total_amount")
        subject = request.text("subject", most=256)
        return Trade(
            app_id=request.app.app_id,
            out_trade_no=number,
            trade_no=new_trade_no(now),
            subject=subject,
            total_fen=fen,
            parameters=json.dumps([fen, subject]),
            notify_url=request.notify_url,
            return_url=request.return_url,
            method=request.method,
            buyer_id=buyer_id,
            created_at=now.timestamp(),
            expires_at=self._expires_at(request, now),
            state=table.WAITING,
            paid_at=None,
        )

    def _expires_at(self, request: Request, now: datetime) -> float:
        """Give the last moment of payment.

        `time_expire` is a moment, so the link dies by itself; `timeout_express` only begins when
        the cashier is first opened, so a link that nobody opens lives for ever.
        """
        moment = request.text("time_expire", most=19, optional=True)
        if moment:
            life = _moment(moment) - request.sent_at
            begins = request.sent_at.timestamp()
        else:
            life, begins = _express(request), now.timestamp()
        if not timedelta(0) < life <= timedelta(seconds=LIFE_S_MAX):
            raise wrong("time_expire")
        return begins + self._clock.real_seconds(life.total_seconds())


def new_buyer_id() -> str:
    """Make up a payer: 16 digits that begin with 2088."""
    return f"2088{secrets.randbelow(10**12):012}"


def _check_payable(trade: Trade) -> None:
    if trade.paid_at is not None:
        raise business("ACQ.TRADE_HAS_SUCCESS")
    if trade.state == table.CLOSED:
        raise business("ACQ.TRADE_HAS_CLOSE")


def _moment(text: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=SHANGHAI)
        except ValueError:
            continue
    raise wrong("time_expire")


def _express(request: Request) -> timedelta:
    text = request.text("timeout_express", most=6, optional=True)
    if not text:
        return timedelta(seconds=LIFE_S_MAX)
    found = _EXPRESS.fullmatch(text)
    if found is None:
        raise wrong("timeout_express")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
