"""Pruning by confident learning against slow votes and a direct call of the library."""

import numpy as np
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.cl_prune import ConfidentLearningPruning
from cleanlab.filter import find_label_issues
from noisy_helpers import trained


def test_where_nothing_is_flagged_it_is_cross_entropy_bit_for_bit(toy, run_of, monkeypatch):
    monkeypatch.setattr(
        "cleanlab.filter.find_label_issues",
        lambda labels, *_, **__: np.zeros(len(labels), dtype=bool),
    )
    problem = toy()
    assert torch.equal(
        trained(ConfidentLearningPruning(), [problem], [run_of(0)])[0],
        trained(CrossEntropy(), [problem], [run_of(0)])[0],
    )


def test_it_drops_what_a_direct_call_of_the_library_flags(toy, run_of):
    problem = toy(rows=150)
    method = ConfidentLearningPruning()
    votes = method._votes(
        problem.x.numpy(), problem.y.numpy(), 4, run_of(0).numpy_generator("method", "folds")
    )
    flagged = find_label_issues(problem.y.numpy(), votes, filter_by="prune_by_noise_rate", n_jobs=1)
    solution = method.solve(problem, run_of(0))
    assert 5 < flagged.sum() < 60
    np.testing.assert_array_equal(solution.kept.numpy(), ~flagged)
    np.testing.assert_allclose(
        solution.clean_score.numpy(), votes[np.arange(150), problem.y.numpy()]
    )


def test_votes_are_those_of_the_nearest_rows_of_other_folds_and_folds_are_stratified():
    generator = np.random.default_rng(0)
    x, given = generator.standard_normal((90, 5)), np.arange(90) % 3
    votes = ConfidentLearningPruning(neighbours=7, folds=3)._votes(
        x, given, 3, np.random.default_rng(5)
    )
    order = np.random.default_rng(5).permutation(90)
    fold = {}
    # stable: by label, within it as shuffled
    for position, row in enumerate(sorted(order, key=lambda row: given[row])):
        fold[row] = position % 3
    for part in range(3):
        assert np.bincount(given[[row for row in range(90) if fold[row] == part]]).tolist() == [
            10,
            10,
            10,
        ]
    for i in range(90):
        others = sorted(
            (j for j in range(90) if fold[j] != fold[i]),
            key=lambda j: float(((x[i] - x[j]) ** 2).sum()),
        )[:7]
        np.testing.assert_allclose(votes[i], np.bincount(given[others], minlength=3) / 7)


def test_without_the_library_it_is_unavailable_with_the_line_that_installs_it(monkeypatch):
    from bench.plugins.registry import Registry
    from bench.runs import provenance
    from bench.runs.plan import Request, make_plan

    version = provenance._version
    monkeypatch.setattr(
        provenance, "_version", lambda name: "missing" if name == "cleanlab" else version(name)
    )
    plan = make_plan(
        Request(track="noisy-labels", tasks=("noisy-digits",), preset="smoke"), Registry()
    )
    (row,) = [row for row in plan.not_run if row.method == "cl-prune"]
    assert row.status == "unavailable"
    assert "pip install cleanlab" in row.reason
    assert "cl-prune" not in {cell.spec.method for cell in plan.cells}
