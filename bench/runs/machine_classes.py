"""The class of the machine that computed a run: its instruction class, its kernels and its GPU.

The same run has other last bits, and other seconds, in another class. So runs are compared within
one alone: the runs of one task, variant and seed share a class, other seeds may have another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from bench.digests import digest
from bench.runs import provenance

_VENDORS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel", "unknown": ""}


def class_of(source: Mapping[str, Any]) -> str:
    """Return the class that a record's provenance names, as a digest; what
    it does not say is a class of its own.
    """
    return digest({name: source.get(name) for name in ("cpu_class", "kernels", "gpu")})


def clock_of(source: Mapping[str, Any]) -> str:
    """Return what the seconds of a record are comparable within: its class, and the class of the
    processor where :mod:`bench.instructions` limited it.
    """
    own = source.get("limited_from")
    return digest([class_of(source), own]) if own else class_of(source)


def names_of(sources: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a short name of each class, like ``AMD avx2``: with its kernels, then with a piece of
    its digest, where two would have the same.

    Args:
        sources: class -> provenance of a record of it.
    """
    named: dict[str, str] = {}
    for detail in range(3):
        named = {name: _named(name, source, detail) for name, source in sources.items()}
        if len(set(named.values())) == len(named):
            break
    return named


def _named(name: str, source: Mapping[str, Any], detail: int) -> str:
    cpu = _in_words(str(source.get("cpu_class") or "unknown class"))
    if own := source.get("limited_from"):
        cpu = f"{cpu} on {_in_words(str(own)).rpartition(' ')[2]}"
    gpu, kernels = source.get("gpu"), source.get("kernels")
    blas = (
        str(kernels.get("numpy_blas") or "").rpartition(" ")[2]
        if isinstance(kernels, Mapping)
        else ""
    )
    shown = [str(gpu.get("name", "GPU")), cpu] if isinstance(gpu, Mapping) else [cpu]
    return " ".join(
        [
            *shown[: 1 + (detail > 0)],
            *([blas or "unknown kernels"] if detail > 0 else []),
            *([name[:4]] if detail > 1 else []),
        ]
    )


def _in_words(text: str) -> str:
    machine, *parts = text.split("-")
    known = [machine, *parts] if machine != "x86_64" else parts
    return " ".join(filter(None, (_VENDORS.get(part, part) for part in known))) or text


def environment_of(source: Mapping[str, Any]) -> Callable[[str, Iterable[str]], dict[str, Any]]:
    """Return what :func:`bench.runs.provenance.environment` would say with the libraries that are
    here, on a machine of a record's class.
    """

    def environment(device: str, libraries: Iterable[str]) -> dict[str, Any]:
        wanted = tuple(sorted({"torch", "numpy", *libraries}))
        found = {
            "versions": provenance.versions(wanted),
            "threads": provenance.THREADS,
            "cpu": source.get("cpu_class"),
            "kernels": source.get("kernels"),
        }
        return found | ({"gpu": source.get("gpu")} if device == "cuda" else {})

    return environment


class Vote(NamedTuple):
    """A finished run in a class, where the runs of one task, variant and
    seed choose the class that they are compared in.
    """

    unit: Hashable
    """Task, variant and seed."""
    machine: str
    """Its class."""
    live: bool
    """Whether its code, libraries and data are today's."""
    ranked: bool
    """Whether it is of default parameters."""
    anchor: bool
    """Whether it is of a low or high reference."""


def elect(votes: Iterable[Vote], prefer: Mapping[Any, str] | None = None) -> dict[Hashable, str]:
    """Return the class of each unit: the one in which most of its runs stand.

    Live runs of default parameters count first, then anchors among them, then runs of default
    parameters, then live ones, then all. Where that decides nothing, the class preferred for the
    unit is taken, then the one with most runs over all units, then the first by its digest. The
    order of votes does not matter.
    """
    units: dict[Hashable, dict[str, list[int]]] = defaultdict(dict)
    overall: Counter[str] = Counter()
    for vote in votes:
        overall[vote.machine] += 1
        counts = units[vote.unit].setdefault(vote.machine, [0] * 5)
        sound = vote.live and vote.ranked
        for place, counted in enumerate(
            (sound, sound and vote.anchor, vote.ranked, vote.live, True)
        ):
            counts[place] += counted

    def rank(unit: Hashable, machine: str) -> tuple[Any, ...]:
        return (
            *(-count for count in units[unit][machine]),
            machine != (prefer or {}).get(unit),
            -overall[machine],
            machine,
        )

    return {
        unit: min(classes, key=lambda machine: rank(unit, machine))
        for unit, classes in units.items()
    }
