"""Bill runs: what should be charged for a period minus what already is, drafted, then published.

A run is a difference (design.md decision 4): a second run adds nothing, a crashed one is
finished by the next, and two at once wait for each other on an advisory lock. A charge belongs to
the month of its first day, also where that is a later month of its quarter. Drafting prices in
Python and writes by COPY, chunk by chunk; publishing is set-based SQL, one transaction per
chunk, and rewrites no line.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import Copy
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from billing.bill_issue import issue_chunk
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState
from billing.bills import BillLine, LineKind
from billing.db import Database
from billing.item_plans import ItemPlan, PlannedLine, plan_items
from billing.money import ZERO, Money
from billing.period import DateRange, Period, due_on
from billing.pricing import PricingError
from billing.property import Community, Subject, Unit
from billing.tariffs import ChargeItem

UNITS_PER_CHUNK = 500
LOCK_CLASS = 20261101
"""First key of the advisory lock of bill runs; the second is the community."""


@dataclass(slots=True)
class RunSummary:
    """What a run found and did. `expected` charges = created + existing + skipped + parked."""

    run_id: int | None = None
    chunks: int = 0
    created: int = 0
    existing: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    amount: Money = ZERO

    @property
    def expected(self) -> int:
        """Charges that the period calls for."""
        return self.created + self.existing + self.skipped.total() + self.parked.total()

    def as_json(self) -> dict[str, Any]:
        """The shape of `mingzhang bill-run` (contracts.md)."""
        return {
            "run": self.run_id,
            "expected": self.expected,
            "created": self.created,
            "existing": self.existing,
            "skipped": dict(sorted(self.skipped.items())),
            "parked": dict(sorted(self.parked.items())),
            "amount_fen": self.amount.fen,
        }


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line about to be written."""

    subject: Subject
    item: ChargeItem
    priced: PlannedLine


@contextmanager
def one_run_at_a_time(database: Database, community_id: int) -> Iterator[None]:
    """Hold the community's bill-run lock; a crashed holder's lock ends with its connection."""
    with database.engine.connect() as connection:
        # Another run may take minutes: the usual time-outs are for people who wait.
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET lock_timeout = 0"))
        keys = {"cls": LOCK_CLASS, "community": community_id}
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


def run_bills(
    database: Database,
    community: Community,
    period: Period,
    *,
    today: date,
    now: datetime,
    publish: bool,
) -> RunSummary:
    """Draft what is missing for the period and, if asked, issue every draft of it.

    Args:
        today: the issue date of what is published; due dates follow from it.

    Returns:
        The summary; run again it reports everything as existing and changes nothing.
    """
    with one_run_at_a_time(database, community.id):
        summary = _draft(database, community.id, period, now)
        if publish:
            _publish(database, community, period, today=today, now=now)
    return summary


def _draft(database: Database, community_id: int, period: Period, now: datetime) -> RunSummary:
    summary = RunSummary()
    with database.transaction() as session:
        plans = plan_items(session, community_id, period)
    after_unit = 0
    while True:
        with database.transaction() as session:
            unit_ids = _next_accounts(session, community_id, after_unit)
            if not unit_ids:
                break
            rows = _read_subjects(session, community_id, plans, unit_ids)
            lines = [line for row in rows for line in _price(row, plans, period, summary)]
            _write_chunk(session, community_id, period, lines, summary, now)
        after_unit = unit_ids[-1]
    if summary.run_id is not None:
        with database.transaction() as session:
            session.execute(
                update(BillRun)
                .where(BillRun.community_id == community_id, BillRun.id == summary.run_id)
                .values(summary=summary.as_json())
            )
    return summary


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """A subject with its account, its own area if it has one, and the spans its items are
    already billed for.
    """

    subject: Subject
    area_m2: Decimal | None
    billed: dict[int, list[DateRange]]


def _next_accounts(session: Session, community_id: int, after_unit: int) -> Sequence[int]:
    return session.scalars(
        select(Unit.id)
        .where(Unit.community_id == community_id, Unit.id > after_unit)
        .order_by(Unit.id)
        .limit(UNITS_PER_CHUNK)
    ).all()


def _read_subjects(
    session: Session, community_id: int, plans: Sequence[ItemPlan], unit_ids: Sequence[int]
) -> list[SubjectRow]:
    """Subjects of these accounts, in the order of their accounts."""
    billed: dict[int, dict[int, list[DateRange]]] = defaultdict(lambda: defaultdict(list))
    spans = select(
        BillLine.subject_id, BillLine.item_id, BillLine.period_from, BillLine.period_to
    ).join(
        Subject,
        (Subject.community_id == BillLine.community_id) & (Subject.id == BillLine.subject_id),
    )
    if plans:
        spans = spans.where(
            BillLine.period_from < max(plan.span.end for plan in plans),
            BillLine.period_to > min(plan.span.start for plan in plans),
        )
    for line in session.execute(
        spans.where(
            BillLine.community_id == community_id,
            BillLine.kind == LineKind.CHARGE,
            Subject.unit_id.in_(unit_ids),
        )
    ):
        billed[line.subject_id][line.item_id].append(DateRange(line.period_from, line.period_to))
    rows = session.execute(
        select(Subject, Unit.billable_area_m2)
        # Its own area, also when another home's account is billed; a parking space has none.
        .outerjoin(Unit, (Unit.community_id == Subject.community_id) & (Unit.id == Subject.id))
        .where(Subject.community_id == community_id, Subject.unit_id.in_(unit_ids))
        .order_by(Subject.unit_id, Subject.id)
    )
    return [SubjectRow(subject, area, billed[subject.id]) for subject, area in rows]


