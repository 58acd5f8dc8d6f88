"""A machine of a cluster at work: the local executor there, fed and heard from afar in JSON."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from bench.executors import Ended, Origin
from bench.executors.local import LocalExecutor
from bench.executors.payload import digests, files_of, localized, put, targets, unpack
from bench.executors.slots import Slots, usable_gpus
from bench.plugins.cache_folder import cache_folder
from bench.plugins.index import Index
from bench.plugins.source import Target
from bench.runs import provenance
from bench.runs.folders import absolute_paths
from bench.runs.limits import Limits, fair_memory
from bench.runs.result import Result
from bench.runs.spec import Job
from bench.texts import decode, encode


class AgentMessage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an agent says of a job: how far it is, or how it ended.

    Of itself: that it is there, or why it is of no use.
    """

    id: str = ""
    progress: float | None = None
    ended: bool = False
    results: list[Result] | None = None
    status: str = ""
    message: str = ""
    log: str = ""
    seconds: float = 0.0
    data: dict[str, dict[str, str]] = {}
    limits: Limits | None = None
    files: list[dict[str, bytes]] = []
    """For each result the files that it names, where the driver can't see
    the folder that they lie in.
    """
    origin: Origin | None = None
    broken: str = ""


def read_messages(data: bytes) -> list[AgentMessage]:
    """Read what an agent said."""
    found: list[AgentMessage] = decode(data, list[AgentMessage])
    return found


def ended_of(said: AgentMessage, job: Job) -> Ended:
    """Return the ending of a job as a driver takes it; files that came
    along are put into the job's folder.
    """
    results = said.results
    if results is not None and said.files:
        results = [
            put(result, files, Path(job.workdir) / f"files-{position}")
            for position, (result, files) in enumerate(zip(results, said.files, strict=True))
        ]
    limits = said.limits if said.limits is not None else job.limits
    return Ended(
        job=msgspec.structs.replace(job, limits=limits),
        results=results,
        status=said.status,
        message=said.message,
        log=said.log,
        seconds=said.seconds,
        data=said.data,
        origin=said.origin,
    )


class NodeAgent:
    """Runs jobs on this machine, ``places`` at a time, with the local executor: the same limits,
    the same endings, the same bits.

    Args:
        places: jobs at a time.
        preload: what the fork server imports.
        cache: the driver's cache folder, if the user named one: a shared path holds artifacts for
            all machines. Where this machine names one itself, that one is used; where nobody does,
            the machine's own.
        gpus: whether runs compute on the GPUs that this process may see.
        per_gpu: runs at a time on each of them.
    """

    def __init__(
        self,
        places: int,
        preload: Sequence[str],
        cache: str = "",
        gpus: bool = False,
        per_gpu: int = 1,
    ) -> None:
        if cache:
            os.environ.setdefault("BENCH_CACHE", cache)
        absolute_paths()
        visible = usable_gpus(os.environ.get("CUDA_VISIBLE_DEVICES")) if gpus else ()
        self._cache, self._share = cache_folder(), fair_memory(places)
        self._index = Index(self._cache)
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-agent-")
        self._plugins: dict[str, Path] = {}
        self._origins: dict[Any, Origin] = {}
        self._away: set[str] = set()
        self._waiting: SimpleQueue[Job] = SimpleQueue()
        self._said: SimpleQueue[AgentMessage] = SimpleQueue()
        self._stopped = False
        self._executor = LocalExecutor(Slots(places, visible, per_gpu), preload)
        self._said.put(AgentMessage())
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def plugin(self, name: str, data: bytes) -> None:
        """Take the packed files of a local plugin, before a job that needs them."""
        try:
            self._plugins[name] = unpack(data, self._cache / "plugins" / name)
        except OSError as error:
            self._said.put(AgentMessage(broken=f"the plugin can't be unpacked there: {error}"))

    def start(self, data: bytes, homes: Mapping[str, str], *_: None) -> None:
        """Take a job.

        Args:
            data: the job.
            homes: the driver's folders of local plugins, and the names under which :meth:`plugin`
                got them.
            _: what had to come before it.
        """
        job = decode(data, Job)
        try:
            self._waiting.put(
                self._localized(job, {root: self._plugins[name] for root, name in homes.items()})
            )
        except Exception as error:  # whatever it is, the driver has to know
            self._said.put(
                AgentMessage(
                    id=job.id,
                    ended=True,
                    status="crashed",
                    message=f"it could not begin there: {type(error).__name__}: {error}",
                )
            )
        self._executor.nudge()

    def hear(self, seconds: float) -> bytes:
        """Return what is to be said, waiting up to some seconds for it."""
        found = []
        try:
            found.append(self._said.get(timeout=seconds))
            while True:
                found.append(self._said.get_nowait())
        except Empty:
            return encode(found)

    def stop(self) -> None:
        """Kill what runs and end."""
        self._stopped = True
        self._executor.stop()
        self._thread.join(timeout=20)
        self._index.save()
        self._scratch.cleanup()

    def _localized(self, job: Job, homes: Mapping[str, Path]) -> Job:
        # the driver has written it, so this is its folder
        shared = (Path(job.workdir) / "job.json").is_file()
        if not shared:
            self._away.add(job.id)
        limits = (
            job.limits
            if job.limits.memory is not None
            else msgspec.structs.replace(job.limits, memory=self._share)
        )
        job = localized(
            job,
            homes,
            str(self._cache),
            job.workdir if shared else str(Path(self._scratch.name) / job.id),
        )
        return msgspec.structs.replace(job, limits=limits)

    def _work(self) -> None:
        try:
            for ended in self._executor.run(
                self._jobs(), lambda job, part: self._said.put(AgentMessage(id=job, progress=part))
            ):
                self._said.put(self._ending(ended))
        except KeyboardInterrupt:  # stop() asked for it
            return
        except Exception as error:
            self._said.put(AgentMessage(broken=str(error) or type(error).__name__))

    def _jobs(self) -> Iterator[Job | None]:
        while not self._stopped:
            try:
                yield self._waiting.get_nowait()
            except Empty:
                yield None

    def _ending(self, ended: Ended) -> AgentMessage:
        job, files = ended.job, []
        if job.id in self._away and ended.results is not None:
            files = [files_of(result) for result in ended.results]
        self._away.discard(job.id)
        return AgentMessage(
            id=job.id,
            ended=True,
            results=ended.results,
            status=ended.status,
            message=ended.message,
            log=ended.log,
            seconds=ended.seconds,
            limits=job.limits,
            data=ended.data,
            files=files if any(files) else [],
            origin=self._origin(job),
        )

    def _origin(self, job: Job) -> Origin:
        wanted, spec = tuple(targets(job)), job.specs[0]
        known: tuple[tuple[Target, ...], str, tuple[str, ...]] = (
            wanted,
            spec.device,
            tuple(job.versions),
        )
        if known not in self._origins:
            environment = provenance.environment(spec.device, job.versions)
            self._origins[known] = Origin(
                files=digests(wanted, self._index),
                environment=environment,
                machine=provenance.machine(),
            )
        return self._origins[known]
