"""Runs on the machines of a Ray cluster: one agent a node, which holds a fork server and as many
places as the node has room for.

Only names and JSON are exchanged. The driver alone writes records; nodes come and go, and what a
lost one ran is run elsewhere.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from bench.errors import EnvironmentFault
from bench.executors import Ended, Notice
from bench.executors.interrupts import CUT_OFF, Interrupts
from bench.executors.node_agent import AgentMessage, ended_of, read_messages
from bench.executors.payload import pack, targets
from bench.executors.ray_agents import LISTEN, Agent, RayAgents
from bench.executors.ray_cluster import RayCluster, connected, first_line
from bench.executors.slots import Slots
from bench.plugins.index import Index
from bench.plugins.source import Target
from bench.runs.spec import Job
from bench.texts import encode

_PAUSE = 0.2


class RayExecutor:
    """Gives jobs to node agents, as many at a time as they have places: what
    is not running yet stays where it comes from.
    """

    enforces_limits = True

    def __init__(
        self, options: RayCluster, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> None:
        self._options, self._slots, self._say = options, slots, say
        self._ray = connected(options.address)
        self._agents = RayAgents(self._ray, options, preload, say)
        self._again: deque[Job] = deque()
        self._lost_at: dict[str, list[str]] = {}
        self._packs: dict[str, Any] = {}
        self._names: dict[tuple[Target, ...], str] = {}
        self._index = Index()

    def run(self, jobs: Iterator[Job | None], notice: Notice) -> Iterator[Ended]:
        """Run every job and yield each as it ends. Leaving the loop early kills what still runs."""
        try:
            with Interrupts(self._say) as interrupts:
                first = self._first(jobs, interrupts)
                if first is not None:
                    self._again.append(first)
                    self._agents.kind = (
                        first.specs[0].device,
                        first.limits.per_gpu,
                        first.limits.memory,
                    )
                    yield from self._serve(jobs, interrupts, notice)
                if interrupts.asked:
                    raise KeyboardInterrupt
        finally:
            self._agents.dismiss()

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
                self._agents.look()
                more = self._fill(jobs, more)
                yield from self._hopeless()
            if not any(agent.running for agent in self._agents.by_node.values()) and (
                interrupts.asked or not (more or self._again)
            ):
                return
            found = self._hear(notice)
            if found and not interrupts.asked:
                # before whoever takes the results spends time on them
                more = self._fill(jobs, more)
            yield from found

    def _hopeless(self) -> Iterator[Ended]:
        """Give up where no node is left that could run anything, and none came for a while."""
        why = self._agents.hopeless()
        if not why:
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
        raise EnvironmentFault(
            f"no node of the Ray cluster can run anything: {why}; see 'ray status'."
        )

    # Jobs ------------------------------------------------------------------------------

    def _fill(self, jobs: Iterator[Job | None], more: bool) -> bool:
        """Send out what there is room for; return whether ``jobs`` may have more."""
        while (agent := self._agents.free()) is not None and (
            place := self._slots.take()
        ) is not None:
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

    def _other(self, agent: Agent) -> Job | None:
        """Return a job that a lost node left, not for the node that lost it if there is another."""
        for job in self._again:
            if len(self._agents.by_node) == 1 or agent.node not in self._lost_at.get(job.id, ()):
                self._again.remove(job)
                return job
        return None

    def _send(self, agent: Agent, job: Job, place: str) -> None:
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
        by_reference = {agent.hearing: agent for agent in self._agents.by_node.values()}
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

    def _taken(self, agent: Agent, notice: Notice) -> Iterator[Ended]:
        try:
            found = read_messages(self._ray.get(agent.hearing))
        except self._ray.exceptions.RayError as error:
            yield from self._lost(agent, first_line(error))
            return
        agent.ready = True
        for said in found:
            if said.broken:
                self._agents.failures[agent.node] = self._options.tries
                yield from self._lost(agent, said.broken)
                return
            if said.progress is not None:
                notice(said.id, said.progress)
            if said.ended and said.id in agent.running:
                yield self._ended(agent, said)
        agent.hearing = agent.actor.hear.remote(LISTEN)

    def _ended(self, agent: Agent, said: AgentMessage) -> Ended:
        job, place, _ = agent.running.pop(said.id)
        self._slots.give_back(place)
        self._lost_at.pop(job.id, None)
        return ended_of(said, job)

    def _lost(self, agent: Agent, reason: str) -> Generator[Ended, None, None]:
        """See to the jobs of a node that was lost: each goes elsewhere, up to a bound."""
        self._agents.lose(agent, reason)
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
        running = [
            item for agent in self._agents.by_node.values() for item in agent.running.values()
        ]
        self._agents.dismiss()
        for job, place, since in running:
            self._slots.give_back(place)
            yield Ended(
                job=job,
                results=None,
                status="interrupted",
                message=CUT_OFF,
                seconds=time.monotonic() - since,
            )


class Ray(RayCluster, frozen=True, kw_only=True):
    """What runs on the machines of a Ray cluster."""

    def executor(
        self, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> RayExecutor:
        """Return the executor."""
        return RayExecutor(self, slots, preload, say)
