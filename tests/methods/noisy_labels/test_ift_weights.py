"""Row weights learned by implicit differentiation: against exact influence on a small net, and
against cross entropy on the same rows where the weights stay.
"""

import contextlib

import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels.ift_weights import ImplicitWeights, _State
from noisy_helpers import Plain, trained

from bench.tracks.noisy_labels import NoisyLabelMethod, Seeds
from bench.training.data import stratified_split
from bench.training.stack import StackedMLP


def held_out(problem, run, count):
    parts = stratified_split(problem.y.numpy(), count, run.numpy_generator("method", "held out"))
    return [torch.from_numpy(part) for part in parts]


@pytest.mark.parametrize("solver", ["neumann", "cg"])
def test_the_gradient_is_that_of_a_whole_hessian_row_by_row(solver, toy, run_of):
    problems = [toy(seed, rows=30, dtype=torch.float64, batch_size=64) for seed in range(2)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    torch.manual_seed(0)
    nets = StackedMLP((6, 3, 4), [contextlib.nullcontext()] * 2, torch.device("cpu")).double()
    seeds.nets = nets
    splits = [held_out(problem, run_of(k), 6) for k, problem in enumerate(problems)]
    kept, held = (torch.stack(parts) for parts in zip(*splits, strict=True))
    state = _State(seeds.part(kept), kept, held)
    state.hyper = torch.randn(2, 30, dtype=torch.float64)
    # damped so far that the matrix is positive and both solvers arrive
    method = ImplicitWeights(solver=solver, terms=400, rate=0.15, damping=3.0)
    found = method.gradient(state)
    for k, problem in enumerate(problems):
        net = Plain(nets, k)
        weights = list(net.parameters())

        def loss(rows, net=net, problem=problem):
            logits = net(problem.x[rows])
            return torch.nn.functional.cross_entropy(logits, problem.y[rows], reduction="none")

        def slope(value, weights=weights, **options):
            parts = torch.autograd.grad(value, weights, **options)
            return torch.cat([part.flatten() for part in parts])

        shares = torch.sigmoid(state.hyper[k])
        inner = slope((2 * shares[kept[k]] * loss(kept[k])).mean(), create_graph=True)
        hessian = torch.stack([slope(one, retain_graph=True) for one in inner])
        hessian += 3.0 * torch.eye(len(hessian), dtype=torch.float64)
        solved = torch.linalg.solve(hessian, slope((1 - (-loss(held[k])).exp()).mean()))
        for row in range(30):
            expected = 0.0
            if row in kept[k].tolist():
                share = shares[row]
                own = slope(loss(torch.tensor([row])).sum())
                expected = float(-2 * share * (1 - share) / 24 * (solved @ own))
            assert found[k, row].item() == pytest.approx(expected, abs=1e-9)


def test_weights_that_stay_are_cross_entropy_on_the_rows_that_are_not_held_out(toy, run_of):
    problems = [toy(seed) for seed in range(2)]

    class OnThese(NoisyLabelMethod):
        """Cross entropy on four fifths of the rows."""

        def solve_stacked(self, problems, runs):
            """Take the part of the rows that the method keeps."""
            kept = torch.stack(
                [held_out(problem, run, 14)[0] for problem, run in zip(problems, runs, strict=True)]
            )
            seeds = Seeds(problems, runs)
            seeds.nets = seeds.build()
            part = seeds.part(kept)
            from bench.tracks.noisy_labels import train

            train(self, part, None)
            return self.solutions(None, part)

    mine = trained(ImplicitWeights(lr_weights=0.0), problems, [run_of(0), run_of(1)])
    plain = trained(OnThese(), problems, [run_of(0), run_of(1)])
    for own, other in zip(mine, plain, strict=True):
        assert torch.equal(own, other)


def test_rows_with_wrong_labels_lose_weight(run_of):
    generator = np.random.default_rng(0)
    true = np.tile(np.arange(3), 60)
    x = torch.tensor(generator.standard_normal((180, 6)) + 3 * np.eye(3, 6)[true])
    wrong = np.arange(180) % 4 == 0
    y = torch.from_numpy(np.where(wrong, (true + 1) % 3, true))
    from bench.tracks.noisy_labels import Problem

    problem = Problem(x=x.float(), y=y, n_classes=3, widths=(8,), epochs=15, batch_size=32)
    states = []

    class Watched(ImplicitWeights):
        """Keeps its state."""

        def after_epoch(self, state, epoch):
            """Note the state."""
            super().after_epoch(state, epoch)
            states.append(state)

    Watched().solve(problem, run_of(0))
    kept = states[-1].kept[0]
    weight, bad = states[-1].hyper[0, kept].sigmoid() * 2, torch.from_numpy(wrong)[kept]
    assert weight[bad].mean() < 0.7 < 1.0 < weight[~bad].mean()
