"""The best of several random sets: of one it is the random one, and of
several that whose net is right most often.
"""

import pytest
import torch
from bench.builtin.methods.condensation.random_best import BestOfRandom
from bench.builtin.methods.selection.random import Random

from bench.runs.context import Run
from bench.tracks.condensation import ClassSampler, Problem, real_rows
from bench.training.fitting import fit, outputs, passes_of


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed,
            task="condensation/toy",
            method="condensation/random-best",
            device=torch.device("cpu"),
            workdir=tmp_path,
        )

    return make


def problem_of():
    """Three patterns of 8x8 with noise."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(3).repeat_interleave(30)
    x = (
        2
        * torch.nn.functional.interpolate(
            torch.randn(3, 1, 3, 3, generator=generator), size=(8, 8), mode="bilinear"
        )[y]
    )
    x += 1.5 * torch.randn(90, 1, 8, 8, generator=generator)
    return Problem(
        x=x, y=y, n_classes=3, ipc=1, mean=torch.tensor([0.5]), std=torch.tensor([0.1]), width=4
    )


def test_the_best_of_one_set_is_the_random_set(run_of):
    problem = problem_of()
    mine, other = (
        BestOfRandom(draws=1, epochs=2).solve(problem, run_of()),
        Random().solve(problem, run_of()),
    )
    assert torch.equal(mine.x, other.x)
    assert torch.equal(mine.indices, other.indices)


def test_of_several_sets_that_is_kept_whose_net_trained_alone_is_right_most_often(run_of):
    problem = problem_of()
    for seed in range(2):
        run, right, sets = run_of(seed), list[int](), list[torch.Tensor]()
        sampler = ClassSampler(problem, run.torch_generator("method", "sets", device="cpu"))
        for place in range(4):
            sets.append(sampler.rows(1).flatten() if place else real_rows(problem, run))
            start = problem.net().init([run.torch_generator("init", "sets", place, device="cpu")])
            order = run.torch_generator("order", "sets", place, device="cpu")
            params = fit(
                problem.net(),
                start,
                problem.x,
                problem.y,
                passes_of([sets[-1]], 3, 20, [order]),
                problem.recipe(20),
            )
            right.append(
                int((outputs(problem.net(), params, problem.x)[0].argmax(-1) == problem.y).sum())
            )
        assert len(set(right)) > 1
        found = BestOfRandom(draws=4, epochs=20).solve(problem, run_of(seed))
        assert torch.equal(found.indices, sets[right.index(max(right))])
        assert found.y.tolist() == [0, 1, 2]


def test_its_visits_are_those_of_all_trainings_and_looks(run_of):
    run = run_of()
    BestOfRandom(draws=5, epochs=4).solve(problem_of(), run)
    assert run._counts == {"forward": 5 * (4 * 3 + 90), "backward": 5 * 4 * 3}