def _price(
    row: SubjectRow, plans: Sequence[ItemPlan], period: Period, summary: RunSummary
) -> Iterator[DraftLine]:
    """Lines still missing for one subject; everything else is counted with its reason."""
    for plan in plans:
        if plan.item.subject_kind is not row.subject.kind:
            continue
        span = _charged_span(row.subject, plan)
        if span is None or not period.start <= span.start < period.end:
            if plan.span.start == period.start:  # later months call only for what begins then
                summary.skipped["not_billable"] += 1
            continue
        billed_days = _days_within(span, row.billed[plan.item.id])
        if billed_days == span.days:
            summary.existing += 1
        elif billed_days:
            # What the other days cost depends on those billed: somebody has to decide.
            summary.parked["partly_billed"] += 1
        elif not plan.versions or plan.versions[0].effective_from > span.start:
            summary.skipped["no_tariff"] += 1
        else:
            try:
                lines = plan.price(span, row.area_m2)
            except PricingError as error:
                summary.parked[str(error)] += 1
                continue
            summary.created += 1
            for line in lines:
                yield DraftLine(row.subject, plan.item, line)


def _charged_span(subject: Subject, plan: ItemPlan) -> DateRange | None:
    """The days of the plan's span on which both the item and the subject are charged."""
    start = max(plan.span.start, subject.billable_from, plan.item.active_from)
    ends = [plan.span.end, subject.billable_to, plan.item.active_to]
    end = min(day for day in ends if day is not None)
    return DateRange(start, end) if start < end else None


def _days_within(span: DateRange, billed: Sequence[DateRange]) -> int:
    """How many days of the span are billed; no day is billed twice for one item."""
    parts = (span.intersection(done) for done in billed)
    return sum(part.days for part in parts if part is not None)


def _write_chunk(
    session: Session,
    community_id: int,
    period: Period,
    lines: Sequence[DraftLine],
    summary: RunSummary,
    now: datetime,
) -> None:
    """Write one chunk of drafts: a bill per account, by COPY. The chunk is all or nothing."""
    if not lines:
        return
    per_unit: dict[int, list[DraftLine]] = defaultdict(list)
    for line in lines:
        per_unit[line.subject.unit_id].append(line)
    run_id = summary.run_id = summary.run_id or _new_run(session, community_id, period, now)
    summary.chunks += 1
    session.add(
        BillRunChunk(
            community_id=community_id, run_id=run_id, no=summary.chunks, state=ChunkState.DRAFT
        )
    )
    session.flush()  # bills refer to the chunk
    bill_ids = _new_ids(session, "bill", len(per_unit))
    with _copy(
        session,
        "COPY bill (community_id, id, run_id, chunk_no, unit_id, period, amount) FROM STDIN",
    ) as copy:
        for bill_id, (unit_id, own) in zip(bill_ids, per_unit.items(), strict=True):
            amount = Money(sum(line.priced.amount.fen for line in own))
            summary.amount += amount
            copy.write_row(
                (community_id, bill_id, run_id, summary.chunks, unit_id, str(period), amount.fen)
            )
    with _copy(
        session,
        "COPY bill_line (community_id, bill_id, subject_id, item_id, tariff_id, kind, period_from,"
        " period_to, amount, basis) FROM STDIN",
    ) as copy:
        for bill_id, own in zip(bill_ids, per_unit.values(), strict=True):
            for line in own:
                copy.write_row(
                    (
                        community_id,
                        bill_id,
                        line.subject.id,
                        line.item.id,
                        line.priced.tariff_id,
                        LineKind.CHARGE.value,
                        line.priced.start,
                        line.priced.end,
                        line.priced.amount.fen,
                        line.priced.basis_json,
                    )
                )


@contextmanager
def _copy(session: Session, statement: str) -> Iterator[Copy]:
    """psycopg's COPY on the session's own connection, inside its transaction."""
    driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        yield copy


def _new_run(session: Session, community_id: int, period: Period, now: datetime) -> int:
    run_id: int = session.execute(
        insert(BillRun)
        .values(community_id=community_id, period=period, started_at=now, summary={})
        .returning(BillRun.id)
    ).scalar_one()
    return run_id


def _new_ids(session: Session, table: str, count: int) -> list[int]:
    return list(
        session.scalars(
            text(
                "SELECT nextval(pg_get_serial_sequence(:table, 'id'))"
                " FROM generate_series(1, :count)"
            ),
            {"table": table, "count": count},
        )
    )


def _publish(
    database: Database, community: Community, period: Period, *, today: date, now: datetime
) -> None:
    """Issue every draft chunk of the period, each in a transaction of its own."""
    with database.transaction() as session:
        drafts = session.execute(
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
        ).all()
    due = due_on(today, day=community.due_day, month_offset=community.due_month_offset)
    for run_id, no in drafts:
        with database.transaction() as session:
            issue_chunk(session, community.id, run_id, no, issued_on=today, due=due, now=now)
