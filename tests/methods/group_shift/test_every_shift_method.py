"""What holds for every method of the track: needs, stacking, honest counts, small problems."""

import pytest
import torch
from shift_helpers import NEEDS, every_method, shown_to, solved, trained

from bench.errors import InvalidRun
from bench.tracks.group_shift import GroupMethod, Seeds
from bench.training.stack import StackedMLP

METHODS = every_method()
ids = {"ids": lambda method: method.card.name}
STACKED = [method for method in METHODS if method.card.stacked]


def test_every_method_of_the_room_is_tested_here():
    assert len(METHODS) >= 10
    assert len({method.card.name for method in METHODS}) == len(METHODS)


@pytest.mark.parametrize("method", METHODS, **ids)
def test_a_method_runs_on_what_its_card_asks_for_alone(method, toy, run_of):
    # the harness sets every other field to None
    (solution,) = solved(method, [toy()], [run_of(0)])
    assert solution.model(toy().x).isfinite().all()
    assert set(method.card.needs) <= set(NEEDS)


class Reader(GroupMethod):
    """Reads groups that its card does not ask for."""

    def rows(self, state, epoch, orders):
        return state.argsort(1)

    def start(self, seeds):
        return seeds.group


def test_a_method_that_reads_groups_it_did_not_ask_for_fails_in_a_sentence(toy, run_of):
    class Card:
        needs = ()

    problem = toy()
    hidden = shown_to(type("Asks", (), {"card": Card})(), problem)
    assert Reader().solve(problem, run_of(0)) is not None
    with pytest.raises(InvalidRun, match=r"reads train_groups.*put 'train-groups' into 'needs'"):
        Reader().solve(hidden, run_of(1))
    with pytest.raises(InvalidRun, match=r"reads env.*put 'env' into 'needs'"):
        _ = Seeds([hidden], [run_of(2)]).env


@pytest.mark.parametrize("method", STACKED, **ids)
def test_a_member_s_outputs_are_bit_for_bit_the_same_beside_one_other_or_two(method, toy, run_of):
    problems = [toy(seed) for seed in range(3)]
    three = trained(method, problems, [run_of(seed) for seed in range(3)])
    two = trained(method, problems[1:], [run_of(seed) for seed in (1, 2)])
    assert torch.equal(two[0], three[1])
    assert torch.equal(two[1], three[2])


@pytest.mark.parametrize("method", STACKED, **ids)
def test_a_member_alone_is_its_member_of_a_stack_but_for_rounding(method, toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    stacked = trained(method, problems, [run_of(0), run_of(1)])
    torch.testing.assert_close(
        trained(method, problems[:1], [run_of(0)])[0], stacked[0], rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("method", METHODS, **ids)
def test_backward_passes_that_a_method_counts_are_those_its_nets_made(
    method, toy, run_of, monkeypatch
):
    seen = [0]
    features = StackedMLP.features

    def counting(stack, x):
        found = features(stack, x)
        if found.requires_grad and found.grad_fn is not None:
            found.register_hook(
                lambda gradient: seen.__setitem__(
                    0, seen[0] + gradient.shape[0] * gradient.shape[1]
                )
            )
        return found

    monkeypatch.setattr(StackedMLP, "features", counting)
    runs = [run_of(seed) for seed in range(2)]
    solved(method, [toy(seed) for seed in range(2)], runs)
    counted = sum(run._counts["backward"] for run in runs)
    assert seen[0] <= counted


@pytest.mark.parametrize("method", METHODS, **ids)
def test_the_papers_settings_can_be_built(method):
    for values in method.settings.values():
        assert set(values) <= set(method.values())
        assert type(method).make(values).values()


@pytest.mark.parametrize("method", METHODS, **ids)
def test_a_method_with_a_paper_of_its_own_says_what_the_paper_claims(method):
    assert bool(method.card.claim) == bool(method.card.paper)
    assert not method.card.claim or method.card.claim.endswith(".")
    assert method.card.signal in ("groups", "env", "early-errors", "held-out", "features", "none")


@pytest.mark.parametrize("method", METHODS, **ids)
def test_a_problem_smaller_than_a_batch_and_groups_without_rows_can_be_solved(method, toy, run_of):
    problem = toy(rows=24, epochs=2, batch_size=64, rho=1.0)
    for solution in solved(method, [problem, problem], [run_of(0), run_of(1)]):
        said = solution.model(problem.x)
        assert said.isfinite().all()
        assert said.shape == (24, 2)
        assert solution.minority is None or solution.minority.shape == (24,)
        assert solution.weight is None or solution.weight.isfinite().all()
