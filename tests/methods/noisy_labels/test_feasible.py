"""Feasible learning against its formula and in its limiting cases."""

import math

import pytest
import torch
from bench.builtin.methods.noisy_labels.feasible import FeasibleLearning
from noisy_helpers import batch_of, draw, softmax, trained

from bench.training.supervised import SupervisedMethod


@pytest.mark.parametrize("resilience", [0.0, 1.5])
def test_feasible_learning_is_its_formula_row_by_row(resilience):
    method = FeasibleLearning(bound=1.2, dual_lr=0.3, resilience=resilience)
    state, expected = torch.zeros(12, dtype=torch.float64), [0.0] * 12
    y = draw()[1]
    for visit in range(3):
        logits = draw(visit)[0]
        found = method.loss(state, batch_of(y), logits)
        for k in range(2):
            losses = [-math.log(softmax(logits[k, i].tolist())[y[k, i]]) for i in range(6)]
            for i, loss in enumerate(losses):
                now = expected[6 * k + i]
                expected[6 * k + i] = max(0.0, now + 0.3 * (loss - 1.2 - resilience * now))
            weights = expected[6 * k : 6 * k + 6]
            for i, loss in enumerate(losses):
                share = weights[i] / (sum(weights) / 6)
                assert found[k, i].item() == pytest.approx(share * loss, rel=1e-10)
    torch.testing.assert_close(state, torch.tensor(expected, dtype=torch.float64))


def test_a_bound_above_every_loss_leaves_the_net_as_it_was_drawn(toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    held = trained(FeasibleLearning(bound=100.0), problems, [run_of(0), run_of(1)])
    method = FeasibleLearning()
    seeds = method.gather(problems, [run_of(0), run_of(1)])
    fresh = seeds.build()
    for k, problem in enumerate(problems):
        assert torch.equal(held[k], fresh.member(k)(problem.x))


def test_multipliers_that_are_all_alike_are_cross_entropy(toy, run_of):
    """Of a bound far below every loss all multipliers grow alike."""
    problems = [toy(seed, epochs=2) for seed in range(2)]

    class FarBelow(FeasibleLearning):
        """Takes a bound that no parameter allows."""

        def loss(self, state, batch, logits):
            """Lower every bound by a million."""
            state[batch.flat] += 1e6 * self.dual_lr
            return super().loss(state, batch, logits)

    mine = trained(FarBelow(resilience=0.0), problems, [run_of(0), run_of(1)])
    plain = trained(SupervisedMethod(), problems, [run_of(0), run_of(1)])
    for own, other in zip(mine, plain, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-3)
