"""From what a user names to what is run: the grid of specs, and every pair
that is not run with its reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec

from bench.cards import Preset, TaskCard
from bench.errors import NothingSelected, ParameterError, UsageError, near
from bench.params import changed, parse_value, resolve, split_call
from bench.plugins.entries import Entry
from bench.plugins.registry import Registry, method_card, task_card
from bench.runs.left_out import only_named, unavailable, unnamed
from bench.runs.seeds import parse_seeds
from bench.runs.spec import RunSpec
from bench.runs.track_mismatch import refuse_mismatch
from bench.runs.variants import variants


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    methods: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    track: str | None = None
    all: bool = False
    preset: str = "default"
    variants: tuple[str, ...] = ()
    seeds: str | tuple[int, ...] | None = None
    """A number of seeds or a list as text, or the seeds themselves; None: the preset's."""
    device: str = "cpu"


class NotRun(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that is not run, and why."""

    track: str
    method: str
    task: str
    status: str
    reason: str


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A planned spec with what it takes to run it."""

    spec: RunSpec
    method: Entry | None
    task: Entry
    reference: str = ""
    solve: str = ""
    peeks: bool = False
    custom: bool = False
    timeout: float


class Plan(msgspec.Struct):
    """The cells to run and the pairs that are not."""

    cells: list[Cell]
    not_run: list[NotRun]
    notes: list[str] = []
    """What the user should know of names that were asked for and stand for others."""


class _Solver(msgspec.Struct, frozen=True, kw_only=True):
    """A method with parameters, or the name of a task's reference."""

    name: str
    entry: Entry | None = None
    params: dict[str, Any] = {}
    given: bool = False


def make_plan(request: Request, registry: Registry) -> Plan:
    """Return the plan of a request.

    Raises:
        UsageError: a name, parameter or seed is wrong. NothingSelected: nothing fits. PluginError:
            a track is claimed twice.
    """
    tasks = list(_tasks(request, registry))
    # of two tracks of one name, methods would run on each other's tasks
    registry.track_cards({entry.track for entry, _ in tasks})
    refuse_mismatch(request.methods, request.tasks, request.track, registry)
    solvers = list(_solvers(request, registry, {entry.track for entry, _ in tasks}))
    plan, taken = Plan([], []), set[tuple[str, ...]]()
    for (task, call), solver in itertools.product(tasks, solvers):
        if solver.entry is not None and solver.entry.track != task.track:
            continue
        _pair(request, registry, task, call, solver, plan, taken)
    if not plan.cells and not plan.not_run:
        raise NothingSelected(
            "no method and task that fit each other were selected; 'bench list methods' and "
            "'bench list tasks' show the tracks and presets."
        )
    return plan


def _tasks(request: Request, registry: Registry) -> Iterable[tuple[Entry, dict[str, list[str]]]]:
    names = request.tasks or (("*",) if request.track or request.all or request.methods else ())
    if not names:
        raise UsageError(
            "say what to run: --method NAME and --task NAME, --track NAME, --suite NAME, or --all."
        )
    if request.track is not None and request.track not in registry.tracks():
        raise UsageError(
            f"unknown track {request.track!r}.{near(request.track, registry.tracks())} The "
            f"tracks: {', '.join(registry.tracks())}."
        )
    if (
        not request.tasks
        and request.track is not None
        and all(entry.track != request.track for entry in registry.rows("task"))
    ):
        raise NothingSelected(
            f"no plugin brings a task of the track {request.track!r}, so there is nothing to run "
            "its methods on; load one with --plugins."
        )
    seen = set()
    for text in names:
        name, given = split_call(text)
        for entry in registry.select("task", name, request.track, "--task"):
            if (entry.identity, str(given)) not in seen:
                seen.add((entry.identity, str(given)))
                if not request.tasks and request.preset not in task_card(entry).presets:
                    continue
                yield entry, given


def _solvers(request: Request, registry: Registry, tracks: set[str]) -> Iterable[_Solver]:
    references = {
        (task.track, reference.name)
        for task in registry.rows("task")
        if task.track in tracks
        for reference in task_card(task).references
        if reference.solve
    }
    seen = set()
    for text in request.methods or ("*",):
        name, given = split_call(text)
        short = name.rpartition("/")[2]
        named = sorted({item for track, item in references if name in (item, f"{track}/{item}")})
        wanted = sorted({item for _, item in references}) if name == "*" else named
        try:
            entries = [
                entry
                for entry in registry.select("method", name, request.track, "--method")
                if entry.track in tracks or request.tasks
            ]
        except UsageError:
            if not wanted:
                raise
            entries = []
        if given and wanted and not entries:
            raise ParameterError(
                f"the reference {short!r} has no parameters; write {short!r} alone."
            )
        for entry in entries:
            for params in _expand(entry, given):
                if (key := (entry.identity, str(sorted(params.items())))) not in seen:
                    seen.add(key)
                    yield _Solver(name=entry.name, entry=entry, params=params, given=bool(given))
        for item in wanted:
            if ("reference", item) not in seen:
                seen.add(("reference", item))
                yield _Solver(name=item)


def _expand(entry: Entry, given: dict[str, list[str]]) -> Iterable[dict[str, Any]]:
    """Yield the resolved parameters of every combination of alternatives, ``lam=1|3``."""
    for name in given:
        if name not in entry.params:
            resolve(entry.name, entry.params, {name: None})
    for values in itertools.product(*given.values()):
        parsed = {
            name: parse_value(entry.name, name, entry.params[name], text)
            for name, text in zip(given, values, strict=True)
        }
        yield resolve(entry.name, entry.params, parsed)


def _pair(
    request: Request,
    registry: Registry,
    task: Entry,
    call: dict[str, list[str]],
    solver: _Solver,
    plan: Plan,
    taken: set[tuple[str, ...]],
) -> None:
    """Add the cells of a method on a task to the plan; ``taken`` holds what is in it already."""
    card = task_card(task)
    preset = _preset(request, task, card)
    reference = next((item for item in card.references if item.name == solver.name), None)
    if solver.entry is None and (reference is None or not reference.solve):
        return
    if not request.methods and reference is None and unnamed(preset, solver.name):
        note = only_named(task.name, request.preset, preset)
        plan.notes += [] if note in plan.notes else [note]
        return

    def skip(status: str, reason: str) -> None:
        plan.not_run.append(
            NotRun(
                track=task.track, method=solver.name, task=task.name, status=status, reason=reason
            )
        )

    if reason := unavailable(registry, task, solver.entry):
        return skip("unavailable", reason)
    if solver.entry and method_card(solver.entry).inputs == "pictures" and card.inputs == "table":
        return skip("not_applicable", f"{solver.name} takes pictures, and {task.name} has a table")
    needs = method_card(solver.entry).needs if solver.entry else ()
    for need in needs:
        if need not in card.offers:
            return skip(
                "not_applicable", f"{solver.name} needs {need!r}, which {task.name} does not offer"
            )
    found, said = variants(task, request.preset, request.variants, call)
    plan.notes += [sentence for sentence in said if sentence not in plan.notes]
    for variant, params, custom in found:
        if (
            row := (task.identity, variant, solver.name, str(sorted(solver.params.items())))
        ) in taken:
            continue  # asked for by another name already
        taken.add(row)
        unmet = [
            need
            for need in needs
            if any(params.get(name) != value for name, value in card.offers[need].items())
        ]
        if unmet:
            skip(
                "not_applicable",
                f"{solver.name} needs {unmet[0]!r}, which {task.name} does not offer in variant "
                f"{variant}",
            )
            continue
        other = solver.entry is not None and bool(
            changed(solver.name, solver.entry.params, solver.params)
        )
        for seed in parse_seeds(request.seeds, preset.seeds):
            spec = RunSpec(
                track=task.track,
                method=solver.name,
                params=solver.params,
                task=task.name,
                task_params=params,
                preset=request.preset,
                variant=variant,
                seed=seed,
                device=request.device,
                form="stacked" if solver.entry and method_card(solver.entry).stacked else "single",
            )
            plan.cells.append(
                Cell(
                    spec=spec,
                    method=solver.entry,
                    task=task,
                    reference=reference.kind if reference else "",
                    solve=reference.solve if reference and solver.entry is None else "",
                    peeks=solver.entry is None,
                    custom=custom or other,
                    timeout=preset.timeout,
                )
            )


def _preset(request: Request, task: Entry, card: TaskCard) -> Preset:
    if request.preset not in card.presets:
        raise UsageError(
            f"{task.name} has no preset {request.preset!r} (from "
            f"--preset).{near(request.preset, card.presets)} Its presets: "
            f"{', '.join(card.presets)}."
        )
    return card.presets[request.preset]
