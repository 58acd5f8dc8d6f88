"""The base class of recipes: its loss, its optimiser, and the forward pass in stages."""

import msgspec
import numpy as np
import pytest
import torch
from recipes_small import blobs, runs

from bench.training import recipe, supervised
from bench.training.recipe import Recipe, Seeds, drawn_beta, drawn_orders, fit
from bench.training.stages import last_layer, stages


def test_a_recipe_as_it_stands_is_the_shared_loop_bit_for_bit(tmp_path):
    problems = [blobs(seed) for seed in range(2)]
    found, expected = (
        kind().solve_stacked(problems, runs(tmp_path, 2))
        for kind in (Recipe, supervised.SupervisedMethod)
    )
    for one, other, problem in zip(found, expected, problems, strict=True):
        assert torch.equal(one.model(problem.x), other.model(problem.x))
        assert isinstance(one, recipe.Solution)


def test_shares_of_one_class_are_fitted_like_its_label():
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    y = torch.arange(10).view(2, 5) % 3
    shares = torch.nn.functional.one_hot(y, 3).float()
    torch.testing.assert_close(fit(logits, shares), fit(logits, y))


def test_real_targets_are_fitted_by_squares_whatever_their_shape():
    values, targets = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[0.0, 1.0]])
    assert fit(values, targets).tolist() == [[1.0, 4.0]]
    assert fit(values, targets[..., None]).tolist() == [[1.0, 4.0]]


def test_the_optimiser_is_the_one_that_the_problem_names(tmp_path):
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam)):
        seeds = Seeds([msgspec.structs.replace(blobs(0), optimiser=name)] * 2, runs(tmp_path, 2))
        seeds.nets = seeds.build()
        assert isinstance(Recipe().optimiser(seeds), kind)


@pytest.mark.parametrize("net", ["mlp", "cnn"])
def test_stages_one_after_the_other_are_the_forward_pass(net, tmp_path):
    problem = blobs(0, pictures=True, net=net, widths=(6, 5))
    seeds = Seeds([problem, problem], runs(tmp_path, 2))
    nets = seeds.build().eval()
    x = seeds.inputs(torch.arange(10).expand(2, -1))
    found = x
    for stage in stages(nets):
        found = stage(found)
    assert torch.equal(found, nets(x))
    assert len(stages(nets)) == (3 if net == "mlp" else 2)
    assert last_layer(nets).shape == (2, 4, 5)


def test_what_one_member_draws_does_not_depend_on_the_others():
    def generators(count):
        return [np.random.default_rng(seed) for seed in range(count)]

    device = torch.device("cpu")
    assert torch.equal(
        drawn_beta(generators(3), 0.7, 9, device)[:2], drawn_beta(generators(2), 0.7, 9, device)
    )
    three, two = (drawn_orders(generators(count), 25, 10, device) for count in (3, 2))
    assert [part.shape[1] for part in three] == [10, 10, 5]
    for one, other in zip(three, two, strict=True):
        assert torch.equal(one[:2], other)
        assert torch.equal(one.sort(1).values, torch.arange(one.shape[1]).expand(3, -1))
