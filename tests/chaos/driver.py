"""A driver for the chaos tests: runs every cell that has no record but one of an interruption, then ends.

python driver.py RESULTS METHOD:SEEDS ...
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.executors.engines import make_executor
from bench.executors.slots import Slots
from bench.plugins.registry import Registry
from bench.runs.drive import Driver
from bench.runs.limits import Limits
from bench.runs.plan import Request, make_plan
from bench.runs.store import Store

PRELOAD = ["torch", "bench.runs.worker", "bench.training.state", "safetensors.torch"]


def main(results: str, *wanted: str) -> int:
    """Run what is missing."""
    registry = Registry(paths=[str(Path(__file__).parent)])
    store = Store(Path(results))
    store.open_for_writing()
    driver = Driver(registry, store, Limits(memory=1 << 30))
    todo = []
    for name, _, seeds in (item.partition(":") for item in wanted):
        todo += driver.split(make_plan(Request(methods=(name,), tasks=("point",), preset="smoke", seeds=seeds), registry))[1]
    known = {record.key for record in store.read() if record.status != "interrupted"}
    todo = [keyed for keyed in todo if keyed.key not in known]
    for _ in driver.run(todo, make_executor("local", Slots(2), PRELOAD), 2, lambda *_: None):
        pass
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
