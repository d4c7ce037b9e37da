"""What a detector finds, and the robust statistics detectors share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from billing.alerts import AlertKind, Severity

MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation times this estimates the standard deviation of normal values."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd.

    Attributes:
        key: names the event, not only the thing: what was closed once is not raised again.
        data: the figures of the sentence that says why; amounts as plain yuan.
    """

    kind: AlertKind
    severity: Severity
    key: str
    data: Mapping[str, Any] = field(default_factory=dict)
    unit_id: int | None = None


def spread(values: Sequence[float]) -> float:
    """How far values lie from their median, as a standard deviation, whatever a few outliers do."""
    middle = median(values)
    return MAD_TO_DEVIATION * median(abs(value - middle) for value in values)
