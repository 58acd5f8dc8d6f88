"""Which records are stale by code or protocol alone, and so may be renewed by a proof."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.digests import digest
from bench.errors import BenchError
from bench.params import changed, render_call, resolve, split_call
from bench.plugins.registry import method_card, task_card
from bench.plugins.source import PROTOCOL
from bench.runs.driver import Driver
from bench.runs.keys import Keys
from bench.runs.machine_classes import class_of, environment_of
from bench.runs.plan import Cell
from bench.runs.proofs import change_of
from bench.runs.provenance import versions
from bench.runs.record import Brief
from bench.runs.replay import cell_of, spec_of, with_seed
from bench.runs.schedule import seconds_of
from bench.runs.spec import run_key
from bench.runs.variants import variants


class Group(msgspec.Struct):
    """A method on a task whose records saw one change of code: what one proof is of."""

    cell: Cell
    """One of its cells, of any variant and seed."""
    old: dict[str, str]
    """Module -> digest of the code that made the records."""
    new: dict[str, str]
    """Module -> digest of the code that is here."""
    protocol: int | None
    """Of the old harness; None: not known, and taken for today's."""
    change: str
    records: list[Brief] = []
    cells: dict[str, Cell] = {}
    """Digest of a cell without its seed -> that cell, of any seed."""
    keys: dict[str, str] = {}
    """Id of a record -> its key with the new code."""

    @property
    def label(self) -> str:
        """The group in a few words."""
        spec = self.cell.spec
        shown = (
            changed(spec.method, self.cell.method.params, spec.params) if self.cell.method else {}
        )
        preset = "" if spec.preset == "default" else f" ({spec.preset})"
        return f"{render_call(spec.method, shown)} on {spec.track}/{spec.task}{preset}"

    @property
    def seconds(self) -> float:
        """What its records took."""
        return sum(map(seconds_of, self.records))


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Stale records that are not renewed, and why."""

    label: str
    records: int
    reason: str


class Survey(msgspec.Struct):
    """What of some records may be renewed, and what not."""

    groups: list[Group] = []
    left: list[Left] = []
    current: int = 0
    """Cells that have a record of today's code, by class of machine."""


def survey(driver: Driver, records: Sequence[Brief], look: bool) -> Survey:
    """Sort stale records into groups, each of one change of code.

    Of each cell and class of machine the newest ``ok`` record counts, and of renewals of one run
    the last.

    Args:
        driver: its keys say what is here now.
        records: some of its store.
        look: load data in a process aside where only a load tells whether it changed.
    """
    found, reasons = Survey(), Counter[tuple[str, str]]()
    candidates: list[tuple[Brief, Cell, Keys]] = []
    keys: dict[str, Keys] = {}
    rows: dict[str, list[Brief]] = defaultdict(list)
    for record in records:
        rows[record.group].append(record)
    for members in rows.values():
        cell = cell_of(members[0], driver.registry)
        label = f"{members[0].method} on {members[0].identity}"
        by_place: dict[tuple[str, str], list[Brief]] = defaultdict(list)
        for record in members:
            by_place[record.cell, class_of(record.provenance)].append(record)
        for (_, machine), some in by_place.items():
            if cell is None:
                reasons[label, "its method or task is not here"] += 1
                continue
            made = keys.setdefault(
                machine, Keys(driver.registry, environment_of(some[0].provenance))
            )
            if any(made.key(cell, record.cell, record.data) == record.key for record in some):
                found.current += 1
                continue
            newest = max(some, key=_standing)
            if reason := _unfit(newest, cell, made):
                reasons[label, reason] += 1
            else:
                candidates.append((newest, with_seed(cell, newest.seed), made))
    if look:
        driver.look((cell, call) for record, cell, _ in candidates for call in record.data or ())
    groups: dict[str, Group] = {}
    for record, cell, made in candidates:
        standing = driver.data_status.status(cell, record.data)
        if standing in ("other", "unavailable") or (look and standing == "unknown"):
            said = driver.data_status.what_changed(cell, record.data or {})
            reasons[f"{record.method} on {record.identity}", "; ".join(said[:3])] += 1
            continue
        _add(groups, record, cell, made)
    found.groups = sorted(groups.values(), key=lambda group: (group.label, group.change))
    found.left = [
        Left(label=label, records=count, reason=reason)
        for (label, reason), count in sorted(reasons.items())
    ]
    driver.registry.index.save()
    return found


def _standing(record: Brief) -> tuple[Any, ...]:
    steps = len(record.renewed.proofs) if record.renewed else 0
    return record.status == "ok", record.ended, steps, record.attempt


