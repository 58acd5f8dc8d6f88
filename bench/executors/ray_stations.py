"""Runs on the machines of a Ray cluster: one station a node, which holds a fork server and as many
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
from bench.executors.luggage import pack, targets
from bench.executors.ray_cluster import Ray, connected, first_line
from bench.executors.slots import Slots
from bench.executors.station import Said, Station, ended_of, heard
from bench.plugins.index import Index
from bench.plugins.source import Target
from bench.runs.spec import Job
from bench.texts import encode

_LOOK = 2.0
"""Seconds between two looks at which nodes there are."""
_PATIENCE = 60.0
"""Seconds without any node before it is given up."""
_LISTEN = 5.0
"""Seconds for which a station is listened to at a time."""
_END = 20.0
"""Seconds that stations have to end."""
_PAUSE = 0.2


class _Post(msgspec.Struct):
    """A node's station as the driver sees it."""

    node: str
    name: str
    places: int
    station: Any
    hearing: Any
    since: float
    ready: bool = False
    running: dict[str, tuple[Job, str, float]] = {}
    """Id -> the job, its place among the driver's slots, when it went out."""
    plugins: dict[str, Any] = {}
    """What it has of local plugins: name -> what says that it has it."""


class RayExecutor:
    """Runs jobs at stations, as many at a time as they have places: what
    is not running yet stays where it comes from.
    """

    confines = True

    def __init__(
        self, options: Ray, slots: Slots, preload: Sequence[str], say: Callable[[str], None]
    ) -> None:
        self._options, self._slots, self._preload, self._say = options, slots, list(preload), say
        self._ray = connected(options.address)
        self._posts: dict[str, _Post] = {}
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
            if not any(post.running for post in self._posts.values()) and (
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
        """See which nodes there are, and open a station on each that has room."""
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
                and identity not in self._posts
                and self._failures[identity] < self._options.tries
            ):
                self._open(identity, node["NodeManagerHostname"], places)
        for post in self._posts.values():
            if not post.ready and self._looked - post.since > _PATIENCE / 2:
                self._tell(
                    f"the node {post.name} has no room for a station yet: it is wanted for "
                    f"{post.places} runs at a time; see 'ray status'."
                )

    def _open(self, node: str, name: str, places: int) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device, per_gpu, memory = self._kind
        gpus = -(-places // per_gpu) if device == "cuda" else 0
        # The methods block in threads of their own: one that listens, the others for jobs and for
        # the end.
        kind = self._ray.remote(Station).options(
            num_cpus=places * self._options.cpus,
            num_gpus=gpus,
            memory=places * memory if memory else None,
            max_restarts=0,
            max_concurrency=8,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        station = kind.remote(
            places, self._preload, os.environ.get("BENCH_CACHE", ""), bool(gpus), per_gpu
        )
        self._posts[node] = _Post(
            node, name, places, station, station.hear.remote(_LISTEN), time.monotonic()
        )

    def _hopeless(self) -> Iterator[Ended]:
        """Give up where no node is left that could run anything, and none came for a while."""
        if self._posts:
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
        while (post := self._free()) is not None and (place := self._slots.take()) is not None:
            job = self._other(post)
            if job is None and more:
                try:
                    job = next(jobs)
                except StopIteration:
                    more = False
            if job is None:
                self._slots.give_back(place)
                return more
            self._send(post, job, place)
        return more

    def _free(self) -> _Post | None:
        """Return the station with the most free places."""
        found = max(
            self._posts.values(),
            key=lambda post: post.ready * (post.places - len(post.running)),
            default=None,
        )
        return (
            found
            if found is not None and found.ready and len(found.running) < found.places
            else None
        )

    def _other(self, post: _Post) -> Job | None:
        """Return a job that a lost node left, not for the node that lost it if there is another."""
        for job in self._again:
            if len(self._posts) == 1 or post.node not in self._lost_at.get(job.id, ()):
                self._again.remove(job)
                return job
        return None

    def _send(self, post: _Post, job: Job, place: str) -> None:
        homes = {
            root: self._packed(root, job)
            for root in sorted({target.root for target in targets(job) if target.root})
        }
        for name in homes.values():
            if name not in post.plugins:
                post.plugins[name] = post.station.plugin.remote(name, self._packs[name])
        post.running[job.id] = (job, place, time.monotonic())
        post.station.start.remote(
            encode(job), homes, *(post.plugins[name] for name in homes.values())
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
        by_reference = {post.hearing: post for post in self._posts.values()}
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

    def _taken(self, post: _Post, notice: Notice) -> Iterator[Ended]:
        try:
            found = heard(self._ray.get(post.hearing))
        except self._ray.exceptions.RayError as error:
            yield from self._lost(post, first_line(error))
            return
        post.ready = True
        for said in found:
            if said.broken:
                self._failures[post.node] = self._options.tries
                yield from self._lost(post, said.broken)
                return
            if said.progress is not None:
                notice(said.id, said.progress)
            if said.ended and said.id in post.running:
                yield self._ended(post, said)
        post.hearing = post.station.hear.remote(_LISTEN)

    def _ended(self, post: _Post, said: Said) -> Ended:
        job, place, _ = post.running.pop(said.id)
        self._slots.give_back(place)
        self._lost_at.pop(job.id, None)
        return ended_of(said, job)

    def _lost(self, post: _Post, reason: str) -> Generator[Ended, None, None]:
        """See to the jobs of a node that was lost: each goes elsewhere, up to a bound."""
        del self._posts[post.node]
        self._looked = 0.0
        self._failures[post.node] += 1
        self._reason = f"{post.name}: {reason}"
        self._tell(
            f"the node {post.name} was lost with {len(post.running)} runs, which go elsewhere "
            f"({reason})."
        )
        for job, place, since in post.running.values():
            self._slots.give_back(place)
            lost_at = self._lost_at.setdefault(job.id, [])
            lost_at.append(post.node)
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
        running = [item for post in self._posts.values() for item in post.running.values()]
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
        """End every station with all that it runs."""
        posts = list(self._posts.values())
        self._posts.clear()
        endings = [post.station.stop.remote() for post in posts if post.ready]
        if endings:
            self._ray.wait(endings, num_returns=len(endings), timeout=_END)
        for post in posts:
            self._ray.kill(post.station)

    def _tell(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._say(message)
