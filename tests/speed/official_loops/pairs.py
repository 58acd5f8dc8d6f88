"""What a loop is, that both of its sides agree, and how long each takes."""

from __future__ import annotations

import functools
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from bench.runs.context import Run
from official_loops.checkouts import Checkout, Refused, on_the_cpu, quiet

LEAST = 0.01
"""CPU seconds that a sample of a side takes at least."""


class Pair(msgspec.Struct):
    """One piece of work, done by us and by official code.

    Each side returns tensors; those of their first calls are compared, and the later calls are
    timed. Where a side's work depends on numbers of its own stream, ``agree`` returns the tensors
    of both for the same numbers instead.

    Attributes:
        ours: our side, for one net or seed.
        official: theirs, for one.
        what: what is compared, like "loss and gradient".
        tolerance: largest difference, as a share of the largest entry of theirs.
        agree: tensors of both sides, ours first.
        stacked: our side for several nets or seeds at once; the tensors of its first member come
            first.
        members: how many those are.
        given: their side with batches taken beforehand, where ``official`` gets them, as their
            scripts do, through torch's DataLoader.
    """

    ours: Callable[[], Any]
    official: Callable[[], Any]
    what: str
    tolerance: float = 1e-4
    agree: Callable[[], tuple[Any, Any]] | None = None
    stacked: Callable[[], Any] | None = None
    members: int = 1
    given: Callable[[], Any] | None = None


class Loop(msgspec.Struct, frozen=True):
    """A loop of the comparison.

    Attributes:
        name: of the loop.
        track: the track whose methods run it.
        key: of the repository.
        uses: which official functions are called.
        make: prepares both sides.
        note: what a reader must know.
        apart: whether it is left out of the mean.
    """

    name: str
    track: str
    key: str
    uses: str
    make: Callable[[Checkout], Pair]
    note: str = ""
    apart: bool = False


class Row(msgspec.Struct, kw_only=True):
    """What was measured of a loop; seconds are CPU seconds of one call.

    ``ratio`` is theirs over ours; ``given`` the same with batches taken beforehand on their side,
    ``stacked`` that of several nets or seeds in one call of ours.
    """

    loop: str
    track: str
    repository: str
    commit: str
    uses: str
    agrees: str
    difference: float
    ours: float
    official: float
    ratio: float
    given: float | None = None
    stacked: float | None = None
    members: int = 1
    stubs: list[str] = []
    note: str = ""
    apart: bool = False


class Disagreement(Exception):
    """Both sides do different work: one sentence says which, and by how much."""


LOOPS: list[Loop] = []


def loop(name: str, track: str, key: str, uses: str, note: str = "", apart: bool = False, **fixed):
    """Register the function that prepares a loop; ``fixed`` are arguments of it."""

    def register(make):
        LOOPS.append(Loop(name, track, key, uses, functools.partial(make, **fixed), note, apart))
        return make

    return register


def flat(found: Any) -> torch.Tensor:
    """Return tensors, nested as they come, as one vector of doubles."""
    if isinstance(found, torch.Tensor):
        return found.detach().double().flatten()
    if isinstance(found, int | float):
        return torch.tensor([float(found)], dtype=torch.float64)
    return torch.cat([flat(part) for part in found])


def difference(ours: Any, official: Any) -> float:
    """Return the largest difference of two results as a share of the largest entry of theirs."""
    one, two = flat(ours), flat(official)
    if one.shape != two.shape:
        return float("inf")
    found = float((one - two).abs().max() / two.abs().max().clamp_min(1e-30))
    return found if found == found else float("inf")


