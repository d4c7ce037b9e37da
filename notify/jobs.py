"""What workers run, and how they are woken. RQ is the engine; the outbox is the guarantee.

RQ calls plain functions by name; `install` hands them this process's `Notifier` before work begins.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import structlog
from jinja2 import Environment
from redis import Redis
from rq import Queue

from billing.business_day import business_date
from billing.db import Database
from billing.receipts import number_waiting
from notify.broadcasts import send_due
from notify.caps import REMINDERS_PER_DAY
from notify.catalog import Transport
from notify.claim import Claimed, claim
from notify.delivery import record
from notify.freeze import Press
from notify.gate import ACCOUNT, Gate
from notify.intake import take_facts
from notify.links import Links
from notify.outbox import Outcome
from notify.remind import remind
from notify.render import NOTHING, Templates
from notify.reports import Question, close_unknown, list_unsettled, record_fate
from notify.sending import Result, Sender
from notify.sms import SmsFate, SmsLine, SmsRefused, SmsUnreachable
from notify.wechat import WeChat

log = structlog.get_logger(__name__)

RECEIPTS_PER_BATCH = 2000
FACTS_PER_BATCH = 2000
NOTICES_PER_BATCH = 500
MESSAGES_PER_BATCH = 200
QUESTIONS_PER_SWEEP = 50
RESULTS_PER_RECORD = 25
"""Small, because what a dying worker sent and did not record becomes uncertain."""

BATCHES_PER_JOB_MAX = 50
"""A job ends after this many batches; the sweep goes on with the rest."""

SENDING_THREADS = 8
LEASE = timedelta(seconds=30)
ANSWERED = {Outcome.ACCEPTED, Outcome.REFUSED}
WAKE_SECONDS = 20
"""A wake-up that got lost blocks others no longer than this; the sweep comes every 30 s anyway."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Everything that tells, wired. Every method is safe to run twice and from many workers.

    Attributes:
        templates, subscriptions: approved at WeChat, as `render.Templates`.
        sms: None: there is no provider of SMS.
        quotas: messages of a transport in a day, by the level of the account.
        reminders_per_day: to one person.
    """

    database: Database
    redis: Redis
    wechat: WeChat
    links: Links
    text: Environment
    templates: Templates
    clock: Callable[[], datetime]
    subscriptions: Templates = field(default_factory=dict)
    sms: SmsLine | None = None
    quotas: Mapping[Transport, int] = field(default_factory=dict)
    reminders_per_day: int = REMINDERS_PER_DAY

    def intake(self) -> dict[str, int]:
        """Receipts are numbered, then facts and broadcasts → notices → messages → WeChat, until
        nothing is left to do.
        """
        # First, so that a fact recorded from here on may wake another worker.
        self.redis.delete(_wake_key("intake"))
        receipts = self._repeat(lambda: self._number_receipts(RECEIPTS_PER_BATCH))
        taken = self._repeat(lambda: self._take_facts(FACTS_PER_BATCH))
        broadcasts = self._repeat(self._send_due_broadcast)
        done = {"receipts": receipts, "facts": taken, "broadcasts": broadcasts}
        return {**done, **self.deliver()}

    def deliver(self) -> dict[str, int]:
        """Notices → messages → WeChat."""
        self.redis.delete(_wake_key("delivery"))
        notices = self._repeat(lambda: self._freeze(NOTICES_PER_BATCH))
        return {"notices": notices, "messages": self._send_all()}

    def sweep(self) -> dict[str, int]:
        """The net under the wake-ups: whatever is due and was not done, or is not known."""
        return {**self.intake(), "settled": self.settle_unknown()}

    def settle_unknown(self) -> int:
        """Ask what became of SMS that may have arrived; give up what nobody knows for half an hour.
        Returns how many messages are settled by it.
        """
        with self.database.transaction() as session:
            questions = list_unsettled(session, self.clock(), QUESTIONS_PER_SWEEP)
        settled = sum(self._ask(question) for question in questions)
        with self.database.transaction() as session:
            return settled + close_unknown(session, self.clock())

    def _ask(self, question: Question) -> bool:
        fate = self._find(question)
        if fate is None:
            return False
        with self.database.transaction() as session:
            record_fate(session, question, fate, self.clock())
        return True

    def _find(self, question: Question) -> SmsFate | None:
        if self.sms is None:
            return None
        phone = self.sms.vault.open(question.phone_sealed)
        try:
            return self.sms.sender.find(
                phone, question.client_msg_id, business_date(question.sent_at)
            )
        except (SmsRefused, SmsUnreachable) as error:
            log.warning("sms_not_found", reason=str(error))
            return None

    def remind(self, today: date) -> dict[str, Any]:
        """Write the reminders of a business date; the next sweep sends them."""
        with self.database.transaction() as session:
            return remind(session, today, self.clock()).as_json()

    def _number_receipts(self, limit: int) -> int:
        with self.database.transaction() as session:
            return number_waiting(session, self.clock(), limit=limit)

    def _take_facts(self, limit: int) -> int:
        with self.database.transaction() as session:
            return take_facts(session, self.clock(), limit)

    def _send_due_broadcast(self) -> int:
        with self.database.transaction() as session:
            return send_due(session, self.clock())

    def _freeze(self, limit: int) -> int:
        press = Press(
            self.links,
            self.text,
            self.templates,
            self.subscriptions,
            self.sms.templates if self.sms else NOTHING,
            self.reminders_per_day,
        )
        with self.database.transaction() as session:
            return press.freeze_due(session, self.clock(), limit)

    def _repeat(self, batch: Callable[[], int]) -> int:
        done = 0
        for _ in range(BATCHES_PER_JOB_MAX):
            count = batch()
            done += count
            if not count:
                break
        return done

    def _send_all(self) -> int:
        """Send what is due; returns how many messages were dealt with."""
        gate = Gate(self.redis)
        sender = Sender(self.wechat, gate, self.clock, self.sms, self.quotas)
        done = 0
        with ThreadPoolExecutor(SENDING_THREADS, thread_name_prefix="send") as threads:
            for _ in range(BATCHES_PER_JOB_MAX):
                is_closed = bool(gate.seconds_closed(ACCOUNT))
                if is_closed and self.sms is None:
                    break
                claimed = self._claim(only_sms=is_closed)
                done += claimed.count
                answered = self._record(threads.map(sender.send, claimed.parcels))
                # Nobody answers: come back with the next sweep, not with everybody else.
                if not claimed.count or (claimed.parcels and not answered):
                    break
        return done

    def _claim(self, *, only_sms: bool) -> Claimed:
        with self.database.transaction() as session:
            return claim(
                session,
                self.clock(),
                MESSAGES_PER_BATCH,
                LEASE,
                by_sms=self.sms is not None,
                only_sms=only_sms,
            )

    def _record(self, results: Iterator[Result]) -> int:
        """Record results as they come, a few at a time; returns how many WeChat answered."""
        answered = 0
        while some := list(islice(results, RESULTS_PER_RECORD)):
            with self.database.transaction() as session:
                record(session, some, self.clock())
            answered += sum(result.outcome in ANSWERED for result in some)
        return answered


_installed: list[Notifier] = []
"""The process's notifier; RQ passes a job nothing but its arguments."""


