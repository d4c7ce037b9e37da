"""Bill runs: what should be charged for a period minus what already is, drafted, then published.

A run is a difference: a second run adds nothing, a run that was killed is resumed where it stood,
and two at once wait for each other on an advisory lock. A chunk of accounts is read and priced,
then written by COPY in one transaction and issued in another, while the next chunk is being
priced. Issuing rewrites no line.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from billing.account_reading import AccountFacts, read_accounts
from billing.bill_issue import issue_chunk
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunKind, RunState
from billing.charges import Charge, Verdict, charge_accounts
from billing.db import Database
from billing.deduction import deduct_chunk
from billing.draft_writing import Drafts, write_drafts
from billing.errors import Conflict
from billing.item_plans import ItemPlan, plan_items
from billing.late_fee_bills import add_late_fees
from billing.money import ZERO, Money
from billing.period import Period, due_on
from billing.property import Community
from billing.run_lock import RUN_LOCK
from billing.stages import Stage

UNITS_PER_CHUNK = 2000


@dataclass(slots=True)
class RunSummary:
    """What a run found and did. `expected` charges = created + existing + skipped + parked."""

    run_id: int | None = None
    created: int = 0
    existing: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    amount: Money = ZERO

    @property
    def expected(self) -> int:
        """Charges that the period calls for."""
        return self.created + self.existing + self.skipped.total() + self.parked.total()

    def count(self, charge: Charge) -> None:
        """Add one charge."""
        match charge.verdict:
            case Verdict.CREATED:
                self.created += 1
            case Verdict.EXISTING:
                self.existing += 1
            case Verdict.SKIPPED:
                self.skipped[charge.reason] += 1
            case Verdict.PARKED:
                self.parked[charge.reason] += 1

    def as_json(self) -> dict[str, Any]:
        """The shape of `mingzhang bill-run`."""
        return {
            "run": self.run_id,
            "expected": self.expected,
            "created": self.created,
            "existing": self.existing,
            "skipped": dict(sorted(self.skipped.items())),
            "parked": dict(sorted(self.parked.items())),
            "amount_fen": self.amount.fen,
        }

    @classmethod
    def from_json(cls, counts: dict[str, Any]) -> Self:
        """Read back what `as_json` wrote of a chunk."""
        return cls(
            created=counts["created"],
            existing=counts["existing"],
            skipped=Counter(counts["skipped"]),
            parked=Counter(counts["parked"]),
            amount=Money(counts["amount_fen"]),
        )

    def add(self, chunk: "RunSummary") -> None:
        """Add what a chunk counted."""
        self.created += chunk.created
        self.existing += chunk.existing
        self.skipped += chunk.skipped
        self.parked += chunk.parked
        self.amount += chunk.amount


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for reference cycles a hundred times less often: a run makes millions of tuples and no
    cycles, and looking through them takes a third of its time.
    """
    before = gc.get_threshold()
    gc.set_threshold(before[0] * 100, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def one_run_at_a_time(database: Database, community_id: int) -> Iterator[None]:
    """Hold the community's bill-run lock; a crashed holder's lock ends with its connection."""
    with database.engine.connect() as connection:
        # Another run may take minutes: the usual time-outs are for people who wait.
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET lock_timeout = 0"))
        keys = {"cls": RUN_LOCK, "community": community_id}
        connection.execute(
            text("SELECT pg_advisory_lock(CAST(:cls AS int), CAST(:community AS int))"), keys
        )
        connection.commit()
        try:
            yield
        finally:
            connection.execute(
                text("SELECT pg_advisory_unlock(CAST(:cls AS int), CAST(:community AS int))"), keys
            )
            connection.execute(text("RESET statement_timeout"))
            connection.execute(text("RESET lock_timeout"))
            connection.commit()


@dataclass(slots=True)
class Run:
    """One call of `run_bills`: where it writes, and what it has done so far."""

    database: Database
    community: Community
    period: Period
    today: date
    now: datetime
    publish: bool
    advance: Callable[[int], None]
    summary: RunSummary = field(default_factory=RunSummary)
    after: int = 0
    chunk_no: int = 0

    def write(self, last_unit_id: int, drafts: Drafts, counts: RunSummary, issuing: Stage) -> None:
        """Write one chunk of drafts, and have it issued if the run publishes."""
        with self.database.transaction() as session:
            counts.created += add_late_fees(session, self.community.id, drafts, self.today)
            counts.amount += drafts.amount
            if self.summary.run_id is None:
                self.summary.run_id = _new_run(session, self.community.id, self.period, self.now)
            run_id, no = self.summary.run_id, self.chunk_no + 1
            _new_chunk(session, self.community.id, run_id, no, last_unit_id, counts)
            write_drafts(session, self.community.id, run_id, no, self.period, drafts)
        self.chunk_no = no
        self.summary.add(counts)
        if self.publish:
            issuing.put(self.issue, run_id, no)

    def issue(self, run_id: int, no: int) -> None:
        """Issue a drafted chunk, and pay it from the prepayments of homes that wish it."""
        community = self.community
        due = due_on(self.today, day=community.due_day, month_offset=community.due_month_offset)
        with self.database.transaction() as session:
            issue_chunk(
                session, community.id, run_id, no, issued_on=self.today, due=due, now=self.now
            )
            deduct_chunk(session, community.id, run_id, no, today=self.today, now=self.now)


def run_bills(
    database: Database,
    community: Community,
    period: Period,
    *,
    today: date,
    now: datetime,
    publish: bool,
    advance: Callable[[int], None] = lambda _: None,
) -> RunSummary:
    """Draft what is missing for the period and, if asked, issue every draft of it.

    Args:
        today: the issue date of what is published; due dates follow from it, and late fees are
            counted up to it.
        advance: told of progress, in homes looked at.

    Returns:
        The summary; run again it reports everything as existing and changes nothing.
    """
    run = Run(database, community, period, today, now, publish, advance)
    with one_run_at_a_time(database, community.id), collecting_rarely():
        with database.transaction() as session:
            plans = plan_items(session, community.id, period)
            _resume(session, run)
        if publish:
            for run_id, no in _drafts(database, community, period):
                run.issue(run_id, no)
        _draft(run, plans)
        if run.summary.run_id is not None:
            with database.transaction() as session:
                _finish(session, community.id, run.summary)
    return run.summary


def publish_chunks(
    database: Database,
    community: Community,
    period: Period,
    chunks: Sequence[tuple[int, int]],
    *,
    today: date,
    now: datetime,
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """Issue these drafted chunks (run and number) of a period and nothing else: what somebody
    looked at and confirmed. One transaction each; those that are issued already stay as they are,
    so an interrupted call is repeated.

    Args:
        today: the issue date; due dates follow from it.
        advance: told of progress, in chunks.

    Returns:
        How many chunks it issued.

    Raises:
        Conflict: a run of the period was interrupted and its drafts are not complete.
    """
    run = Run(database, community, period, today, now, publish=True, advance=advance)
    issued = 0
    with one_run_at_a_time(database, community.id):
        with database.transaction() as session:
            if _begun(session, community.id, period) is not None:
                raise Conflict(f"the run of {period} is still drafting: let it come to its end")
        waiting = set(_drafts(database, community, period))
        for run_id, no in chunks:
            if (run_id, no) in waiting:
                run.issue(run_id, no)
                issued += 1
            advance(1)
    return issued


def _draft(run: Run, plans: Sequence[ItemPlan]) -> None:
    """Draft what is missing, chunk by chunk.

    While this thread reads and prices accounts, PostgreSQL writes those before them in a second one
    and issues what is written in a third: each chunk in its order, each step in its own
    transaction.
    """
    counts = RunSummary()
    with Stage("issue") as issuing, Stage("write") as writing:
        while True:
            with run.database.transaction() as session:
                facts = read_accounts(
                    session, run.community.id, plans, after=run.after, limit=UNITS_PER_CHUNK
                )
            last = facts.last_account
            if last is None:
                break
            run.after = last
            run.advance(len({subject.unit_id for subject in facts.subjects}))
            drafts = _price(facts, plans, run.period, counts)
            if drafts.bills:
                writing.put(run.write, last, drafts, counts, issuing)
                counts = RunSummary()
    run.summary.add(counts)


def _price(
    facts: AccountFacts, plans: Sequence[ItemPlan], period: Period, counts: RunSummary
) -> Drafts:
    """The lines that are missing of these accounts."""
    drafts = Drafts()
    for charge in charge_accounts(facts, plans, period):
        counts.count(charge)
        if charge.lines:
            drafts.add(charge.subject.unit_id, charge.lines)
    return drafts


def _resume(session: Session, run: Run) -> None:
    """Go on with the run that was killed on this period, if any: after its last chunk."""
    begun = _begun(session, run.community.id, run.period)
    if begun is None:
        return
    run.summary.run_id = begun.id
    chunks = session.scalars(
        select(BillRunChunk)
        .where(BillRunChunk.community_id == run.community.id, BillRunChunk.run_id == begun.id)
        .order_by(BillRunChunk.no)
    )
    for chunk in chunks:
        run.summary.add(RunSummary.from_json(chunk.counts))
        run.after, run.chunk_no = chunk.last_unit_id, chunk.no


def _begun(session: Session, community_id: int, period: Period) -> BillRun | None:
    """The run of the period that was begun and did not come to its end."""
    return session.scalar(
        select(BillRun).where(
            BillRun.community_id == community_id,
            BillRun.period == period,
            BillRun.kind == RunKind.REGULAR,
            BillRun.state == RunState.DRAFTING,
        )
    )


def _new_run(session: Session, community_id: int, period: Period, now: datetime) -> int:
    run_id: int = session.execute(
        insert(BillRun)
        .values(
            community_id=community_id,
            period=period,
            kind=RunKind.REGULAR,
            state=RunState.DRAFTING,
            started_at=now,
            summary={},
        )
        .returning(BillRun.id)
    ).scalar_one()
    return run_id


def _new_chunk(
    session: Session, community_id: int, run_id: int, no: int, last_unit_id: int, counts: RunSummary
) -> None:
    session.execute(
        insert(BillRunChunk).values(
            community_id=community_id,
            run_id=run_id,
            no=no,
            last_unit_id=last_unit_id,
            counts=counts.as_json(),
            state=ChunkState.DRAFT,
        )
    )


def _finish(session: Session, community_id: int, summary: RunSummary) -> None:
    session.execute(
        update(BillRun)
        .where(BillRun.community_id == community_id, BillRun.id == summary.run_id)
        .values(state=RunState.DRAFTED, summary=summary.as_json())
    )


def _drafts(database: Database, community: Community, period: Period) -> list[tuple[int, int]]:
    """Chunks of the period that were drafted and not issued, in order."""
    with database.transaction() as session:
        rows = session.execute(
            select(BillRunChunk.run_id, BillRunChunk.no)
            .join(
                BillRun,
                (BillRun.community_id == BillRunChunk.community_id)
                & (BillRun.id == BillRunChunk.run_id),
            )
            .where(
                BillRunChunk.community_id == community.id,
                BillRunChunk.state == ChunkState.DRAFT,
                BillRun.period == period,
            )
            .order_by(BillRunChunk.run_id, BillRunChunk.no)
        )
        return [(run_id, no) for run_id, no in rows]
