"""What workers run. RQ is the engine; the outbox is the guarantee.

RQ calls plain functions by name; `install` hands them this process's `Notifier` before work begins.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import structlog
from jinja2 import Environment
from redis import Redis

from billing.business_day import business_date
from billing.db import Database
from billing.receipts import number_waiting
from notify.approved import Approved
from notify.broadcast_sending import send_due
from notify.caps import REMINDERS_PER_DAY
from notify.catalog import Transport, Urgency
from notify.claim import Claimed, claim
from notify.delivery import record
from notify.digest import write_digests
from notify.freeze import Press
from notify.gate import ACCOUNT, Gate
from notify.holidays import warn_of_unknown_year
from notify.intake import take_facts
from notify.learning import communities_to_count, count_settled
from notify.limitation import alert_staff
from notify.links import Links
from notify.outbox import Outcome
from notify.prepaid import tell_low
from notify.queues import Queues, wake_key
from notify.remind import remind
from notify.render import NOTHING, Templates
from notify.reports import Question, close_unknown, list_unsettled, put_off, record_fate
from notify.rung_effects import count_rungs
from notify.sending import Result, Sender
from notify.sms import SmsFate, SmsLine, SmsRefused, SmsUnreachable
from notify.wechat import Action, WeChat

log = structlog.get_logger(__name__)

RECEIPTS_PER_BATCH = 2000
FACTS_PER_BATCH = 2000
NOTICES_PER_BATCH = 500
MESSAGES_PER_BATCH = 100
QUESTIONS_PER_SWEEP = 50
RESULTS_PER_RECORD = 25
"""Small, because what a dying worker sent and did not record becomes uncertain."""

TURN_SECONDS = 1.0
"""A job that is not finished by then goes to the end of its queue, and more urgent ones pass."""

SENDING_THREADS = 8
LEASE = timedelta(seconds=30)
ANSWERED = {Outcome.ACCEPTED, Outcome.REFUSED}


class Turn:
    """How long a job may go on."""

    def __init__(self, clock: Callable[[], datetime], seconds: float | None = None) -> None:
        self._clock = clock
        self._ends = None if seconds is None else clock() + timedelta(seconds=seconds)
        self.is_over = False

    def goes_on(self) -> bool:
        """Whether another batch may begin. `is_over` once one might not."""
        self.is_over = self._ends is not None and self._clock() >= self._ends
        return not self.is_over

    def repeat(self, batch: Callable[[], int]) -> int:
        """Do batches until one finds nothing or the turn is over; returns what they did in all."""
        done = 0
        while self.goes_on():
            count = batch()
            done += count
            if not count:
                break
        return done


@dataclass(frozen=True, slots=True)
class Lane:
    """What was done of one urgency, by name, and whether something may be left."""

    done: dict[str, int]
    more: bool


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

    @property
    def defaults(self) -> Approved:
        """What the settings say is approved; staff's rows win."""
        return Approved(
            self.templates, self.subscriptions, self.sms.templates if self.sms else NOTHING
        )

    def intake(self) -> dict[str, int]:
        """Everything that is due, of every urgency, until nothing is left to do."""
        done: Counter[str] = Counter()
        for urgency in Urgency:
            done.update(self.lane(urgency).done)
        return dict(done)

    def deliver(self) -> dict[str, int]:
        """Notices → messages → WeChat, of every urgency."""
        done: Counter[str] = Counter()
        for urgency in Urgency:
            done.update(self._deliver(urgency, Turn(self.clock)).done)
        return dict(done)

    def lane(self, urgency: Urgency, seconds: float | None = None) -> Lane:
        """What is due of one urgency. At once: receipts are numbered, then what happened becomes
        notices. Today: so do bills. In bulk: broadcasts whose minute is over. Then notices →
        messages → WeChat.

        Args:
            seconds: after so long leave the rest to another job, so that more urgent ones get
                their turn; None: until nothing is left to do.
        """
        # First, so that what is recorded from here on may wake another worker.
        self.redis.delete(wake_key(urgency))
        turn = Turn(self.clock, seconds)
        taken: dict[str, int] = {}
        match urgency:
            case Urgency.AT_ONCE:
                taken["receipts"] = turn.repeat(lambda: self._number_receipts(RECEIPTS_PER_BATCH))
                taken["facts"] = turn.repeat(lambda: self._take_facts(at_once=True))
            case Urgency.TODAY:
                taken["facts"] = turn.repeat(lambda: self._take_facts(at_once=False))
            case Urgency.BULK:
                taken["broadcasts"] = turn.repeat(self._send_due_broadcast)
        rest = self._deliver(urgency, turn)
        return Lane(taken | rest.done, rest.more)

    def _deliver(self, urgency: Urgency, turn: Turn) -> Lane:
        """A batch of notices at a time, and the messages they became: the first is told before the
        last is put into words.
        """
        done = Counter(notices=0, messages=0)
        while turn.goes_on():
            notices = self._freeze(NOTICES_PER_BATCH, urgency)
            messages, are_answered = self._send_all(urgency, turn)
            done.update(notices=notices, messages=messages)
            # Nobody answers: come back with the next sweep, not with everybody else.
            if not notices or not are_answered:
                break
        return Lane(dict(done), turn.is_over)

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
        with self.database.transaction() as session:
            if fate is None:
                put_off(session, question, self.clock())
            else:
                record_fate(session, question, fate, self.clock())
        return fate is not None

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

    def watch(self, today: date) -> dict[str, int]:
        """What nobody does, but time brings: prepayments that became low, debts about to lapse."""
        done = {}
        for name, look in (
            ("prepayment_low", tell_low),
            ("limitation", alert_staff),
            ("holidays_unknown", warn_of_unknown_year),
        ):
            with self.database.transaction() as session:
                done[name] = look(session, today, self.clock())
        return done

    def digest(self) -> dict[str, int]:
        """Tell staff of the day until now."""
        with self.database.transaction() as session:
            return {"digests": write_digests(session, self.clock())}

    def count_settled(self) -> dict[str, int]:
        """Count what came of every community's messages, a day of one in a transaction."""
        with self.database.transaction() as session:
            communities = communities_to_count(session)
        counted = 0
        for community_id in communities:
            while (count := self._count_settled(community_id)) is not None:
                counted += count
        rungs = sum(self._count_rungs(community_id) for community_id in communities)
        return {"communities": len(communities), "messages": counted, "rungs": rungs}

    def _count_rungs(self, community_id: int) -> int:
        counted = 0
        today = business_date(self.clock())
        while count := self._count_some_rungs(community_id, today):
            counted += count
        return counted

    def _count_some_rungs(self, community_id: int, today: date) -> int:
        with self.database.transaction() as session:
            return count_rungs(session, community_id, today)

    def _count_settled(self, community_id: int) -> int | None:
        with self.database.transaction() as session:
            return count_settled(session, community_id, self.clock())

    def _number_receipts(self, limit: int) -> int:
        with self.database.transaction() as session:
            return number_waiting(session, self.clock(), limit=limit)

    def _take_facts(self, *, at_once: bool) -> int:
        with self.database.transaction() as session:
            return take_facts(session, self.clock(), FACTS_PER_BATCH, at_once=at_once)

    def _send_due_broadcast(self) -> int:
        with self.database.transaction() as session:
            return send_due(session, self.clock())

    def _freeze(self, limit: int, urgency: Urgency) -> int:
        press = Press(
            self.links,
            self.text,
            self.defaults,
            self.reminders_per_day,
        )
        with self.database.transaction() as session:
            return press.freeze_due(session, self.clock(), limit, urgency)

    def _send_all(self, urgency: Urgency, turn: Turn) -> tuple[int, bool]:
        """Send what is due; returns how many messages were dealt with, and whether anybody on the
        other side answers.
        """
        gate = Gate(self.redis)
        sender = Sender(self.wechat, gate, self.clock, self.sms, self.quotas)
        done = 0
        with ThreadPoolExecutor(SENDING_THREADS, thread_name_prefix="send") as threads:
            while turn.goes_on():
                is_closed = bool(gate.seconds_closed(ACCOUNT))
                if is_closed and self.sms is None:
                    break
                claimed = self._claim(urgency, only_sms=is_closed)
                done += claimed.count
                answered = self._record(threads.map(sender.send, claimed.parcels))
                if claimed.parcels and not answered:
                    return done, False
                if not claimed.count:
                    break
        return done, True

    def _claim(self, urgency: Urgency, *, only_sms: bool) -> Claimed:
        with self.database.transaction() as session:
            return claim(
                session,
                self.clock(),
                MESSAGES_PER_BATCH,
                LEASE,
                urgency,
                by_sms=self.sms is not None,
                only_sms=only_sms,
            )

    def _record(self, results: Iterator[Result]) -> int:
        """Record results as they come, a few at a time; returns how many WeChat answered, or go
        another way at once because their template is closed.
        """
        answered = 0
        while some := list(islice(results, RESULTS_PER_RECORD)):
            with self.database.transaction() as session:
                record(session, some, self.clock())
            answered += sum(
                result.outcome in ANSWERED or result.action is Action.STOP_TEMPLATE
                for result in some
            )
        return answered


