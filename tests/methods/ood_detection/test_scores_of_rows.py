"""Scores: each against its formula computed another way, limits in which two must agree, and what
methods that train do.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.ood_detection._gaussian import within_classes
from bench.builtin.methods.ood_detection.energy import Energy
from bench.builtin.methods.ood_detection.knn import NearestFeatures
from bench.builtin.methods.ood_detection.mahalanobis import Mahalanobis
from bench.builtin.methods.ood_detection.max_logit import MaximumLogit
from bench.builtin.methods.ood_detection.msp import MaximumProbability
from bench.builtin.methods.ood_detection.odin import Odin
from bench.builtin.methods.ood_detection.oe import OutlierExposure
from bench.builtin.methods.ood_detection.pixel_knn import NearestPixels
from bench.builtin.methods.ood_detection.random import Guess
from bench.builtin.methods.ood_detection.react import ReAct
from bench.builtin.methods.ood_detection.relative_mahalanobis import RelativeMahalanobis
from bench.builtin.methods.ood_detection.sage_score import SageScore
from bench.builtin.methods.ood_detection.sal import (
    SeparateAndLearn,
    class_means,
    last_gradients,
    projections,
)
from bench.builtin.methods.ood_detection.vim import VirtualLogit
from bench.builtin.methods.ood_detection.wild_as_ood import WildAsOod
from torch.nn import functional as F

from bench.errors import InvalidRun, ParameterError
from bench.runs.context import Run
from bench.runs.guard import fingerprint
from bench.tracks import ood_detection
from bench.tracks.ood_detection import Problem, told_apart
from bench.training.fixed_net import Recipe, fixed_net

POST_HOC = (
    Energy,
    Guess,
    Mahalanobis,
    MaximumLogit,
    MaximumProbability,
    NearestFeatures,
    NearestPixels,
    Odin,
    ReAct,
    RelativeMahalanobis,
    VirtualLogit,
)


def run_of(folder):
    return Run(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


def rows(n, generator, low=0.3):
    """Pictures whose bright row says the class."""
    y = torch.arange(n) % 3
    x = low * torch.rand(n, 1, 6, 6, generator=generator)
    x[torch.arange(n), 0, y] += 0.6
    return x, y


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    x, y = rows(120, generator)
    x_val, y_val = rows(30, generator)
    run = run_of(tmp_path_factory.mktemp("run"))
    net = fixed_net(x, y, 3, Recipe(widths=(24, 12), epochs=12, lr=5e-3), run)
    strange = torch.rand(40, 1, 6, 6, generator=generator)
    more, _ = rows(60, generator)
    return Problem(
        model=net,
        x=x,
        y=y,
        x_val=x_val,
        y_val=y_val,
        n_classes=3,
        wild=torch.cat([more, strange[:20]]),
        outliers=strange[20:],
    )


@pytest.fixture(scope="module")
def shown():
    generator = torch.Generator().manual_seed(1)
    return torch.cat([rows(9, generator)[0], torch.rand(9, 1, 6, 6, generator=generator)])


def score(method, problem, shown, folder):
    return method.solve(problem, run_of(folder)).score(shown)[:, 0].double()


@pytest.mark.parametrize("method", POST_HOC)
def test_a_score_is_one_number_a_row_and_leaves_the_net_alone(method, problem, shown, tmp_path):
    before = fingerprint(problem)
    with torch.no_grad():
        whole = score(method(), problem, shown, tmp_path)
        alone = torch.cat([score(method(), problem, row[None], tmp_path) for row in shown[:3]])
    assert whole.shape == (18,)
    assert bool(whole.isfinite().all())
    # other batch sizes round otherwise, which distances in narrow directions enlarge
    assert bool(((alone - whole[:3]).abs() < 1e-3 * whole.std()).all())
    assert fingerprint(problem) == before


def test_scores_of_logits_are_their_formulas(problem, shown, tmp_path):
    logits = problem.model(shown).double()
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    found = {
        method: score(method(), problem, shown, tmp_path)
        for method in (MaximumProbability, MaximumLogit, Energy)
    }
    assert torch.allclose(found[MaximumProbability], p.amax(1), atol=1e-6)
    assert torch.allclose(found[MaximumLogit], logits.amax(1), atol=1e-6)
    assert torch.allclose(found[Energy], logits.exp().sum(1).log(), atol=1e-5)


def test_energy_at_a_low_temperature_is_the_maximum_logit(problem, shown, tmp_path):
    cold = score(Energy(temperature=1e-3), problem, shown, tmp_path)
    assert torch.allclose(cold, score(MaximumLogit(), problem, shown, tmp_path), atol=1e-2)


def test_odin_without_temperature_and_step_is_the_maximum_probability(problem, shown, tmp_path):
    plain = score(Odin(temperature=1.0, step=0.0), problem, shown, tmp_path)
    assert torch.allclose(plain, score(MaximumProbability(), problem, shown, tmp_path), atol=1e-6)


def test_odin_steps_up_the_probability_of_the_predicted_class(problem, shown, tmp_path):
    moved = score(Odin(temperature=1.0, step=0.01), problem, shown, tmp_path)
    own = shown.clone().requires_grad_()
    loss = F.cross_entropy(problem.model(own), problem.model(own).argmax(1), reduction="sum")
    step = shown - 0.01 * torch.autograd.grad(loss, own)[0].sign()
    by_hand = problem.model(step).softmax(1).amax(1).double()
    assert torch.allclose(moved, by_hand, atol=1e-6)


def test_mahalanobis_is_the_least_distance_by_the_pseudo_inverse(problem, shown, tmp_path):
    h = problem.model.features(problem.x).double().numpy()
    other = problem.model.features(shown).double().numpy()
    y = problem.y.numpy()
    means = np.stack([h[y == c].mean(0) for c in range(3)])
    inverse = np.linalg.pinv(np.cov((h - means[y]).T, bias=True), rcond=1e-6, hermitian=True)
    by_hand = [min((z - m) @ inverse @ (z - m) for m in means) for z in other]
    found = score(Mahalanobis(), problem, shown, tmp_path).numpy()
    assert np.allclose(-found, by_hand, rtol=1e-6)
    whole = np.linalg.pinv(np.cov(h.T, bias=True), rcond=1e-6, hermitian=True)
    apart = other - h.mean(0)
    background = np.einsum("nd,de,ne->n", apart, whole, apart)
    relative = score(RelativeMahalanobis(), problem, shown, tmp_path).numpy()
    assert np.allclose(relative, background - by_hand, rtol=1e-6, atol=1e-6)


def test_mahalanobis_does_not_change_under_an_invertible_map_of_the_features():
    generator = torch.Generator().manual_seed(2)
    h, other = torch.randn(60, 4, generator=generator), torch.randn(9, 4, generator=generator)
    y = torch.arange(60) % 3
    mapped = torch.randn(4, 4, generator=generator).double() + 3 * torch.eye(4)
    plain = within_classes(h, y, 3)(other)
    assert torch.allclose(plain, within_classes(h.double() @ mapped, y, 3)(other.double() @ mapped))


def test_knn_is_the_distance_to_the_kth_of_all_sorted_distances(problem, shown, tmp_path):
    known = F.normalize(problem.model.features(problem.x)).double()
    own = F.normalize(problem.model.features(shown)).double()
    far = (own[:, None] - known).norm(dim=2).sort(1).values
    found = score(NearestFeatures(k=4), problem, shown, tmp_path)
    assert torch.allclose(-found, far[:, 3], atol=1e-6)
    pixels = (shown.flatten(1)[:, None] - problem.x.flatten(1)).double().norm(dim=2).sort(1).values
    found = score(NearestPixels(k=2), problem, shown, tmp_path)
    assert torch.allclose(-found, pixels[:, 1], atol=1e-6)


def test_knn_refuses_more_neighbours_than_rows(problem, tmp_path):
    with pytest.raises(InvalidRun, match="there are 120 training rows"):
        NearestFeatures(k=121).solve(problem, run_of(tmp_path))


def test_vim_with_all_directions_is_the_energy(problem, shown, tmp_path):
    found = score(VirtualLogit(dims=64), problem, shown, tmp_path)
    assert torch.allclose(found, score(Energy(), problem, shown, tmp_path), atol=1e-5)


def test_vim_is_the_energy_less_the_scaled_residual(problem, shown, tmp_path):
    weight, bias = (problem.model.head_weight.numpy(), problem.model.head_bias.numpy())
    origin = -np.linalg.pinv(weight) @ bias
    h = problem.model.features(problem.x).numpy() - origin
    directions = np.linalg.svd(h, full_matrices=True)[2][5:]
    residual = np.linalg.norm(h @ directions.T, axis=1)
    alpha = problem.model(problem.x).amax(1).mean().item() / residual.mean()
    own = problem.model.features(shown).numpy() - origin
    by_hand = problem.model(shown).logsumexp(1).numpy() - alpha * np.linalg.norm(
        own @ directions.T, axis=1
    )
    found = score(VirtualLogit(dims=5), problem, shown, tmp_path).numpy()
    assert np.allclose(found, by_hand, rtol=1e-3, atol=1e-3)


def test_react_that_cuts_nothing_off_is_the_energy_and_else_lowers_large_features(
    problem, shown, tmp_path
):
    h = problem.model.features(problem.x)
    inside = problem.x[:12]
    plain = score(Energy(), problem, inside, tmp_path)
    assert torch.allclose(score(ReAct(quantile=1.0), problem, inside, tmp_path), plain, atol=1e-5)
    edge = float(np.quantile(h.numpy(), 0.6))
    cut = problem.model.features(shown).minimum(torch.tensor(edge))
    by_hand = problem.model.head(cut).logsumexp(1).double()
    found = score(ReAct(quantile=0.6), problem, shown, tmp_path)
    assert torch.allclose(found, by_hand, atol=1e-5)


def test_random_scores_are_uniform_and_the_same_for_the_same_row(problem, tmp_path):
    x = torch.rand(2000, 1, 6, 6, generator=torch.Generator().manual_seed(3))
    found = score(Guess(), problem, x, tmp_path)
    assert torch.equal(found, score(Guess(), problem, x, tmp_path))
    assert abs(float(found.mean()) - 0.5) < 0.03
    assert float(found.histc(10, 0, 1).min()) > 130


def test_the_gradient_of_sal_is_that_of_autograd_row_by_row(problem, shown):
    h, y = problem.model.features(shown), problem.model(shown).argmax(1)
    found = last_gradients(problem.model.head(h), h, y)
    weight, bias = problem.model.head_weight, problem.model.head_bias
    for place in range(len(shown)):
        own = weight.clone().requires_grad_()
        loss = F.cross_entropy(F.linear(h[place][None], own, bias), y[place][None])
        (gradient,) = torch.autograd.grad(loss, own)
        assert torch.allclose(found[place], gradient[y[place]], atol=1e-6)


def test_projections_of_sal_are_those_of_the_singular_vectors_class_by_class():
    generator = torch.Generator().manual_seed(4)
    g, c = torch.randn(40, 5, generator=generator).double(), torch.arange(40) % 4
    means = class_means(g[:20], c[:20], 4)
    assert torch.allclose(means[1], g[:20][c[:20] == 1].mean(0))
    for directions in (1, 3):
        found = projections(g, c, means, directions)
        for k in range(4):
            centred = g[c == k] - means[k]
            v = torch.linalg.svd(centred)[2][:directions]
            assert torch.allclose(found[c == k], (centred @ v.T).abs().mean(1))


@pytest.mark.parametrize("kept", [0.95, 0.7])
def test_sal_flags_rows_beyond_the_quantile_of_the_training_rows(problem, tmp_path, kept):
    found = SeparateAndLearn(kept=kept, epochs=1).solve(problem, run_of(tmp_path))

    def along(x, c, means):
        """Return |(g - m_c) . v| for every row, v the singular vector of its class."""
        h, p = problem.model.features(x).double().numpy(), problem.model(x).softmax(1).numpy()
        g = np.stack([(p[row, k] - 1) * h[row] for row, k in enumerate(c)])
        means = {k: g[c == k].mean(0) for k in range(3)} if means is None else means
        far = np.zeros(len(x))
        for k in set(c.tolist()):
            own = g[c == k] - means[k]
            far[c == k] = abs(own @ np.linalg.svd(own)[2][0])
        return far, means

    usual, means = along(problem.x, problem.y.numpy(), None)
    said = problem.model(problem.wild).argmax(1).numpy()
    far, _ = along(problem.wild, said, means)
    np.testing.assert_allclose(found.suspicion, far, rtol=1e-3, atol=1e-6)
    edge = np.sort(usual)
    place = kept * (len(edge) - 1)
    below = int(place)
    edge = edge[below] + (place - below) * (edge[below + 1] - edge[below])
    # no row is so near to the edge that rounding could move it across
    assert abs(far - edge).min() > 1e-5
    assert found.flagged.tolist() == (far > edge).tolist()


def test_rows_are_told_apart_beside_their_classes_by_the_loss_of_sal(
    problem, tmp_path, monkeypatch
):
    kept = []
    monkeypatch.setattr(
        ood_detection,
        "descended",
        lambda both, batches, recipe, loss: kept.append((both, batches, loss)),
    )
    out = problem.outliers[:7]
    found = told_apart(problem, out, 2.5, Recipe(epochs=2), run_of(tmp_path))
    [(both, batches, loss)] = kept
    head = both[1]
    assert not bool(head.weight.any())
    assert torch.equal(found.score(out), torch.zeros(7, 1))
    with torch.no_grad():
        head.weight.normal_(generator=torch.Generator().manual_seed(0))
        head.bias.fill_(0.3)
    known, other = batches[0]
    total, apart = 0.0, 0.0
    for row in known.tolist():
        p = problem.model(problem.x[row][None])[0].softmax(0)
        total -= float(p[problem.y[row]].log()) / len(known)
    weight, bias = head.weight.detach()[0], float(head.bias.detach())
    for row, inside in [(problem.x[r], 1) for r in known] + [(out[r], 0) for r in other]:
        line = weight @ problem.model.features(row[None])[0] + bias
        apart -= float((line if inside else -line).sigmoid().log()) / (len(known) + len(other))
    assert float(loss(batches[0]).detach()) == pytest.approx(total + 2.5 * apart, rel=1e-4)
    assert set(torch.cat([b for _, b in batches]).tolist()) <= set(range(7))


def test_sage_is_the_geometric_mean_of_three_shares_of_stranger_training_rows(
    problem, shown, tmp_path
):
    method = SageScore(k=3, latents=16, width=32, epochs=20)
    net = method._trained(problem, run_of(tmp_path))

    def measured(rows, own):
        found = []
        for row in rows.flatten(1):
            z, back, logits = (part[0].double() for part in net(row[None]))
            near = sorted(float((z - other.double()).abs().sum()) for other in latents)
            found.append(
                (
                    np.log(max(np.mean(near[own : own + 3]), 1e-12)),
                    float((back - row.double()).square().mean()),
                    -float(logits.softmax(0).max().log()),
                )
            )
        return np.array(found)

    latents = [net(row[None])[0][0] for row in problem.x.flatten(1)]
    usual = measured(problem.x, 1)
    wanted = [
        np.prod([1 - (usual[:, at] < own[at]).mean() for at in range(3)]) ** (1 / 3)
        for own in measured(shown, 0)
    ]
    found = score(method, problem, shown, tmp_path).numpy()
    assert len(set(np.round(wanted, 3))) > 5
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_sal_flags_strange_rows_and_tells_them_better_than_all_wild_rows_do(problem, tmp_path):
    found = SeparateAndLearn(kept=0.9, epochs=80, lr=5e-3).solve(problem, run_of(tmp_path))
    assert found.flagged.shape == found.suspicion.shape == (80,)
    assert torch.equal(found.flagged, found.suspicion >= found.suspicion[found.flagged].min())
    strange = torch.arange(80) >= 60
    assert found.flagged[strange].float().mean() > found.flagged[~strange].float().mean()
    other = WildAsOod(epochs=80, lr=5e-3).solve(problem, run_of(tmp_path))
    for solution in (found, other):
        accuracy = (solution.model(problem.x_val).argmax(1) == problem.y_val).float().mean()
        assert accuracy > 0.9
        scores = solution.score(problem.wild)[:, 0]
        assert scores[~strange].mean() > scores[strange].mean()


def test_sal_that_flags_nothing_says_so(problem, tmp_path):
    h = problem.model.features(problem.x)
    g = last_gradients(problem.model.head(h), h, problem.y)
    usual = (g - class_means(g, problem.y, 3)[problem.y]).norm(dim=1).argmin()
    same = msgspec.structs.replace(problem, wild=problem.x[usual][None])
    with pytest.raises(InvalidRun, match="lower the threshold"):
        SeparateAndLearn(kept=0.999).solve(same, run_of(tmp_path))


def test_outlier_exposure_lowers_the_probability_of_outliers(problem, tmp_path):
    found, blind = (
        OutlierExposure(epochs=60, lam=lam).solve(problem, run_of(tmp_path)) for lam in (0.5, 0.0)
    )
    own, plain = (one.score(problem.outliers)[:, 0].mean() for one in (found, blind))
    assert own < plain
    assert (found.model(problem.x_val).argmax(1) == problem.y_val).float().mean() > 0.9


def test_a_weight_of_zero_leaves_outliers_without_effect(problem, tmp_path):
    first, other = (
        OutlierExposure(lam=0.0, epochs=1).solve(
            msgspec.structs.replace(problem, outliers=rows), run_of(tmp_path)
        )
        for rows in (problem.outliers, problem.outliers.flip(1).square())
    )
    # a perceptron reads each row by itself, so that outliers matter through their loss alone
    assert torch.allclose(first.score(problem.x_val), other.score(problem.x_val), atol=1e-6)


@pytest.mark.parametrize("kind", [Energy, Odin])
@pytest.mark.parametrize("temperature", [1e-300, 1e30])
def test_temperatures_at_which_scores_are_none_are_refused(kind, temperature):
    with pytest.raises(ParameterError, match="temperature"):
        kind(temperature=temperature)


def test_a_step_beyond_the_range_of_pixels_is_refused():
    with pytest.raises(ParameterError, match="step"):
        Odin(step=1.5)


@pytest.mark.parametrize("method", [Energy(temperature=1e-6), Odin(temperature=1e-6)])
def test_scores_at_the_least_temperature_are_finite(method, problem, shown, tmp_path):
    assert bool(score(method, problem, shown, tmp_path).isfinite().all())
