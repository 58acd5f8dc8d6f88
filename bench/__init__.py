"""datacentric-bench: a benchmark harness for methods that change which data a model learns from,
and how much of it.

This module holds what a plugin author imports. Names are loaded on first use, so that ``import
bench`` stays quick.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.cards import DatasetCard, MethodCard, Metric, Preset, Reference, TaskCard, TrackCard
    from bench.contracts import Case, Dataset, Method, Outcome, Score, Task, Watched
    from bench.declared import Meta
    from bench.errors import BenchError, BenchWarning, DataUnavailable, InvalidRun, ParameterError
    from bench.notebook import load_results, method, run
    from bench.plugins.hookspecs import hookimpl
    from bench.runs.context import Run, Setup
    from bench.shown import Plugin, Preview, Results

_HOMES = {
    "Meta": "bench.declared",
    "DatasetCard": "bench.cards",
    "MethodCard": "bench.cards",
    "Metric": "bench.cards",
    "Preset": "bench.cards",
    "Reference": "bench.cards",
    "TaskCard": "bench.cards",
    "TrackCard": "bench.cards",
    "Case": "bench.contracts",
    "Dataset": "bench.contracts",
    "Method": "bench.contracts",
    "Outcome": "bench.contracts",
    "Score": "bench.contracts",
    "Task": "bench.contracts",
    "Watched": "bench.contracts",
    "BenchError": "bench.errors",
    "BenchWarning": "bench.errors",
    "DataUnavailable": "bench.errors",
    "InvalidRun": "bench.errors",
    "ParameterError": "bench.errors",
    "hookimpl": "bench.plugins.hookspecs",
    "Plugin": "bench.shown",
    "Preview": "bench.shown",
    "Results": "bench.shown",
    "load_results": "bench.notebook",
    "method": "bench.notebook",
    "run": "bench.notebook",
    "Run": "bench.runs.context",
    "Setup": "bench.runs.context",
}

_GOING: dict[str, tuple[str, str]] = {}
"""Public name that is deprecated -> what to use instead, and the release in which it goes."""

__all__ = [
    "BenchError",
    "BenchWarning",
    "Case",
    "DataUnavailable",
    "Dataset",
    "DatasetCard",
    "InvalidRun",
    "Meta",
    "Method",
    "MethodCard",
    "Metric",
    "Outcome",
    "ParameterError",
    "Plugin",
    "Preset",
    "Preview",
    "Reference",
    "Results",
    "Run",
    "Score",
    "Setup",
    "Task",
    "TaskCard",
    "TrackCard",
    "Watched",
    "__version__",
    "hookimpl",
    "load_results",
    "method",
    "run",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("datacentric-bench")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        if name in _GOING:
            instead, release = _GOING[name]
            warnings.warn(
                f"bench.{name} is deprecated and goes in release {release}; use {instead}.",
                DeprecationWarning,
                stacklevel=2,
            )
        else:  # a deprecated name warns wherever it is used
            globals()[name] = value
        return value
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
