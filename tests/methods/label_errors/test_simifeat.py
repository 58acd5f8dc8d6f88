"""SimiFeat: its thresholds by hand, a count row by row, and what it flags in clear clusters."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.label_errors.simifeat import SimiFeat, _tail

from bench.runs.context import Run
from bench.tracks.noisy_labels import Problem
from bench.training.consensus import transition_of

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


def slowly(problem, k, steps):
    """Return suspicion, and the flags by vote and by rank, of one round, row by row."""
    x, y, classes = problem.x.double().numpy(), problem.y.numpy(), problem.n_classes
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    shares, near = np.zeros((len(y), classes)), np.zeros((len(y), 2), dtype=int)
    for i in range(len(y)):
        cosine = [float(unit[i] @ unit[j]) for j in range(len(y))]
        others = sorted((j for j in range(len(y)) if j != i), key=lambda j, c=cosine: -c[j])
        # the row itself weighs as much more than the nearest one as that does than the second
        weights = {i: 2 * cosine[others[0]] - cosine[others[1]]}
        weights |= {j: cosine[j] for j in others[: k - 1]}
        for j, weight in weights.items():
            shares[i, y[j]] += max(weight, 0) / sum(max(w, 0) for w in weights.values())
        near[i] = others[:2]
    suspicion = [-np.log(max(shares[i, y[i]], 1e-8)) for i in range(len(y))]
    vote = [max(range(classes), key=lambda c, i=i: shares[i, c]) != y[i] for i in range(len(y))]
    triples = np.zeros((classes,) * 3)
    for i in range(len(y)):
        triples[y[i], y[near[i, 0]], y[near[i, 1]]] += 1 / len(y)
    given = triples.sum((1, 2))
    counts = (given, triples.sum(2), triples)
    matrix, prior = transition_of(tuple(map(torch.from_numpy, counts)), steps)
    rank = np.zeros(len(y), dtype=bool)
    for c in range(classes):
        # P(true = c | given = c), by Bayes
        right = float(matrix[c, c] * prior[c]) / given[c]
        wrong = 0.95 if right <= 0 else 0.05 if right >= 1 else 1 - right
        own = [i for i in range(len(y)) if y[i] == c]
        limit = np.percentile([suspicion[i] for i in own], 100 * (1 - wrong))
        rank[[i for i in own if suspicion[i] >= limit - 1e-12]] = True
    return np.array(suspicion), {"vote": np.array(vote), "rank": rank}


@pytest.mark.parametrize("rule", ["rank", "vote"])
@pytest.mark.parametrize("k", [4, 10])
def test_suspicion_and_flags_are_those_of_a_count_row_by_row(run, rule, k):
    generator = np.random.default_rng(3)
    problem, _ = problem_of()
    blurred = problem.x + 0.4 * torch.from_numpy(generator.standard_normal((120, 12))).float()
    problem = msgspec.structs.replace(problem, x=blurred)
    found = SimiFeat(rule=rule, k=k, rounds=3, jitter=0.0).solve(problem, run)
    suspicion, flags = slowly(problem, k, steps=501)
    np.testing.assert_allclose(found.suspicion.numpy(), suspicion, rtol=0, atol=1e-9)
    assert 10 < flags[rule].sum() < 70
    assert found.flags.tolist() == flags[rule].tolist()


def test_a_row_is_flagged_that_half_of_the_rounds_hold_wrong(run, monkeypatch):
    """Three rows in four rounds, of which all, two and one hold the row wrong."""
    problem = Problem(x=torch.ones(3, 2), y=torch.tensor([0, 0, 0]), n_classes=2)
    right, wrong = [0.9, 0.1], [0.2, 0.8]
    said = [
        [wrong, wrong, wrong],
        [wrong, wrong, right],
        [wrong, right, right],
        [wrong, right, right],
    ]
    rounds = [
        (torch.tensor(shares, dtype=torch.float64), torch.zeros(3, 2).long()) for shares in said
    ]
    monkeypatch.setattr(SimiFeat, "_rounds", lambda self, problem, run: rounds)
    found = SimiFeat(rule="vote").solve(problem, run)
    assert found.flags.tolist() == [True, True, False]
    expected = [-np.mean([np.log(shares[i][0]) for shares in said]) for i in range(3)]
    np.testing.assert_allclose(found.suspicion.numpy(), expected, rtol=0, atol=1e-12)
