"""Running samples with old and with new code, and judging what comes out."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.cards import TaskCard
from bench.digests import digest
from bench.plugins.source import PROTOCOL
from bench.runs.alike import unlike
from bench.runs.classes import class_of
from bench.runs.old_code import NoOldCode, Runner
from bench.runs.proofs import Proof
from bench.runs.record import Record
from bench.runs.renewal import Group, protocol_of, seconds_of
from bench.runs.renewal_sample import Call, Sample
from bench.runs.replay import spec_of
from bench.runs.saved import digests_of
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


def prove(
    todo: Sequence[Call],
    home: Path,
    load: Callable[[str], Record],
    cards: Mapping[str, TaskCard],
    tell: Tell,
) -> Iterator[Judged]:
    """Run every call with old and with new code and yield what comes of each group, as soon as all
    of its runs are there.

    Args:
        todo: the commands.
        home: a folder for stores and caches that is thrown away.
        load: returns a record of the store, whole, by its id.
        cards: of the tasks.
        tell: hears how far it is.
    """
    left = {id(sample.group): 0 for call in todo for sample in call.samples}
    for call in todo:
        for sample in call.samples:
            left[id(sample.group)] += 1
    found: dict[int, tuple[dict[str, Ran], dict[str, Ran]]] = {name: ({}, {}) for name in left}
    failed: dict[int, str] = {}
    for number, call in enumerate(todo):
        try:
            both = _both(call, home / str(number), tell)
            for sample in call.samples:
                for mine, ran in zip(found[id(sample.group)], both, strict=True):
                    mine.update(ran)
        except NoOldCode as error:
            failed |= {id(sample.group): str(error) for sample in call.samples}
        for sample in call.samples:
            name = id(sample.group)
            left[name] -= 1
            if not left[name] and name in failed:
                yield Judged(sample.group, None, failed[name])
            elif not left[name]:
                yield _judged(sample, call, *found[name], load, cards)


def _both(call: Call, home: Path, tell: Tell) -> list[dict[str, Ran]]:
    """Run a call with old and with new code; return the runs of each by what they are."""
    home.mkdir()
    # where the harness itself changed, one version must not find what the other kept
    apart = any(sample.group.protocol not in (None, PROTOCOL) for sample in call.samples)
    found = []
    for code, word in ((call.versions.old, "old"), (call.versions.new, "new")):
        runner = Runner(home, home / f"cache-{word}" if apart else None)
        runner.run(code, call.words, home / word, lambda count, word=word: tell(call, word, count))  # type: ignore[misc]
        store = Store(home / word)
        found.append(
            {
                _name(spec_of(record)): Ran(
                    record, digests_of(record, store.root / "files" / record.id)
                )
                for record in store.read()
            }
        )
    shutil.rmtree(home, ignore_errors=True)
    return found


def _name(spec: RunSpec) -> str:
    """Return what a run is, whatever version of bench says it."""
    return digest(
        [spec.track, spec.method, spec.params, spec.task, spec.task_params, spec.seed, spec.form]
    )


def _judged(
    sample: Sample,
    call: Call,
    before: Mapping[str, Ran],
    after: Mapping[str, Ran],
    load: Callable[[str], Record],
    cards: Mapping[str, TaskCard],
) -> Judged:
    group, differs, seconds = sample.group, dict[str, list[str]](), 0.0
    machine: dict[str, object] = {}
    for spec in sample.specs():
        label = f"{spec.variant} seed {spec.seed}"
        old, new = before.get(_name(spec)), after.get(_name(spec))
        if old is None or new is None:
            which = call.versions.old if old is None else call.versions.new
            return Judged(group, None, f"{which.said} made no such run: {label}")
        for ran, files, code in (
            (old, group.old, call.versions.old),
            (new, group.new, call.versions.new),
        ):
            if reason := _unsound(ran.record, files, group, code.said, old is ran):
                return Judged(group, None, f"{label}: {reason}")
        if old.record.data != new.record.data:
            return Judged(group, None, f"{label}: old and new code do not load the same data")
        card = cards.get(new.record.identity)
        if said := unlike(old.record, new.record, card, (old.kept, new.kept)):
            differs[label] = said
        seconds += seconds_of(old.record) + seconds_of(new.record)
        machine = {name: new.record.provenance.get(name) for name in ("cpu_class", "kernels")}
        if reason := _denied(group, spec, old, machine, load, card):
            return Judged(group, None, reason)
    proof = Proof(
        change=group.change,
        track=group.cell.spec.track,
        task=group.cell.spec.task,
        preset=group.cell.spec.preset,
        method=group.cell.spec.method,
        machine=machine,
        old=dict(call.versions.commits),
        sample=[f"{spec.variant} seed {spec.seed}" for spec in sample.specs()],
        differs=differs,
        seconds=seconds,
    )
    return Judged(group, proof, differs_said(proof))


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
    load: Callable[[str], Record],
    card: TaskCard | None,
) -> str:
    """Say which record of this machine's class the old code contradicts; empty: none. Of another
    class none can be.
    """
    for brief in group.records:
        same = (brief.variant, brief.seed) == (spec.variant, spec.seed)
        if same and class_of(brief.provenance) == class_of(machine):
            if said := unlike(load(brief.id), old.record, card):
                return (
                    f"the old code gives other figures here than the record {brief.id} of this "
                    f"class of machine holds ({', '.join(said[:4])})"
                )
    return ""
