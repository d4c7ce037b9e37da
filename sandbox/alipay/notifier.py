"""Notifications: at once, again until the merchant answers `success`, also after a restart.

Rule: opendocs.alipay.com, "asynchronous notification": an answer that is not exactly `success` is
none; seven more tries within 25 hours. The pauses follow the sandbox's clock.
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.alipay import signing
from sandbox.alipay import store as table
from sandbox.alipay.gateway import App
from sandbox.alipay.store import Notice, Refund, Trade
from sandbox.alipay.telling import beijing, new_notice_id, new_trade_no, notification
from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.pay.due_queue import Attempt, DueQueue
from sandbox.store import Store

RETRY_AFTER_S = (4 * 60, 10 * 60, 10 * 60, 3600, 2 * 3600, 6 * 3600, 15 * 3600)
ANSWER_WITHIN_S = 5
ACCEPTED = b"success"
_WORKERS = 4
_STORE_BUSY_S = 1.0

_log = logging.getLogger(__name__)


class Notifier:
    """Delivers notifications from daemon threads; what is pending lives in the store."""

    def __init__(self, store: Store, apps: Mapping[str, App], clock: Clock, faults: Faults):
        self._store = store
        self._apps = apps
        self._clock = clock
        self._faults = faults
        self._queue = DueQueue(self._now)
        self._recorded = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"alipay-notify-{number}", daemon=True)
            for number in range(_WORKERS)
        ]

    def start(self) -> None:
        """Take up what an earlier process left pending, and begin to deliver; call it once."""
        with self._store.transaction() as db:
            pending = table.list_pending_notices(db)
        for notice in pending:
            if notice.app_id in self._apps:
                self._queue.put(Attempt(notice.next_at, notice.notice_id))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop delivering; a delivery under way ends first (about five seconds at most)."""
        self._queue.stop()
        for thread in self._threads:
            thread.join(ANSWER_WITHIN_S + 1)

    def write(
        self, db: sqlite3.Connection, trade: Trade, refund: tuple[Refund, int] | None = None
    ) -> str | None:
        """Keep what is to be told about a trade now; None where nobody asked to be told."""
        if not trade.notify_url:
            return None
        now = self._clock.now()
        notice_id = new_notice_id(now)
        fields = notification(trade, self._apps[trade.app_id].seller_id, notice_id, refund)
        table.insert_notice(
            db,
            Notice(
                notice_id=notice_id,
                app_id=trade.app_id,
                out_trade_no=trade.out_trade_no,
                url=trade.notify_url,
                fields=json.dumps(fields),
                attempts=0,
                next_at=now.timestamp(),
                outcome="pending",
                last_http=None,
            ),
        )
        return notice_id

    def announce(self, notice_id: str) -> None:
        """Deliver what the store already holds, at once and in the background."""
        self._queue.put(Attempt(self._now(), notice_id))

    def status(self, out_trade_no: str) -> str:
        """Give "pending", "accepted", "failed:<http>" (0 = no answer) of a payment's notification.

        "none" where the merchant named no address; retries may still go on after a failure.
        """
        with self._store.transaction() as db:
            notice = table.find_first_notice(db, out_trade_no)
        if notice is None:
            return "none"
        if notice.outcome == "accepted":
            return "accepted"
        if notice.outcome == "pending" and notice.last_http is None:
            return "pending"
        return f"failed:{notice.last_http or 0}"

    def wait_first(self, out_trade_no: str, timeout_s: float) -> str:
        """Wait (real seconds) until the first attempt is over; then give the status."""
        with self._recorded:
            self._recorded.wait_for(lambda: self._is_tried(out_trade_no), timeout=timeout_s)
        return self.status(out_trade_no)

    def _is_tried(self, out_trade_no: str) -> bool:
        with self._store.transaction() as db:
            notice = table.find_first_notice(db, out_trade_no)
        return notice is None or notice.attempts > 0

    def _now(self) -> float:
        return self._clock.now().timestamp()

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
            due, waits = self._now() + fault.seconds, fault.mode == "reorder"
            self._queue.put(Attempt(due, attempt.notice_id, held=True, awaits_another=waits))
            return
        with self._store.transaction() as db:
            notice = table.get_notice(db, attempt.notice_id)
        if fault and fault.mode == "drop":
            self._record(notice, notice.last_http, accepted=False)
            return
        http, accepted = self._deliver(notice, fault)
        self._record(notice, http, accepted=accepted)
        self._queue.release_waiting()

    def _deliver(self, notice: Notice, fault: Fault | None) -> tuple[int, bool]:
        app = self._apps[notice.app_id]
        fields = json.loads(notice.fields)
        if fault and fault.mode == "duplicate":
            return self._deliver_twice(notice.url, app, fields)
        if fault and fault.mode == "forge":
            made_up = {"trade_no": new_trade_no(self._clock.now())}
            _, believed = self._post(notice.url, self._stranger, fields | made_up)
            if believed:
                _log.warning("a forged notification of %s was accepted", notice.out_trade_no)
        return self._post(notice.url, app.alipay_key, fields)

    def _deliver_twice(self, url: str, app: App, fields: dict[str, str]) -> tuple[int, bool]:
        """Post from two threads at once; an acceptance of either counts."""
        answers: list[tuple[int, bool]] = []
        together = threading.Barrier(2)

        def deliver() -> None:
            together.wait(ANSWER_WITHIN_S)
            answers.append(self._post(url, app.alipay_key, fields))

        twin = threading.Thread(target=deliver, name="alipay-notify-twin", daemon=True)
        twin.start()
        deliver()
        twin.join()
        return next((answer for answer in answers if answer[1]), answers[0])

    def _post(self, url: str, key: rsa.RSAPrivateKey, fields: dict[str, str]) -> tuple[int, bool]:
        """Post a signed form; gives the HTTP status (0 = no answer) and whether it is accepted."""
        form = signing.signed_params(key, fields | {"notify_time": beijing(self._now())})
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.post(
                    url, data=form, timeout=ANSWER_WITHIN_S, allow_redirects=False
                )
            except requests.RequestException as trouble:
                _log.info("no answer from %s: %s", url, trouble)
                return 0, False
        return answer.status_code, answer.status_code == 200 and answer.content == ACCEPTED

    def _record(self, notice: Notice, http: int | None, *, accepted: bool) -> None:
        """Keep the outcome of an attempt, and plan the next one while there is one."""
        told = replace(notice, attempts=notice.attempts + 1, last_http=http)
        if accepted:
            told = replace(told, outcome="accepted")
        elif told.attempts > len(RETRY_AFTER_S):
            told = replace(told, outcome="given_up")
        else:
            pause_s = self._clock.real_seconds(RETRY_AFTER_S[told.attempts - 1])
            told = replace(told, next_at=self._now() + pause_s)
        with self._store.transaction() as db:
            table.update_notice(db, told)
        with self._recorded:
            self._recorded.notify_all()
        if told.outcome == "pending":
            self._queue.put(Attempt(told.next_at, told.notice_id))

    @cached_property
    def _stranger(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
