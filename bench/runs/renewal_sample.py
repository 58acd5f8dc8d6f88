"""The sample on which old and new code are held against each other, and the commands that run
it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from bench.digests import digest
from bench.params import changed
from bench.plugins.registry import Registry
from bench.plugins.source import PROTOCOL
from bench.runs.old_code import BENCH, Code, NoOldCode, Trees, commit_of, repository
from bench.runs.renewal import Group
from bench.runs.rerun import sources
from bench.runs.spec import RunSpec


class Sample(msgspec.Struct, frozen=True):
    """Which runs of a group are done with old and with new code."""

    group: Group
    variants: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def label(self) -> str:
        """The sample in a few words."""
        seeds = " and ".join(map(str, self.seeds))
        return f"{', '.join(self.variants)}, seed{'s' * (len(self.seeds) > 1)} {seeds}"

    def specs(self) -> list[RunSpec]:
        """Return the specs of its runs, of parameters that are given."""
        found = {cell.spec.variant: cell.spec for cell in self.group.cells.values()}
        return [
            msgspec.structs.replace(found[variant], seed=seed, tuning=None)
            for variant in self.variants
            for seed in self.seeds
        ]


def draw(groups: Sequence[Group]) -> list[Sample]:
    """Draw a sample of each group, by the digest of the new code, so that renewals of other code
    look at other seeds and variants.

    Of a stacked method it is one stack of two seeds of one variant that can be ranked, of the
    track's baseline (its low reference) of every variant; of a single one it is one seed of every
    variant. Seeds are drawn once a task, so that methods share its data, but where a group has no
    record of them.
    """
    tasks: dict[tuple[str, str, str], list[Group]] = defaultdict(list)
    for group in groups:
        spec = group.cell.spec
        tasks[spec.track, spec.task, spec.preset].append(group)
    found = []
    for name, members in tasks.items():
        code = digest([name, sorted({digest(sorted(set(g.new.values()))) for g in members})])
        seeds = sorted({record.seed for group in members for record in group.records})
        first = seeds.pop(int(code[:8], 16) % len(seeds))
        second = seeds[int(code[8:16], 16) % len(seeds)] if seeds else first + 1
        for group in members:
            variants = sorted({record.variant for record in group.records})
            stacked = group.cell.spec.form == "stacked"
            if stacked and group.cell.reference != "low":
                telling = _telling(group) or variants
                variants = [telling[int(code[16:24], 16) % len(telling)]]
            pair = (first, second) if stacked else (first,)
            found.append(Sample(group, tuple(variants), _recorded(group, variants, pair, code)))
    return found


def _recorded(
    group: Group, variants: Sequence[str], seeds: tuple[int, ...], code: str
) -> tuple[int, ...]:
    """Return seeds, sorted, or others where a group has no record of some of them, as of runs that
    failed.
    """
    runs = {(record.variant, record.seed) for record in group.records}
    whole = sorted(
        {seed for _, seed in runs if all((variant, seed) in runs for variant in variants)}
    )
    if set(seeds) <= set(whole) or len(whole) < len(seeds):
        return tuple(sorted(seeds))
    start = int(code[24:32], 16)
    return tuple(sorted(whole[(start + step) % len(whole)] for step in range(len(seeds))))


class Versions(msgspec.Struct, frozen=True):
    """The two versions of the code of a group."""

    old: Code | str
    """A text says why it can't be had."""
    new: Code
    commits: tuple[tuple[str, str], ...] = ()
    """Which commits the old code is of: name of the tree -> commit."""


class Call(msgspec.Struct):
    """One command that runs samples of several methods of a task, for each version of the code."""

    versions: Versions
    opening: tuple[str, ...]
    """Its words but for the methods."""
    samples: list[Sample]
    variants: int
    label: str

    @property
    def runs(self) -> int:
        """How many runs it makes."""
        return sum(self.variants * len(sample.seeds) for sample in self.samples)

    def words(self) -> list[str]:
        """Return the words behind ``bench``."""
        named = (("--method", _method(sample.group)) for sample in self.samples)
        return [*self.opening, *(word for pair in named for word in pair)]


def calls(samples: Iterable[tuple[Sample, Versions]], jobs: int) -> list[Call]:
    """Return the commands that run samples, those of one task, variants and seeds together."""
    found: dict[tuple[object, ...], Call] = {}
    for sample, versions in samples:
        for bracket, variants in _by_bracket(sample.variants).items():
            spec = sample.group.cell.spec
            name = (spec.track, spec.task, bracket, spec.preset, sample.seeds, variants)
            place = (*name, versions.old, versions.new)
            seeds = ",".join(map(str, sample.seeds))
            call = found.setdefault(
                place,
                Call(
                    versions=versions,
                    opening=(
                        *("run", "--task", f"{spec.track}/{spec.task}{bracket}"),
                        *("--preset", spec.preset, "--device", spec.device, "--jobs", str(jobs)),
                        *("--seeds", seeds if len(sample.seeds) > 1 else f"{seeds}-{seeds}"),
                        *(word for variant in variants for word in ("--variant", variant)),
                    ),
                    samples=[],
                    variants=len(variants),
                    label=f"{spec.track}/{spec.task}{bracket} {sample.label}",
                ),
            )
            call.samples.append(sample)
    return list(found.values())


