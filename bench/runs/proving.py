"""Running samples with new and with old code, and judging what comes out.

The new code runs first. Where the records of this machine's own class hold the whole sample and the
new code gives the same, they are what the old code gives here, and it need not run.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.cards import TaskCard
from bench.digests import digest
from bench.plugins.source import PROTOCOL
from bench.runs.alike import unlike
from bench.runs.machine_classes import class_of
from bench.runs.old_code import Code, NoOldCode, Runner
from bench.runs.proofs import Proof
from bench.runs.record import Record
from bench.runs.record_place import Place
from bench.runs.renewal import Group, protocol_of
from bench.runs.renewal_sample import Call, Sample
from bench.runs.replay import spec_of
from bench.runs.saved import digests_of
from bench.runs.schedule import seconds_of
from bench.runs.spec import RunSpec
from bench.runs.store import Store

Tell = Callable[[Call, str, int], None]
"""Hears of a call, which code is at work, and how many of its runs have ended."""


class Judged(NamedTuple):
    """What came of a group: a proof, or why there is none."""

    group: Group
    proof: Proof | None
    reason: str = ""


class Ran(NamedTuple):
    """A run of a sample, with the digests of what it kept."""

    record: Record
    kept: Mapping[str, str]
    stored: bool = False
    """Whether it is a record of the store and not run here."""


class Recorded:
    """What the store holds of samples.

    Args:
        store: the records.
        places: where they lie, by id.
        machine: the class of the machine at hand.
        instead: whether records may stand for runs of the old code.
    """

    def __init__(
        self, store: Store, places: dict[str, Place], machine: Mapping[str, Any], instead: bool
    ) -> None:
        self._store, self._places = store, places
        self._machine, self._instead = class_of(machine), instead

    def load(self, name: str) -> Record:
        """Return a record, whole, by its id."""
        return self._store.load(self._places[name])

    def runs(self, sample: Sample) -> dict[str, Ran]:
        """Return the runs of a sample that were recorded on this class of machine with all that a
        comparison needs, by what they are.
        """
        found: dict[str, Ran] = {}
        wanted = {(spec.variant, spec.seed) for spec in sample.specs()} if self._instead else set()
        for brief in sample.group.records:
            mine = class_of(brief.provenance) == self._machine
            if mine and (brief.variant, brief.seed) in wanted:
                record = self.load(brief.id)
                with contextlib.suppress(OSError, ValueError):  # its files are not here
                    kept = digests_of(record, self._store.root / "files" / record.id)
                    found[_name(spec_of(record))] = Ran(record, kept, stored=True)
        return found


class _Runs(NamedTuple):
    """The runs of one call, by what they are, and which samples came to nothing."""

    old: dict[str, Ran]
    new: dict[str, Ran]
    failed: dict[int, str]


def prove(
    todo: Sequence[Call],
    home: Path,
    recorded: Recorded,
    cards: Mapping[str, TaskCard],
    tell: Tell,
) -> Iterator[Judged]:
    """Run every call with new and, where it must be, with old code, and yield what comes of each
    group, as soon as all of its runs are there.

    Args:
        todo: the commands.
        home: a folder for stores and caches that is thrown away.
        recorded: the records of the store.
        cards: of the tasks.
        tell: hears how far it is.
    """
    left = Counter(id(sample.group) for call in todo for sample in call.samples)
    found = {name: _Runs({}, {}, {}) for name in left}
    for number, call in enumerate(todo):
        runs = _run(call, home / str(number), recorded, cards, tell)
        for sample in call.samples:
            name = id(sample.group)
            for mine, some in zip(found[name], runs, strict=True):
                mine.update(some)  # type: ignore[attr-defined]
            left[name] -= 1
            if not left[name] and name in found[name].failed:
                yield Judged(sample.group, None, found[name].failed[name])
            elif not left[name]:
                yield _judged(sample, call, found[name], recorded, cards)


def _run(
    call: Call, home: Path, recorded: Recorded, cards: Mapping[str, TaskCard], tell: Tell
) -> _Runs:
    """Run a call with new code, and with old code those of its samples that records do not settle.

    Where the harness itself changed, one version must not find what the other kept.
    """
    home.mkdir()
    apart = any(sample.group.protocol not in (None, PROTOCOL) for sample in call.samples)
    runs, versions = _Runs({}, {}, {}), call.versions
    todo = call.samples
    heard = functools.partial(tell, call)
    try:
        if isinstance(versions.old, str) and not any(map(recorded.runs, todo)):
            raise NoOldCode(versions.old)
        runs.new.update(_runs(call, versions.new, "new", home, apart, heard))
        todo = []
        for sample in call.samples:
            names = [name for spec in sample.specs() if (name := _name(spec)) in runs.new]
            known = recorded.runs(sample)
            if names and all(_same(known.get(name), runs.new[name], cards) for name in names):
                runs.old.update({name: known[name] for name in names})
            else:
                todo.append(sample)
        if todo:
            if isinstance(versions.old, str):
                raise NoOldCode(versions.old)
            part = msgspec.structs.replace(call, samples=todo)
            runs.old.update(_runs(part, versions.old, "old", home, apart, heard))
    except NoOldCode as error:
        runs.failed.update({id(sample.group): str(error) for sample in todo})
    shutil.rmtree(home, ignore_errors=True)
    return runs


def _runs(
    call: Call, code: Code, word: str, home: Path, apart: bool, heard: Callable[[str, int], None]
) -> dict[str, Ran]:
    """Run a call with one version of the code; return its runs by what they are."""
    runner = Runner(home, home / f"cache-{word}" if apart else None)
    runner.run(code, call.words(), home / word, functools.partial(heard, word))
    store = Store(home / word)
    return {
        _name(spec_of(record)): Ran(record, digests_of(record, store.root / "files" / record.id))
        for record in store.read()
    }


def _same(known: Ran | None, new: Ran, cards: Mapping[str, TaskCard]) -> bool:
    """Whether a record of this class of machine settles what the old code gives here."""
    return (
        known is not None
        and known.record.data == new.record.data
        and not unlike(
            known.record, new.record, cards.get(new.record.identity), (known.kept, new.kept)
        )
    )


def _name(spec: RunSpec) -> str:
    """Return what a run is, whatever version of bench says it."""
    return digest(
        [spec.track, spec.method, spec.params, spec.task, spec.task_params, spec.seed, spec.form]
    )


def _judged(
    sample: Sample,
    call: Call,
    runs: _Runs,
    recorded: Recorded,
    cards: Mapping[str, TaskCard],
) -> Judged:
    group, differs, seconds = sample.group, dict[str, list[str]](), 0.0
    machine: dict[str, object] = {}
    stored, then, now = True, _said(call.versions.old), call.versions.new.said
    for spec in sample.specs():
        label = f"{spec.variant} seed {spec.seed}"
        old, new = runs.old.get(_name(spec)), runs.new.get(_name(spec))
        if old is None or new is None:
            return Judged(group, None, f"{then if old is None else now} made no such run: {label}")
        for ran, files, code in ((old, group.old, then), (new, group.new, now)):
            if reason := _unsound(ran.record, files, group, code, old is ran):
                return Judged(group, None, f"{label}: {reason}")
        if old.record.data != new.record.data:
            return Judged(group, None, f"{label}: old and new code do not load the same data")
        card = cards.get(new.record.identity)
        if said := unlike(old.record, new.record, card, (old.kept, new.kept)):
            differs[label] = said
        seconds += sum(seconds_of(ran.record) for ran in (old, new) if not ran.stored)
        stored &= old.stored
        machine = {name: new.record.provenance.get(name) for name in ("cpu_class", "kernels")}
        if not old.stored and (reason := _denied(group, spec, old, machine, recorded, card)):
            return Judged(group, None, reason)
    proof = Proof(
        change=group.change,
        track=group.cell.spec.track,
        task=group.cell.spec.task,
        preset=group.cell.spec.preset,
        method=group.cell.spec.method,
        machine=machine,
        old={} if stored else dict(call.versions.commits),
        against="records" if stored else "code",
        sample=[f"{spec.variant} seed {spec.seed}" for spec in sample.specs()],
        differs=differs,
        seconds=seconds,
    )
    return Judged(group, proof, differs_said(proof))


def _said(code: Code | str) -> str:
    return "the old code" if isinstance(code, str) else code.said


def differs_said(proof: Proof) -> str:
    """Say what differs between old and new code; empty: nothing."""
    shown = [
        f"{label} ({', '.join(names[:4])})"
        for label, names in itertools.islice(proof.differs.items(), 3)
    ]
    more = f" and {len(proof.differs) - 3} more" if len(proof.differs) > 3 else ""
    return f"old and new code differ in {', '.join(shown)}{more}" if shown else ""


def _unsound(record: Record, files: Mapping[str, str], group: Group, code: str, old: bool) -> str:
    """Say why a run proves nothing; empty: it does."""
    if record.status != "ok":
        said = f": {record.error.type}: {record.error.message[:200]}" if record.error else ""
        return f"with {code} it ended as {record.status}{said}"
    ran = record.provenance.get("files") or {}
    if set(ran.values()) != set(files.values()):
        known = set(files.values())
        strange = [name for name, digest in sorted(ran.items()) if digest not in known]
        name = re.sub(r"^bench_local_[0-9a-f]+\.", "", strange[0]) if strange else "less of it"
        if not old:
            return f"{name} changed meanwhile; run the same command again"
        return f"{code} is not the code that made the records: {name} differs"
    protocol = protocol_of(record)
    if old and None not in (group.protocol, protocol) and group.protocol != protocol:
        return f"the protocol of {code} is {protocol}, that of the records {group.protocol}"
    return ""


def _denied(
    group: Group,
    spec: RunSpec,
    old: Ran,
    machine: Mapping[str, object],
    recorded: Recorded,
    card: TaskCard | None,
) -> str:
    """Say which record of this machine's class the old code contradicts; empty: none. Of another
    class none can be.
    """
    for brief in group.records:
        same = (brief.variant, brief.seed) == (spec.variant, spec.seed)
        if same and class_of(brief.provenance) == class_of(machine):
            if said := unlike(recorded.load(brief.id), old.record, card):
                return (
                    f"the old code gives other figures here than the record {brief.id} of this "
                    f"class of machine holds ({', '.join(said[:4])})"
                )
    return ""
