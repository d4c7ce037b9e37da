"""When a callback is delivered: once it is due, again until accepted, also after a restart.

Rule: pay.weixin.qq.com, "payment notice" and "refund notice": an answer 200 or 204 within five
seconds is acceptance; else 15 more tries over 24 h 4 min. The pauses follow the sandbox's clock,
the five seconds do not.
"""

import logging
import sqlite3
import threading
from dataclasses import replace

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.pay import notices
from sandbox.pay.courier import ACCEPTED, ANSWER_WITHIN_S, Courier
from sandbox.pay.due_queue import Attempt, DueQueue
from sandbox.pay.news import News, read_news
from sandbox.pay.notices import Notice
from sandbox.pay.store import Store

RETRY_AFTER_S = (
    *(15, 15, 30, 3 * 60, 10 * 60, 20 * 60, 30 * 60, 30 * 60, 30 * 60, 60 * 60),
    *(3 * 3600, 3 * 3600, 3 * 3600, 6 * 3600, 6 * 3600),
)
_WORKERS = 8
_STORE_BUSY_S = 1.0

_log = logging.getLogger(__name__)


class Notifier:
    """Delivers callbacks from daemon threads; what is pending lives in the store."""

    def __init__(self, store: Store, courier: Courier, clock: Clock, faults: Faults):
        self._store = store
        self._courier = courier
        self._clock = clock
        self._faults = faults
        self._queue = DueQueue(self._now)
        self._recorded = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"pay-notify-{number}", daemon=True)
            for number in range(_WORKERS)
        ]

    def start(self) -> None:
        """Take up what an earlier process left pending, and begin to deliver; call it once."""
        with self._store.transaction() as db:
            pending = notices.list_pending_notices(db)
        for notice in pending:
            if self._courier.serves(notice.mchid):
                self._queue.put(Attempt(notice.next_at, notice.notice_id))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop delivering; a delivery under way ends first (about five seconds at most)."""
        self._queue.stop()
        for thread in self._threads:
            thread.join(ANSWER_WITHIN_S + 1)

    def announce(self, notice_id: str, due_at: float) -> None:
        """Deliver a callback the store already holds once it is due, in the background."""
        self._queue.put(Attempt(due_at, notice_id))

    def hasten(self, notice_id: str) -> None:
        """Deliver a callback that was announced for later now."""
        self._queue.hasten(notice_id)

    def status(self, out_trade_no: str) -> str:
        """Give "pending", "accepted" or "failed:<http>" (0 = no answer); retries may still go on.

        Raises LookupError when the order is not paid.
        """
        notice = self._get_notice(out_trade_no)
        if notice.outcome == "accepted":
            return "accepted"
        if notice.outcome == "pending" and notice.last_http is None:
            return "pending"
        return f"failed:{notice.last_http or 0}"

    def wait_first(self, out_trade_no: str, timeout_s: float) -> str:
        """Wait until the first attempt is over, a dropped one too; then give the status."""
        with self._recorded:
            self._recorded.wait_for(
                lambda: self._get_notice(out_trade_no).attempts > 0, timeout=timeout_s
            )
        return self.status(out_trade_no)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _get_notice(self, out_trade_no: str) -> Notice:
        with self._store.transaction() as db:
            notice = notices.find_notice(db, out_trade_no)
        if notice is None:
            raise LookupError(f"order {out_trade_no} is not paid")
        return notice

    def _work(self) -> None:
        while (attempt := self._queue.take()) is not None:
            try:
                self._perform(attempt)
            except sqlite3.OperationalError:
                _log.exception("the sandbox's state file is busy; trying again")
                self._queue.put(replace(attempt, due=self._now() + _STORE_BUSY_S))

    def _perform(self, attempt: Attempt) -> None:
        fault = None if attempt.held else self._faults.take("pay_notify")
        if fault and fault.mode in ("delay", "reorder"):
            self._hold(attempt, fault)
            return
        with self._store.transaction() as db:
            notice = notices.get_notice(db, attempt.notice_id)
            news = read_news(db, notice, self._now())
        if fault and fault.mode == "drop":
            self._record(notice, notice.last_http)
            return
        self._record(notice, self._deliver(news, notice.notice_id, fault))
        self._queue.release_waiting()

    def _hold(self, attempt: Attempt, fault: Fault) -> None:
        due = self._now() + fault.seconds
        waits = fault.mode == "reorder"
        self._queue.put(Attempt(due, attempt.notice_id, held=True, awaits_another=waits))

    def _deliver(self, news: News, notice_id: str, fault: Fault | None) -> int:
        if fault and fault.mode == "duplicate":
            return self._courier.deliver_twice(news, notice_id)
        if fault and fault.mode == "forge":
            self._courier.deliver_forged(news)
        return self._courier.deliver(news, notice_id)

    def _record(self, notice: Notice, http: int | None) -> None:
        """Keep the outcome of an attempt, and plan the next one while there is one."""
        told = replace(notice, attempts=notice.attempts + 1, last_http=http)
        if http in ACCEPTED:
            told = replace(told, outcome="accepted")
        elif told.attempts > len(RETRY_AFTER_S):
            told = replace(told, outcome="given_up")
        else:
            pause_s = self._clock.real_seconds(RETRY_AFTER_S[told.attempts - 1])
            told = replace(told, next_at=self._now() + pause_s)
        with self._store.transaction() as db:
            notices.update_notice(db, told)
        with self._recorded:
            self._recorded.notify_all()
        if told.outcome == "pending":
            self._queue.put(Attempt(told.next_at, told.notice_id))
