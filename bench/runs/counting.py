"""The second pass of a run: what its ``solve`` did is counted, while nobody looks at the clock.

It starts from a fresh worker, fresh problems and the same streams, and its solution must be the
first one's, bit for bit: else the count belongs to something else, and is not kept.

Where a budget is in operations, the task puts what was spent into its curve under ``flops``, as the
trainer says it. That is held against the count: a run that says otherwise is invalid, and one whose
operations can't all be counted is not ranked.
"""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.digests import stream_seed
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.folders import attempt
from bench.runs.record import Flops
from bench.runs.result import Result, from_keyboard
from bench.runs.seed_run import SeedRun, separate
from bench.runs.solution_digest import Solved, digest_of
from bench.runs.spec import RunSpec
from bench.runs.tools import Served, Tools
from bench.runs.worker_tools import WorkerTools

if TYPE_CHECKING:
    from bench.counts import Counter
    from bench.runs.worker import Worker


class NotCounted(Exception):
    """Why a run has no count."""


class Miscounted(Exception):
    """What a run says of its own operations, and what was counted."""


def count(make: Callable[[], Worker], spec: RunSpec, solved: Solved, result: Result) -> None:
    """Solve again under a counter, and put what was counted into ``result``; where that can't be,
    the reason joins its warnings.

    Args:
        make: returns a fresh worker.
        spec: of the run.
        solved: its first pass.
        result: of the first pass.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _count(make(), spec, solved, result)
    except Miscounted as error:
        result.status, result.metrics, result.gates = "invalid", {}, {}
        result.error = {"type": "InvalidRun", "message": str(error), "frames": []}
    except NotCounted as reason:
        _leave_out(result, str(reason), spec.device == "cpu")
    except KeyboardInterrupt as error:
        _leave_out(result, "the second pass was interrupted", not from_keyboard(error))
    # the first pass stands, whatever a stranger's code does in the second
    except BaseException as error:
        _leave_out(
            result, f"the second pass ended with {type(error).__name__}: {error}"[:475], True
        )


def _leave_out(result: Result, reason: str, blame: bool = False) -> None:
    """Say why there is no count. One whose budget is in operations has no place then, where the
    reason is the run's own: on a GPU two passes may differ without anybody's fault.
    """
    result.warnings.append(f"operations not counted: {reason}")
    if blame and _spends(result):
        result.not_rankable = result.not_rankable or f"its operations were not counted: {reason}"


def _spends(result: Result) -> bool:
    """Say whether the task's budget is in operations: its curve says what was spent."""
    return any("flops" in entry for entry in result.curve)


def _count(worker: Worker, spec: RunSpec, solved: Solved, result: Result) -> None:
    from bench.counts import Counter
    from bench.training import state

    counter = Counter()
    specs = _companions(worker, spec, solved)
    folder = Path(worker.job.workdir) / f"count-{spec.seed}"
    with contextlib.ExitStack() as closing:
        shutil.rmtree(folder, ignore_errors=True)  # a pass that was killed left its checkpoints
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        tools = partial(_CountingTools, counter=counter)
        seed_runs = [
            SeedRun(own, worker, folder / str(place), tools) for place, own in enumerate(specs)
        ]
        for seed_run in seed_runs:
            closing.callback(seed_run.close)
            seed_run.prepare()
        separate(seed_runs)
        flags = {
            **worker.flags,
            "folder": closing.enter_context(
                attempt(Path(worker.job.workdir), worker.flags["folder"])
            ),
        }
        try:
            with (
                state.streams(
                    stream_seed(
                        seed_runs[0].spec.seed,
                        seed_runs[0].spec.task,
                        "solve",
                        seed_runs[0].spec.method,
                    )
                ),
                counter,
            ):
                solutions = worker._solutions(seed_runs, partial(_start, seed_runs))
        finally:
            worker.restore(state.flags(), flags)
        place = specs.index(spec)
        if digest_of(solutions[place]) != solved.digest:
            raise NotCounted("two passes differ in their solution")
        _write(seed_runs[place], seed_runs, counter, result)


def _start(seed_runs: Sequence[SeedRun], runs: Sequence[Run]) -> None:
    """Note that ``runs`` are now solved together: they share what is counted from here on."""
    for seed_run in seed_runs:
        assert isinstance(seed_run.tools, _CountingTools)
        seed_run.tools.start(len(runs))


