"""Imputers: formulas by hand, limits in which two must agree, and what they may not read."""

import math

import msgspec
import pytest
import torch
from bench.builtin.methods.imputation._transport import nearest_rows, transport
from bench.builtin.methods.imputation.forest import Forest
from bench.builtin.methods.imputation.iterative import Iterative
from bench.builtin.methods.imputation.knn import NearestRows
from bench.builtin.methods.imputation.mean import ColumnMean
from bench.builtin.methods.imputation.median import ColumnMedian
from bench.builtin.methods.imputation.ot import BatchTransport
from bench.builtin.methods.imputation.soft_impute import SoftImpute
from bench.builtin.methods.imputation.tdm import TransformedMatching, _coupled
from missing_small import a_run, class_problem, fill_problem, low_rank, value_problem
from scipy.optimize import linprog

from bench.checks import check_problem, check_solution
from bench.errors import InvalidRun, ParameterError
from bench.tracks import imputation, missing_data

NAN = float("nan")
SHORT = {"steps": 6, "batch": 8}
ALL = (
    ColumnMean(),
    ColumnMedian(),
    NearestRows(neighbours=3),
    Iterative(rounds=2),
    Forest(trees=2, rounds=1),
    SoftImpute(rounds=5),
    BatchTransport(**SHORT),
    TransformedMatching(**SHORT),
)


def named(method):
    return type(method).card.name


@pytest.mark.parametrize("method", ALL, ids=named)
def test_every_imputer_fills_a_table_and_serves_prediction(method, tmp_path):
    problem, _ = fill_problem()
    checked, scope = check_problem(problem, (imputation.Problem,))
    found = method.solve(problem, a_run(tmp_path, method=named(method)))
    check_solution(found, checked, scope, (imputation.Imputed,))
    for other in (class_problem(), value_problem()):
        checked, scope = check_problem(other, (missing_data.Problem,))
        solution = method.solve(other, a_run(tmp_path, method=named(method)))
        check_solution(solution, checked, scope, (missing_data.Solution,))
        rows = low_rank(rows=9, seed=5)[1]
        said = solution.model(rows)
        assert said.shape == (9, other.n_classes)
        # each row is filled by itself
        assert torch.allclose(solution.model(rows[4:5]), said[4:5], atol=1e-4)


@pytest.mark.parametrize("method", ALL, ids=named)
def test_labels_do_not_move_what_is_filled(method, tmp_path):
    seen = []

    class Spy(type(method), frozen=True):
        def fits(self, tables, runs):
            seen.append(super().fits(tables, runs)[0])
            return [seen[-1]]

    for seed in (0, 1):
        problem = class_problem()
        if seed:
            problem = msgspec.structs.replace(problem, y=1 - problem.y)
        Spy(**{name: getattr(method, name) for name in method.__struct_fields__}).solve(
            problem, a_run(tmp_path, method=named(method))
        )
    assert torch.equal(seen[0].table, seen[1].table)


def test_means_and_medians_are_those_of_observed_cells(tmp_path):
    x = torch.tensor([[1.0, NAN], [NAN, 2.0], [3.0, 4.0], [8.0, 9.0]])
    for method, filled in ((ColumnMean(), (4.0, 5.0)), (ColumnMedian(), (3.0, 4.0))):
        table = method.solve(imputation.Problem(x=x), a_run(tmp_path)).table
        assert (float(table[1, 0]), float(table[0, 1])) == filled


def test_nearest_rows_are_weighted_by_their_distance(tmp_path):
    x = torch.tensor([[0.0, NAN], [1.0, 10.0], [2.0, 40.0], [9.0, 0.0]])
    found = NearestRows(neighbours=2).solve(imputation.Problem(x=x), a_run(tmp_path)).table
    # distances 1 and 2: weights 2/3 and 1/3
    assert float(found[0, 1]) == pytest.approx(20.0, abs=1e-4)


@pytest.mark.parametrize(
    "method",
    [SoftImpute(rounds=200, penalty=0.02), Iterative(), NearestRows(neighbours=5)],
    ids=named,
)
def test_structure_of_the_table_is_used(method, tmp_path):
    problem, whole = fill_problem(rows=120, share=0.2)
    holes = problem.x.isnan()
    errors = [
        float((one.solve(problem, a_run(tmp_path)).table - whole)[holes].square().mean().sqrt())
        for one in (method, ColumnMean())
    ]
    assert errors[0] < 0.7 * errors[1]


def test_soft_impute_fills_its_own_rows_by_the_formula_for_other_rows(tmp_path):
    x = fill_problem()[0].x
    filled = SoftImpute(rounds=3000).fits([x], [a_run(tmp_path)])[0]
    assert torch.allclose(filled.fill(x).double(), filled.table, atol=1e-5)


def test_soft_impute_satisfies_the_optimality_of_its_objective(tmp_path):
    """The residual on observed cells is shrink * (U V' + W), W orthogonal to both and of norm at
    most 1: the subgradient of the nuclear norm.
    """
    x = fill_problem()[0].x.double()
    table = SoftImpute(rounds=3000).fits([x], [a_run(tmp_path)])[0].table - x.nanmean(0)
    shrink = 0.1 * float(torch.linalg.matrix_norm((x - x.nanmean(0)).nan_to_num(0.0), 2))
    left, values, right = torch.linalg.svd(table, full_matrices=False)
    low = (left * (values - shrink).clamp_min(0)) @ right
    residual = (table - low) / shrink
    rank = int((values > shrink + 1e-9).sum())
    assert 0 < rank < 6
    inside = left[:, :rank].T @ residual @ right[:rank].T
    assert torch.allclose(inside, torch.eye(rank).double(), atol=1e-4)
    assert float(torch.linalg.matrix_norm(residual, 2)) < 1 + 1e-4
    assert float(residual[x.isnan()].abs().max()) < 1e-4


