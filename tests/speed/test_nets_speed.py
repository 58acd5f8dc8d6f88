"""What a stack of seeds saves, and on a GPU the time of a ResNet-34 step:
the figures of docs/tracks/noisy-labels.md.
"""

from __future__ import annotations

import statistics
import time

import pytest
import torch

from bench.runs.context import Run
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Seeds, sgd, train_step

ROWS, FEATURES, CLASSES, SEEDS = 1397, 64, 10, 5
CPU = torch.device("cpu")


def cpu_seconds(
    method: NoisyLabelMethod, problem: Problem, seeds: list[list[int]], workdir
) -> float:
    """Return the processor time of training every group of seeds, each group in one pass."""
    start = time.process_time()
    for group in seeds:
        runs = [
            Run(
                seed=seed,
                task="noisy-labels/speed",
                method="noisy-labels/ce",
                device=CPU,
                workdir=workdir,
            )
            for seed in group
        ]
        method.solve_stacked([problem] * len(group), runs) if len(group) > 1 else method.solve(
            problem, runs[0]
        )
    return time.process_time() - start


def test_five_stacked_seeds_on_digits_cost_at_most_three_quarters_of_five_single_ones(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(ROWS, FEATURES, generator=generator),
        torch.randint(0, CLASSES, (ROWS,), generator=generator),
    )
    problem, method = Problem(x=x, y=y, n_classes=CLASSES, epochs=5), NoisyLabelMethod()
    cpu_seconds(method, problem, [[0, 1], [2]], tmp_path)
    rounds = [
        (
            cpu_seconds(method, problem, [list(range(SEEDS))], tmp_path),
            cpu_seconds(method, problem, [[k] for k in range(SEEDS)], tmp_path),
        )
        for _ in range(3)
    ]
    stacked, single = (statistics.median(column) for column in zip(*rounds, strict=True))
    assert stacked / single <= 0.75


def step_seconds(
    method: NoisyLabelMethod, problem: Problem, device: torch.device, workdir, steps: int
) -> float:
    """Return the median seconds of a training step of one seed, after a warm-up."""
    run = Run(
        seed=0, task="noisy-labels/speed", method=method.card.name, device=device, workdir=workdir
    )
    seeds = Seeds([problem], [run])
    seeds.nets = seeds.build(method.nets)
    state, optimiser, times = method.start(seeds), sgd(seeds), []
    for batch in seeds.epoch(0):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        train_step(method, seeds.nets, optimiser, state, batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
        if len(times) == steps + 5:
            break
    return statistics.median(times[5:])


def cifar_shaped(
    net: str, widths: tuple[int, ...], precision: str, rows: int, batch: int
) -> Problem:
    """Return a problem of the shape of CIFAR-10 with augmentation."""
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(rows, 3, 32, 32, generator=generator),
        torch.randint(0, 10, (rows,), generator=generator),
    )
    return Problem(
        x=x,
        y=y,
        n_classes=10,
        net=net,
        widths=widths,
        precision=precision,
        flip=True,
        crop=4,
        batch_size=batch,
        lr=0.02,
        noise_rate=0.4,
    )


def methods() -> list[NoisyLabelMethod]:
    """Return the two methods whose step times the docs state."""
    from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
    from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation

    return [EarlyLearningRegularisation(), CoTeaching()]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_steps_that_a_gpu_would_time_run_on_a_cpu(precision, tmp_path):
    problem = cifar_shaped("resnet34", (4, 4), precision, rows=28, batch=4)
    assert all(step_seconds(method, problem, CPU, tmp_path, 1) > 0 for method in methods())


@pytest.mark.gpu
def test_step_times_of_elr_and_coteaching_with_resnet_34_on_cifar_shaped_tensors(tmp_path):
    device = torch.device("cuda")
    for method in methods():
        for precision in ("float32", "bfloat16"):
            seconds = step_seconds(
                method,
                cifar_shaped("resnet34", (), precision, rows=10_000, batch=128),
                device,
                tmp_path,
                60,
            )
            print(
                f"| {method.card.name} | {precision} | {1e3 * seconds:.1f} ms | "
                f"{torch.cuda.get_device_name(device)} |"
            )
            assert seconds > 0