def _companions(worker: Worker, spec: RunSpec, solved: Solved) -> tuple[RunSpec, ...]:
    """Return the specs to solve together: on a CPU a member of a stack beside a twin, whose bits
    are the same in any company; elsewhere as before.
    """
    if spec.form == "stacked" and worker.device.type == "cpu":
        return (spec, spec)
    return solved.specs


def _write(
    seed_run: SeedRun, seed_runs: Sequence[SeedRun], counter: Counter, result: Result
) -> None:
    tools = seed_run.tools
    assert isinstance(tools, _CountingTools)
    curve: list[dict[str, Any]] = []
    for axis, run in enumerate(seed_run.runs):
        curve += [
            ({"problem": axis} if len(seed_run.runs) > 1 else {}) | entry for entry in run._curve
        ]
    if [_step(entry) for entry in curve] != [_step(entry) for entry in result.curve]:
        raise NotCounted("two passes differ in what they report")
    if {
        name: sum(run._counts[name] for run in seed_run.runs) for name in ("forward", "backward")
    } != result.counters:
        raise NotCounted("two passes differ in the examples that they visit")
    spends, uncounted = _spends(result), sorted(counter.tally.uncounted)[:50]
    for entry, counted in zip(result.curve, curve, strict=True):
        if spends and entry.get("flops") != counted["flops"]:
            raise Miscounted(
                f"the method says at report {entry['step']} that {entry.get('flops') or 0:.0f} "
                f"operations were spent, and the harness counted {counted['flops']}; let the "
                "problem's own trainer count, or count all of solve with bench.counts.Counter."
            )
        entry["flops"] = counted["flops"]
    if spends and uncounted:
        result.not_rankable = result.not_rankable or (
            f"its budget is in operations, and some were not counted: {', '.join(uncounted)}"
        )
    artifacts = sum(
        own.tools.artifacts for own in seed_runs if isinstance(own.tools, _CountingTools)
    )
    result.flops = Flops(
        total=counter.tally.total // len(seed_runs),
        artifacts=artifacts // len(seed_runs),
        uncounted=uncounted,
    )


def _step(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    return entry.get("problem", 0), entry["step"]


class _CountingTools(WorkerTools):
    """What a run asks of its worker in the second pass: reports note the
    count, artifacts are charged what building them took.
    """

    def __init__(self, seed_run: SeedRun, quiet: bool = False, *, counter: Counter) -> None:
        super().__init__(seed_run, quiet)
        self._counter, self._before, self._together = counter, 0, 1
        self.artifacts = 0

    def start(self, together: int) -> None:
        """Start from nothing: so many runs are solved next, and share what is counted."""
        self._before, self._together = self._counter.tally.total, together

    def report(self, run: Served, step: int, model: Any) -> None:
        if not self._quiet:
            run._curve.append(
                {
                    "step": step,
                    "flops": (self._counter.tally.total - self._before) // self._together,
                }
            )

    def progress(self, done: int, total: int, label: str) -> None:
        """Show nothing: the run is over for whoever waits."""

    def charge(self, run: Served, seconds: float, wall: float, cpu: float) -> None:
        """Charge nothing: nobody looks at the clock."""

    def quiet(self) -> _CountingTools:
        return _CountingTools(self._seed_run, quiet=True, counter=self._counter)

    def fetch(
        self,
        run: Served,
        artifacts: Artifacts,
        recipe: Mapping[str, Any],
        parts: Mapping[str, Any],
        build: Callable[[], Mapping[str, Any]],
        inside: Tools,
    ) -> tuple[dict[str, Any], float]:
        if isinstance(run, Setup):
            return super().fetch(run, artifacts, recipe, parts, build, inside)
        with self._counter.paused():
            tensors, seconds = super().fetch(run, artifacts, recipe, parts, build, inside)
            known = artifacts.flops(recipe, parts)
        if known is None:
            with self._counter.apart() as part:
                again = build()
            with self._counter.paused():
                if digest_of(dict(sorted(again.items()))) != digest_of(
                    dict(sorted(tensors.items()))
                ):
                    raise NotCounted("an artifact is another when it is built again")
                known = Flops(total=part.total, uncounted=sorted(part.uncounted))
                artifacts.note(recipe, parts, known)
        self._counter.tally.add(known.total, known.uncounted)
        if not self._quiet:
            self.artifacts += known.total
        return tensors, seconds
