"""What a night of checks found becomes alerts."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from billing.alerts import AlertKind, raise_alert
from billing.checks.rule import CheckResult

ROWS_NAMED_MAX = 3


def alert_failures(session: Session, results: Iterable[CheckResult], now: datetime) -> int:
    """Raise an alert for every check that found something, in each community whose books it found
    it in; returns how many are new. While one is open it is not raised again, so calling this twice
    tells nothing twice; once it was closed, the next night that finds the same raises it anew.

    What is told are a count, which is the least there are, and numbers of the first rows.
    """
    raised = 0
    for result in results:
        found: dict[int | None, list[str]] = defaultdict(list)
        for wrong in result.violations:
            found[wrong.get("community_id")].append(str(wrong.get("id", wrong.get("unit_id"))))
        for community_id, rows in found.items():
            raised += raise_alert(
                session,
                AlertKind.CHECK_FAILED,
                key=f"check failed in {community_id or 'all'}: {result.name}",
                community_id=community_id,
                data={
                    "check": result.name,
                    "violations": len(rows),
                    "first": rows[:ROWS_NAMED_MAX],
                },
                now=now,
            )
    return raised
