"""What one class for every row would score: the shares of the classes
among the rows that a task judges by, where its data is here.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.plugins.cache_folder import cache_folder
from bench.plugins.registry import Registry, task_card
from bench.runs.limits import Limits
from bench.runs.record import Brief
from bench.runs.replay import cell_of
from bench.runs.spec import Job, RunSpec

_LONGEST = 30.0
"""Seconds that preparing took in the record beyond which it is not done again."""
_LIMIT = 60.0
"""Seconds of processor time after which no further task is prepared."""
_LEAST = 10
"""Fewest rows worth a share."""
_CLASSES = 1000
"""Most classes: a vector of more whole numbers holds indices."""


class Shares:
    """Prepares a task once for each set of its parameters, and reads the
    labels of the rows that no method sees.
    """

    def __init__(self, registry: Registry, say: Callable[[str], None] = lambda _: None) -> None:
        """Of the tasks in ``registry``; ``say`` is told which one is prepared."""
        self._registry, self._say = registry, say
        self._known: dict[str, dict[float, str]] = {}
        self._spent = 0.0
        self.left_out: set[str] = set()
        """Tasks that were not prepared, since it takes long or their data is not here."""

    def __call__(self, record: Brief) -> Mapping[float, str]:
        """Return accuracy in percent -> in words which class gives it;
        empty where the task or its data is not here.
        """
        name = f"{record.identity} {msgspec.json.encode(record.task_params).decode()} {record.seed}"
        if name not in self._known:
            self._known[name] = {}
            if (record.cost.get("prepare_s") or 0.0) > _LONGEST or self._spent > _LIMIT:
                self.left_out.add(record.identity)
                return {}
            self._say(f"preparing {record.identity} {record.variant}")
            began = time.process_time()
            try:
                for share, words in _shares(self._hidden(record)):
                    self._known[name].setdefault(share, words)
            # a plugin's code, on whatever data is here: no shares, so nothing is said of them
            except Exception:
                self.left_out.add(record.identity)
            self._spent += time.process_time() - began
        return self._known[name]

    def _hidden(self, record: Brief) -> Any:
        from bench.runs.loaded_job import LoadedJob
        from bench.runs.seed_run import SeedRun
        from bench.runs.worker_tools import WorkerTools

        cell = cell_of(record, self._registry)
        if cell is None:
            return None
        spec = msgspec.structs.replace(cell.spec, device="cpu", form="single")
        card = task_card(cell.task)
        with (
            tempfile.TemporaryDirectory(prefix="bench-shares-") as folder,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            loaded = LoadedJob(
                _job(
                    spec,
                    cell.task.target,
                    {name: self._registry.get("dataset", name).target for name in card.datasets},
                    folder,
                ),
                lambda _: None,
            )
            seed_run = SeedRun(spec, loaded, Path(folder) / "run", WorkerTools)
            try:
                seed_run.prepare()
                return seed_run.case.hidden
            finally:
                seed_run.close()


def _job(spec: RunSpec, task: Any, datasets: dict[str, Any], folder: str) -> Job:
    return Job(
        id="shares",
        specs=[spec],
        method=None,
        task=task,
        datasets=datasets,
        cache=str(cache_folder()),
        workdir=folder,
        limits=Limits(),
    )


def _shares(hidden: Any) -> Iterator[tuple[float, str]]:
    import torch

    for name, value in _leaves(hidden):
        if (
            isinstance(value, torch.Tensor)
            and value.dim() == 1
            and not value.is_floating_point()
            and len(value) >= _LEAST
        ):
            classes, counts = value.unique(return_counts=True)
            if 1 < len(classes) <= _CLASSES and len(classes) < len(value):
                for label, count in zip(classes.tolist(), counts.tolist(), strict=True):
                    yield (
                        100.0 * count / len(value),
                        f"the share of class {label} among {name} ({count} of {len(value)})",
                    )


def _leaves(value: Any, name: str = "hidden") -> Iterator[tuple[str, Any]]:
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _leaves(getattr(value, field), field)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, list | tuple) and len(value) <= _CLASSES:
        for item in value:
            yield from _leaves(item, name)
    elif value is not None:
        yield name, value
