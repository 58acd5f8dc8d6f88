"""A small suite with its cards, and made-up records: what a board would be
made of if every method had run.
"""

from __future__ import annotations

import numpy as np

from bench.cards import MethodCard, Metric, Preset, Reference, TaskCard
from bench.digests import digest
from bench.runs.record import Failure, Record

SUITE = """
schema_version = 1
name = "small"
device = "cpu"
seeds = 3
delta = 0.02
[tracks.demo]
title = "Demo"
about = "A demonstration."
low = "null"
high = "oracle"
[[tracks.demo.tasks]]
task = "up"
variants = ["a", "b"]
chance = 10.0
seconds = 60
[[tracks.demo.tasks]]
task = "down"
variants = ["only"]
chance = 0.5
seconds = 60
"""


def card(name, metric, variants, **fields):
    references = (
        Reference(name="null", kind="low"),
        Reference(name="oracle", kind="high", solve="peek"),
    )
    preset = Preset(variants={variant: {} for variant in variants}, seeds=3)
    return TaskCard(
        name=name,
        title=name,
        track="demo",
        metrics=(metric,),
        presets={"default": preset},
        references=references,
        **fields,
    )


TASKS = {
    "demo/up": card("up", Metric(name="acc", primary=True, unit="%"), ("a", "b")),
    "demo/down": card("down", Metric(name="gap", primary=True, direction="min"), ("only",)),
}
CARDS = {
    f"demo/{name}": MethodCard(
        name=name,
        title=f"The {name} method",
        track="demo",
        paper="arXiv:2007.00151",
        claim="It wins.",
        needs=needs,
    )
    for name, needs in (("null", ()), ("m", ()), ("n", ()), ("picky", ("rate",)))
}

ENVIRONMENT = {
    "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
    "threads": 1,
    "cpu_class": "x86_64-avx2",
    "cpu": "A processor",
    "python": "3.11.7",
    "system": "Linux 6",
    "runner": "local",
    "bench_git": {"commit": "0123456789abcdef", "dirty": False},
    "files": {"m": "c"},
}
ENDED = "2026-01-01T00:00:00.000+00:00"


def made_up(
    track,
    task,
    variant,
    method,
    seed,
    metric,
    value,
    *,
    status="ok",
    preset="default",
    code="k",
    **fields,
):
    """Return one record; cell and key follow from its fields, as in a run."""
    fields = {
        "params": {},
        "task_params": {"variant": variant},
        "device": "cpu",
        "cost": {},
        "counters": {},
        **fields,
    }
    cell = digest(
        [
            track,
            task,
            preset,
            variant,
            method,
            seed,
            fields["params"],
            fields["task_params"],
            fields["device"],
        ]
    )
    return Record(
        **{
            "cell": cell,
            "key": digest([cell, code]),
            "track": track,
            "method": method,
            "task": task,
            "preset": preset,
            "variant": variant,
            "seed": seed,
            "dtype": "float32",
            "form": "single",
            "status": status,
            "metrics": {metric: value} if status == "ok" else {},
            "error": None
            if status == "ok"
            else Failure(type="RuntimeError", message="it ran out of luck"),
            "started": ENDED,
            "ended": ENDED,
            "provenance": ENVIRONMENT,
            **fields,
        }
    )


def references(suite, track, task):
    """Return method -> kind of the runs that anchor a task."""
    return {
        side: kind
        for kind in ("low", "high")
        if isinstance(side := suite.tracks[track].side(task, kind), str)
    }


def whole_suite(suite, tasks, methods, seeds=None, curves=0, noise=0.6):
    """Return records of every method of ``methods`` (track -> names) in every cell of the suite.

    A method's quality is drawn once, the tasks shift it, the seeds of a task are shared by all
    methods.
    """
    generator = np.random.default_rng(7)
    found = []
    for track, names in methods.items():
        quality = {name: generator.uniform(0.1, 0.9) for name in names}
        for task, variant, _ in suite.cells(track):
            metric = tasks[f"{track}/{task.task}"].primary
            low, high = (30.0, 90.0) if metric.bounds in (None, (0.0, 100.0)) else (0.1, 0.9)
            low, high = (low, high) if metric.direction == "max" else (high / 2, low / 20)
            kinds = references(suite, track, task)
            shared = generator.normal(0, noise / 20, seeds or suite.seeds)
            for name in sorted({*names, *kinds}):
                kind = kinds.get(name, "")
                centre = {"low": 0.0, "high": 1.0}.get(
                    kind, quality.get(name, 0.5) + generator.normal(0, 0.08)
                )
                visits = int(
                    10 ** (4 + 2 * (digest(name)[0] < "8") * quality.get(name, 0.2))
                    * (1 + int(digest(name)[:2], 16) / 99)
                )
                for seed in range(seeds or suite.seeds):
                    share = float(centre + shared[seed] + generator.normal(0, noise / 30))
                    peeks = kind == "high" and name not in names
                    path = [
                        {
                            "step": step,
                            metric.name: low + (high - low) * share * (1 - 0.9 ** (step + 1)),
                        }
                        for step in range(curves)
                    ]
                    found.append(
                        made_up(
                            track,
                            task.task,
                            variant,
                            name,
                            seed,
                            metric.name,
                            low + (high - low) * share,
                            preset=task.preset,
                            reference=kind,
                            peeks=peeks,
                            curve=path,
                            cost={"solve_s": visits / 2e4, "peak_rss_mb": 300.0},
                            counters={"forward": visits, "backward": visits // 2},
                        )
                    )
    return found
