"""The nightly round: every detector over a community, what is new becomes an alert."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.alerts import Alert, raise_alert
from billing.insight.conduct import find_patterns
from billing.insight.estate import (
    find_pools,
    find_rate_drops,
    find_repriced,
    find_waiting_money,
)
from billing.insight.fees import find_undue_fees
from billing.insight.finding import Finding
from billing.insight.payers import find_paid_in_parts, find_paid_twice, find_stopped
from billing.insight.usage import find_usage

Detector = Callable[[Session, int, date], list[Finding]]
DETECTORS: tuple[Detector, ...] = (
    find_usage,
    find_stopped,
    find_paid_twice,
    find_paid_in_parts,
    find_patterns,
    find_rate_drops,
    find_pools,
    find_repriced,
    find_waiting_money,
    find_undue_fees,
)
KEYS_AT_ONCE = 5000


def look(session: Session, community_id: int, today: date, now: datetime) -> Mapping[str, int]:
    """Run every detector and raise what was never raised before; returns how many of each kind are
    new. Calling it again raises nothing new.
    """
    found = {
        f"{community_id}: {finding.key}": finding
        for detector in DETECTORS
        for finding in detector(session, community_id, today)
    }
    raised: Counter[str] = Counter()
    for key in sorted(found.keys() - _known(session, list(found))):
        finding = found[key]
        raise_alert(
            session,
            finding.kind,
            key=key,
            community_id=community_id,
            data=dict(finding.data),
            now=now,
            severity=finding.severity,
            unit_id=finding.unit_id,
        )
        raised[finding.kind.value] += 1
    return raised


def _known(session: Session, keys: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[start : start + KEYS_AT_ONCE]
        known.update(session.scalars(select(Alert.key).where(Alert.key.in_(some))))
    return known
