"""What ``bench run --suite`` runs: the cells that a suite declares, as one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from bench.cli._board import leaderboard_rooms
from bench.errors import NothingSelected, PluginError, UsageError, near
from bench.params import split_call

if TYPE_CHECKING:
    from bench.plugins.registry import Registry
    from bench.runs.plan import Plan, Request


def declared(registry: Registry, name: str, plugins: Iterable[str]) -> dict[str, Any]:
    """Return what a suite declares to run.

    Raises:
        UsageError: there is no such suite, or its file can't be used.
    """
    found: dict[str, Any] | None = registry.manager.hook.bench_suite(
        options={"suite": name, "suite_folders": leaderboard_rooms(plugins)}
    )
    if found is None:
        raise PluginError(
            "no plugin reads suites; the built-in board is missing from this installation. Install "
            "datacentric-bench again."
        )
    return found


def suite_plan(suite: Mapping[str, Any], request: Request, registry: Registry) -> Plan:
    """Return the plan of the cells that a suite declares.

    Of the request, ``track``, ``tasks``, ``methods`` and ``variants`` take a part of them, and
    ``seeds`` the place of the suite's. A ``preset`` other than the default takes the place of the
    suite's too, with all its variants and its number of seeds; a task without it is left out.

    Raises:
        UsageError: the suite has no such track, task or variant, or a name is wrong.
            NothingSelected: nothing fits.
    """
    from bench.runs.plan import Plan, make_plan

    plan = Plan([], [])
    for task in _chosen(suite, request):
        other = request.preset not in ("default", task["preset"])
        own = _presets(task, registry).get(request.preset) if other else task["variants"]
        if own is None:
            plan.notes.append(
                f"{task['task']} has no preset {request.preset!r} and is left out; its presets: "
                f"{', '.join(_presets(task, registry))}."
            )
            continue
        variants = tuple(name for name in own if name in (request.variants or own))
        methods = _methods(task, request.methods, registry)
        if not variants or methods is None:
            continue
        part = make_plan(
            msgspec.structs.replace(
                request,
                methods=methods,
                tasks=(f"{task['track']}/{task['task']}",),
                track=task["track"],
                preset=request.preset if other else task["preset"],
                variants=variants,
                seeds=request.seeds or (None if other else str(suite["seeds"])),
            ),
            registry,
        )
        plan.cells += part.cells
        plan.not_run += part.not_run
        plan.notes += [note for note in part.notes if note not in plan.notes]
    if not plan.cells and not plan.not_run:
        raise NothingSelected(
            f"the suite {suite['name']} declares no such runs; 'bench run --suite {suite['name']} "
            "--dry-run' lists those it does."
        )
    return plan


def _presets(task: Mapping[str, Any], registry: Registry) -> dict[str, list[str]]:
    """Return the variants of each preset of a suite's task."""
    from bench.plugins.registry import task_card

    card = task_card(registry.get("task", f"{task['track']}/{task['task']}"))
    return {name: list(preset.variants) for name, preset in card.presets.items()}


def _chosen(suite: Mapping[str, Any], request: Request) -> list[Mapping[str, Any]]:
    """Return the suite's tasks that the request names."""
    from bench.plugins.registry import fits

    if request.all:
        raise UsageError("--suite and --all name two sets of runs; leave one of them out.")
    tracks = list(dict.fromkeys(task["track"] for task in suite["tasks"]))
    if request.track is not None and request.track not in tracks:
        raise UsageError(
            f"the suite {suite['name']} has no track {request.track!r}."
            f"{near(request.track, tracks)} Its tracks: {', '.join(tracks)}."
        )
    found = [task for task in suite["tasks"] if request.track in (None, task["track"])]
    if not request.tasks:
        return found
    names = {f"{task['track']}/{task['task']}": task for task in found}
    wanted: dict[str, Mapping[str, Any]] = {}
    for text in request.tasks:
        name, given = split_call(text)
        if given:
            raise UsageError(
                f"a suite runs its tasks as it declares them, so {text!r} (from --task) can't have "
                "parameters; leave the brackets or --suite out."
            )
        if not (fitting := [identity for identity in names if fits(identity, name)]):
            known = [task["task"] for task in found]
            raise UsageError(
                f"the suite {suite['name']} has no task {name!r} (from --task).{near(name, known)} "
                f"Its tasks: {', '.join(known)}."
            )
        wanted |= {identity: names[identity] for identity in fitting}
    return list(wanted.values())


def _methods(
    task: Mapping[str, Any], asked: Sequence[str], registry: Registry
) -> tuple[str, ...] | None:
    """Return the methods to run on a task; None: none of those asked for is of its track."""
    from bench.runs.track_mismatch import tracks_of

    if not asked:
        # the board waits for all, whatever a preset names
        return tuple(task["methods"]) or ("*",)
    kept = tuple(
        text for text in asked if task["track"] in tracks_of("method", text, None, registry)
    )
    return kept or None
