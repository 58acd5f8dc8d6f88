"""What holds for every method of the track: stacking, honest counts, settings that can be built."""

import pytest
import torch
from noisy_helpers import every_method, problem_for, trained

from bench.training.stack import StackedMLP

METHODS = every_method()
ids = {"ids": lambda method: method.card.name}
STACKED = [method for method in METHODS if method.card.stacked]
CHOOSING = [method for method in STACKED if method.card.name in ("coteaching", "nested-coteaching")]


def test_every_method_of_the_room_is_tested_here():
    assert len(METHODS) >= 14
    assert len({method.card.name for method in METHODS}) == len(METHODS)


@pytest.mark.parametrize("method", METHODS, **ids)
def test_a_member_s_outputs_are_bit_for_bit_the_same_beside_one_other_or_two(method, toy, run_of):
    problems = [problem_for(method, toy, seed) for seed in range(3)]
    three = trained(method, problems, [run_of(seed) for seed in range(3)])
    two = trained(method, problems[1:], [run_of(seed) for seed in (1, 2)])
    assert torch.equal(two[0], three[1])
    assert torch.equal(two[1], three[2])


@pytest.mark.parametrize("method", STACKED, **ids)
def test_a_member_alone_is_its_member_of_a_stack_but_for_rounding_after_fifty_steps(
    method, toy, run_of
):
    # five steps an epoch
    problems = [problem_for(method, toy, seed, epochs=10) for seed in range(2)]
    stacked = trained(method, problems, [run_of(0), run_of(1)])
    torch.testing.assert_close(
        trained(method, problems[:1], [run_of(0)])[0], stacked[0], rtol=0, atol=1e-5
    )


@pytest.fixture
def in_double():
    """Nets and state in float64: a choice between rows turns on the last bits of a loss."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("method", CHOOSING, **ids)
def test_a_method_that_chooses_rows_chooses_the_same_ones_alone_and_stacked(
    method, toy, run_of, in_double
):
    problems = [
        problem_for(method, toy, seed, epochs=12, dtype=torch.float64, noise_rate=0.3)
        for seed in range(2)
    ]
    stacked = method.solve_stacked(problems, [run_of(0), run_of(1)])
    alone = method.solve(problems[1], run_of(1))
    torch.testing.assert_close(
        alone.model(problems[1].x), stacked[1].model(problems[1].x), rtol=0, atol=1e-10
    )
    torch.testing.assert_close(
        alone.ensemble(problems[1].x), stacked[1].ensemble(problems[1].x), rtol=0, atol=1e-10
    )
    assert torch.equal(alone.kept, stacked[1].kept)
    assert 0 < int(alone.kept.sum()) < 71


@pytest.mark.parametrize("method", METHODS, **ids)
def test_the_passes_that_a_method_counts_are_those_its_nets_made(method, toy, run_of, monkeypatch):
    seen = {"forward": 0, "backward": 0}
    features = StackedMLP.features

    def counting(stack, x):
        seen["forward"] += x.shape[0] * x.shape[1]
        found = features(stack, x)
        if found.requires_grad:
            found.register_hook(
                lambda gradient: seen.update(
                    backward=seen["backward"] + gradient.shape[0] * gradient.shape[1]
                )
            )
        return found

    monkeypatch.setattr(StackedMLP, "features", counting)
    runs = [run_of(seed) for seed in range(2)]
    method.solve_stacked([problem_for(method, toy, seed, epochs=12) for seed in range(2)], runs)
    assert {name: sum(run._counts[name] for run in runs) for name in seen} == seen
    assert seen["backward"] >= 2 * 12 * 20


@pytest.mark.parametrize("method", METHODS, **ids)
def test_the_papers_settings_can_be_built(method):
    for values in method.settings.values():
        assert type(method).make(values).values() == {
            **method.values(),
            **type(method).make(values).values(),
        }
        assert set(values) <= set(method.values())


@pytest.mark.parametrize("method", METHODS, **ids)
def test_a_method_with_a_paper_of_its_own_says_what_the_paper_claims(method):
    assert bool(method.card.claim) == bool(method.card.paper)
    assert not method.card.claim or method.card.claim.endswith(".")


# cleanlab, of classes with few rows
@pytest.mark.filterwarnings("ignore:May not flag all label issues")
@pytest.mark.parametrize("method", METHODS, **ids)
def test_a_problem_smaller_than_a_batch_and_a_class_without_rows_can_be_solved(method, toy, run_of):
    problem = problem_for(method, toy, rows=25, classes=4, epochs=3, batch_size=64)
    problem.y[problem.y == 3] = 0
    for solution in method.solve_stacked([problem, problem], [run_of(0), run_of(1)]):
        assert solution.model(problem.x).isfinite().all()
        assert solution.model(problem.x).shape == (25, 4)
        assert solution.kept is None or (solution.kept.dtype, solution.kept.shape) == (
            torch.bool,
            (25,),
        )
        assert solution.labels is None or (solution.labels.dtype, solution.labels.shape) == (
            torch.int64,
            (25,),
        )
        assert solution.clean_score is None or solution.clean_score.isfinite().all()