_installed: list[tuple[Notifier, Queues]] = []
"""The process's notifier; RQ passes a job nothing but its arguments."""


def install(notifier: Notifier, queues: Queues) -> None:
    """Hand the notifier to the jobs of this process. Called once, before work begins."""
    _installed[:] = [(notifier, queues)]


def run_lane(urgency: str) -> dict[str, int]:
    """RQ job: what is due of one urgency, for a turn."""
    notifier, queues = _installed[0]
    lane = notifier.lane(Urgency(urgency), TURN_SECONDS)
    if lane.more:
        queues.wake(Urgency(urgency))
    elif urgency == Urgency.AT_ONCE:
        queues.wake(Urgency.TODAY)  # whoever records a fact wakes this queue, whatever the fact
    return lane.done


def run_sweep() -> dict[str, bool]:
    """RQ job: the net under the wake-ups. Whatever is due and was not done gets a worker."""
    _, queues = _installed[0]
    return {urgency.value: queues.wake(urgency) for urgency in Urgency}


def run_settling() -> dict[str, int]:
    """RQ job: what became of messages nobody has heard of."""
    notifier, _ = _installed[0]
    return {"settled": notifier.settle_unknown()}


def run_counting() -> dict[str, int]:
    """RQ job: what came of messages is counted, and the hours of reminders chosen by it."""
    notifier, _ = _installed[0]
    return notifier.count_settled()


def run_reminders() -> dict[str, Any]:
    """RQ job: today's reminders, written and soon sent."""
    notifier, queues = _installed[0]
    summary = notifier.remind(business_date(notifier.clock()))
    queues.wake(Urgency.TODAY)
    return summary


def run_watching() -> dict[str, int]:
    """RQ job: what time brings, looked for once a day."""
    notifier, queues = _installed[0]
    done = notifier.watch(business_date(notifier.clock()))
    queues.wake(Urgency.TODAY)
    return done


def run_digest() -> dict[str, int]:
    """RQ job: the day, for staff."""
    notifier, queues = _installed[0]
    done = notifier.digest()
    queues.wake(Urgency.TODAY)
    return done
