"""Backends of matching and evaluation against each other, and on a GPU the times that
docs/tracks/condensation.md states.

Ratios of the quickest of interleaved steps.
"""

from __future__ import annotations

import time

import pytest
import torch

from bench.executors import memory
from bench.runs.context import Run
from bench.tracks import condensation_evaluation, condensation_matching  # noqa: F401 - they register what is measured
from bench.tracks.condensation import Problem
from bench.training import tuned

CPU = torch.device("cpu")
ROUNDS = 15


def quickest(
    name: str, shape: dict[str, int], candidates: tuple[str, ...], rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the least processor time of a step by candidate, taken in turns with the memory of a
    run: what else the machine does only adds to it.
    """
    steps = {
        candidate: tuned.TUNABLES[name].prepare(candidate, CPU, **shape) for candidate in candidates
    }
    times: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    with memory.kept():
        for turn in range(rounds + 1):
            for candidate, step in steps.items():
                start = time.process_time()
                step()
                if turn:  # the first is the warm-up
                    times[candidate].append(time.process_time() - start)
    return {candidate: min(found) for candidate, found in times.items()}


SIZES = [
    pytest.param(
        {"side": side, "channels": 1, "width": 32, "ipc": ipc, "real": 32},
        id=f"{side}x{side}-ipc{ipc}",
        marks=[pytest.mark.slow] if (side, ipc) != (8, 1) else [],
    )
    for side in (8, 28)
    for ipc in (1, 10)
]


@pytest.mark.parametrize("shape", SIZES)
def test_the_tuned_matching_step_is_within_a_tenth_of_the_quickest(shape):
    found = quickest("condensation/matching", shape, ("grouped", "hybrid", "loop"))
    chosen = found[tuned.choice("condensation/matching", CPU, **shape)]
    assert chosen <= 1.10 * min(found.values()), found
    if shape["side"] == 8:
        assert found["loop"] / chosen >= 1.2, found


@pytest.mark.parametrize(("images", "least"), [(10, 2.0), (100, 1.0)], ids=["ipc1", "ipc10"])
def test_five_evaluation_nets_on_digits_are_trained_the_quickest_way(images, least):
    shape = {"images": images, "side": 8, "width": 32, "nets": 5}
    found = quickest("condensation/evaluation", shape, ("grouped", "sequential"))
    chosen = found[tuned.choice("condensation/evaluation", CPU, **shape)]
    assert chosen <= 1.10 * min(found.values()), found
    assert found["sequential"] / chosen >= least, found


# On a GPU
# -------------------------------------------------------------------------------------------------


def cifar_shaped(device: torch.device, *, width: int, ipc: int, real: int, rows: int) -> Problem:
    """Return a problem of the shape of CIFAR-10, which DC and DCC may change twice."""
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(rows * 10, 3, 32, 32, generator=generator).to(device),
        (torch.arange(rows * 10) % 10).to(device),
    )
    mean = std = torch.full((3,), 0.5, device=device)
    return Problem(
        x=x,
        y=y,
        n_classes=10,
        ipc=ipc,
        mean=mean,
        std=std,
        flips=True,
        width=width,
        depth=3,
        updates=2,
        net_epochs=1,
        batch_real=real,
    )


def synthesis(problem: Problem, updates: int, workdir) -> dict[str, tuple[float, float | None]]:
    """Return seconds an update and peak memory in MB (on a GPU) of DC, DCC, DM and NCFM."""
    from bench.builtin.methods.condensation.dc import GradientMatchingDC
    from bench.builtin.methods.condensation.dcc import ContrastiveMatching
    from bench.builtin.methods.condensation.dm import DistributionMatching
    from bench.builtin.methods.condensation.ncfm import CharacteristicMatching

    methods = [
        GradientMatchingDC(inner=1),
        ContrastiveMatching(inner=1),
        DistributionMatching(),
        CharacteristicMatching(pool=2, pool_epochs=1),
    ]
    device, found = problem.x.device, {}
    for method in methods:
        long, short = (
            Problem(
                **{name: getattr(problem, name) for name in Problem.__struct_fields__}
                | {"updates": count}
            )
            for count in (updates + 1, 1)
        )
        seconds = {}
        for which, own in (
            ("first", short),
            ("short", short),
            ("long", long),
        ):  # the first wakes the device; the others' difference leaves out what is built once
            run = Run(
                seed=0,
                task="condensation/speed",
                method=f"condensation/{method.card.name}",
                device=device,
                workdir=workdir,
            )
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
                torch.cuda.synchronize(device)
            start = time.perf_counter()
            method.solve(own, run)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[which] = time.perf_counter() - start
        memory = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
        found[method.card.name] = ((seconds["long"] - seconds["short"]) / updates, memory)
    return found


def test_what_a_gpu_would_time_runs_on_a_cpu(tmp_path):
    found = synthesis(cifar_shaped(CPU, width=4, ipc=1, real=2, rows=8), 1, tmp_path)
    assert list(found) == ["dc", "dcc", "dm", "ncfm"]


@pytest.mark.gpu
@pytest.mark.parametrize("ipc", [1, 10, 50])
def test_updates_at_the_papers_sizes_on_cifar_shaped_images(ipc, tmp_path):
    device = torch.device("cuda")
    for name, (seconds, peak) in synthesis(
        cifar_shaped(device, width=128, ipc=ipc, real=256, rows=512), 20, tmp_path
    ).items():
        rate = 10 * (256 + ipc) / seconds
        print(
            f"| {name} | ipc {ipc} | {1e3 * seconds:.1f} ms | {rate:,.0f} images/s | "
            f"{peak:,.0f} MB | {torch.cuda.get_device_name(device)} |"
        )
        assert seconds > 0
