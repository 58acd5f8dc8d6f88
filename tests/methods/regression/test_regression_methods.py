"""Methods of regression against limits in which two of them coincide, slow formulas, and the
companions of a member in its stack.
"""

import math

import numpy as np
import pytest
import torch
from adversarial_small import curved, methods_of, run_of, trained
from bench.builtin.methods.recipes.mixup import Mixup
from bench.builtin.methods.recipes.plain import Plain
from bench.builtin.methods.regression.c_mixup import CMixup
from bench.builtin.methods.regression.gaussian_process import GaussianProcess
from bench.builtin.methods.regression.knn_mixup import KnnMixup
from bench.builtin.methods.regression.regmix import RegMix
from bench.builtin.methods.regression.supremix import SupReMix, contrast
from sklearn.neighbors import KernelDensity, NearestNeighbors

from bench.errors import BenchError
from bench.tracks.regression import Neighbours, Seeds, nearest
from bench.training.supervised import Batch

METHODS = methods_of("regression")
STACKED = sorted(name for name, kind in METHODS.items() if kind.card.stacked)


def pair(**protocol):
    return [curved(seed, **protocol) for seed in range(2)]


def seeds_of(folder, problems):
    return Seeds(problems, [run_of(folder, k, "regression") for k in range(len(problems))])


@pytest.mark.parametrize(
    "method",
    [Mixup(alpha=0.0), CMixup(alpha=0.0), KnnMixup(alpha=0.0), KnnMixup(k=0), RegMix(ladder=(0,))],
    ids=["mixup", "c-mixup", "knn-mixup", "no neighbours", "regmix"],
)
def test_mixing_nothing_is_plain_training(method, tmp_path):
    found, plain = (trained(one, pair(), tmp_path) for one in (method, Plain()))
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


def test_every_mixture_is_another_method_than_plain_training(tmp_path):
    plain = trained(Plain(), pair(), tmp_path)
    for method in (Mixup(), CMixup(), KnnMixup(), SupReMix()):
        assert not torch.allclose(trained(method, pair(), tmp_path), plain, atol=1e-4)


def test_plain_training_of_targets_is_adam_on_the_squared_error(tmp_path):
    problem = curved(epochs=2)
    run = run_of(tmp_path)
    seeds = Seeds([problem], [run])
    net = seeds.build()
    weights = [p.detach()[0].clone().requires_grad_() for p in net.weights]
    biases = [p.detach()[0, 0].clone().requires_grad_() for p in net.biases]
    optimiser = torch.optim.Adam([*weights, *biases], 0.01)
    steps = 3
    for epoch in range(2):
        order = seeds.order()[0]
        for step, rows in enumerate(order.split(16)):
            done = (epoch * steps + step) / (2 * steps)
            optimiser.param_groups[0]["lr"] = 0.005 * (1 + math.cos(math.pi * done))
            hidden = (problem.x[rows] @ weights[0].T + biases[0]).relu()
            said = (hidden @ weights[1].T + biases[1])[:, 0]
            optimiser.zero_grad()
            ((said - problem.y[rows]) ** 2).mean().backward()
            optimiser.step()
    expected = (problem.x @ weights[0].T + biases[0]).relu() @ weights[1].T + biases[1]
    found = Plain().solve(problem, run_of(tmp_path)).model(problem.x)
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-5)


# Partners ----------------------------------------------------------------------------------


def test_partners_of_c_mixup_have_the_density_of_a_kernel_around_each_target(tmp_path):
    problems = pair()
    found = CMixup(width=0.4).likely(seeds_of(tmp_path, problems))
    for member, problem in enumerate(problems):
        y = problem.y.double().numpy()[:, None]
        for row in (0, 7, 39):
            # the authors' way: a density around each row, asked at all others
            density = KernelDensity(kernel="gaussian", bandwidth=0.4).fit(y[[row]])
            shares = np.exp(density.score_samples(y))
            ours = (found[member, row] / found[member, row].sum()).numpy()
            np.testing.assert_allclose(ours, shares / shares.sum(), rtol=1e-6)


def test_partners_are_drawn_as_often_as_their_weights_say(tmp_path):
    seeds = seeds_of(tmp_path, [curved(rows=6)])
    weights = torch.tensor([[0.0, 1.0, 3.0, 0.0, 4.0, 0.0]]).repeat(6, 1)[None]
    state = Neighbours(seeds, weights)
    drawn = []
    for _ in range(1500):
        state.draw(2.0)
        drawn.append(state.partners[0])
    shares = torch.bincount(torch.cat(drawn), minlength=6) / (1500 * 6)
    expected = torch.tensor([0, 1 / 8, 3 / 8, 0, 1 / 2, 0])
    assert shares[expected == 0].sum() == 0
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("k", [1, 4, 39])
def test_the_nearest_rows_are_those_that_scikit_learn_finds(k, tmp_path):
    problems = pair()
    found = nearest(seeds_of(tmp_path, problems), k)
    for member, problem in enumerate(problems):
        x = problem.x.numpy()
        rows = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
        expected = np.zeros((40, 40))
        np.put_along_axis(expected, rows, 1.0, 1)
        assert (found[member].numpy() == expected).all()


def test_a_row_held_out_is_nobodys_neighbour(tmp_path):
    seeds = seeds_of(tmp_path, pair())
    among = torch.rand(2, 40, generator=torch.Generator().manual_seed(0)) < 0.6
    found = nearest(seeds, 5, among)
    assert (found.sum(-1) == 5).all()
    assert not (found * (~among)[:, None]).any()


