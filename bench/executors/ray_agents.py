"""Node agents of a Ray cluster as the driver sees them: opened where there is room, and ended."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bench.executors.node_agent import NodeAgent
from bench.executors.ray_cluster import RayCluster
from bench.runs.spec import Job

_LOOK = 2.0
"""Seconds between two looks at which nodes there are."""
_PATIENCE = 60.0
"""Seconds without any node before it is given up."""
LISTEN = 5.0
"""Seconds for which an agent is listened to at a time."""
_END = 20.0
"""Seconds that agents have to end."""


class Agent(msgspec.Struct):
    """A node's agent as the driver sees it."""

    node: str
    name: str
    places: int
    actor: Any
    hearing: Any
    since: float
    ready: bool = False
    running: dict[str, tuple[Job, str, float]] = {}
    """Id -> the job, its place among the driver's slots, when it went out."""
    plugins: dict[str, Any] = {}
    """What it has of local plugins: name -> what says that it has it."""


class RayAgents:
    """The agents that are at work, one a node.

    Args:
        ray: the module, connected.
        options: what the cluster is asked for.
        preload: what the fork servers import.
        say: told of nodes that have no room, or are lost.
    """

    def __init__(
        self, ray: Any, options: RayCluster, preload: Sequence[str], say: Callable[[str], None]
    ) -> None:
        self._ray, self._options, self._preload, self._say = ray, options, list(preload), say
        self.by_node: dict[str, Agent] = {}
        self.failures: Counter[str] = Counter()
        self.kind: tuple[str, int, int | None] = ("cpu", 1, None)
        """Device, runs at a time on a GPU and bytes of memory of the runs."""
        self._reason = ""
        self._said: set[str] = set()
        self._looked, self._hopeful = 0.0, time.monotonic()

    def look(self) -> None:
        """See which nodes there are, and open an agent on each that has room."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        device, per_gpu, memory = self.kind
        for node in self._ray.nodes():
            identity = node["NodeID"]
            places = (
                self._options.room(node["Resources"], device, per_gpu, memory)
                if node["Alive"]
                else 0
            )
            if (
                places
                and identity not in self.by_node
                and self.failures[identity] < self._options.tries
            ):
                self._open(identity, node["NodeManagerHostname"], places)
        for agent in self.by_node.values():
            if not agent.ready and self._looked - agent.since > _PATIENCE / 2:
                self._tell(
                    f"the node {agent.name} has no room for an agent yet: it is wanted for "
                    f"{agent.places} runs at a time; see 'ray status'."
                )

    def _open(self, node: str, name: str, places: int) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device, per_gpu, memory = self.kind
        gpus = -(-places // per_gpu) if device == "cuda" else 0
        # The methods block in threads of their own: one that listens, the others for jobs and for
        # the end.
        kind = self._ray.remote(NodeAgent).options(
            num_cpus=places * self._options.cpus,
            num_gpus=gpus,
            memory=places * memory if memory else None,
            max_restarts=0,
            max_concurrency=8,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        actor = kind.remote(
            places, self._preload, os.environ.get("BENCH_CACHE", ""), bool(gpus), per_gpu
        )
        self.by_node[node] = Agent(
            node, name, places, actor, actor.hear.remote(LISTEN), time.monotonic()
        )

    def hopeless(self) -> str:
        """Say why no node is left that could run anything, and none came for a while; empty: one
        is, or may still come.
        """
        if self.by_node:
            self._hopeful = time.monotonic()
            return ""
        usable = [
            node
            for node in self._ray.nodes()
            if node["Alive"] and self.failures[node["NodeID"]] < self._options.tries
        ]
        if usable and time.monotonic() - self._hopeful < _PATIENCE:
            return ""
        cpus, gpu = self._options.cpus, " and a GPU" if self.kind[0] == "cuda" else ""
        return self._reason or f"none offers {cpus:g} CPUs{gpu} and the memory of a run"

    def free(self) -> Agent | None:
        """Return the agent with the most free places."""
        found = max(
            self.by_node.values(),
            key=lambda agent: agent.ready * (agent.places - len(agent.running)),
            default=None,
        )
        return (
            found
            if found is not None and found.ready and len(found.running) < found.places
            else None
        )

    def lose(self, agent: Agent, reason: str) -> None:
        """Note that the node of an agent was lost."""
        del self.by_node[agent.node]
        self._looked = 0.0
        self.failures[agent.node] += 1
        self._reason = f"{agent.name}: {reason}"
        self._tell(
            f"the node {agent.name} was lost with {len(agent.running)} runs, which go elsewhere "
            f"({reason})."
        )

    def dismiss(self) -> None:
        """End every agent with all that it runs."""
        agents = list(self.by_node.values())
        self.by_node.clear()
        endings = [agent.actor.stop.remote() for agent in agents if agent.ready]
        if endings:
            self._ray.wait(endings, num_returns=len(endings), timeout=_END)
        for agent in agents:
            self._ray.kill(agent.actor)

    def _tell(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._say(message)
