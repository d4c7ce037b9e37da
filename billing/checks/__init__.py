"""Self-checks of the books: each proves one rule, returns what breaks it, and nothing when all is
well.

Run nightly (`bot.jobs.run_checking`), by `mingzhang check` and with every backup. Adding a rule is
adding a check to the list of its room.
Errors are data, so one run reports all of them.
"""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.checks.bank import BANK_CHECKS
from billing.checks.bills import BILL_CHECKS
from billing.checks.counter import COUNTER_CHECKS
from billing.checks.journal import JOURNAL_CHECKS
from billing.checks.money import MONEY_CHECKS
from billing.checks.pricing import PRICING_CHECKS
from billing.checks.refunds import REFUND_CHECKS
from billing.checks.rollups import ROLLUP_CHECKS
from billing.checks.rule import VIOLATIONS_SHOWN_MAX, Check, CheckResult

__all__ = [
    "ALL_CHECKS",
    "VIOLATIONS_SHOWN_MAX",
    "Check",
    "CheckResult",
    "check_books",
    "run_checks",
]

ALL_CHECKS: list[Check] = [
    *JOURNAL_CHECKS,
    *BILL_CHECKS,
    *MONEY_CHECKS,
    *COUNTER_CHECKS,
    *BANK_CHECKS,
    *REFUND_CHECKS,
    *PRICING_CHECKS,
    *ROLLUP_CHECKS,
]


def check_books(session: Session) -> list[CheckResult]:
    """Run every check on one snapshot, which changes nothing: payments that come meanwhile must not
    look like faults. Must be the first thing a transaction does.
    """
    session.connection(
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    )
    return list(run_checks(session))


def run_checks(session: Session) -> Iterator[CheckResult]:
    """Run every check. The caller opens a REPEATABLE READ transaction, so all see the same books.

    A check reads whole tables: the time-out of statements that people wait for does not apply.
    """
    session.execute(text("SET LOCAL statement_timeout = 0"))
    for check in ALL_CHECKS:
        yield check.run(session)