def test_a_mixture_is_of_the_row_and_its_partner_with_the_weight_of_the_step(tmp_path):
    seeds, method = seeds_of(tmp_path, pair()), KnnMixup(k=3)
    state = method.start(seeds)
    method.rows(state, 0, seeds.order())
    rows = torch.stack([torch.randperm(40)[:5] for _ in range(2)])
    batch = Batch(1, 0, rows, rows, seeds.inputs(rows), seeds.y.gather(1, rows))
    x, y = method.inputs(state, batch), method.targets(state, batch)
    for member, problem in enumerate(seeds.problems):
        lam = state.lam[member, 1].item()
        for place, row in enumerate(rows[member]):
            other = state.partners[member, row]
            torch.testing.assert_close(
                x[member, place], lam * problem.x[row] + (1 - lam) * problem.x[other]
            )
            mixed = lam * problem.y[row] + (1 - lam) * problem.y[other]
            torch.testing.assert_close(y[member, place, 0], mixed)


# RegMix and SupReMix -----------------------------------------------------------------------


def test_regmix_takes_for_each_member_the_neighbours_of_its_best_trial(tmp_path, monkeypatch):
    tried = iter([0.5, 0.2, 0.4])

    def logits(seeds, nets, rows=None, part=4096):
        # the first member errs least with the second of the ladder, the other with the first
        error = next(tried)
        offset = torch.tensor([[error], [0.9 - 3 * (error - 0.5) if error < 0.5 else 0.1]])
        return (seeds.y.gather(1, rows) + offset)[..., None]

    monkeypatch.setattr(Seeds, "logits", logits)
    runs = [run_of(tmp_path, seed, "regression") for seed in range(2)]
    RegMix(ladder=(0, 2, 8)).solve_stacked(pair(), runs)
    assert [run._logs[0]["neighbours"] for run in runs] == [2, 0]


@pytest.mark.parametrize("ladder", [(), (1, -1)])
def test_a_ladder_without_a_number_of_neighbours_is_refused(ladder, tmp_path):
    with pytest.raises(BenchError, match="give numbers of neighbours, 0 or more"):
        trained(RegMix(ladder=ladder), pair(), tmp_path)


def slow_contrast(z, y, lam, places, temperature):
    """The contrast of one member, anchor by anchor."""
    losses = []
    for i in range(len(y)):
        others = [j for j in range(len(y)) if j != i]
        below = [j for j in others if y[j] <= y[i]]
        above = [j for j in others if y[j] >= y[i]]
        if not below or not above:
            losses.append(0.0)
            continue
        low = below[int(places[i, 0] * len(below))]
        high = above[int(places[i, 1] * len(above))]
        share = (y[i] - y[low]) / (y[high] - y[low]) if y[high] > y[low] else 0.0
        positive = (1 - share) * z[low] + share * z[high]
        s = z[i] @ positive / np.linalg.norm(positive)
        total = math.exp(s / temperature)
        for j in others:
            mixed = lam * z[i] + (1 - lam) * z[j]
            hard = z[i] @ mixed / np.linalg.norm(mixed)
            apart = abs(y[j] - y[i])
            total += apart * math.exp(z[i] @ z[j] / temperature)
            total += (1 - lam) * apart * math.exp(hard / temperature)
        losses.append(-math.log(math.exp(s / temperature) / total))
    return losses


def test_the_contrast_is_what_a_loop_over_anchors_says():
    generator = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(2, 9, 5, generator=generator).double(), dim=-1)
    y = torch.randn(2, 9, generator=generator).double()
    lam = torch.tensor([0.3, 0.8]).double()
    places = torch.rand(2, 9, 2, generator=generator).double()
    found = contrast(z, y, lam, places, 0.3)
    for member in range(2):
        expected = slow_contrast(
            *(part[member].numpy() for part in (z, y)), lam[member].item(), places[member], 0.3
        )
        torch.testing.assert_close(found[member], torch.tensor(expected).double())


def test_the_positive_of_an_anchor_has_its_target_exactly():
    # features on a line of the target: the interpolated positive is the anchor's own feature
    y = torch.tensor([[-1.0, 0.25, 2.0]]).double()
    z = torch.stack([torch.ones_like(y), y], -1)
    z = z / z.norm(dim=-1, keepdim=True)
    loss = contrast(z, y, torch.zeros(1).double(), torch.full((1, 3, 2), 0.5).double(), 0.1)
    assert (loss[0] > 0).tolist() == [False, True, False]  # nobody brackets the outer two


# Others ------------------------------------------------------------------------------------


def test_the_gaussian_process_is_the_mean_that_its_kernel_gives(tmp_path):
    problem = curved(rows=30)
    model = GaussianProcess().solve(problem, run_of(tmp_path, track="regression")).model
    fitted, x = model.fitted, problem.x.double().numpy()
    new = np.random.default_rng(1).standard_normal((5, 3))
    weights = np.linalg.solve(fitted.kernel_(x), problem.y.double().numpy())
    expected = fitted.kernel_(new, x) @ weights
    found = model(torch.tensor(new)).numpy()[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", STACKED)
def test_a_members_net_has_the_same_bits_beside_any_others(name, tmp_path):
    method = METHODS[name]()
    problems = [curved(seed) for seed in range(3)]
    x = problems[0].x
    three = trained(method, problems, tmp_path, x)
    for members in ([0, 1], [2, 0]):
        two = trained(method, [problems[k] for k in members], tmp_path, x, members)
        for found, member in zip(two, members, strict=True):
            assert torch.equal(found, three[member])
    assert not torch.equal(three[0], three[1])
