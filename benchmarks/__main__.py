"""`make bench`: every benchmark, small sizes, one JSON line each."""

import json
import sys

from benchmarks import (
    bank_matching,
    bill_run,
    broadcast,
    callbacks,
    imports,
    notify,
    reconciliation,
    remind,
    understand,
    webhook,
)

MEASURES = {
    "understand": understand.measure,
    "bank-matching": bank_matching.measure,
    "bill-run": bill_run.measure,
    "imports": imports.measure,
    "callbacks": callbacks.measure,
    "reconciliation": reconciliation.measure,
    "webhook": webhook.measure,
    "notify": notify.measure,
    "broadcast": broadcast.measure,
    "remind": remind.measure,
}

for name, measure in MEASURES.items():
    sys.stdout.write(json.dumps({"bench": name, **measure()}, ensure_ascii=False) + "\n")
