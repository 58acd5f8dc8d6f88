"""Runs on the machines of a Ray cluster: one agent a node, which holds a fork server and as many
places as the node has room for.

Only names and JSON are exchanged. The driver alone writes records; nodes come and go, and what a
lost one ran is run elsewhere.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from bench.errors import EnvironmentFault
from bench.executors import Ended, Notice
from bench.executors.interrupts import CUT_OFF, Interrupts
from bench.executors.node_agent import AgentMessage, NodeAgent, ended_of, read_messages
from bench.executors.payload import pack, targets
from bench.executors.ray_cluster import Ray, connected, first_line
from bench.executors.slots import Slots
from bench.plugins.index import Index
from bench.plugins.source import Target
from bench.runs.spec import Job
from bench.texts import encode

_LOOK = 2.0
"""Seconds between two looks at which nodes there are."""
_PATIENCE = 60.0
"""Seconds without any node before it is given up."""
_LISTEN = 5.0
"""Seconds for which an agent is listened to at a time."""
_END = 20.0
"""Seconds that agents have to end."""
_PAUSE = 0.2


class _Agent(msgspec.Struct):
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


class RayExecutor:
    """Gives jobs to node agents, as many at a time as they have places: what
    is not running yet stays where it comes from.
    """

    enforces_limits = True

    def __init__(
        self, options: Ray, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> None:
        self._options, self._slots, self._preload, self._say = options, slots, list(preload), say
        self._ray = connected(options.address)
        self._agents: dict[str, _Agent] = {}
        self._again: deque[Job] = deque()
        self._lost_at: dict[str, list[str]] = {}
        self._failures: Counter[str] = Counter()
        self._reason = ""
        self._packs: dict[str, Any] = {}
        self._names: dict[tuple[Target, ...], str] = {}
        self._index = Index()
        self._said: set[str] = set()
        self._looked, self._hopeful = 0.0, time.monotonic()
        self._kind: tuple[str, int, int | None] = ("cpu", 1, None)

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each as it ends. Leaving the loop early kills what still runs."""
        try:
            with Interrupts(self._say) as interrupts:
                first = self._first(jobs, interrupts)
                if first is not None:
                    self._again.append(first)
                    self._kind = (first.specs[0].device, first.limits.per_gpu, first.limits.memory)
                    yield from self._serve(jobs, interrupts, notice)
                if interrupts.asked:
                    raise KeyboardInterrupt
        finally:
            self._dismiss()

    def _first(self, jobs: Iterator[Job | None], interrupts: Interrupts) -> Job | None:
        """Return the first job: all are of one kind, and it says how much room a run needs.

        None: there is none.
        """
        for job in jobs:
            if job is not None or interrupts.asked:
                return job
            time.sleep(_PAUSE)
        return None

    def _serve(
        self, jobs: Iterator[Job | None], interrupts: Interrupts, notice: Notice
    ) -> Iterator[Ended]:
        more = True
        while True:
            if interrupts.due:
                yield from self._cut_off()
            if not interrupts.asked:
                self._look()
                more = self._fill(jobs, more)
                yield from self._hopeless()
            if not any(agent.running for agent in self._agents.values()) and (
                interrupts.asked or not (more or self._again)
            ):
                return
            found = self._hear(notice)
            if found and not interrupts.asked:
                # before whoever takes the results spends time on them
                more = self._fill(jobs, more)
            yield from found

    # Nodes ---------------------------------------------------------------------------

    def _look(self) -> None:
        """See which nodes there are, and open an agent on each that has room."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        device, per_gpu, memory = self._kind
        for node in self._ray.nodes():
            identity = node["NodeID"]
            places = (
                self._options.room(node["Resources"], device, per_gpu, memory)
                if node["Alive"]
                else 0
            )
            if (
                places
                and identity not in self._agents
                and self._failures[identity] < self._options.tries
            ):
                self._open(identity, node["NodeManagerHostname"], places)
        for agent in self._agents.values():
            if not agent.ready and self._looked - agent.since > _PATIENCE / 2:
                self._tell(
                    f"the node {agent.name} has no room for an agent yet: it is wanted for "
                    f"{agent.places} runs at a time; see 'ray status'."
                )

    def _open(self, node: str, name: str, places: int) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device, per_gpu, memory = self._kind
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
        self._agents[node] = _Agent(
            node, name, places, actor, actor.hear.remote(_LISTEN), time.monotonic()
        )

    def _hopeless(self) -> Iterator[Ended]:
        """Give up where no node is left that could run anything, and none came for a while."""
        if self._agents:
            self._hopeful = time.monotonic()
            return
        usable = [
            node
            for node in self._ray.nodes()
            if node["Alive"] and self._failures[node["NodeID"]] < self._options.tries
        ]
        if usable and time.monotonic() - self._hopeful < _PATIENCE:
            return
        for job in self._again:
            if job.id in self._lost_at:
                yield Ended(
                    job=job,
                    results=None,
                    status="crashed",
                    message="the node that ran it was lost, and no other one came",
                )
        self._again.clear()
        cpus, gpu = self._options.cpus, " and a GPU" if self._kind[0] == "cuda" else ""
        why = self._reason or f"none offers {cpus:g} CPUs{gpu} and the memory of a run"
        raise EnvironmentFault(
            f"no node of the Ray cluster can run anything: {why}; see 'ray status'."
        )

    # Jobs ------------------------------------------------------------------------------

    def _fill(self, jobs: Iterator[Job | None], more: bool) -> bool:
        """Send out what there is room for; return whether ``jobs`` may have more."""
        while (agent := self._free()) is not None and (place := self._slots.take()) is not None:
            job = self._other(agent)
            if job is None and more:
                try:
                    job = next(jobs)
                except StopIteration:
                    more = False
            if job is None:
                self._slots.give_back(place)
                return more
            self._send(agent, job, place)
        return more

    def _free(self) -> _Agent | None:
        """Return the agent with the most free places."""
        found = max(
            self._agents.values(),
            key=lambda agent: agent.ready * (agent.places - len(agent.running)),
            default=None,
        )
        return (
            found
            if found is not None and found.ready and len(found.running) < found.places
            else None
        )

    def _other(self, agent: _Agent) -> Job | None:
        """Return a job that a lost node left, not for the node that lost it if there is another."""
        for job in self._again:
            if len(self._agents) == 1 or agent.node not in self._lost_at.get(job.id, ()):
                self._again.remove(job)
                return job
        return None

    def _send(self, agent: _Agent, job: Job, place: str) -> None:
        homes = {
            root: self._packed(root, job)
            for root in sorted({target.root for target in targets(job) if target.root})
        }
        for name in homes.values():
            if name not in agent.plugins:
                agent.plugins[name] = agent.actor.plugin.remote(name, self._packs[name])
        agent.running[job.id] = (job, place, time.monotonic())
        agent.actor.start.remote(
            encode(job), homes, *(agent.plugins[name] for name in homes.values())
        )

    def _packed(self, root: str, job: Job) -> str:
        """Return the name under which the cluster holds what a job needs of a local plugin."""
        wanted = tuple(target for target in targets(job) if target.root == root)
        if wanted not in self._names:
            data = pack(root, wanted, self._index)
            name = self._names[wanted] = blake2b(data, digest_size=8).hexdigest()
            if name not in self._packs:
                self._packs[name] = self._ray.put(data)
        return self._names[wanted]

    def _hear(self, notice: Notice) -> list[Ended]:
        """Return what ended meanwhile."""
        by_reference = {agent.hearing: agent for agent in self._agents.values()}
        if not by_reference:
            time.sleep(_PAUSE)
            return []
        waiting = list(by_reference)
        if self._ray.wait(waiting, num_returns=1, timeout=0.1)[0]:
            ready = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)[0]
            return [
                ended
                for reference in ready
                for ended in self._taken(by_reference[reference], notice)
            ]
        return []

    def _taken(self, agent: _Agent, notice: Notice) -> Iterator[Ended]:
        try:
            found = read_messages(self._ray.get(agent.hearing))
        except self._ray.exceptions.RayError as error:
            yield from self._lost(agent, first_line(error))
            return
        agent.ready = True
        for said in found:
            if said.broken:
                self._failures[agent.node] = self._options.tries
                yield from self._lost(agent, said.broken)
                return
            if said.progress is not None:
                notice(said.id, said.progress)
            if said.ended and said.id in agent.running:
                yield self._ended(agent, said)
        agent.hearing = agent.actor.hear.remote(_LISTEN)

    def _ended(self, agent: _Agent, said: AgentMessage) -> Ended:
        job, place, _ = agent.running.pop(said.id)
        self._slots.give_back(place)
        self._lost_at.pop(job.id, None)
        return ended_of(said, job)

    def _lost(self, agent: _Agent, reason: str) -> Generator[Ended, None, None]:
        """See to the jobs of a node that was lost: each goes elsewhere, up to a bound."""
        del self._agents[agent.node]
        self._looked = 0.0
        self._failures[agent.node] += 1
        self._reason = f"{agent.name}: {reason}"
        self._tell(
            f"the node {agent.name} was lost with {len(agent.running)} runs, which go elsewhere "
            f"({reason})."
        )
        for job, place, since in agent.running.values():
            self._slots.give_back(place)
            lost_at = self._lost_at.setdefault(job.id, [])
            lost_at.append(agent.node)
            if len(lost_at) < self._options.tries:
                self._again.append(job)
            else:
                del self._lost_at[job.id]
                message = (
                    f"the node that ran it was lost, {len(lost_at)} times (the last: {reason})"
                )
                yield Ended(
                    job=job,
                    results=None,
                    status="crashed",
                    message=message,
                    seconds=time.monotonic() - since,
                )

    # The end ---------------------------------------------------------------------------

    def _cut_off(self) -> Iterator[Ended]:
        running = [item for agent in self._agents.values() for item in agent.running.values()]
        self._dismiss()
        for job, place, since in running:
            self._slots.give_back(place)
            yield Ended(
                job=job,
                results=None,
                status="interrupted",
                message=CUT_OFF,
                seconds=time.monotonic() - since,
            )

    def _dismiss(self) -> None:
        """End every agent with all that it runs."""
        agents = list(self._agents.values())
        self._agents.clear()
        endings = [agent.actor.stop.remote() for agent in agents if agent.ready]
        if endings:
            self._ray.wait(endings, num_returns=len(endings), timeout=_END)
        for agent in agents:
            self._ray.kill(agent.actor)

    def _tell(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._say(message)
