"""Jobs that need more than the notifier: billing, settling, reconciling, forgetting.

RQ calls them by name.
"""

from typing import Any

from billing.bill_schedule import run_due
from billing.unbinding import end_moved_out
from bot.program import Program
from handlers.heard import forget_heard
from handlers.reconciling import reconcile_morning
from handlers.refunding import settle_refunds
from handlers.settlement import settle_open_payments
from notify import jobs as notify_jobs
from notify.webhooks import Courier, forget_deliveries

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


def run_webhooks() -> dict[str, int]:
    """Tell outside systems what is due."""
    program = _installed[0]
    services = program.services
    loopback = program.settings.webhooks_to == "loopback"
    return Courier(services.database, services.vault, services.clock, loopback).deliver()


def run_forgetting() -> dict[str, int]:
    """Delete sentences that were kept to learn from for long enough, and old deliveries."""
    services = _installed[0].services
    with services.database.transaction() as session:
        return {
            "heard": forget_heard(session, services.clock()),
            "deliveries": forget_deliveries(session, services.clock()),
        }
