"""What the settings that were tried reached, on seeds that no board has."""

from __future__ import annotations

import functools
from typing import Any

from tables_records import RECORDS


@functools.cache
def searched(file: str, task: str, variant: str, metric: str, beside: str) -> str:
    """Return each setting's mean of a metric, and its paired difference from a method ``beside`` it
    with a 95 % t interval, from the records of docs/records/sweeps/FILE.jsonl.

    A method's defaults are marked. A failed run has no figure, and its setting shows how many.
    """
    from bench.builtin.leaderboard._statistics import mean, t_interval

    from bench.runs.transfer import records_of

    path = RECORDS / "sweeps" / f"{file}.jsonl"
    if not path.is_file():
        return f"\nNo record of `{file}` is committed.\n\n"
    found = [
        record for _, record in records_of(path) if (record.task, record.variant) == (task, variant)
    ]
    reached: dict[tuple[str, str, bool], dict[int, float]] = {}
    failed: dict[tuple[str, str, bool], int] = {}
    for record in found:
        setting = (record.method, _setting(record, found), not record.custom)
        if record.status == "ok":
            reached.setdefault(setting, {})[record.seed] = record.metrics[metric]
        else:
            failed[setting] = failed.get(setting, 0) + 1
    [plain] = [runs for (method, *_), runs in reached.items() if method == beside]
    lines = [
        f"| method | setting | {metric} | difference from `{beside}` | failed |",
        "| --- | --- | --- | --- | --- |",
        f"| `{beside}` | | {mean(list(plain.values())):.2f} | | |",
    ]
    for setting in sorted({*reached, *failed}):
        method, values, default = setting
        if method == beside:
            continue
        runs = reached.get(setting, {})
        gains = [value - plain[seed] for seed, value in runs.items()]
        shown, gained = "-", "-"
        if len(gains) > 1:
            low, high = t_interval(gains)
            shown = f"{mean(list(runs.values())):.2f}"
            gained = f"{mean(gains):+.2f} [{low:+.2f}, {high:+.2f}]"
        lines.append(
            f"| `{method}` | {values}{', default' * default} | {shown} | {gained} | "
            f"{failed.get(setting, '')} |"
        )
    return "\n" + "\n".join(lines) + "\n\n"


def _setting(record: Any, others: list[Any]) -> str:
    """Return those parameters in which a method's records differ."""
    own = [other.params for other in others if other.method == record.method]
    varied = [name for name in record.params if len({str(one.get(name)) for one in own}) > 1]
    return ", ".join(f"`{name}={record.params[name]}`" for name in varied)
