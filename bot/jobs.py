"""Jobs that need more than the notifier: billing, settling, reconciling, checking, forgetting.

RQ calls them by name.
"""

from collections import Counter
from datetime import date
from typing import Any

from sqlalchemy import select, text

from billing.bill_schedule import run_due
from billing.checks import check_books
from billing.checks.failing import alert_failures
from billing.insight.nightly import look
from billing.long_work import forget_files
from billing.merchants import MerchantAccount
from billing.property import Community
from billing.reports.rollups import fold
from billing.statements.deciding import match_all
from billing.statements.rows import list_communities_waiting
from billing.unbinding import end_moved_out
from bot.program import Program
from handlers.heard import forget_heard
from handlers.long_work import do_long_work
from handlers.reconciling import reconcile_merchant, reconcile_morning
from handlers.refunding import settle_refunds
from handlers.settlement import settle_open_payments
from notify import jobs as notify_jobs
from notify.webhooks import Courier, forget_deliveries

LONG_STATEMENTS = "SET LOCAL statement_timeout = '30min'"
"""Nobody waits for what runs at night."""

_installed: list[Program] = []
"""The worker's program; RQ passes a job nothing but its arguments."""


def install(program: Program) -> None:
    """Hand the program to the jobs of this process. Called once, before work begins."""
    _installed[:] = [program]
    notify_jobs.install(program.notifier, program.queues)


def run_billing() -> dict[str, list[dict[str, Any]]]:
    """Bill the communities whose billing day has come."""
    services = _installed[0].services
    done = run_due(services.database, today=services.today(), now=services.clock())
    return {code: [summary.as_json() for summary in runs] for code, runs in done.items()}


def run_long_work() -> dict[str, int]:
    """Do what staff asked for in the console and what a worker that died left."""
    return do_long_work(_installed[0].services)


def run_unbinding() -> dict[str, int]:
    """End the bindings of tenants who moved out."""
    services = _installed[0].services
    with services.database.transaction() as session:
        return {"ended": end_moved_out(session, services.today(), services.clock())}


def run_settlement() -> dict[str, int]:
    """Ask providers about open payments."""
    return settle_open_payments(_installed[0].services)


def run_refunds() -> dict[str, int]:
    """Send approved refunds to their providers, and ask about those sent."""
    return settle_refunds(_installed[0].services)


def run_reconciliation() -> dict[str, int]:
    """Compare the last days that are not done with the providers' statements."""
    return reconcile_morning(_installed[0].services)


def run_checking() -> dict[str, int]:
    """Prove the books as they are now, and raise an alert for every check that fails. What was
    found is told in a transaction of its own: the snapshot it was found in changes nothing.
    """
    services = _installed[0].services
    with services.database.transaction() as session:
        failed = [result for result in check_books(session) if result.violations]
    with services.database.transaction() as session:
        raised = alert_failures(session, failed, services.clock())
    return {"failed": len(failed), "raised": raised}


def run_numbers() -> dict[str, int]:
    """Keep the roll-ups of reports small, and raise an alert for what is odd."""
    services = _installed[0].services
    raised: Counter[str] = Counter()
    with services.database.transaction() as session:
        communities = session.scalars(select(Community.id).order_by(Community.id)).all()
    for community_id in communities:
        with services.database.transaction() as session:
            session.execute(text(LONG_STATEMENTS))
            fold(session, community_id)
        with services.database.transaction() as session:
            session.execute(text(LONG_STATEMENTS))
            raised.update(look(session, community_id, services.today(), services.clock()))
    return dict(raised)


def run_matching() -> dict[str, int]:
    """Match what waits of banks' statements with homes. The console orders it after an upload; cron
    comes by for what got lost.
    """
    services = _installed[0].services
    with services.database.transaction() as session:
        waiting = list_communities_waiting(session)
    counts = [
        match_all(services.database, services.vault, community_id, now=services.clock())
        for community_id in waiting
    ]
    return {"communities": len(waiting), "rows": sum(count.total() for count in counts)}


def run_comparison(day: str, merchant_ids: list[int]) -> dict[str, int]:
    """Compare a day with what the providers of some merchant accounts say, because staff want to
    know now. What it came to is in the books.
    """
    services = _installed[0].services
    with services.database.transaction() as session:
        merchants = [session.get_one(MerchantAccount, one) for one in merchant_ids]
    done = [reconcile_merchant(services, one, date.fromisoformat(day)) for one in merchants]
    return {"done": sum(one.is_done for one in done)}


def run_webhooks() -> dict[str, int]:
    """Tell outside systems what is due."""
    program = _installed[0]
    services = program.services
    loopback = program.settings.webhooks_to == "loopback"
    return Courier(services.database, services.vault, services.clock, loopback).deliver()


def run_forgetting() -> dict[str, int]:
    """Delete sentences, uploaded workbooks and deliveries that were kept for long enough."""
    services = _installed[0].services
    with services.database.transaction() as session:
        now = services.clock()
        return {
            "heard": forget_heard(session, now),
            "files": forget_files(session, now),
            "deliveries": forget_deliveries(session, now),
        }
