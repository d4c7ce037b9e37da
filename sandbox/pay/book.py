"""The provider's book: everything the rest of the sandbox needs of WeChat Pay."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from sqlite3 import IntegrityError

from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.faults import Faults
from sandbox.pay import crypto
from sandbox.pay import store as table
from sandbox.pay.bills import BillDesk
from sandbox.pay.calendar import Calendar
from sandbox.pay.cashier import Cashier, Checkout, Paid
from sandbox.pay.courier import Courier
from sandbox.pay.desk import OrderDesk
from sandbox.pay.keys import PlatformKeys
from sandbox.pay.merchants import Merchant
from sandbox.pay.notifier import Notifier
from sandbox.pay.refund_desk import RefundDesk
from sandbox.pay.seed import Seed, load, read_seed
from sandbox.pay.store import Order, Store


class PayBook:
    """All merchants' orders. Thread-safe; everything survives a restart on the same state file.

    Make one per process, after any fork: it starts the daemon threads that deliver callbacks.
    """

    def __init__(self, config: SandboxConfig, clock: Clock, faults: Faults, state_file: str | Path):
        self.clock = clock
        self.faults = faults
        self.public_url = config.public_url
        self.keys = PlatformKeys(config.platform)
        self.calendar = Calendar(clock)
        self._merchants = merchants = _load_merchants(config)
        self._store = Store(state_file)
        self._courier = Courier(merchants, self.keys, clock)
        self._notifier = Notifier(self._store, self._courier, clock, faults)
        self._cashier = Cashier(self._store, merchants, self._notifier, clock)
        self.desk = OrderDesk(self._store, merchants, clock)
        self.refund_desk = RefundDesk(self._store, self._notifier, clock, faults)
        self.bill_desk = BillDesk(self._store, self.calendar, clock)
        self._notifier.start()

    def stop(self) -> None:
        """Stop the callback threads; what is pending goes on after the next start."""
        self._notifier.stop()

    def checkout(self, params: Mapping[str, str], openid: str) -> Checkout:
        """Open the cashier with getBrandWCPayRequest parameters; raises PayRefused."""
        return self._cashier.checkout(params, openid)

    def scan(self, code_url: str) -> Checkout:
        """Open the cashier with a Native order's code, for whoever scans; raises PayRefused."""
        return self._cashier.scan(code_url)

    def visit(self, h5_url: str) -> Checkout:
        """Open the cashier at an H5 order's address; raises PayRefused."""
        return self._cashier.visit(h5_url)

    def confirm_visit(self, h5_url: str) -> Paid:
        """Pay an H5 order, whose payer is somebody new to the merchant; raises PayRefused."""
        openid = f"oH5{secrets.token_hex(10)}"
        return self._cashier.confirm(self._cashier.visit(h5_url).prepay_id, openid)

    def confirm(self, prepay_id: str, openid: str) -> Paid:
        """Pay, and start the callback in the background; raises PayRefused."""
        return self._cashier.confirm(prepay_id, openid)

    def notify_status(self, out_trade_no: str) -> str:
        """Give "pending", "accepted" or "failed:<http>"; raises LookupError for an unpaid order."""
        return self._notifier.status(out_trade_no)

    def wait_first_notify(self, out_trade_no: str, timeout_s: float) -> str:
        """Wait (real seconds) for the first callback attempt, then give `notify_status`."""
        return self._notifier.wait_first(out_trade_no, timeout_s)

    def probe(self, notify_url: str) -> int:
        """Send the false-signature probe; give the HTTP status (0 = no answer)."""
        return self._courier.probe(notify_url)

    def seed(self, mchid: object, day: object, count: object, first_no: object) -> Seed:
        """Load many paid orders of one day at once; raises ValueError, and then loads none."""
        merchant = self._merchants.get(mchid) if isinstance(mchid, str) else None
        if merchant is None:
            raise ValueError("mchid must be a configured merchant's")
        asked = read_seed(day, count, first_no)
        try:
            with self._store.transaction() as db:
                load(db, merchant, asked)
        except IntegrityError:
            raise ValueError("an order of these numbers exists already") from None
        return asked

    def ledger(self) -> list[dict[str, object]]:
        """List every order as the provider believes it to be."""
        with self._store.transaction() as db:
            orders = table.list_orders(db, self.clock.now().timestamp())
        return [_ledger_row(order) for order in orders]


def _load_merchants(config: SandboxConfig) -> dict[str, Merchant]:
    return {
        merchant.mchid: Merchant(
            mchid=merchant.mchid,
            name=merchant.name,
            app_ids=tuple(merchant.app_ids),
            api_v3_key=merchant.api_v3_key,
            serial_no=merchant.serial_no,
            public_key=crypto.load_public_key(merchant.public_key_pem),
            signs_with=merchant.signs_with,
        )
        for merchant in config.merchants
    }


def _ledger_row(order: Order) -> dict[str, object]:
    return {
        "provider": "wechat_pay",
        "out_trade_no": order.out_trade_no,
        "transaction_id": order.transaction_id,
        "state": order.state,
        "paid_fen": order.total_fen if order.is_paid else 0,
        "refunded_fen": order.refunded_fen,
    }
