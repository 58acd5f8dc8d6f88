"""What serves the runs of a worker: reports go to the task, datasets and artifacts to who asks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bench.digests import digest
from bench.errors import BenchError, InvalidRun, blaming
from bench.plugins.source import Target, locate
from bench.runs.context import Setup
from bench.runs.data_calls import differing, params_of, parse_call
from bench.runs.data_index import Want
from bench.runs.figures import figures
from bench.runs.folders import at
from bench.runs.import_reads import opened_by
from bench.runs.kept import copied
from bench.runs.loading import check_pin, kind_of, load
from bench.runs.provenance import kernels_here
from bench.runs.read_observer import aside, noted, unnoticed
from bench.runs.seed_run import SeedRun
from bench.runs.tools import Served, Tools


class WorkerTools(Tools):
    """What a run asks of its worker: reports go to the task, artifacts and
    datasets are served and charged.
    """

    def __init__(self, seed_run: SeedRun, quiet: bool = False, loading: bool = False) -> None:
        self._seed_run, self._quiet, self._loading, self._said = seed_run, quiet, loading, 0.0
        self._fingerprints: dict[str, str] = {}

    def report(self, run: Served, step: int, model: Any) -> None:
        """Have the task watch a model, and note the figures in the curve."""
        from bench.checks.scores import check_watched
        from bench.training.state import inspecting, synchronize

        if self._quiet:
            return
        seed_run = self._seed_run
        synchronize(run.device)
        start, start_cpu = time.perf_counter(), time.process_time()
        if run._curve and step <= run._curve[-1]["step"]:
            raise InvalidRun(
                f"the method reported step {step} after step {run._curve[-1]['step']}; steps must "
                "grow."
            )
        with inspecting(model):
            k = next(axis for axis, own in enumerate(seed_run.runs) if own is run)
            shown = seed_run.checks.report(seed_run.case, k, step, model)
            with blaming("the task's watch"):
                found = seed_run.worker.task.watch(seed_run.case, k, step, shown)
            watched = check_watched(found)
        run._curve.append(
            {"step": step, **figures(seed_run.worker.card, watched.scores, f" at report {step}")}
        )
        for name in watched.keep:
            run._kept[name] = copied(model)
        synchronize(run.device)
        seed_run.report_s += time.perf_counter() - start
        seed_run.report_cpu_s += time.process_time() - start_cpu

    def progress(self, done: int, total: int, label: str) -> None:
        """Send how far the run is, at most five times a second."""
        now = time.monotonic()
        if now - self._said >= 0.2 and not self._quiet:
            self._said = now
            self._seed_run.worker.send({"progress": done / max(1, total)})

    def parts(self, run: Served, module: Any) -> dict[str, Any]:
        """Return the code, data, libraries and kernels that an artifact depends on."""
        with aside():
            return self._parts(run, module)

    def _parts(self, run: Served, module: Any) -> dict[str, Any]:
        worker = self._seed_run.worker
        name = getattr(module, "__name__", "")
        target = next(
            (
                target
                for target in worker.targets
                if target.module.partition(".")[0] == name.partition(".")[0]
            ),
            worker.job.task,
        )
        path = locate(name, target)
        code = worker.code_of(Target(name, "", str(path), target.root)) if path else [name]
        inputs = self._seed_run.before
        # the task's artifacts are the same for every method, whatever is masked for it
        if isinstance(run, Setup):
            # what a dataset keeps is the same for every task
            inputs = (
                [self._fingerprints]
                if self._loading
                else [*self._seed_run.whole, self._seed_run.data]
            )
            code = sorted(
                {
                    *code,
                    *(
                        part
                        for found in worker.job.datasets.values()
                        for part in worker.code_of(found)
                    ),
                }
            )
        return {
            "code": code,
            "data": [sorted(item.items()) for item in inputs],
            "libraries": worker.job.versions,
            # it may lie there for runs of another setting, or on a path that machines share
            "kernels": kernels_here(run.device.type),
        }

    def charge(self, run: Served, seconds: float, wall: float, cpu: float) -> None:
        """Add what an artifact cost to the method's time."""
        # the task serves it to all; or it is a part of an artifact that is charged whole
        if isinstance(run, Setup) or self._quiet:
            return
        self._seed_run.charged_s += seconds
        self._seed_run.fetch_s += wall
        self._seed_run.fetch_cpu_s += cpu

    def quiet(self) -> Tools:
        """Return tools that report and charge nothing."""
        return WorkerTools(self._seed_run, quiet=True)

    def fingerprints(self) -> dict[str, str]:
        """Return the datasets that were loaded with these tools."""
        return self._fingerprints

    def unchanged(self, loaded: Mapping[str, str]) -> bool:
        """Say whether datasets are as they were when an artifact was built."""
        worker = self._seed_run.worker
        for call, fingerprint in loaded.items():
            want = self._want(call)
            if (worker.data_index.state(want).fingerprint or self._load(want)[1]) != fingerprint:
                return False
            if (known := worker.data_index.get(want)) is not None:
                with unnoticed():
                    noted(known.inputs)  # of a dataset that keeps what it made of another one
        for call, fingerprint in loaded.items():
            self._note(call, fingerprint)
        return True

    def look(self, call: str) -> tuple[str, bool]:
        """Load a dataset for its fingerprint alone; say too whether it
        draws from streams of the run.
        """
        want = self._want(call)
        return self._load(want)[1], self._seed_run.worker.data_index.draws(want)

    def mark(self) -> str:
        """Return the digest of what the run sees and has loaded."""
        return digest([self._seed_run.before, self._seed_run.data])

    def dataset(self, run: Served, name: str, params: dict[str, Any]) -> Any:
        """Return a dataset that the task's card lists, checked against its card's fingerprint."""
        job = self._seed_run.worker.job
        if name not in job.datasets:
            raise BenchError(
                f"the task asked for the dataset {name!r}, which its card does not list; add it "
                "to 'datasets'."
            )
        kind = kind_of(job.datasets[name], name)
        want = self._seed_run.worker.want(
            self._seed_run.spec, kind, differing(kind.schema(), kind.make(params).values())
        )
        data, fingerprint = self._load(want)
        if not self._seed_run.runs:
            self._seed_run.loaded.append((name, data))
        self._note(want.call, fingerprint)
        check_pin(kind.card, want, fingerprint)
        return data

    def _want(self, call: str) -> Want:
        name, texts = parse_call(call)
        kind = kind_of(self._seed_run.worker.job.datasets[name], name)
        return self._seed_run.worker.want(
            self._seed_run.spec, kind, params_of(name, kind.schema(), texts)
        )

    def _load(self, want: Want) -> tuple[Any, str]:
        run = self._seed_run.run_of(Setup, 0, WorkerTools(self._seed_run, quiet=True, loading=True))
        worker = self._seed_run.worker
        # data are asked for while runs work in folders of their own, too
        home = worker.flags["folder"]
        with unnoticed(), blaming(f"the dataset {want.call!r}"), at(home):
            return load(want, run, worker.data_index, opened_by([want.target], worker.index.scan))

    def _note(self, call: str, fingerprint: str) -> None:
        self._fingerprints[call] = fingerprint
        if self._seed_run.data.get(call) != fingerprint:
            self._seed_run.data[call] = fingerprint
            self._seed_run.worker.note(self._seed_run.spec, self._seed_run.data)
