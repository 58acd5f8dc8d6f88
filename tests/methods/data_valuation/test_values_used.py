"""Out-of-bag values as values, as suspicion of labels and as an order of rows to keep."""

import torch
from bench.builtin.methods.data_valuation.data_oob import OutOfBag
from valuation_small import a_run, clusters

from bench.tracks import label_errors, noisy_labels, selection

METHOD = OutOfBag(trees=40)


def labelled(problem):
    """Return the same rows as a problem of wrong labels."""
    return noisy_labels.Problem(x=problem.x, y=problem.y, n_classes=3)


def prunable(problem, **fields):
    """Return the same rows as a problem of choosing rows."""
    return selection.Problem(x=problem.x, y=problem.y, n_classes=3, fractions=(0.25, 0.5), **fields)


def test_the_lower_the_value_of_a_row_the_more_suspicious_its_label(tmp_path):
    problem, bad = clusters()
    value = METHOD.solve(problem, a_run(tmp_path)).value
    found = METHOD.solve(labelled(problem), a_run(tmp_path))
    assert isinstance(found, label_errors.Solution)
    assert torch.equal(found.suspicion, -value)
    assert float(found.suspicion[bad].mean()) > float(found.suspicion[~bad].mean())


def test_the_rows_of_the_highest_values_are_kept_and_the_lowest_dropped_first(tmp_path):
    problem, bad = clusters()
    value = METHOD.solve(problem, a_run(tmp_path)).value
    found = METHOD.solve(prunable(problem), a_run(tmp_path))
    assert torch.equal(found.scores, value)
    for rows, budget in zip(found.rows, (10, 20), strict=True):
        dropped = torch.ones(40, dtype=torch.bool)
        dropped[rows] = False
        assert len(rows) == budget
        assert float(value[rows].min()) >= float(value[dropped].max())
    assert int(bad[found.rows[1]].sum()) <= 1


def test_each_class_gets_its_share_where_the_problem_is_balanced(tmp_path):
    problem, _ = clusters(n=60)
    found = METHOD.solve(prunable(problem, class_balance=True), a_run(tmp_path))
    assert torch.bincount(problem.y[found.rows[0]], minlength=3).tolist() == [5, 5, 5]