def _add(groups: dict[str, Group], record: Brief, cell: Cell, keys: Keys) -> None:
    spec, old, new = cell.spec, record.provenance["files"], keys.of(cell).ingredients["files"]
    protocol = protocol_of(record)
    pair = [spec.track, spec.method, spec.params, spec.task, spec.preset, spec.form, spec.dtype]
    change = change_of(
        pair,
        [sorted(set(old.values())), PROTOCOL if protocol is None else protocol],
        [sorted(set(new.values())), PROTOCOL],
    )
    group = groups.setdefault(change, Group(cell, old, new, protocol, change))
    group.records.append(record)
    group.cells[record.group] = cell
    group.keys[record.id] = keys.key(cell, record.cell, record.data)


def protocol_of(record: Brief | Any) -> int | None:
    """Return the number of the harness's protocol that a record's key was made with; None: the key
    does not follow from what the record says.
    """
    source = record.provenance
    environment = {
        "versions": source.get("versions"),
        "threads": source.get("threads"),
        "cpu": source.get("cpu_class"),
        "kernels": source.get("kernels"),
    }
    spec, code = spec_of(record), sorted(set((source.get("files") or {}).values()))
    return next(
        (
            number
            for number in range(PROTOCOL, 0, -1)
            if run_key(spec, code, environment, record.data, number) == record.key
        ),
        None,
    )


def _unfit(record: Brief, cell: Cell, keys: Keys) -> str:
    """Say why a stale record can't be renewed, whatever a proof says; empty: it can, if its data
    is what it was.
    """
    source = record.provenance
    if record.status != "ok":
        return "failed runs are never renewed"
    if record.device != "cpu":
        return "runs on a GPU are never renewed"
    if record.edited:
        return "the cell is not the digest of the record's own fields: it was edited by hand"
    if record.data is None:
        return "which data it loaded is not known: the version that wrote it did not note it"
    if not isinstance(source.get("files"), Mapping) or not source["files"]:
        return "which code made it is not known"
    if not source.get("cpu_class") or not isinstance(source.get("kernels"), Mapping):
        return "the class of the machine that computed it is not known"
    now = keys.of(cell).ingredients
    if said := [*_other_parameters(record, cell), *_other_libraries(source, now["environment"])]:
        return "; ".join(said[:5])
    same = set(source["files"].values()) == set(now["files"].values())
    if same and protocol_of(record) in (None, PROTOCOL):
        return "nothing that it says explains its key: it was edited by hand"
    return ""


def _other_libraries(source: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    then = source.get("versions") or {}
    today = {**versions(tuple(sorted(then.keys() - now["versions"].keys()))), **now["versions"]}
    said = [
        f"{name} was {then.get(name, 'absent')}, is {today[name]}"
        for name in sorted(today)
        if then.get(name) != today[name]
    ]
    if source.get("threads") != now["threads"]:
        said.append(f"threads was {source.get('threads')}, is {now['threads']}")
    return said


def _other_parameters(record: Brief, cell: Cell) -> list[str]:
    """Say which parameters of a record are not what its name means today."""
    name, inline = split_call(record.variant)
    try:
        found, _ = variants(cell.task, record.preset, (name,), inline)
        given = resolve(record.method, cell.method.params, record.params) if cell.method else {}
        usual = changed(record.method, cell.method.params, given) if cell.method else {}
    except (BenchError, KeyError) as error:
        return [f"its parameters are no longer those of its task or method ({_brief(error)})"]
    variant = found[0]
    card = method_card(cell.method) if cell.method else None
    now = {
        "the parameters of the variant": (record.task_params, variant.params),
        "the name of the variant": (record.variant, variant.label),
        "the parameters of the method": (record.params, given),
        "the form": (record.form, "stacked" if card and card.stacked else "single"),
        "what the method needs": (record.needs, list(card.needs) if card else []),
        "the role of the method": (record.reference, _role(record, cell)),
    }
    said = [
        f"{what}: {_shown(then)} then, {_shown(today)} now"
        for what, (then, today) in now.items()
        if digest(then) != digest(today)
    ]
    if not said and record.tuning is None and record.custom != (variant.custom or bool(usual)):
        said.append("the default parameters of the method are no longer those of the record")
    return said


def _role(record: Brief, cell: Cell) -> str:
    references = task_card(cell.task).references
    return next((item.kind for item in references if item.name == record.method), "")


def _shown(value: Any) -> str:
    return str(msgspec.json.encode(value).decode())[:200]


def _brief(error: BaseException) -> str:
    return str(error).split(". ")[0].rstrip(".")
