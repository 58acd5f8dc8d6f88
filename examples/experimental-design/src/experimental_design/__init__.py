"""What this package registers with datacentric-bench: a track of its own,
with a dataset, a task and three methods.
"""

from __future__ import annotations

from collections.abc import Callable

from bench import hookimpl


@hookimpl
def bench_tracks(register: Callable[[str], None]) -> None:
    """Register the module that holds the card of the track; files are
    read, and not imported until a run needs them.
    """
    register("experimental_design.track")


@hookimpl
def bench_datasets(register: Callable[[str], None]) -> None:
    """Register the dataset."""
    register("experimental_design.auto_mpg")


@hookimpl
def bench_tasks(register: Callable[[str], None]) -> None:
    """Register the task."""
    register("experimental_design.label_cars")


@hookimpl
def bench_methods(register: Callable[[str], None]) -> None:
    """Register the methods."""
    for name in ("random", "max_variance", "ted"):
        register(f"experimental_design.methods.{name}")
