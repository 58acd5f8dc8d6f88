"""A driver for the chaos tests: runs every cell that has no record but one of an interruption, then
ends.

python driver.py RESULTS METHOD:SEEDS ...

With an executor named in CHAOS_EXECUTOR it says on stdout what it took, as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from bench.executors.configs import make_executor
from bench.executors.slots import Slots
from bench.plugins.registry import Registry
from bench.runs.driver import Driver
from bench.runs.limits import Limits
from bench.runs.plan import Request, make_plan
from bench.runs.store import Store

PRELOAD = ["torch", "bench.runs.run_job", "bench.training.state", "safetensors.torch"]


def main(results: str, *wanted: str) -> int:
    """Run what is missing."""
    registry = Registry(paths=[str(Path(__file__).parent)])
    store = Store(Path(results))
    store.open_for_writing()
    driver = Driver(registry, store, Limits(memory=1 << 30))
    todo = []
    for name, _, seeds in (item.partition(":") for item in wanted):
        todo += driver.split(
            make_plan(
                Request(methods=(name,), tasks=("point",), preset="smoke", seeds=seeds), registry
            )
        )[1]
    known = {record.key for record in store.read() if record.status != "interrupted"}
    todo = [keyed for keyed in todo if keyed.key not in known]
    name = os.environ.get("CHAOS_EXECUTOR", "local")
    ends, before = [], 0.0
    for _ in driver.run(todo, make_executor(name, Slots(2), PRELOAD), 2, lambda *_: None):
        ends.append(time.monotonic())
        before = before or time.process_time()
    if "CHAOS_EXECUTOR" in os.environ:
        runs = len(ends) - 1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            json.dumps(
                {
                    "runs": len(ends),
                    "wall": (ends[-1] - ends[0]) / runs,
                    "driver": (time.process_time() - before) / runs,
                    "peak": peak,
                }
            )
        )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