def _telling(group: Group) -> list[str]:
    """Return the variants in which runs can be ranked: others hide a change more easily."""
    return sorted({record.variant for record in group.records if record.not_rankable is None})


def _by_bracket(variants: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Sort variants by the parameters in brackets, which belong behind the task's name."""
    found: dict[str, tuple[str, ...]] = {}
    for variant in variants:
        name, bracket, inside = variant.partition("[")
        found[bracket + inside] = (*found.get(bracket + inside, ()), name)
    return found


def _method(group: Group) -> str:
    """Return a method as the command line names it, with the parameters that must be said."""
    method = group.cell.method
    spec = msgspec.structs.replace(group.cell.spec, tuning=None)
    words = spec.words(lambda params: changed(method.name, method.params, params) if method else {})
    return words[words.index("--method") + 1]


def commits_of(groups: Iterable[Group]) -> Counter[str]:
    """Return how many records of some groups name which commit of bench or of a plugin."""
    roles = ("bench_git", "method_git", "task_git")
    states = [
        record.provenance.get(role) or {}
        for group in groups
        for record in group.records
        for role in roles
    ]
    return Counter(str(state["commit"]) for state in states if state.get("commit"))


def versions_of(
    group: Group, registry: Registry, trees: Trees, since: str | None, popular: Counter[str]
) -> Versions:
    """Return the code that made a group's records, and the code that is here.

    Of bench and of each plugin in a folder the old code is a worktree of the commit that the
    records name, the most popular first, or of ``since``; what did not change stays as it is.

    Where a commit is not known or not here, the old code is a text that says so.
    """
    local = sources(group.cell, registry)
    new = Code(
        bench=BENCH.parent,
        plugins=tuple(str(Path(path).resolve()) for path in local),
        said="the code that is here",
    )
    commits: dict[str, str] = {}
    try:
        old = _old(group, new, trees, since, popular, commits)
    except NoOldCode as error:
        return Versions(str(error), new)
    return Versions(old, new, tuple(commits.items()))


def _old(
    group: Group,
    new: Code,
    trees: Trees,
    since: str | None,
    popular: Counter[str],
    commits: dict[str, str],
) -> Code:
    """Return the code that made a group's records; ``commits`` gets what it is of.

    Raises:
        NoOldCode: it can't be had.
    """
    home = old = new.bench
    if _changed(group, bench=True) or group.protocol not in (None, PROTOCOL):
        old = _at_commit(
            home, trees, since, _named(group, ("bench_git",), popular), commits, "bench"
        )
    plugins = new.plugins
    if _changed(group, bench=False):
        if not plugins:
            raise NoOldCode(
                "the code that changed is of an installed package, whose old code can't be had; "
                "give its folder in a git repository with --plugins, or run the cells anew"
            )
        named = _named(group, ("method_git", "task_git"), popular)
        plugins = tuple(
            str(_at_commit(Path(path), trees, since, named, commits, Path(path).name))
            for path in new.plugins
        )
    said = f"the code of {' and '.join(commit[:12] for commit in commits.values())}"
    return Code(bench=old, plugins=plugins, said=said)


def _changed(group: Group, *, bench: bool) -> bool:
    old, new = (
        {digest for module, digest in files.items() if (module.split(".")[0] == "bench") is bench}
        for files in (group.old, group.new)
    )
    return old != new


def _named(group: Group, roles: Collection[str], popular: Counter[str]) -> list[str]:
    """Return the commits that a group's records name, those that most records name first."""
    states = [record.provenance.get(role) or {} for record in group.records for role in roles]
    named = {str(state["commit"]) for state in states if state.get("commit")}
    return sorted(named, key=lambda commit: (-popular[commit], commit))


def _at_commit(
    path: Path,
    trees: Trees,
    since: str | None,
    named: Sequence[str],
    commits: dict[str, str],
    name: str,
) -> Path:
    """Return where a file or folder lies in a worktree of the commit that is asked for or, without
    one, of the first named one that its repository has.
    """
    top = repository(path if path.is_dir() else path.parent)
    wanted = [since] if since else list(named)
    if not wanted:
        raise NoOldCode(
            f"the records name no commit of {name}; name the one that made them with --from"
        )
    error: NoOldCode | None = None
    for commit in wanted:
        try:
            found = commit_of(top, commit)
        except NoOldCode as refusal:
            error = error or refusal
            continue
        commits[name] = found
        place = trees.at(top, found) / path.resolve().relative_to(top)
        if not place.exists():
            raise NoOldCode(f"{path} did not exist yet at the commit {found[:12]}")
        return place
    assert error is not None
    raise error
