"""Shadow models of the unlearning tracks, together against one by one."""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from bench.builtin.tasks.unlearning import _models

from bench.runs.context import Run
from bench.tracks.unlearning import Group, Problem, train
from bench.training import tuned
from bench.training.state import synchronize

CPU = torch.device("cpu")
SHAPES = {
    "digits": {"members": 8, "inputs": 64, "width": 64, "batch": 32},
    "mnist": {"members": 8, "inputs": 784, "width": 128, "batch": 64},
}


def seconds(shape, rounds=5, steps=30):
    """Return the median seconds of ``steps`` steps for each way, measured in turns."""
    ways = {way: _models._prepare(way, CPU, **shape) for way in ("stacked", "serial")}
    found = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            start = time.process_time()
            for _ in range(steps):
                run()
            found[way].append(time.process_time() - start)
    return {way: statistics.median(times[1:]) for way, times in found.items()}


def test_eight_models_of_the_digits_net_train_at_least_twice_as_fast_together():
    found = seconds(SHAPES["digits"])
    assert found["serial"] / found["stacked"] >= 2


@pytest.mark.parametrize("name", ["digits", pytest.param("mnist", marks=pytest.mark.slow)])
def test_the_tuned_choice_is_at_most_15_percent_slower_than_the_better_way(name):
    found = seconds(SHAPES[name])
    assert found[tuned.choice(_models.NAME, CPU, **SHAPES[name])] <= 1.15 * min(found.values())


# On a GPU ---------------------------------------------------------------------------


def cifar_shaped(widths, rows, batch):
    """Return a problem of the shape of CIFAR-10 for a ResNet-18, a tenth of its rows to forget."""
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(rows, 3, 32, 32, generator=generator),
        torch.randint(0, 10, (rows,), generator=generator),
    )
    forget = torch.arange(rows) < rows // 10
    return Problem(
        weights={},
        x=x,
        y=y,
        forget=forget,
        x_val=x[:batch],
        y_val=y[:batch],
        n_classes=10,
        net="resnet18",
        widths=widths,
        epochs=1,
        batch_size=batch,
    )


def training_seconds(problem, device, workdir, models, which, together):
    """Return the seconds in which ``models`` originals or retrained models
    pass once over their rows, in one stack or one by one.
    """
    runs = [
        Run(
            seed=seed,
            task="unlearning-privacy/speed",
            method="unlearning-privacy/retrain",
            device=device,
            workdir=workdir,
        )
        for seed in range(models)
    ]
    synchronize(device)
    start = time.perf_counter()
    for part in [runs] if together else [[run] for run in runs]:
        group = Group([problem] * len(part), part)
        train(
            group,
            group.fresh(),
            group.rows(group.everything if which == "originals" else group.retain, which),
        )
    synchronize(device)
    return time.perf_counter() - start


@pytest.mark.parametrize("which", ["originals", "retrained"])
def test_what_a_gpu_would_time_runs_on_a_cpu(which, tmp_path):
    problem = cifar_shaped((4, 4), rows=20, batch=10)
    assert all(
        training_seconds(problem, CPU, tmp_path, 2, which, together) > 0
        for together in (True, False)
    )


@pytest.mark.gpu
@pytest.mark.parametrize("which", ["originals", "retrained"])
def test_eight_resnets_on_cifar_shaped_tensors_together_and_one_by_one(which, tmp_path):
    device, problem = torch.device("cuda"), cifar_shaped((), rows=5_120, batch=256)
    times = {}
    for together in (True, False):
        training_seconds(problem, device, tmp_path, 8, which, together)
        times[together] = statistics.median(
            training_seconds(problem, device, tmp_path, 8, which, together) for _ in range(3)
        )
    print(
        f"| 8 {which} | stacked {times[True]:.2f} s | one by one {times[False]:.2f} s | "
        f"{torch.cuda.get_device_name(device)} |"
    )
    assert times[True] <= 1.15 * times[False]
