"""Executors by name, with their parameters: ``local``, ``inline``,
``ray[address=auto]``, ``slurm[partition=gpu]``.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.errors import EnvironmentFault, ParameterError, UsageError, near
from bench.executors import Executor
from bench.executors.slots import Slots, usable_gpus
from bench.params import Params, parse_value, split_call
from bench.runs import provenance
from bench.runs.limits import fair_memory

_CONFIGS = {
    "local": "bench.executors.configs:Local",
    "inline": "bench.executors.configs:Inline",
    "ray": "bench.executors.ray_executor:Ray",
    "slurm": "bench.executors.slurm_executor:Slurm",
}


class ExecutorConfig(Params, frozen=True, kw_only=True):
    """An executor's parameters. They say what its machines are, and make it."""

    @classmethod
    def name_of(cls) -> str:
        """Return the name on the command line."""
        return cls.__name__.lower()

    def device(self, wish: str) -> str:
        """Return ``cpu`` or ``cuda`` for ``auto``, ``cpu`` or ``cuda``."""
        return provenance.choose_device(wish)

    def environment(self, device: str, libraries: Iterable[str]) -> dict[str, Any]:
        """Return what of the environment of its machines belongs to the key."""
        return provenance.environment(device, libraries)

    def places(self, device: str, jobs: int | None, per_gpu: int) -> tuple[Slots, int]:
        """Return where runs may run at a time, and how many that are."""
        if device != "cuda":
            jobs = jobs or int(provenance.machine()["cores"] or 1)
            return Slots(jobs), jobs
        gpus = usable_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"))
        jobs = min(jobs or len(gpus) * per_gpu, len(gpus) * per_gpu)
        return Slots(jobs, gpus, per_gpu), jobs

    def memory(self, jobs: int) -> int | None:
        """Return the limit of a run's memory in bytes where the user gives
        none; None: its machines find it.
        """
        return fair_memory(jobs)

    def executor(
        self, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> Executor:
        """Return the executor; see :func:`make_executor`."""
        raise NotImplementedError


class Local(ExecutorConfig, frozen=True, kw_only=True):
    """Processes of this machine, within limits."""

    def executor(
        self, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> Executor:
        """Return the executor."""
        from bench.executors.local import LocalExecutor

        return LocalExecutor(slots, preload, say)


class Inline(ExecutorConfig, frozen=True, kw_only=True):
    """This process, for a debugger."""

    def executor(
        self, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> Executor:
        """Return the executor."""
        from bench.executors.inline import InlineExecutor

        return InlineExecutor()


@functools.cache  # an engine may ask its machines who they are; once is enough
def executor_config(text: str) -> ExecutorConfig:
    """Return the configuration that ``--executor`` names, like ``ray[address=auto]``.

    Raises:
        UsageError: there is none of that name, or a parameter is wrong.
    """
    name, given = split_call(text)
    if name not in _CONFIGS:
        raise UsageError(
            f"unknown executor {name!r} (from --executor).{near(name, _CONFIGS)} The executors "
            f"are {', '.join(_CONFIGS)}."
        )
    module, _, kind = _CONFIGS[name].partition(":")
    found: type[ExecutorConfig] = getattr(importlib.import_module(module), kind)
    schema, values = found.schema(), {}
    for key, texts in given.items():
        if len(texts) > 1:
            raise ParameterError(
                f"{name} got {key}={'|'.join(texts)}; a command runs on one executor, so give one "
                "value."
            )
        values[key] = parse_value(name, key, schema[key], texts[0]) if key in schema else texts[0]
    return found.make(values)


def make_executor(
    text: str, slots: Slots, preload: Sequence[str], say: Callable[[str], None] = lambda _: None
) -> Executor:
    """Return the executor of a name with its parameters.

    Args:
        text: as on the command line, like ``local`` or ``ray[address=auto]``.
        slots: where runs may run at a time.
        preload: what fork servers import.
        say: told what the user should know while runs run.

    Raises:
        UsageError: there is none of that name, or a parameter is wrong.
    """
    return executor_config(text).executor(slots, preload, say)


def need(library: str, name: str) -> Any:
    """Import the library that an executor stands on.

    Raises:
        EnvironmentFault: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise EnvironmentFault(
            f"--executor {name} needs the library {library!r} ({error}); run 'pip install "
            f"datacentric-bench[{name}]'."
        ) from None
