"""The evaluator of condensed sets: its training is the authors', its
backends agree, its metrics are the definitions.
"""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from bench.tracks.condensation_calls import images_a_call, seen
from bench.tracks.condensation_evaluation import (
    Protocol,
    accuracies,
    calibration_error,
    logits_of,
    masked_logits,
    mean_nll,
    ranking_score,
    temperatures,
    train,
)
from bench.training.convnet import ConvNet
from bench.training.fitting import Recipe, epochs_of, fit, passes_of

NET = ConvNet(shape=(1, 8, 8), classes=3, width=4, depth=2)


def generators(count=3, first=0):
    return [torch.Generator().manual_seed(seed) for seed in range(first, first + count)]


def small_set(rows=6, dtype=torch.float64):
    return torch.randn(
        rows, 1, 8, 8, generator=torch.Generator().manual_seed(9), dtype=dtype
    ), torch.arange(rows) % 3


def start(dtype=torch.float64, count=3):
    return [tensor.to(dtype) for tensor in NET.init(generators(count))]


# Training
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [256, 4], ids=["whole", "batches"])
def test_evaluation_backends_train_the_same_nets(batch):
    x, y = small_set()
    protocol = Protocol(epochs=6, batch=batch)
    found = {
        backend: train(NET, start(), x, y, protocol, generators(first=50), backend)
        for backend in ("grouped", "stacked", "sequential")
    }
    for backend in ("stacked", "sequential"):
        for one, two in zip(found["grouped"], found[backend], strict=True):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


def test_training_is_sgd_whose_rate_falls_to_a_tenth_with_fresh_momentum():
    x, y = small_set()
    epochs, lr, momentum, decay = 7, 0.01, 0.9, 5e-4
    found = train(NET, start(count=1), x, y, Protocol(epochs=epochs), generators(1))
    weights = [tensor.clone().requires_grad_() for tensor in start(count=1)]
    speed = [torch.zeros_like(tensor) for tensor in weights]
    for epoch in range(epochs):
        if epoch == epochs // 2 + 1:
            lr, speed = lr / 10, [torch.zeros_like(tensor) for tensor in weights]
        gradients = torch.autograd.grad(
            F.cross_entropy(NET.logits(weights, x[None])[0], y), weights
        )
        with torch.no_grad():
            for tensor, gradient, v in zip(weights, gradients, speed, strict=True):
                v.mul_(momentum).add_(gradient + decay * tensor)
                tensor -= lr * v
    for one, two in zip(found, weights, strict=True):
        torch.testing.assert_close(one, two.detach())


def test_soft_labels_that_are_hard_train_the_same_net():
    x, y = small_set()
    hard, soft = (
        train(NET, start(), x, target, Protocol(epochs=3), generators())
        for target in (y, F.one_hot(y, 3).double())
    )
    for one, two in zip(hard, soft, strict=True):
        torch.testing.assert_close(one, two)


def test_the_nets_given_are_left_alone_and_augmentation_changes_the_outcome():
    x, y = small_set()
    given = start()
    copies = [tensor.clone() for tensor in given]
    plain = train(NET, given, x, y, Protocol(epochs=2), generators())
    augmented = train(NET, given, x, y, Protocol(epochs=2, strategy="crop"), generators())
    assert all(torch.equal(one, two) for one, two in zip(given, copies, strict=True))
    assert not torch.equal(plain[0], augmented[0])


def test_an_epoch_visits_every_row_once_in_an_order_of_each_net_s_own():
    batches = list(epochs_of(10, 4, 2, generators(2)))
    assert [tuple(rows.shape) for rows in batches] == [(2, 4), (2, 4), (2, 2)] * 2
    epoch = torch.cat(batches[:3], 1)
    assert torch.equal(epoch.sort(1).values, torch.arange(10).expand(2, 10))
    assert not torch.equal(epoch[0], epoch[1])
    assert [rows.tolist() for rows in epochs_of(3, 4, 2, generators(2))] == [[[0, 1, 2]]] * 2


def test_equal_steps_go_through_few_rows_more_often():
    rows = [torch.tensor([5, 7, 9]), torch.arange(20)]
    steps = list(passes_of(rows, 4, 6, generators(2)))
    assert [tuple(part.shape) for part in steps] == [(2, 4)] * 6
    whole = torch.cat(steps, 1)
    assert whole[0].bincount(minlength=10)[[5, 7, 9]].tolist() == [8, 8, 8]
    assert whole[1].bincount().max() <= 2


def test_a_cosine_ends_near_nothing_and_the_loss_may_be_another():
    x, y = small_set()
    batches = list(epochs_of(6, 8, 4, generators(1)))
    moved = fit(
        NET,
        start(count=1),
        x,
        y,
        batches,
        Recipe(steps=4, lr=0.1, schedule="cosine", momentum=0.0, weight_decay=0.0),
        loss=lambda logits, _: 0 * logits.sum((1, 2)),
    )
    assert all(torch.equal(one, two) for one, two in zip(moved, start(count=1), strict=True))


