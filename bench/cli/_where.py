"""Where runs run, and the limits that the options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.executors.configs import ExecutorConfig
    from bench.runs.limits import Limits


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where runs run, how many at a time, and within which limits; the
    fields are options of ``bench run``.
    """

    executor: str = "local"
    device: str = "auto"
    jobs: int | None = None
    timeout: float | None = None
    cpu_time: float | None = None
    memory: str | None = None
    gpu_memory: str | None = None
    per_gpu: int = 1
    flops: bool | None = None
    """Whether operations are counted; None: unless ``BENCH_FLOPS`` is 0."""


def limits_of(where: Where, machines: ExecutorConfig, jobs: int) -> Limits:
    """Return the limits of one run that the options ask for."""
    from bench.runs.limits import Limits, parse_size

    default = machines.memory(jobs)
    memory = default if where.memory is None else parse_size(where.memory, "--memory")
    if where.memory is not None and default is None and memory is None:
        raise UsageError(
            f"--memory got {where.memory!r}, but runs on other machines are always limited; give "
            "a size, or leave it out for an even share of the machine."
        )
    gpu_memory = None if where.gpu_memory is None else parse_size(where.gpu_memory, "--gpu-memory")
    return Limits(
        wall=where.timeout,
        cpu=where.cpu_time,
        memory=memory,
        gpu_memory=gpu_memory,
        per_gpu=where.per_gpu,
    )


def limit_words(where: Where, limits: Limits) -> tuple[str, ...]:
    """Return the options that give a run of another command the limits of this one; a share of the
    memory depends on how many run beside it.
    """
    given = {
        "--timeout": limits.wall,
        "--cpu-time": limits.cpu,
        "--gpu-memory": limits.gpu_memory,
        "--per-gpu": where.per_gpu if where.per_gpu > 1 else None,
    }
    words = [
        word
        for name, value in given.items()
        if value is not None
        for word in (name, f"{value:.12g}" if isinstance(value, float) else str(value))
    ]
    if where.memory is not None or (where.jobs is not None and limits.memory is not None):
        words += ["--memory", "none" if limits.memory is None else str(limits.memory)]
    return tuple(words)
