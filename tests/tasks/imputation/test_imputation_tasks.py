"""The tasks of imputation: what is hidden, how filled cells are scored, and what is refused."""

import itertools

import numpy as np
import pytest
import torch
from bench.builtin.tasks.imputation._task import assignment_cost
from bench.builtin.tasks.imputation.impute_wine import ImputeWine

from bench.checks import check_problem, check_solution
from bench.contracts import Outcome
from bench.errors import InvalidRun, ParameterError
from bench.tracks.imputation import Imputed, Problem


@pytest.fixture(scope="module")
def task():
    return ImputeWine(rows=60)


@pytest.fixture(scope="module")
def case(task, setups):
    return task.prepare(setups("imputation/impute-wine"))


def scored(task, case, table, setups):
    outcome = Outcome(solution=Imputed(table=table), curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], setups("imputation/impute-wine"))


def test_methods_see_nothing_of_hidden_cells_and_the_scale_is_that_of_observed_ones(case):
    x, holes = case.problems[0].x, case.hidden.holes
    assert set(Problem.__struct_fields__) == {"x", "steps"}
    assert torch.equal(x.isnan(), holes)
    assert 0.2 < float(holes.double().mean()) < 0.4
    assert torch.equal(x[~holes], case.hidden.table[~holes])
    assert float(x.nanmean(0).abs().max()) < 1e-5
    assert torch.allclose(x.square().nanmean(0), torch.ones(13), atol=1e-5)


def test_column_means_have_an_error_of_1_and_the_complete_table_has_none(task, case, setups):
    x = case.problems[0].x
    means = scored(task, case, x.nan_to_num(0.0), setups)
    assert means.metrics["nrmse"] == pytest.approx(1.0)
    told = task.tell_cells(case.problems[0], case.hidden, None)
    best = scored(task, case, told.table, setups)
    assert best.metrics["nrmse"] == best.metrics["mae"] == best.metrics["w2"] == 0
    assert set(best.images) == {"holes", "cells"}


def test_errors_are_those_of_hidden_cells_by_hand(task, case, setups):
    holes = case.hidden.holes
    table = torch.where(holes, case.hidden.table + 0.5, case.hidden.table)
    found = scored(task, case, table, setups).metrics
    truth = case.hidden.table[holes].double()
    assert found["mae"] == pytest.approx(0.5, abs=1e-6)
    assert found["nrmse"] == pytest.approx(0.5 / float(truth.square().mean().sqrt()), rel=1e-5)


def test_the_distance_of_tables_is_that_of_the_best_of_all_orders():
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, 6, 3))
    by_hand = min(
        ((one - other[list(order)]) ** 2).sum(1).mean() / 2
        for order in itertools.permutations(range(6))
    )
    assert assignment_cost(one, other) == pytest.approx(by_hand)
    assert assignment_cost(one, one[::-1]) == pytest.approx(0)


def test_a_changed_observed_cell_is_refused_and_a_hole_left_open_too(case):
    problem, scope = check_problem(case.problems[0], (Problem,))
    table = problem.x.nan_to_num(0.0)
    check_solution(Imputed(table=table.clone()), problem, scope, (Imputed,))
    place = tuple((~problem.x.isnan()).nonzero()[0].tolist())
    table[place] += 1
    with pytest.raises(InvalidRun, match="1 observed cells of its table differ"):
        check_solution(Imputed(table=table), problem, scope, (Imputed,))
    with pytest.raises(InvalidRun, match=r"NaN|finite|nan"):
        check_solution(Imputed(table=problem.x.clone()), problem, scope, (Imputed,))


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.0}, {"rows": -1}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        ImputeWine(**wrong)


@pytest.mark.parametrize("rows", [1, 9])
def test_a_table_of_few_rows_is_refused_in_a_sentence(rows, setups):
    with pytest.raises(InvalidRun, match=rf"rows is {rows}, .*; take at least 10, or 0 for all"):
        ImputeWine(rows=rows).prepare(setups("imputation/impute-wine"))


def test_seeds_draw_other_holes(task, setups):
    one, other = (
        task.prepare(setups("imputation/impute-wine", seed)).hidden.holes for seed in (0, 1)
    )
    assert not torch.equal(one, other)
