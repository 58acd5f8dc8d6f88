"""Methods against limits in which two of them coincide, against slow formulas, and against the
companions of a member in its stack.
"""

import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.poisoning.activation_clusters import ActivationClusters
from bench.builtin.methods.poisoning.blur import Blur
from bench.builtin.methods.poisoning.ce import CrossEntropy
from bench.builtin.methods.poisoning.ce_early import EarlyCrossEntropy
from bench.builtin.methods.poisoning.ce_long import LongCrossEntropy
from bench.builtin.methods.poisoning.crop import Crop
from bench.builtin.methods.poisoning.gaussian_noise import GaussianNoise
from bench.builtin.methods.poisoning.gce import GeneralisedCrossEntropy
from bench.builtin.methods.poisoning.hr import HolisticRobust
from bench.builtin.methods.poisoning.mixup import Mixup
from bench.builtin.methods.poisoning.pgd_at import PgdTraining
from bench.builtin.methods.poisoning.spectral_signatures import (
    SpectralSignatures,
    ranks,
    signatures,
)
from bench.builtin.methods.poisoning.squeeze import Squeeze
from bench.builtin.methods.poisoning.trim import Trim
from poisoning_small import methods_of, pictures, run_of, trained

from bench.errors import BenchError
from bench.tracks.poisoning import cross_entropy
from bench.training import triggers
from bench.training.recipe import Batch

METHODS = methods_of("poisoning")
STACKED = sorted(name for name, kind in METHODS.items() if kind.card.stacked)


def pair(**protocol):
    return [pictures(seed, **protocol) for seed in range(2)]


@pytest.mark.parametrize(
    "method",
    [
        HolisticRobust(alpha=0.0, r=0.0),
        Trim(share=0.0),
        GaussianNoise(sd=0.0),
        Crop(pixels=0),
        Mixup(alpha=0.0),
        PgdTraining(share=0.0),
        LongCrossEntropy(factor=1),
        GeneralisedCrossEntropy(q=1e-6),
    ],
    ids=lambda method: method.card.name,
)
def test_a_method_at_its_limit_is_cross_entropy(method, tmp_path):
    found, expected = (trained(one, pair(), tmp_path) for one in (method, CrossEntropy()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", STACKED)
def test_a_member_is_the_same_whatever_stands_beside_it(name, tmp_path):
    method = METHODS[name]()
    problems = [pictures(seed) for seed in range(3)]
    stack = trained(method, problems, tmp_path)
    torch.testing.assert_close(
        trained(method, problems[1:], tmp_path, seeds=[1, 2]), stack[1:], rtol=0, atol=0
    )


def batch_of(labels):
    rows = torch.arange(labels.shape[1])[None].expand_as(labels)
    return Batch(0, 0, rows, rows, torch.zeros(*labels.shape, 2), labels)


LABELS = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3]])
LOGITS = torch.randn(1, 8, 4, generator=torch.Generator().manual_seed(0))


def test_gce_is_its_formula():
    found = GeneralisedCrossEntropy(q=0.7).loss(None, batch_of(LABELS), LOGITS)[0]
    minus_log_p = cross_entropy(LOGITS, LABELS)[0]
    for row in range(8):
        p = math.exp(-float(minus_log_p[row]))
        assert float(found[row]) == pytest.approx((1 - p**0.7) / 0.7, abs=1e-6)


def test_trimmed_losses_have_the_mean_of_the_smallest():
    losses = cross_entropy(LOGITS, LABELS)[0].tolist()
    found = Trim(share=0.3).loss(None, batch_of(LABELS), LOGITS)
    assert float(found.mean()) == pytest.approx(np.mean(sorted(losses)[:6]), abs=1e-6)


def test_the_gradient_of_hr_is_the_rows_gradients_weighed_by_the_worst_distribution():
    from bench.builtin.methods.poisoning.hr import worst

    logits = LOGITS.double().requires_grad_()
    HolisticRobust().loss(None, batch_of(LABELS), logits).mean(-1).sum().backward()
    p = worst(cross_entropy(LOGITS.double(), LABELS), 0.05, 0.1)[0]
    own = torch.nn.functional.one_hot(LABELS[0], 4)
    expected = p[:, None] * (LOGITS.double()[0].softmax(-1) - own)
    torch.testing.assert_close(logits.grad[0], expected)


def test_hr_with_a_ball_trains_on_moved_rows(tmp_path):
    moved, still = (trained(HolisticRobust(epsilon=e), pair(), tmp_path) for e in (0.5, 0.0))
    assert not torch.allclose(moved, still, atol=1e-3)


