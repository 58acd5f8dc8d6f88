"""A Ray cluster: what it has, what its nodes compute with, and how it is reached."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta

from bench.errors import EnvironmentFault
from bench.executors.configs import ExecutorConfig, need
from bench.executors.slots import Slots
from bench.runs import provenance

_ALL = 1 << 16
_PATIENCE = 60.0
"""Seconds in which a node must have room for a question."""


class RayCluster(ExecutorConfig, frozen=True, kw_only=True):
    """The machines of a Ray cluster."""

    address: str = "auto"
    """Where the cluster is: ``auto``, ``HOST:PORT``, or ``local`` for one of this machine alone."""
    cpus: Annotated[float, Meta(gt=0)] = 1.0
    """CPUs that Ray is asked for a run."""
    per_node: Annotated[int, Meta(ge=1)] | None = None
    """Most runs at a time on a node."""
    tries: Annotated[int, Meta(ge=1)] = 3
    """Nodes that may be lost under a run before it is recorded as crashed."""

    def device(self, wish: str) -> str:
        """Return ``cpu`` or ``cuda``; ``auto`` is what the cluster has."""
        if wish in ("auto", "cuda"):
            if connected(self.address).cluster_resources().get("GPU"):
                return "cuda"
            if wish == "cuda":
                raise EnvironmentFault(
                    "no node of the Ray cluster has a GPU, so --device cuda can't run; use "
                    "--device cpu, or add such a node."
                )
            return "cpu"
        return super().device(wish)

    def environment(self, device: str, libraries: Iterable[str]) -> dict[str, Any]:
        """Ask a node that can run such runs."""
        return provenance.selected(_inventory(self.address, self.cpus, device), libraries)

    def places(self, device: str, jobs: int | None, per_gpu: int) -> tuple[Slots, int]:
        """Return where runs may run at a time: the cluster decides, unless ``jobs`` says less."""
        nodes = connected(self.address).nodes()
        room = sum(
            self.room(node["Resources"], device, per_gpu, None) for node in nodes if node["Alive"]
        )
        return Slots(jobs or _ALL), min(jobs or _ALL, max(1, room))

    def memory(self, jobs: int) -> int | None:
        """Leave it to the nodes: each gives its runs an even share of what it has."""
        return None

    def room(
        self, resources: dict[str, float], device: str, per_gpu: int, memory: int | None
    ) -> int:
        """Return how many runs at a time fit on a node."""
        bounds = [resources.get("CPU", 0.0) / self.cpus]
        if device == "cuda":
            bounds.append(int(resources.get("GPU", 0.0)) * per_gpu)
        if memory is not None:
            bounds.append(resources.get("memory", 0.0) / memory)
        return int(min([*bounds, *([self.per_node] if self.per_node is not None else [])]))


def _say_inventory(device: str) -> dict[str, Any]:
    return provenance.inventory(device)


@functools.cache
def _inventory(address: str, cpus: float, device: str) -> dict[str, Any]:
    ray = connected(address)
    ask = ray.remote(_say_inventory).options(
        num_cpus=cpus, num_gpus=0.01 if device == "cuda" else 0
    )
    try:
        found: dict[str, Any] = ray.get(ask.remote(device), timeout=_PATIENCE)
    except ray.exceptions.GetTimeoutError:
        raise EnvironmentFault(
            f"no node of the Ray cluster had room within {_PATIENCE:g} s; see 'ray status'."
        ) from None
    except ray.exceptions.RayError as error:
        raise EnvironmentFault(
            f"a node of the Ray cluster can't run bench: {first_line(error)}; install the same "
            "version there."
        ) from None
    return found


def connected(address: str) -> Any:
    """Return the module ``ray``, connected to a cluster until this process ends.

    A program that is connected already stays where it is.

    Raises:
        EnvironmentFault: Ray is not installed, or no cluster is there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # what Ray would do later anyway, and warns of; runs see what we say
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = need("ray", "ray")
    if ray.is_initialized():
        return ray
    _reach(address)
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
            include_dashboard=False if address == "local" else None,
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise EnvironmentFault(
            f"no Ray cluster answers at {address!r} ({first_line(error)}); start one with 'ray "
            "start --head', or name it with ray[address=HOST:PORT]."
        ) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)  # what a signal means is ours to say
    _keep_quiet()
    return ray


def _reach(address: str) -> None:
    """See that somebody answers at ``HOST:PORT``: Ray itself tries for more than a minute."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise EnvironmentFault(
                f"no Ray cluster answers at {address!r} ({error}); start one with 'ray start "
                "--head', or name it with ray[address=HOST:PORT]."
            ) from None


def _keep_quiet() -> None:
    """Keep Ray from printing pages about a lost node to stdout, which is
    for results and nothing else; it has no setting for that.
    """
    with contextlib.suppress(ImportError):
        from ray._private import worker

        worker.print_to_stdstream = lambda *_, **__: None


def first_line(error: BaseException) -> str:
    """Return what matters of what Ray says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if "Traceback" in str(error) else lines[0]) if lines else type(error).__name__