def agreement(loop: Loop, pair: Pair) -> float:
    """Return how far both sides are apart.

    Raises:
        Disagreement: further than the loop allows.
    """
    found = pair.agree() if pair.agree is not None else (pair.ours(), pair.official())
    apart = difference(*found)
    if pair.stacked is not None:
        stacked = flat(pair.stacked())
        if pair.agree is None:
            apart = max(apart, difference(stacked[: len(flat(found[1]))], found[1]))
    if apart > pair.tolerance:
        raise Disagreement(
            f"loop {loop.name!r}: our {pair.what} and that of {loop.uses} differ by {apart:.1e} of "
            f"its size, and may by {pair.tolerance:.0e}; nothing was timed, since they do "
            "different work."
        )
    return apart


def loader(batches: Sequence[torch.Tensor], *tensors: torch.Tensor) -> torch.utils.data.DataLoader:
    """Return torch's DataLoader over tensors in memory, with these rows in each batch."""
    return torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*tensors), batch_sampler=[rows.tolist() for rows in batches]
    )


def taken(
    batches: Sequence[torch.Tensor], *tensors: torch.Tensor
) -> list[tuple[torch.Tensor, ...]]:
    """Return the same batches, taken beforehand."""
    return [tuple(tensor[rows] for tensor in tensors) for rows in batches]


def runs(track: str, members: int = 1, workdir: Path = Path()) -> list[Run]:
    """Return runs of the seeds from 0 on, as a method of the track gets them."""
    return [
        Run(
            seed=seed,
            task=f"{track}/speed",
            method=f"{track}/speed",
            device=torch.device("cpu"),
            workdir=workdir,
        )
        for seed in range(members)
    ]


def fed(
    ours: Callable[[int], Any],
    theirs: Callable[[str], Any],
    what: str,
    tolerance: float,
    members: int,
) -> Pair:
    """Return a pair of our side by the number of its members and theirs by what feeds it, a loader
    (``official``) or batches taken beforehand (``given``).
    """
    return Pair(
        lambda: ours(1),
        lambda: theirs("official"),
        what,
        tolerance,
        stacked=lambda: ours(members),
        members=members,
        given=lambda: theirs("given"),
    )


def cpu_seconds(call: Callable[[], Any], repeat: int) -> float:
    """Return the CPU seconds of a call."""
    start = time.process_time()
    for _ in range(repeat):
        call()
    return (time.process_time() - start) / repeat


def medians(calls: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """Return the median CPU seconds of each call, taken in turns."""
    repeats = [max(1, round(LEAST / max(1e-6, cpu_seconds(call, 1)))) for call in calls]
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, repeat, times in zip(calls, repeats, found, strict=True):
            times.append(cpu_seconds(call, repeat))
    return [statistics.median(times) for times in found]


def compare(loop: Loop, checkout: Checkout, rounds: int = 7) -> Row:
    """Prepare a loop, hold its sides against each other, then time them.

    Raises:
        Disagreement: both sides do different work.
        Refused: the official code cannot be imported here.
    """
    with warnings.catch_warnings(), quiet(), on_the_cpu():
        warnings.simplefilter("ignore")  # official code calls what torch has deprecated since
        try:
            pair = loop.make(checkout)
        except ImportError as error:
            raise Refused(
                f"loop {loop.name!r} needs {error.name or error}, which is not installed here; "
                "install it, or leave the loop out with --only."
            ) from error
        apart = agreement(loop, pair)
        sides = {
            name: call
            for name in ("ours", "official", "given", "stacked")
            if (call := getattr(pair, name)) is not None
        }
        found = dict(zip(sides, medians(list(sides.values()), rounds), strict=True))
    return Row(
        loop=loop.name,
        track=loop.track,
        repository=checkout.repository.name,
        commit=checkout.repository.commit,
        uses=loop.uses,
        agrees=pair.what,
        difference=apart,
        ours=found["ours"],
        official=found["official"],
        ratio=found["official"] / found["ours"],
        given=found["given"] / found["ours"] if pair.given else None,
        stacked=pair.members * found["official"] / found["stacked"] if pair.stacked else None,
        members=pair.members,
        stubs=sorted(checkout.stubbed),
        note=loop.note,
        apart=loop.apart,
    )
