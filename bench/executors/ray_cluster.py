"""Runs on the machines of a Ray cluster: one station a node, which holds a fork server and as many places as the node has room for.

Names and JSON cross the border. The driver alone writes records; nodes come and go, and what a lost one ran is run elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bench.errors import EnvironmentFault
from bench.executors import Ended, Notice
from bench.executors.engines import Engine, need
from bench.executors.interrupts import Interrupts
from bench.executors.luggage import pack, targets
from bench.executors.slots import Slots
from bench.executors.station import Said, Station, ended_of, heard
from bench.plugins.index import Index
from bench.plugins.source import Target
from bench.runs import provenance
from bench.runs.spec import Job

_LOOK = 2.0
"""Seconds between two looks at which nodes there are."""
_PATIENCE = 60.0
"""Seconds without any node before it is given up."""
_LISTEN = 5.0
_END = 20.0
_ALL = 1 << 16


class Ray(Engine, frozen=True, kw_only=True):
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
                raise EnvironmentFault("no node of the Ray cluster has a GPU, so --device cuda can't run; use --device cpu, or add such a node.")
            return "cpu"
        return super().device(wish)

    def environment(self, device: str, libraries: Iterable[str]) -> dict[str, Any]:
        """Ask a node that can run such runs."""
        return provenance.selected(_inventory(self.address, self.cpus, device), libraries)

    def places(self, device: str, jobs: int | None, per_gpu: int) -> tuple[Slots, int]:
        """Return where runs may run at a time: the cluster decides, unless ``jobs`` says less."""
        nodes = connected(self.address).nodes()
        room = sum(self.room(node["Resources"], device, per_gpu, None) for node in nodes if node["Alive"])
        return Slots(jobs or _ALL), min(jobs or _ALL, max(1, room))

    def memory(self, jobs: int) -> int | None:
        """Leave it to the nodes: each gives its runs an even share of what it has."""
        return None

    def room(self, resources: dict[str, float], device: str, per_gpu: int, memory: int | None) -> int:
        """Return how many runs at a time fit on a node."""
        bounds = [resources.get("CPU", 0.0) / self.cpus]
        if device == "cuda":
            bounds.append(int(resources.get("GPU", 0.0)) * per_gpu)
        if memory is not None:
            bounds.append(resources.get("memory", 0.0) / memory)
        return int(min([*bounds, *([self.per_node] if self.per_node is not None else [])]))

    def executor(self, slots: Slots, preload: Sequence[str], say: Callable[[str], None]) -> RayExecutor:
        """Return the executor."""
        return RayExecutor(self, slots, preload, say)


@functools.cache
def _inventory(address: str, cpus: float, device: str) -> dict[str, Any]:
    ray = connected(address)
    ask = ray.remote(provenance.inventory).options(num_cpus=cpus, num_gpus=0.01 if device == "cuda" else 0)
    try:
        found: dict[str, Any] = ray.get(ask.remote(device), timeout=_PATIENCE)
    except ray.exceptions.GetTimeoutError:
        raise EnvironmentFault(f"no node of the Ray cluster had room within {_PATIENCE:g} s; see 'ray status'.") from None
    except ray.exceptions.RayError as error:
        raise EnvironmentFault(f"a node of the Ray cluster can't run bench: {_first_line(error)}; install the same version there.") from None
    return found


def connected(address: str) -> Any:
    """Return the module ``ray``, connected to a cluster until this process ends. A program that is connected already stays where it is.

    Raises:
        EnvironmentFault: Ray is not installed, or no cluster is there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray would do later anyway, and warns of; runs see what we say
    ray = need("ray", "ray")
    if ray.is_initialized():
        return ray
    _reach(address)
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False, include_dashboard=False if address == "local" else None
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise EnvironmentFault(
            f"no Ray cluster answers at {address!r} ({_first_line(error)}); start one with 'ray start --head', or name it with ray[address=HOST:PORT]."
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
                f"no Ray cluster answers at {address!r} ({error}); start one with 'ray start --head', or name it with ray[address=HOST:PORT]."
            ) from None


