"""A Slurm cluster: what it is asked for, what its nodes compute with, and how it is reached."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bench.digests import digest
from bench.errors import EnvironmentFault, UsageError
from bench.executors.configs import ExecutorConfig, need
from bench.executors.slots import Slots
from bench.executors.slurm_task import EnvironmentQuery
from bench.plugins.cache_folder import cache_folder
from bench.runs import provenance

_POLL = 0.5
_SERVER = 2.0
"""GiB of a fork server with torch in it."""
_ASKED = 600.0
"""Seconds in which a node must answer."""


class SlurmCluster(ExecutorConfig, frozen=True, kw_only=True):
    """The nodes of a Slurm cluster, and what is asked of Slurm for them."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    """A feature that the nodes must have: nodes of one kind share keys."""
    gpus: Annotated[int, Meta(ge=0)] = 0
    """GPUs of an array task; so many runs at a time, times ``--per-gpu``."""
    cpus: Annotated[int, Meta(ge=1)] = 1
    """CPUs of an array task; so many runs at a time where there is no GPU."""
    minutes: Annotated[float, Meta(gt=0)] | None = None
    """Limit of an array task; none: what its runs may take, and five minutes."""
    batch: Annotated[int, Meta(ge=1)] = 8
    """Jobs of an array task."""
    window: Annotated[int, Meta(ge=1)] = 256
    """Array tasks in the queue at a time."""
    tries: Annotated[int, Meta(ge=1)] = 3
    """Times that an array task may reach its limit, or be lost under a run,
    before the run is recorded as that.
    """
    cluster: Literal["slurm", "local", "debug"] = "slurm"
    """``local`` and ``debug`` are submitit's own, to try it without Slurm."""

    def device(self, wish: str) -> str:
        """Return ``cpu`` or ``cuda``; ``auto`` is what was asked of Slurm."""
        if wish == "cuda" and not self.gpus:
            raise UsageError("--device cuda needs GPUs from Slurm; give slurm[gpus=1].")
        return (
            "cuda"
            if self.gpus and wish in ("auto", "cuda")
            else super().device("cpu" if wish == "auto" else wish)
        )

    def environment(self, device: str, libraries: Iterable[str]) -> dict[str, Any]:
        """Ask a node, once: the answer is kept in the cache until something is installed here."""
        if self.cluster != "slurm":
            return provenance.environment(device, libraries)
        file = (
            cache_folder().resolve()
            / "slurm"
            / f"{digest([self.values(), device, provenance.inventory('cpu')])}.json"
        )
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            job = self.submitter(file.parent / "jobs", 10, None).submit(
                EnvironmentQuery(), str(file), device
            )
            patience = time.monotonic() + _ASKED
            while not file.is_file():
                if job.done() or time.monotonic() > patience:
                    job.cancel(check=False)
                    raise EnvironmentFault(
                        f"no node of Slurm said what it computes with; see {job.paths.stderr}, "
                        "and 'squeue'."
                    )
                time.sleep(_POLL)
        return provenance.selected(
            msgspec.json.decode(file.read_bytes(), type=dict[str, Any]), libraries
        )

    def places(self, device: str, jobs: int | None, per_gpu: int) -> tuple[Slots, int]:
        """Return where runs may run at a time: the window, unless ``jobs`` says less."""
        count = min(jobs or self.window * self.at_a_time(device, per_gpu), 1 << 16)
        return Slots(count), count

    def at_a_time(self, device: str, per_gpu: int) -> int:
        """Return how many runs at a time an array task runs."""
        return self.gpus * per_gpu if device == "cuda" else self.cpus

    def memory(self, jobs: int) -> int | None:
        """Leave it to the nodes."""
        return None

    def submitter(self, folder: Path, minutes: float, memory: int | None) -> Any:
        """Return submitit's executor for array tasks of this kind.

        Raises:
            EnvironmentFault: submitit or Slurm is not there.
        """
        submitit = need("submitit", "slurm")
        try:
            made = submitit.AutoExecutor(
                folder=folder,
                cluster=self.cluster,
                slurm_max_num_timeout=self.tries - 1,
                local_max_num_timeout=self.tries - 1,
            )
        except (RuntimeError, TypeError, ValueError) as error:
            raise EnvironmentFault(
                f"Slurm can't be used here ({error}); start bench on a login node, or try "
                "slurm[cluster=local]."
            ) from None
        wanted: dict[str, Any] = {
            "name": "bench",
            "timeout_min": math.ceil(minutes),
            "cpus_per_task": self.cpus,
        }
        wanted |= {"gpus_per_node": self.gpus} if self.gpus else {}
        wanted |= {"mem_gb": math.ceil(memory / 2**30 + _SERVER)} if memory else {}
        given = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
        }
        wanted |= {f"slurm_{name}": value for name, value in given.items() if value is not None}
        made.update_parameters(
            slurm_array_parallelism=self.window,
            slurm_additional_parameters={"requeue": True},
            **wanted,
        )
        return made
