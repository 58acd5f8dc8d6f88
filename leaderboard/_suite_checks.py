"""Where the file of a suite contradicts itself, or the installed cards."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from bench.cards import TaskCard

from ._suite_file import DEFAULT, Fixed, Suite


def contradiction(suite: Suite) -> str:
    if suite.device not in ("cpu", "cuda"):
        return f"its device is {suite.device!r}, it must be cpu or cuda"
    if suite.over_datasets and suite.schema_version == 1:
        return "it says over_datasets, which schema_version 2 knows"
    if problem := _names(suite) or _tiers(suite) or _tuned(suite):
        return problem
    if not 0 < suite.delta < 1:
        return f"it has delta = {suite.delta}, it must lie between 0 and 1"
    for name, track in suite.tracks.items():
        if not track.tasks:
            return f"its track {name!r} has no task"
        if suite.schema_version == 1 and not track.title:
            return (
                f"its track {name!r} has no title, which schema_version 1 wants; "
                "schema_version 2 reads it off the track's card"
            )
        if suite.schema_version > 1 and (track.title or track.about):
            return (
                f"its track {name!r} has a {'title' if track.title else 'line about'}, which "
                "stands on the track's card since schema_version 2; leave it out"
            )
        if len({(task.task, task.preset) for task in track.tasks}) < len(track.tasks):
            return f"its track {name!r} names a task twice"
        for task in track.tasks:
            label = f"its task {name}/{task.task}"
            if not task.variants or len(set(task.variants)) < len(task.variants):
                return f"{label} has no variant, or one twice"
            if len(set(task.methods)) < len(task.methods) or not all(map(str.strip, task.methods)):
                return f"{label} names a method twice, or one without a name"
            if not (task.seconds > 0 and math.isfinite(task.seconds)) or (
                task.visits is not None and task.visits <= 0
            ):
                return f"{label} has a budget that is not above 0"
            if isinstance(task.chance, float) and not math.isfinite(task.chance):
                return f"{label} has a chance that is not finite"
            for kind in ("low", "high"):
                side = (
                    getattr(task, kind) if getattr(task, kind) is not None else getattr(track, kind)
                )
                if side is None:
                    return f"{label} has no {kind} anchor, and neither has its track"
                if isinstance(side, Fixed) and not (math.isfinite(side.value) and side.why.strip()):
                    return (
                        f"{label} has a fixed {kind} anchor that is not finite, or that gives "
                        "no reason"
                    )
            low, high = track.side(task, "low"), track.side(task, "high")
            if (low.value if isinstance(low, Fixed) else low) == (
                high.value if isinstance(high, Fixed) else high
            ):
                return (
                    f"{label} has the same low and high anchor, so that nothing lies between them"
                )
    return "" if suite.tracks else "it has no track"


def _names(suite: Suite) -> str:
    """Say which name can't be part of a file's or of a cell's; empty: none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", suite.name):
        return (
            f"its name {suite.name!r} must be letters, digits, dots, hyphens and underscores, "
            "61 at most, since the file of its anchors is named by it"
        )
    for name, track in suite.tracks.items():
        named = [
            ("track", name),
            *(
                pair
                for task in track.tasks
                for pair in (
                    ("task", task.task),
                    ("preset", task.preset),
                    *(("variant", one) for one in task.variants),
                )
            ),
        ]
        for kind, text in named:
            if not text.strip() or "/" in text:
                return f"it names the {kind} {text!r}; a name is not empty and has no '/'"
    return ""


def _tuned(suite: Suite) -> str:
    if suite.budget:
        return (
            "it says budget at its top, which belongs into tuned = { budget = 8, tracks = [...] }"
        )
    if suite.tuned is None:
        return ""
    if suite.schema_version == 1:
        return "it says tuned, which schema_version 2 knows"
    if not 2 <= suite.tuned.budget <= 1000:
        return f"its tuned board has budget = {suite.tuned.budget}, it must be 2 to 1000 settings"
    strange = [name for name in suite.tuned.tracks if name not in suite.tracks]
    return (
        f"its tuned board names the track {strange[0]!r}, which it has not"
        if strange
        else ""
        if suite.tuned.tracks
        else "its tuned board has no track"
    )


def _tiers(suite: Suite) -> str:
    if suite.tier:
        return f"it names the tier {suite.tier!r}, which is for --tier to say"
    if not suite.tiers:
        return (
            ""
            if 1 <= suite.seeds <= 1000
            else (
                f"it has seeds = {suite.seeds}, it must be 1 to 1000, or tiers like {{ "
                f"nightly = 3, default = 5 }}"
            )
        )
    if suite.schema_version == 1:
        return "it has tiers, which schema_version 2 knows"
    if suite.seeds:
        return "it has seeds and tiers; tiers alone say how many seeds there are"
    for name, seeds in suite.tiers.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            return f"its tier {name!r} is no name of small letters, digits and hyphens"
        if not 1 <= seeds <= 1000:
            return f"its tier {name!r} has {seeds} seeds, it must be 1 to 1000"
    if len(set(suite.tiers.values())) < len(suite.tiers):
        return "two of its tiers have the same number of seeds"
    return "" if DEFAULT in suite.tiers else f"none of its tiers is called {DEFAULT!r}"


def disagreements(suite: Suite, tasks: Mapping[str, TaskCard]) -> list[str]:
    """Say where a suite names what the installed cards do not have."""
    found = []
    for name, track in suite.tracks.items():
        for task in track.tasks:
            identity = f"{name}/{task.task}"
            card = tasks.get(identity)
            if card is None:
                found.append(f"the task {identity} is not installed")
                continue
            variants: Mapping[str, Any] = (
                card.presets[task.preset].variants if task.preset in card.presets else {}
            )
            missing = [variant for variant in task.variants if variant not in variants]
            references = {reference.name for reference in card.references}
            sides = [track.side(task, "low"), track.side(task, "high")]
            missing += [side for side in sides if isinstance(side, str) and side not in references]
            found += [
                f"the task {identity} has no {item!r} in preset {task.preset}" for item in missing
            ]
    return found
