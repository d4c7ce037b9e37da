"""Alipay's book: everything the rest of the sandbox needs of it."""

from collections.abc import Callable, Mapping
from datetime import date

from sandbox.alipay import store as table
from sandbox.alipay.bills import Bills
from sandbox.alipay.cashier import Cashier
from sandbox.alipay.desk import Desk
from sandbox.alipay.gateway import App, Request, load_apps, read_request
from sandbox.alipay.notifier import Notifier
from sandbox.alipay.refusals import Refused
from sandbox.alipay.store import Trade
from sandbox.alipay.telling import new_trade_no
from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.faults import Faults
from sandbox.pay.calendar import Calendar, span
from sandbox.store import Store

_SEEDED_FEN = 10_000


class AlipayBook:
    """All applications' trades. Thread-safe; everything survives a restart on the same store.

    Make one per process, after any fork: it starts the daemon threads that notify.
    """

    def __init__(
        self, config: SandboxConfig, clock: Clock, faults: Faults, store: Store, calendar: Calendar
    ):
        self.clock = clock
        self.faults = faults
        self.apps: dict[str, App] = load_apps(config.alipay)
        self._store = store
        with store.transaction() as db:
            table.create_tables(db)
        self._notifier = Notifier(store, self.apps, clock, faults)
        self.cashier = Cashier(store, self.apps, self._notifier, clock)
        self.bills = Bills(store, clock, calendar, config.public_url)
        desk = Desk(store, self._notifier, clock, faults)
        self._calls: dict[str, Callable[[Request], dict[str, object]]] = {
            "alipay.trade.query": desk.query,
            "alipay.trade.close": desk.close,
            "alipay.trade.refund": desk.refund,
            "alipay.trade.fastpay.refund.query": desk.query_refund,
            "alipay.data.dataservice.bill.downloadurl.query": self.bills.link,
        }
        self._notifier.start()

    def stop(self) -> None:
        """Stop the notification threads; what is pending goes on after the next start."""
        self._notifier.stop()

    def call(self, params: Mapping[str, str]) -> dict[str, object]:
        """Carry out a program's call; raises Refused."""
        request = read_request(params, self.apps)
        carry_out = self._calls.get(request.method)
        if carry_out is None:
            raise Refused("40002", "isv.invalid-method")
        return carry_out(request)

    def open_cashier(self, params: Mapping[str, str], buyer_id: str) -> Trade:
        """Open the cashier with a merchant's signed link; raises Refused."""
        return self.cashier.open(read_request(params, self.apps), buyer_id)

    def fetch_bill(self, token: str) -> tuple[str, bytes]:
        """Give a bill's file name and zip; raises Refused once its address is dead."""
        return self.bills.fetch(token, {app.app_id: app.seller_id for app in self.apps.values()})

    def wait_first_notify(self, out_trade_no: str, timeout_s: float) -> str:
        """Wait (real seconds) for the first attempt; gives accepted, pending, failed:N or none."""
        return self._notifier.wait_first(out_trade_no, timeout_s)

    def ledger(self) -> list[dict[str, object]]:
        """List every trade as Alipay believes it to be; `paid_fen` stays what was once paid."""
        with self._store.transaction() as db:
            trades = table.list_trades(db, self.clock.now().timestamp())
        return [
            {
                "provider": "alipay",
                "out_trade_no": trade.out_trade_no,
                "transaction_id": trade.trade_no,
                "state": trade.state,
                "paid_fen": trade.total_fen if trade.paid_at is not None else 0,
                "refunded_fen": refunded_fen,
            }
            for trade, refunded_fen in trades
        ]

    def seed(self, app_id: str, day: date, count: int) -> None:
        """Write `count` paid trades of 100.00 on a day at once, for whom nobody is notified.

        Numbers are `SEED<day><7 digits>`; a day can be seeded once.
        """
        instant, end = span(day)
        step_s = (end - instant) / count
        with self._store.transaction() as db:
            table.insert_trades(
                db,
                (
                    Trade(
                        app_id=app_id,
                        out_trade_no=f"SEED{day:%Y%m%d}{number:07}",
                        trade_no=new_trade_no(day, number),
                        subject="SEED",
                        total_fen=_SEEDED_FEN,
                        parameters="[]",
                        notify_url="",
                        return_url="",
                        method="alipay.trade.wap.pay",
                        buyer_id="2088000000000001",
                        created_at=instant + number * step_s,
                        expires_at=instant + number * step_s,
                        state=table.SUCCESS,
                        paid_at=instant + number * step_s,
                    )
                    for number in range(count)
                ),
            )