def test_pictures_are_changed_before_a_net_reads_them_at_test_too(tmp_path):
    problem = pictures()
    x = problem.x
    for method in (Squeeze(), Blur()):
        model = method.solve(problem, run_of(tmp_path)).model
        changed = method.change(x)
        torch.testing.assert_close(model(x), model.net(changed), rtol=0, atol=0)
    assert set(Squeeze().change(x).unique().tolist()) == {0.0, 1.0}
    blurred = Blur().change(x)[0, 0]
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    assert float(blurred[2, 3]) == pytest.approx(
        float((x[0, 0, 1:4, 2:5].numpy() * kernel).sum()), abs=1e-6
    )


def test_pgd_training_rises_to_half_of_the_attackers_radius(tmp_path):
    from bench.builtin.methods.poisoning.pgd_at import _State

    from bench.training.seeds import Seeds

    seeds = Seeds([pictures(epochs=10)], [run_of(tmp_path)])
    state = _State(seeds, 0.05)
    radii = []
    for epoch in range(10):
        state.draw(epoch, 0.4)
        radii.append(state.radius)
    np.testing.assert_allclose(radii, [0.0125, 0.025, 0.0375, *[0.05] * 7])


def test_stopped_early_is_a_net_that_was_reported(tmp_path):
    [problem], x = [pictures(epochs=6)], pictures().x
    run = run_of(tmp_path)
    seen = []
    run._tools = None
    run.report = lambda step, model: seen.append(model(x))
    found = EarlyCrossEntropy().solve(problem, run).model(x)
    assert torch.equal(found, seen[-1])


# Detectors ---------------------------------------------------------------------------------


def test_signatures_are_squares_along_the_first_singular_vector_of_each_class():
    generator = torch.Generator().manual_seed(0)
    found = torch.randn(2, 30, 5, generator=generator)
    y = torch.arange(30)[None].repeat(2, 1) % 3
    scores = signatures(found, y, 3)
    for k in range(2):
        for label in range(3):
            own = found[k, y[k] == label].double().numpy()
            apart = own - own.mean(0)
            first = np.linalg.svd(apart)[2][0]
            np.testing.assert_allclose(
                scores[k, y[k] == label].numpy(), (apart @ first) ** 2, atol=1e-9
            )


def test_ranks_within_classes_are_shares_of_rows_not_above():
    scores = torch.tensor([[5.0, 1.0, 7.0, 100.0, 300.0, 200.0]])
    y = torch.tensor([[0, 0, 0, 1, 1, 1]])
    expected = torch.tensor([[2, 1, 3, 1, 3, 2]]).double() / 3
    torch.testing.assert_close(ranks(scores, y), expected)


@pytest.mark.parametrize("kind", [SpectralSignatures, ActivationClusters])
def test_detectors_suspect_rows_with_a_trigger_before_others(kind, tmp_path):
    problem = pictures(rows=240, side=8, epochs=12, widths=(16,))
    found = triggers.backdoor(problem.x, problem.y, 0.06, run_of(tmp_path, 3))
    import msgspec

    attacked = msgspec.structs.replace(problem, x=found.x, y=found.y)
    suspect = kind().solve(attacked, run_of(tmp_path)).suspect
    own = found.y == 0
    caught = suspect[own & found.touched].mean() - suspect[own & ~found.touched].mean()
    assert float(caught) > 0.1


def test_clusters_are_their_share_of_a_class():
    generator = np.random.default_rng(0)
    far = np.concatenate([np.zeros((16, 3)), 10 + np.zeros((4, 3))])
    found = np.concatenate([far + 0.1 * generator.standard_normal((20, 3)), np.zeros((5, 3))])
    sizes = ActivationClusters().sizes(found, np.repeat([0, 1], [20, 5]), generator)
    np.testing.assert_allclose(sizes, [*[0.8] * 16, *[0.2] * 4, *[1.0] * 5])


# Bad values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (HolisticRobust, {"alpha": 1.0}),
        (HolisticRobust, {"r": -0.1}),
        (Trim, {"share": 1.0}),
        (PgdTraining, {"share": 1.5}),
        (GeneralisedCrossEntropy, {"q": 0.0}),
        (GeneralisedCrossEntropy, {"q": 1e-300}),
        (Squeeze, {"threshold": 1.0}),
    ],
)
def test_values_outside_of_their_bounds_end_in_a_sentence(kind, fields):
    with pytest.raises(BenchError, match=next(iter(fields))):
        kind(**fields)
