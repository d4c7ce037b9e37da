"""Doing the long work staff asked for, in a worker: one function for each kind.

What is done survives the browser that asked for it and the worker that did it: bill runs go on
where they stood, an import is one transaction, and each may be done twice.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from billing.adjustment_tables import AfterVoid
from billing.bill_run import publish_chunks, run_bills
from billing.errors import BillingError
from billing.imports.run import import_workbook
from billing.imports.workbook import parse_workbook
from billing.long_work import (
    LongWork,
    WorkKind,
    at_work,
    begin_work,
    end_work,
    list_open_work,
    note_progress,
)
from billing.people import Staff
from billing.period import Period
from billing.pricing import parse_price
from billing.property import Community, Unit
from billing.run_comparison import compare_drafts
from billing.run_preview import preview_run
from billing.tariff_trial import CommunityTrial, try_community
from billing.tariffs import ChargeItem
from billing.voids import void_run
from handlers.services import Services
from notify.queues import FAILURE_KEPT_SECONDS, Queues

LONG_WORK_JOB = "bot.jobs.run_long_work"
JOB_SECONDS_MAX = 3600
NOTED_EVERY = timedelta(seconds=1)
"""Progress is written down no more often than this."""
FAULTS_MAX = 5000
"""Of a workbook, kept for its report; whoever has more mends these first."""

log = structlog.get_logger(__name__)


class Progress:
    """How far a piece of work is; written down in transactions of its own."""

    def __init__(self, services: Services, work: LongWork) -> None:
        self._services, self._work = services, work
        self._done = self._total = 0
        self._noted: datetime | None = None

    def begin(self, total: int) -> None:
        """Say of how many steps it consists."""
        self._total = total
        self._note()

    def advance(self, steps: int) -> None:
        """Say that so many steps more are done."""
        self._done += steps
        now = self._services.clock()
        if self._noted is None or now - self._noted >= NOTED_EVERY:
            self._note()

    def _note(self) -> None:
        self._noted = self._services.clock()
        with self._services.database.transaction() as session:
            note_progress(session, self._work, self._done, self._total)


Outcome = dict[str, Any]
Doing = Callable[[Services, LongWork, Progress], tuple[Outcome, bytes | None]]


def wake_workers(services: Services) -> None:
    """Have a worker look for long work now. When Redis is down cron has it looked for anyway."""
    try:
        Queues(services.redis).long.enqueue(
            LONG_WORK_JOB,
            job_timeout=JOB_SECONDS_MAX,
            result_ttl=60,
            failure_ttl=FAILURE_KEPT_SECONDS,
        )
    except RedisError as error:
        log.warning("long_work_wake_failed", reason=type(error).__name__)


def do_long_work(services: Services) -> dict[str, int]:
    """Do whatever waits or was left by a worker that died; what another worker does is his.

    Raises:
        SQLAlchemyError: the database is gone; what was begun is taken up again later.
    """
    done = 0
    with services.database.transaction() as session:
        waiting = list_open_work(session)
    for community_id, work_id in waiting:
        with at_work(services.database, work_id) as mine:
            if mine:
                done += _do(services, community_id, work_id)
    return {"done": done}


def _do(services: Services, community_id: int, work_id: int) -> int:
    with services.database.transaction() as session:
        work = begin_work(session, community_id, work_id, services.clock())
    if work is None:
        return 0
    report: bytes | None = None
    try:
        outcome, report = DOING[work.kind](services, work, Progress(services, work))
    except BillingError as error:
        outcome = {"refused": str(error)}
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.exception("long_work_failed", work=work_id, kind=work.kind.value)
        outcome = {"refused": f"unexpected {type(error).__name__}"}
    with services.database.transaction() as session:
        end_work(session, work, outcome, now=services.clock(), report_sealed=report)
    return 1


def _community(session: Session, work: LongWork) -> Community:
    return session.get_one(Community, work.community_id)


def _homes(session: Session, work: LongWork) -> int:
    query = select(func.count()).where(Unit.community_id == work.community_id)
    return session.execute(query).scalar_one()


def _draft(services: Services, work: LongWork, progress: Progress) -> tuple[Outcome, None]:
    """Draft what is missing of a period, then what staff look at before they publish it."""
    period = Period(work.request["period"])
    with services.database.transaction() as session:
        community, homes = _community(session, work), _homes(session, work)
    progress.begin(homes)
    summary = run_bills(
        services.database,
        community,
        period,
        today=services.today(),
        now=services.clock(),
        publish=False,
        advance=progress.advance,
    )
    with services.database.transaction() as session:
        preview = preview_run(session, work.community_id, period).as_json()
        beside = compare_drafts(session, work.community_id, period)
    return {
        "period": str(period),
        "summary": summary.as_json(),
        "preview": preview,
        "beside": beside,
    }, None


def _publish(services: Services, work: LongWork, progress: Progress) -> tuple[Outcome, None]:
    """Issue the chunks that were confirmed."""
    chunks = [(run_id, no) for run_id, no in work.request["chunks"]]
    progress.begin(len(chunks))
    with services.database.transaction() as session:
        community = _community(session, work)
    issued = publish_chunks(
        services.database,
        community,
        Period(work.request["period"]),
        chunks,
        today=services.today(),
        now=services.clock(),
        advance=progress.advance,
    )
    return {"period": work.request["period"], "issued": issued}, None


def _void(services: Services, work: LongWork, progress: Progress) -> tuple[Outcome, None]:
    """Void every bill of a run that is not void yet."""
    progress.begin(1)
    with services.database.transaction() as session:
        by = session.get_one(Staff, work.asked_by)
    voided = void_run(
        services.database,
        work.community_id,
        work.request["run"],
        after=AfterVoid(work.request["after"]),
        reason=work.request["reason"],
        by=by,
        today=services.today(),
        now=services.clock(),
    )
    return {"run": work.request["run"], "voided": voided}, None


def _try(services: Services, work: LongWork, progress: Progress) -> tuple[Outcome, None]:
    """What a proposed price comes to for everybody."""
    with services.database.transaction() as session:
        homes = _homes(session, work)
    progress.begin(homes)
    with services.database.transaction() as session:
        item = session.get_one(ChargeItem, (work.community_id, work.request["item"]))
        price, period = parse_price(work.request["price"]), Period(work.request["period"])
        trial = try_community(session, item, price, period, progress.advance)
        return _trial_json(session, work, trial), None


def _trial_json(session: Session, work: LongWork, trial: CommunityTrial) -> Outcome:
    rooms = {
        unit.id: unit.room
        for unit in session.scalars(
            select(Unit).where(
                Unit.community_id == work.community_id,
                Unit.id.in_([unit_id for unit_id, _, _ in trial.most]),
            )
        )
    }
    return {
        "homes": trial.homes,
        "much": trial.much,
        "left_out": trial.left_out,
        "fen": trial.now.fen,
        "fen_then": trial.then.fen,
        "most": [
            {"room": rooms[unit_id], "fen": now.fen, "fen_then": then.fen}
            for unit_id, now, then in trial.most
        ],
    }


def _check(services: Services, work: LongWork, progress: Progress) -> tuple[Outcome, bytes | None]:
    """Check every row of a workbook, for whoever sent it, and write nothing."""
    return _import_file(services, work, progress, work, write=False)


def _import(services: Services, work: LongWork, progress: Progress) -> tuple[Outcome, bytes | None]:
    """Import a workbook that was checked: all of it or nothing; then forget the file."""
    with services.database.transaction() as session:
        checked = session.get_one(LongWork, (work.community_id, work.request["check"]))
    outcome, report = _import_file(services, work, progress, checked, write=True)
    if outcome["ok"]:
        with services.database.transaction() as session:
            session.get_one(LongWork, (work.community_id, checked.id)).file_sealed = None
    return outcome, report


def _import_file(
    services: Services, work: LongWork, progress: Progress, holder: LongWork, *, write: bool
) -> tuple[Outcome, bytes | None]:
    if holder.file_sealed is None:
        return {"refused": "the file is not kept any more: upload it again"}, None
    sheets = parse_workbook(services.vault.open_file(holder.file_sealed))
    progress.begin((3 if write else 2) * sum(len(sheet.rows) for sheet in sheets))
    with services.database.transaction() as session:
        found = import_workbook(
            session,
            sheets,
            _community(session, work).code,
            services.vault,
            by=session.get_one(Staff, work.asked_by),
            today=services.today(),
            now=services.clock(),
            write=write,
            advance=progress.advance,
        )
    told = found.as_json()
    report = {
        "errors": told["errors"][:FAULTS_MAX],
        "warnings": told["warnings"][:FAULTS_MAX],
    }
    outcome = {
        "ok": told["ok"],
        "sheets": told["sheets"],
        "errors": len(found.faults),
        "warnings": len(found.warnings),
    }
    return outcome, services.vault.seal_file(orjson.dumps(report))


DOING: Mapping[WorkKind, Doing] = {
    WorkKind.DRAFT: _draft,
    WorkKind.PUBLISH: _publish,
    WorkKind.VOID_RUN: _void,
    WorkKind.TRIAL: _try,
    WorkKind.CHECK: _check,
    WorkKind.IMPORT: _import,
}
