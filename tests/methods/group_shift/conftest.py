"""Shared pieces: small problems and runs made by hand."""

import numpy as np
import pytest
import torch

from bench.runs.context import Run
from bench.tracks.group_shift import LabelledGroups, Pretrained, Problem

CPU = torch.device("cpu")


@pytest.fixture
def run_of(tmp_path):
    """Return a function from a seed to a fresh run of that seed."""

    def make(seed=0, method="group-shift/x"):
        return Run(seed=seed, task="group-shift/toy", method=method, device=CPU, workdir=tmp_path)

    return make


def rows_of(generator, rows, classes, rho):
    """Return inputs, labels and attributes: input 0 shows the attribute, others the label."""
    y = generator.integers(0, classes, rows)
    a = np.where(
        generator.random(rows) < rho, y, (y + generator.integers(1, classes, rows)) % classes
    )
    x = generator.standard_normal((rows, 12)) * 0.5
    x[:, :classes] += 3 * np.eye(classes)[a]
    x[:, classes : 2 * classes] += 1.5 * np.eye(classes)[y]
    return torch.tensor(x, dtype=torch.float32), torch.from_numpy(y), torch.from_numpy(a)


@pytest.fixture
def toy():
    """Return a function that makes a small problem whose attribute mostly goes with the label, with
    all that a method can ask for.
    """

    def make(seed=0, rows=96, classes=2, rho=0.85, shape=None, **protocol):
        generator = np.random.default_rng(seed)
        x, y, a = rows_of(generator, rows, classes, rho)
        x_val, y_val, a_val = rows_of(generator, rows, classes, 1 / classes)
        trained = np.random.default_rng(99)
        sizes = [(16, 12), (16, 16), (5, 16)]
        protocol = {"widths": (16, 16), "epochs": 4, "batch_size": 32, **protocol}
        if shape is not None:
            x, x_val = (part[:, : np.prod(shape)].reshape(-1, *shape) for part in (x, x_val))
        return Problem(
            x=x,
            y=y,
            n_classes=classes,
            n_groups=classes**2,
            train_groups=y * classes + a,
            val_groups=LabelledGroups(x=x_val, y=y_val, group=y_val * classes + a_val),
            env=torch.from_numpy(generator.integers(0, 2, rows)),
            pretrained=Pretrained(
                weights=tuple(
                    torch.tensor(trained.standard_normal(size) / 4, dtype=torch.float32)
                    for size in sizes
                ),
                biases=tuple(torch.zeros(size[0]) for size in sizes),
                n_classes=5,
            ),
            other_pictures=torch.tensor(
                generator.standard_normal((40, *x.shape[1:])), dtype=torch.float32
            ),
            **protocol,
        )

    return make