def test_the_test_images_are_fed_as_copies_that_are_wiped():
    x = small_set()[0]
    kept = []

    class Keeping(ConvNet, frozen=True, kw_only=True):
        def features(self, params, images):
            kept.append(images)
            return super().features(params, images)

    logits_of(Keeping(shape=(1, 8, 8), classes=3, width=4, depth=2), start(), x)
    assert all((images == 0).all() for images in kept)
    assert x.abs().sum() > 0


# Metrics
# ------------------------------------------------------------------------------------------------


def random_logits(nets=2, rows=200, classes=4, scale=2.0):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(
        nets, rows, classes, generator=generator, dtype=torch.float64
    ), torch.randint(classes, (rows,), generator=generator)


def test_calibration_error_is_the_weighted_gap_of_fifteen_bins():
    logits, y = random_logits()
    for net, found in zip(logits, calibration_error(logits, y), strict=True):
        p = net.softmax(-1).numpy()
        confidence, right = p.max(1), p.argmax(1) == y.numpy()
        expected = 0.0
        for low in np.arange(15) / 15:
            inside = (confidence > low) & (confidence <= low + 1 / 15)
            if inside.any():
                expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
        assert found.item() == pytest.approx(expected, abs=1e-12)


def test_likelihood_and_accuracy_are_the_plain_ones():
    logits, y = random_logits()
    for net, nll, acc in zip(logits, mean_nll(logits, y), accuracies(logits, y), strict=True):
        assert nll.item() == pytest.approx(F.cross_entropy(net, y).item())
        assert acc.item() == pytest.approx(100 * (net.argmax(1) == y).double().mean().item())


def test_a_temperature_minimises_the_likelihood_loss():
    logits, y = random_logits()
    y = torch.where(torch.arange(len(y)) % 2 == 0, logits[0].argmax(-1), y)  # some truth in it
    for net, found in zip(logits[:1], temperatures(logits[:1], y), strict=True):
        expected = minimize_scalar(
            lambda t, net=net: F.cross_entropy(net / math.exp(t), y).item(),
            bounds=(-5, 5),
            method="bounded",
            options={"xatol": 1e-8},
        )
        assert math.log(found.item()) == pytest.approx(expected.x, abs=1e-4)


def test_masked_scaling_is_the_temperature_of_least_loss_on_images_with_pixels_zeroed():
    # the slow form: net by net, image by image, a mask of its own for every net, and the loss of
    # logits / T by torch's cross entropy, minimised by a search over T
    x, _ = small_set(rows=12)
    params, masked = start(count=3), 0.4
    logits = masked_logits(NET, params, x, masked, torch.Generator().manual_seed(5))
    drawn = torch.rand(3, 12, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    hidden = (drawn <= masked).double().mean().item()
    assert hidden == pytest.approx(masked, abs=0.03)
    y = torch.where(torch.arange(12) % 3 == 0, logits[0].argmax(-1), torch.arange(12) % 3)
    found = temperatures(logits, y)
    for k in range(3):
        own = [tensor[k : k + 1] for tensor in params]
        slow = torch.stack(
            [
                NET.logits(own, torch.where(drawn[k, i] <= masked, 0.0, x[i])[None, None])[0, 0]
                for i in range(12)
            ]
        )
        torch.testing.assert_close(logits[k], slow)
        expected = minimize_scalar(
            lambda t, slow=slow: F.cross_entropy(slow / math.exp(t), y).item(),
            bounds=(math.log(1e-3), math.log(1e3)),
            method="bounded",
            options={"xatol": 1e-8},
        )
        assert F.cross_entropy(slow / found[k], y).item() == pytest.approx(expected.fun, abs=1e-9)


def test_without_a_mask_the_set_s_own_logits_come_back():
    x, _ = small_set()
    params = start()
    plain = NET.logits(params, x.expand(3, *x.shape))
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(masked_logits(NET, params, x, 0.0, generator), plain)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_images_shown_in_few_or_many_calls_give_the_same_logits(shape):
    net = ConvNet(shape=shape, classes=3, width=4, depth=2)
    params = net.init(generators())
    x = torch.randn(50, *shape, generator=torch.Generator().manual_seed(1))
    assert 1 <= images_a_call(x) <= 320
    torch.testing.assert_close(seen(net, params, x), net.logits(params, x.expand(3, *x.shape)))
    features = net.features(params, x.expand(3, *x.shape))
    torch.testing.assert_close(seen(net, params, x, "features"), features)


def test_ranking_scores_are_those_of_the_paper_by_hand():
    assert ranking_score(0.0) == (0.0, pytest.approx((1 - math.exp(-1)) / (math.e - math.exp(-1))))
    assert ranking_score(0.0)[1] == pytest.approx(0.269, abs=5e-4)
    assert ranking_score(0.2, loss=0.1)[0] == pytest.approx(0.5 * 0.2 - 0.5 * 0.1)
    assert ranking_score(1.0, loss=-1.0)[1] == pytest.approx(1)
    assert ranking_score(-1.0, loss=1.0)[1] == pytest.approx(0)