def _keep_quiet() -> None:
    """Keep Ray from printing pages about a lost node to stdout, which is for results and nothing else; it has no setting for that."""
    with contextlib.suppress(ImportError):
        from ray._private import worker

        worker.print_to_stdstream = lambda *_, **__: None


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
    """Runs jobs at stations, as many at a time as they have places: what is not running yet stays where it comes from."""

    confines = True

    def __init__(self, options: Ray, slots: Slots, preload: Sequence[str], say: Callable[[str], None]) -> None:
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
                if (first := next(jobs, None)) is not None:  # all are of one kind, and it says how much room a run needs
                    self._again.append(first)
                    self._kind = (first.specs[0].device, first.limits.per_gpu, first.limits.memory)
                yield from self._serve(jobs, interrupts, notice)
                if interrupts.asked:
                    raise KeyboardInterrupt
        finally:
            self._dismiss()

    def _serve(self, jobs: Iterator[Job | None], interrupts: Interrupts, notice: Notice) -> Iterator[Ended]:
        more = True
        while True:
            if interrupts.due:
                yield from self._cut_off()
            if not interrupts.asked:
                self._look()
                more = self._fill(jobs, more)
                yield from self._hopeless()
            if not any(post.running for post in self._posts.values()) and (interrupts.asked or not (more or self._again)):
                return
            found = self._hear(notice)
            if found and not interrupts.asked:
                more = self._fill(jobs, more)  # before whoever takes the results spends time on them
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
            places = self._options.room(node["Resources"], device, per_gpu, memory) if node["Alive"] else 0
            if places and identity not in self._posts and self._failures[identity] < self._options.tries:
                self._open(identity, node["NodeManagerHostname"], places)
        for post in self._posts.values():
            if not post.ready and self._looked - post.since > _PATIENCE / 2:
                self._tell(f"the node {post.name} has no room for a station yet: it is wanted for {post.places} runs at a time; see 'ray status'.")

    def _open(self, node: str, name: str, places: int) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        device, per_gpu, memory = self._kind
        gpus = -(-places // per_gpu) if device == "cuda" else 0
        # The methods block in threads of their own: one that listens, the others for jobs and for the end.
        kind = self._ray.remote(Station).options(
            num_cpus=places * self._options.cpus, num_gpus=gpus, memory=places * memory if memory else None, max_restarts=0, max_concurrency=8,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )  # fmt: skip
        station = kind.remote(places, self._preload, os.environ.get("BENCH_CACHE", ""), bool(gpus), per_gpu)
        self._posts[node] = _Post(node, name, places, station, station.hear.remote(_LISTEN), time.monotonic())

    def _hopeless(self) -> Iterator[Ended]:
        """Give up where no node is left that could run anything, and none came for a while."""
        if self._posts:
            self._hopeful = time.monotonic()
            return
        usable = [node for node in self._ray.nodes() if node["Alive"] and self._failures[node["NodeID"]] < self._options.tries]
        if usable and time.monotonic() - self._hopeful < _PATIENCE:
            return
        for job in self._again:
            if job.id in self._lost_at:
                yield Ended(job=job, results=None, status="crashed", message="the node that ran it was lost, and no other one came")
        self._again.clear()
        cpus, gpu = self._options.cpus, " and a GPU" if self._kind[0] == "cuda" else ""
        why = self._reason or f"none offers {cpus:g} CPUs{gpu} and the memory of a run"
        raise EnvironmentFault(f"no node of the Ray cluster can run anything: {why}; see 'ray status'.")

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
        found = max(self._posts.values(), key=lambda post: post.ready * (post.places - len(post.running)), default=None)
        return found if found is not None and found.ready and len(found.running) < found.places else None

    def _other(self, post: _Post) -> Job | None:
        """Return a job that a lost node left, not for the node that lost it if there is another."""
        for job in self._again:
            if len(self._posts) == 1 or post.node not in self._lost_at.get(job.id, ()):
                self._again.remove(job)
                return job
        return None

    def _send(self, post: _Post, job: Job, place: str) -> None:
        homes = {root: self._packed(root, job) for root in sorted({target.root for target in targets(job) if target.root})}
        for name in homes.values():
            if name not in post.plugins:
                post.plugins[name] = post.station.plugin.remote(name, self._packs[name])
        post.running[job.id] = (job, place, time.monotonic())
        post.station.start.remote(msgspec.json.encode(job), homes, *(post.plugins[name] for name in homes.values()))

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
            time.sleep(0.2)
            return []
        waiting = list(by_reference)
        if self._ray.wait(waiting, num_returns=1, timeout=0.1)[0]:
            ready = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)[0]
            return [ended for reference in ready for ended in self._taken(by_reference[reference], notice)]
        return []

    def _taken(self, post: _Post, notice: Notice) -> Iterator[Ended]:
        try:
            found = heard(self._ray.get(post.hearing))
        except self._ray.exceptions.RayError as error:
            yield from self._lost(post, _first_line(error))
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
        self._tell(f"the node {post.name} was lost with {len(post.running)} runs, which go elsewhere ({reason}).")
        for job, place, since in post.running.values():
            self._slots.give_back(place)
            lost_at = self._lost_at.setdefault(job.id, [])
            lost_at.append(post.node)
            if len(lost_at) < self._options.tries:
                self._again.append(job)
            else:
                del self._lost_at[job.id]
                message = f"the node that ran it was lost, {len(lost_at)} times (the last: {reason})"
                yield Ended(job=job, results=None, status="crashed", message=message, seconds=time.monotonic() - since)

    # The end ---------------------------------------------------------------------------

    def _cut_off(self) -> Iterator[Ended]:
        running = [item for post in self._posts.values() for item in post.running.values()]
        self._dismiss()
        for job, place, since in running:
            self._slots.give_back(place)
            message = "it was cut off when the command was interrupted; the same command runs it again"
            yield Ended(job=job, results=None, status="interrupted", message=message, seconds=time.monotonic() - since)

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


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if "Traceback" in str(error) else lines[0]) if lines else type(error).__name__
