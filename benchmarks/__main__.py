"""`make bench`: every benchmark, small sizes, one JSON line each."""

import json
import sys

from benchmarks import bill_run, understand

for name, measure in {"understand": understand.measure, "bill-run": bill_run.measure}.items():
    sys.stdout.write(json.dumps({"bench": name, **measure()}, ensure_ascii=False) + "\n")
