"""Where merchants ask for a trade, close it and refund it.

Rule: opendocs.alipay.com, alipay.trade.query, .close, .refund and .fastpay.refund.query.
"""

from dataclasses import replace
from sqlite3 import Connection

from sandbox.alipay import store as table
from sandbox.alipay.gateway import Request
from sandbox.alipay.notifier import Notifier
from sandbox.alipay.refusals import business, wrong
from sandbox.alipay.store import Refund, Trade
from sandbox.alipay.telling import beijing, describe, masked_login, yuan
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.store import Store

_DONE: dict[str, object] = {"code": "10000", "msg": "Success"}


class Desk:
    """Trades as merchants see them."""

    def __init__(self, store: Store, notifier: Notifier, clock: Clock, faults: Faults):
        self._store = store
        self._notifier = notifier
        self._clock = clock
        self._faults = faults

    def query(self, request: Request) -> dict[str, object]:
        """Describe a trade; one whose cashier nobody opened does not exist."""
        with self._store.transaction() as db:
            return describe(self._existing(db, request))

    def close(self, request: Request) -> dict[str, object]:
        """Close a trade that waits for its payer; any other state is refused, closed too."""
        with self._store.transaction() as db:
            trade = self._existing(db, request)
            if trade.state != table.WAITING:
                raise business("ACQ.TRADE_STATUS_ERROR")
            table.update_trade(db, replace(trade, state=table.CLOSED))
        return _DONE | {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}

    def refund(self, request: Request) -> dict[str, object]:
        """Give money back at once; the same `out_request_no` again moves nothing.

        The answer's `refund_fee` is what was refunded of the trade in all, not by this call.
        """
        fen = request.fen("refund_amount")
        now = self._clock.now().timestamp()
        with self._store.transaction() as db:
            trade = self._existing(db, request)
            number = request.text("out_request_no", most=64, optional=True)
            if not number and fen != trade.total_fen:
                raise wrong("out_request_no")
            refund = Refund(
                trade.app_id, trade.out_trade_no, number or trade.out_trade_no, fen, now
            )
            done = table.list_refunds(db, trade)
            earlier = next((r for r in done if r.out_request_no == refund.out_request_no), None)
            refunded_fen = sum(each.fen for each in done)
            notice_id = None
            if earlier is None:
                self._check_refundable(trade, refunded_fen + fen)
                refunded_fen += fen
                notice_id = self._give_back(db, trade, refund, refunded_fen)
            elif earlier.fen != fen:
                raise business("ACQ.DISCORDANT_REPEAT_REQUEST")
        if notice_id is not None:
            self._notifier.announce(notice_id)
        return _DONE | {
            "buyer_logon_id": masked_login(trade.buyer_id),
            "buyer_user_id": trade.buyer_id,
            "fund_change": "Y" if earlier is None else "N",
            "gmt_refund_pay": beijing((earlier or refund).at),
            "out_trade_no": trade.out_trade_no,
            "refund_fee": yuan(refunded_fen),
            "send_back_fee": yuan(refunded_fen),
            "trade_no": trade.trade_no,
        }

    def query_refund(self, request: Request) -> dict[str, object]:
        """Describe a refund; an unknown one is a success without any field of a refund."""
        number = request.text("out_request_no", most=64)
        with self._store.transaction() as db:
            trade = self._existing(db, request)
            found = [r for r in table.list_refunds(db, trade) if r.out_request_no == number]
        if not found:
            return dict(_DONE)
        return _DONE | {
            "gmt_refund_pay": beijing(found[0].at),
            "out_request_no": number,
            "out_trade_no": trade.out_trade_no,
            "refund_amount": yuan(found[0].fen),
            "refund_status": "REFUND_SUCCESS",
            "total_amount": yuan(trade.total_fen),
            "trade_no": trade.trade_no,
        }

    def _existing(self, db: Connection, request: Request) -> Trade:
        trade_no = request.text("trade_no", most=64, optional=True)
        number = request.text("out_trade_no", most=64, optional=bool(trade_no))
        now = self._clock.now().timestamp()
        trade = table.find_trade(
            db, request.app.app_id, now, out_trade_no=number, trade_no=trade_no
        )
        if trade is None:
            raise business("ACQ.TRADE_NOT_EXIST")
        return trade

    def _check_refundable(self, trade: Trade, refunded_fen: int) -> None:
        if trade.paid_at is None:
            raise business("ACQ.TRADE_STATUS_ERROR")
        if trade.state == table.CLOSED:
            raise business("ACQ.TRADE_HAS_CLOSE")
        if refunded_fen > trade.total_fen:
            raise business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        fault = self._faults.take("refund")
        if fault is not None and fault.mode == "not_enough":
            raise business("ACQ.SELLER_BALANCE_NOT_ENOUGH")

    def _give_back(
        self, db: Connection, trade: Trade, refund: Refund, refunded_fen: int
    ) -> str | None:
        table.insert_refund(db, refund)
        if refunded_fen == trade.total_fen:
            trade = replace(trade, state=table.CLOSED)
            table.update_trade(db, trade)
        return self._notifier.write(db, trade, (refund, refunded_fen))
