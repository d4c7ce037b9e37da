"""`make bench`: every benchmark, small sizes, one JSON line each."""

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import (
    bank_matching,
    bill_run,
    broadcast,
    callbacks,
    console,
    imports,
    insight,
    notify,
    reconciliation,
    remind,
    reports,
    timing,
    understand,
    webhook,
)

MEASURES: dict[str, Callable[[], dict[str, Any]]] = {
    "understand": understand.measure,
    "bank-matching": bank_matching.measure,
    "bill-run": bill_run.measure,
    "imports": imports.measure,
    "callbacks": callbacks.measure,
    "console": console.measure,
    "reconciliation": reconciliation.measure,
    "webhook": webhook.measure,
    "notify": notify.measure,
    "broadcast": broadcast.measure,
    "remind": remind.measure,
    "insight": insight.measure,
    "reports": partial(reports.measure, lines=100_000),
    "timing": partial(timing.measure, owners=500),
}

for name, measure in MEASURES.items():
    sys.stdout.write(json.dumps({"bench": name, **measure()}, ensure_ascii=False) + "\n")
