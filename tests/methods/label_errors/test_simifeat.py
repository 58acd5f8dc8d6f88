"""SimiFeat: its thresholds by hand, and what it flags of rows in clear clusters."""

import numpy as np
import pytest
import torch
from bench.builtin.methods.label_errors.simifeat import SimiFeat, _tail

from bench.runs.context import Run
from bench.tracks.noisy_labels import Problem

CPU = torch.device("cpu")


def problem_of(shape=(12,), rows=120):
    """Return three clusters of which a fifth of the labels is moved, and which those are."""
    generator = np.random.default_rng(0)
    true = np.arange(rows) % 3
    x = 0.1 * generator.standard_normal((rows, 12)) + np.repeat(np.eye(3), 4, axis=1)[true]
    wrong = generator.random(rows) < 0.2
    given = np.where(wrong, (true + 1) % 3, true)
    problem = Problem(
        x=torch.tensor(x, dtype=torch.float32).view(rows, *shape),
        y=torch.from_numpy(given),
        n_classes=3,
    )
    return problem, torch.from_numpy(wrong)


@pytest.fixture
def run(tmp_path):
    return Run(seed=0, task="label-errors/toy", method="x", device=CPU, workdir=tmp_path)


@pytest.mark.parametrize("rule", ["rank", "vote"])
@pytest.mark.parametrize("shape", [(12,), (1, 3, 4)], ids=["table", "pictures"])
def test_in_clear_clusters_the_flags_are_the_wrong_labels(run, rule, shape):
    problem, wrong = problem_of(shape)
    found = SimiFeat(rule=rule, rounds=3, jitter=0.0).solve(problem, run)
    missed = (found.flags != wrong).sum()
    assert missed <= (6 if shape == (12,) else 24)  # shifted pictures lie in other clusters
    assert found.suspicion[wrong].median() > found.suspicion[~wrong].median()


def test_a_class_loses_the_rows_at_or_above_its_own_quantile():
    score = torch.tensor([0.1, 0.9, 0.5, 0.7, 3.0, 1.0, 2.0, 4.0], dtype=torch.float64)
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    right = torch.tensor([0.75, 0.5], dtype=torch.float64)
    expected = torch.zeros(8, dtype=torch.bool)
    for c, share in ((0, 0.75), (1, 0.5)):
        own = [i for i in range(8) if y[i] == c]
        limit = np.percentile([score[i] for i in own], 100 * share)
        expected[[i for i in own if score[i] >= limit]] = True
    assert torch.equal(_tail(score, y, right), expected)
    everything = _tail(score, y, torch.tensor([1.2, -0.1], dtype=torch.float64))
    assert everything[:4].sum() == 1  # 5 % of four rows: the last one
    assert everything[4:].sum() >= 3  # 95 %
