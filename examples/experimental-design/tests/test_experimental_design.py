"""The plugin keeps the contracts, its gains are what they are said to be,
and its methods beat the null.
"""

import pytest
import torch
from experimental_design.methods.max_variance import MaxVariance
from experimental_design.methods.ted import TransductiveDesign
from experimental_design.track import Problem, fitted, left_over

import bench


@pytest.mark.parametrize("name", ["experimental-design/*", "auto-mpg"])
def test_what_the_plugin_brings_passes_the_conformance_suite(name, bench_check):
    bench_check(name, device="cpu", quick=True)


def pool(n=12, d=4, budget=5):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Problem(x=x, budget=budget, ridge=0.3)


def covariance(problem, rows):
    """Of the weights once ``rows`` are labelled, by the inverse itself, in
    units of the noise's variance over r.
    """
    x = problem.x[rows]
    return problem.ridge * torch.linalg.inv(
        x.T @ x + problem.ridge * torch.eye(x.shape[1], dtype=x.dtype)
    )


def greedily(problem, worth):
    """Choose row after row by ``worth`` of each set of one row more, computed from nothing."""
    rows = []
    for _ in range(problem.budget):
        free = [row for row in range(len(problem.x)) if row not in rows]
        rows.append(max(free, key=lambda row: float(worth([*rows, row]))))
    return rows


def test_ted_takes_the_row_that_leaves_the_least_variance_over_the_pool():
    problem = pool()
    expected = greedily(
        problem, lambda rows: -(problem.x @ covariance(problem, rows) @ problem.x.T).trace()
    )
    assert TransductiveDesign().solve(problem, None).rows.tolist() == expected


def test_max_variance_takes_the_row_that_says_most_about_the_weights():
    problem = pool()
    expected = greedily(problem, lambda rows: -torch.logdet(covariance(problem, rows)))
    assert MaxVariance().solve(problem, None).rows.tolist() == expected


def test_the_variance_left_over_is_that_of_the_inverse():
    problem, rows = pool(), torch.tensor([3, 1, 7])
    expected = (problem.x @ covariance(problem, rows) @ problem.x.T).diagonal()
    torch.testing.assert_close(left_over(problem.x, rows, problem.ridge), expected)


def test_ridge_regression_solves_its_normal_equations():
    problem = pool()
    y = problem.x.sum(1)
    weights = fitted(problem.x, y, problem.ridge)
    torch.testing.assert_close(
        problem.x.T @ (problem.x @ weights - y) + problem.ridge * weights,
        torch.zeros(4, dtype=torch.float64),
    )


def test_a_method_that_overspends_is_no_result(tmp_path):
    (tmp_path / "greedy.py").write_text(
        "import torch\nfrom typing import ClassVar\nfrom bench import Method, MethodCard\nfrom "
        "experimental_design.track import Solution\n\n\n"
        'class Greedy(Method):\n    """All."""\n\n    card: ClassVar = MethodCard(name="all-of-them", title="All", track="experimental-design")\n\n'
        "    def solve(self, problem, run):\n        return "
        "Solution(rows=torch.arange(len(problem.x)))\n"
    )
    (record,) = bench.run(
        method="all-of-them",
        task="label-cars",
        preset="smoke",
        seeds=1,
        device="cpu",
        results=tmp_path,
        executor="inline",
        plugins=[tmp_path / "greedy.py"],
    )
    assert record.status == "invalid"
    assert (
        "rows has the shape (100,), and must be whole numbers (int64) of shape (budget=10,)"
        in record.error.message
    )


def test_both_designs_beat_random_rows_and_the_oracle_beats_both(tmp_path):
    found = bench.run(
        method="random,ted,max-variance,greedy-oracle",
        task="experimental-design/label-cars",
        variant="b20",
        seeds=10,
        device="cpu",
        results=tmp_path,
        executor="inline",
    )
    assert len(found) == 40
    mean = {
        name: sum(record.metrics["rmse"] for record in found if record.method == name) / 10
        for name in ("random", "ted", "max-variance", "greedy-oracle")
    }
    assert (
        mean["greedy-oracle"]
        < min(mean["ted"], mean["max-variance"])
        < max(mean["ted"], mean["max-variance"])
        < mean["random"] - 0.2
    )
    spread = {(record.method, record.seed): record.metrics["variance"] for record in found}
    assert all(
        spread["ted", seed] < spread["random", seed]
        and spread["max-variance", seed] < spread["random", seed]
        for seed in range(10)
    )