def test_no_transport_plan_costs_less_than_the_best_assignment():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 1, 6, 3, generator=generator, dtype=torch.float64)
    costs = torch.cdist(one[0], other[0]).numpy().ravel()
    sums = [[float(k // 6 == i) for k in range(36)] for i in range(6)]
    sums += [[float(k % 6 == j) for k in range(36)] for j in range(6)]
    plan = linprog(costs, A_eq=sums, b_eq=[1 / 6] * 12)
    assert float(transport(one, other)) == pytest.approx(plan.fun)


def test_tdm_without_blocks_is_ot_bit_for_bit(tmp_path):
    problem, _ = fill_problem()
    tables = [
        method.solve(problem, a_run(tmp_path, method="one")).table
        for method in (BatchTransport(**SHORT), TransformedMatching(depth=0, **SHORT))
    ]
    assert torch.equal(*tables)


def test_the_nets_of_tdm_grow_with_the_columns_up_to_64_units(tmp_path):
    hidden = {
        columns: {part.shape[1] for part in parts if part.shape[1] == part.shape[2]}
        for columns in (20, 32, 33, 200)
        for _, parts in [TransformedMatching().transform(columns, [a_run(tmp_path)])]
    }
    assert hidden == {20: {40}, 32: {64}, 33: {64}, 200: {64}}


def test_the_map_of_tdm_is_invertible_and_moves_every_column(tmp_path):
    through, parts = TransformedMatching().transform(5, [a_run(tmp_path)])
    rows = torch.randn(1, 7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = torch.autograd.functional.jacobian(
        lambda row: through(row[None, None])[0, 0], rows[0, 0]
    )
    assert float(torch.linalg.det(moved).abs()) > 1e-6
    assert bool(((through(rows) - rows).abs() > 1e-9).all())
    # 3 blocks of 2 halves, each with a stack of 2 nets of 3 layers with weights and biases
    assert len(parts) == 3 * 2 * 3 * 2


def test_a_block_scales_one_half_by_the_clamped_exponential_of_its_coupling():
    rows, scale, shift = torch.tensor([[[2.0]]]), torch.tensor([[[0.5]]]), torch.tensor([[[3.0]]])
    wanted = 2.0 * math.exp(2 * 0.636 * math.atan(0.5)) + 3.0
    assert float(_coupled(rows, torch.cat([scale, shift]))) == pytest.approx(wanted)


def test_transport_moves_cells_towards_the_table(tmp_path):
    problem, whole = fill_problem(rows=80, share=0.2)
    holes = problem.x.isnan()
    found = BatchTransport(steps=200, batch=32).solve(problem, a_run(tmp_path)).table
    errors = [
        float((table - whole)[holes].square().mean().sqrt())
        for table in (found, ColumnMean().solve(problem, a_run(tmp_path)).table)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_rows_that_are_not_in_the_table_get_the_mean_of_the_nearest_completed_rows():
    table = torch.arange(24.0).reshape(12, 2).double()
    found = nearest_rows(table)(torch.tensor([[0.0, NAN]]))
    # the ten rows whose first cells are nearest to 0 have second cells 1, 3, ..., 19
    assert found.tolist() == [[0.0, 10.0]]


@pytest.mark.parametrize(
    "method", [SoftImpute(rounds=5), TransformedMatching(**SHORT), ColumnMean()], ids=named
)
def test_a_seed_gets_the_same_bits_whoever_stands_beside_it(method, tmp_path):
    problems = [fill_problem(seed=seed)[0] for seed in range(3)]
    three = method.solve_stacked(problems, [a_run(tmp_path, seed) for seed in range(3)])
    two = method.solve_stacked(problems[1:], [a_run(tmp_path, seed) for seed in (1, 2)])
    assert torch.equal(three[1].table, two[0].table)
    assert torch.equal(three[2].table, two[1].table)


def test_a_column_without_an_observed_cell_is_filled_by_every_imputer(tmp_path):
    x = low_rank()[1]
    x[:, 2] = NAN
    for method in ALL:
        table = method.solve(imputation.Problem(x=x), a_run(tmp_path, method=named(method))).table
        assert bool(table.isfinite().all()), named(method)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (NearestRows, {"neighbours": 0}),
        (Iterative, {"rounds": 0}),
        (SoftImpute, {"penalty": 0.0}),
        (TransformedMatching, {"depth": -1}),
        (BatchTransport, {"batch": 1}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)


def test_cells_that_moved_beyond_all_numbers_are_refused_in_a_sentence():
    far = torch.full((1, 2, 3), 1e300, dtype=torch.float64)
    with pytest.raises(InvalidRun, match="distances are not finite; take a smaller lr"):
        transport(far, -far)


def test_a_penalty_that_leaves_no_ridge_is_refused():
    with pytest.raises(ParameterError, match=r"penalty=1e-300; penalty takes a number at least"):
        SoftImpute(penalty=1e-300)
