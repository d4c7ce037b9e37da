"""Where merchants ask for refunds and for what became of them."""

from dataclasses import replace
from datetime import timedelta
from sqlite3 import Connection
from uuid import uuid4

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.pay import notices, refunds
from sandbox.pay import store as table
from sandbox.pay.merchants import Merchant
from sandbox.pay.notices import Notice
from sandbox.pay.notifier import Notifier
from sandbox.pay.refund_form import RefundForm
from sandbox.pay.refunds import ABNORMAL, CLOSED, SUCCESS, Refund
from sandbox.pay.refusals import ApiRefused, wrong_parameter
from sandbox.pay.store import Order, Store
from sandbox.pay.texts import say

SETTLES_AFTER_S = 5
"""Sandbox seconds between accepting a refund and knowing what became of it."""
REFUNDS_MAX = 50
REFUNDABLE_FOR = timedelta(days=365)
_FATES = {"abnormal": ABNORMAL, "closed": CLOSED}


class RefundDesk:
    """Refunds as merchants see them. `caller` is who signed the call."""

    def __init__(self, store: Store, notifier: Notifier, clock: Clock, faults: Faults):
        self._store = store
        self._notifier = notifier
        self._clock = clock
        self._faults = faults

    def refund(self, caller: Merchant, form: RefundForm) -> dict[str, object]:
        """Accept a refund and describe it; what becomes of it is told later.

        The same number with identical parameters gives the same refund as it stands; with others
        it is refused. Raises ApiRefused, and then nothing has happened.
        """
        now = self._instant()
        notice: Notice | None = None
        with self._store.transaction() as db:
            order = self._paid_order(db, caller, form, now)
            refund = refunds.find_refund(db, caller.mchid, form.out_refund_no)
            if refund is None:
                self._check_refundable(db, order, form, now)
                refund = self._new_refund(order, form, self._faults.take("refund"))
                refunds.insert_refund(db, refund)
                notice = _new_notice(refund)
                if notice is not None:
                    notices.insert_notice(db, notice)
            elif refund.parameters != form.parameters:
                raise ApiRefused(400, "INVALID_REQUEST", say("api.reentry"))
        if notice is not None:
            self._notifier.announce(notice.notice_id, notice.next_at)
        return refunds.describe_refund(refund, order, now)

    def query(self, caller: Merchant, out_refund_no: str) -> dict[str, object]:
        """Describe the caller's refund; a stuck one notices the query. Raises ApiRefused."""
        now = self._instant()
        hastened: Notice | None = None
        with self._store.transaction() as db:
            refund = refunds.find_refund(db, caller.mchid, out_refund_no)
            if refund is None:
                raise ApiRefused(404, "RESOURCE_NOT_EXISTS", say("api.refund_not_exist"))
            order = table.get_order(db, caller.mchid, refund.out_trade_no, now)
            if refund.due_at > now and refund.asks_left:
                hastened = _ask_stuck(db, refund, now)
        if hastened is not None:
            self._notifier.hasten(hastened.notice_id)
        return refunds.describe_refund(refund, order, now)

    def _instant(self) -> float:
        return self._clock.now().timestamp()

    def _paid_order(self, db: Connection, caller: Merchant, form: RefundForm, now: float) -> Order:
        """Find the paid order by whichever numbers are given; they must be of one order."""
        if form.transaction_id:
            order = table.find_transaction(db, caller.mchid, form.transaction_id, now)
        else:
            order = table.find_order(db, caller.mchid, form.out_trade_no or "", now)
        if order is None or not order.is_paid:
            raise ApiRefused(404, "RESOURCE_NOT_EXISTS", say("api.order_not_exist"))
        if form.out_trade_no not in (None, "", order.out_trade_no):
            raise wrong_parameter("/body/out_trade_no", "other_order", form.out_trade_no)
        return order

    def _check_refundable(self, db: Connection, order: Order, form: RefundForm, now: float) -> None:
        earlier = refunds.list_refunds(db, order)
        asked_fen = sum(each.refund_fen for each in earlier if each.status(now) != CLOSED)
        rules = {
            "refund_total": form.total_fen == order.total_fen,
            "refund_too_late": now - (order.paid_at or 0) <= REFUNDABLE_FOR.total_seconds(),
            "refund_too_many": len(earlier) < REFUNDS_MAX,
            "refund_too_much": asked_fen + form.refund_fen <= order.total_fen,
        }
        for rule, is_kept in rules.items():
            if not is_kept:
                raise ApiRefused(400, "INVALID_REQUEST", say(f"api.{rule}"))

    def _new_refund(self, order: Order, form: RefundForm, fault: Fault | None) -> Refund:
        """Make a refund, with the fate a planned fault has for it."""
        mode = fault.mode if fault else ""
        if mode == "not_enough":
            raise ApiRefused(403, "NOT_ENOUGH", say("api.not_enough"))
        now = self._clock.now()
        wait_s = self._clock.real_seconds(SETTLES_AFTER_S)
        stuck = fault if mode == "stuck" else None
        return Refund(
            mchid=order.mchid,
            out_refund_no=form.out_refund_no,
            refund_id=refunds.new_refund_id(now),
            out_trade_no=order.out_trade_no,
            reason=form.reason,
            notify_url=form.notify_url,
            refund_fen=form.refund_fen,
            parameters=form.parameters,
            created_at=now.timestamp(),
            fate=_FATES.get(mode, SUCCESS),
            due_at=now.timestamp() + (stuck.seconds if stuck else wait_s),
            asks_left=stuck.count if stuck else 0,
        )


def _new_notice(refund: Refund) -> Notice | None:
    """Make the callback due with the refund's fate; None where nobody is to be told."""
    if not refund.notify_url:
        return None
    return Notice(
        notice_id=str(uuid4()),
        mchid=refund.mchid,
        out_trade_no=refund.out_trade_no,
        out_refund_no=refund.out_refund_no,
        attempts=0,
        next_at=refund.due_at,
        outcome="pending",
        last_http=None,
    )


def _ask_stuck(db: Connection, refund: Refund, now: float) -> Notice | None:
    """Count a query; after the last one the refund goes on, and its callback is due now."""
    asked = replace(refund, asks_left=refund.asks_left - 1)
    if asked.asks_left:
        refunds.update_refund(db, asked)
        return None
    refunds.update_refund(db, replace(asked, due_at=now))
    notice = notices.find_refund_notice(db, refund.mchid, refund.out_refund_no)
    if notice is not None:
        notices.update_notice(db, replace(notice, next_at=now))
    return notice