def install(notifier: Notifier) -> None:
    """Hand the notifier to the jobs of this process. Called once, before work begins."""
    _installed[:] = [notifier]


def current() -> Notifier:
    """The installed notifier."""
    return _installed[0]


def run_intake() -> dict[str, int]:
    """RQ job: facts to WeChat."""
    return current().intake()


def run_delivery() -> dict[str, int]:
    """RQ job: notices to WeChat."""
    return current().deliver()


def run_sweep() -> dict[str, int]:
    """RQ job: whatever is due."""
    return current().sweep()


def run_reminders() -> dict[str, Any]:
    """RQ job: today's reminders, written and sent."""
    notifier = current()
    summary = notifier.remind(business_date(notifier.clock()))
    notifier.deliver()
    return summary


JOBS: dict[str, Callable[[], dict[str, Any]]] = {
    "intake": run_intake,
    "delivery": run_delivery,
}
"""What `wake` can start; each takes its own mark away before it looks for work."""


def wake(queue: Queue, name: str) -> bool:
    """Have a worker run `JOBS[name]` soon; returns whether a job was queued.

    A burst of wake-ups queues one job. A wake-up while it is running queues the next, so whatever
    was committed before `wake` is seen.
    """
    mark = queue.connection.set(_wake_key(name), "queued", nx=True, ex=WAKE_SECONDS)
    if mark:
        queue.enqueue(JOBS[name], result_ttl=60, failure_ttl=7 * 24 * 3600)
    return bool(mark)


def _wake_key(name: str) -> str:
    return f"wake:{name}"
