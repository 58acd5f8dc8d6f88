"""Gradient matching: the identities that tell DC from DCC, and backends
that must agree with the plain loop.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.tracks import condensation_augment as siamese
from bench.tracks import condensation_calls
from bench.tracks.condensation_gradients import (
    balanced_gradient,
    class_gradients,
    class_loss,
    distance,
    sum_loss,
)
from bench.tracks.condensation_matching import BACKENDS
from bench.training.convnet import ConvNet

C = 3


def net_of(dtype=torch.float64, shape=(1, 8, 8)):
    net = ConvNet(shape=shape, classes=C, width=4, depth=2)
    return net, [tensor.to(dtype) for tensor in net.init([torch.Generator().manual_seed(0)])]


def images(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def module_of(net, params):
    """The same net out of torch's own layers."""
    layers = []
    for block in range(net.depth):
        conv = nn.Conv2d(
            net.width if block else net.shape[0], net.width, 3, padding=1 if block else net.padding
        )
        norm = nn.GroupNorm(net.width, net.width)
        layers += [conv, norm, nn.ReLU(), nn.AvgPool2d(2)]
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(net.n_features, net.classes)).to(
        params[0].dtype
    )
    with torch.no_grad():
        for own, given in zip(module.parameters(), params, strict=True):
            own.copy_(given[0])
    return module


# The net
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (1, 28, 28)])
def test_the_functional_net_is_that_of_torch_s_layers(shape):
    net, params = net_of(shape=shape)
    x = images(5, *shape)
    torch.testing.assert_close(net.logits(params, x[None])[0], module_of(net, params)(x))


def test_a_stack_maps_each_net_s_images_as_that_net_does():
    net = ConvNet(shape=(3, 8, 8), classes=C, width=4, depth=2)
    params = [
        tensor.double()
        for tensor in net.init([torch.Generator().manual_seed(seed) for seed in (0, 1, 2)])
    ]
    x = images(3, 5, 3, 8, 8)
    found = net.logits(params, x)
    for k in range(3):
        torch.testing.assert_close(
            found[k], module_of(net, [tensor[k : k + 1] for tensor in params])(x[k])
        )


def test_weights_are_drawn_as_torch_s_layers_draw_them():
    net = ConvNet(shape=(1, 8, 8), classes=10, width=64, depth=2)
    params = net.init([torch.Generator().manual_seed(0)])
    for tensor, fan_in in ((params[0], 9), (params[4], 576), (params[8], 256)):
        assert tensor.abs().max() <= fan_in**-0.5
        # of U(-b, b) it is b^2 / 3
        assert tensor.var().item() == pytest.approx(1 / (3 * fan_in), rel=0.1)
    assert (params[2] == 1).all()
    assert (params[3] == 0).all()


def test_too_many_poolings_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="depth 4 leaves nothing of images of 8x8"):
        ConvNet(shape=(1, 8, 8), classes=C, depth=4).n_features  # noqa: B018


# The distance
# -----------------------------------------------------------------------------------------


def slow_distance(a, b):
    total = 0.0
    for one, two in zip(a, b, strict=True):
        for row, other in zip(
            one.flatten(0, 1).flatten(1), two.flatten(0, 1).flatten(1), strict=True
        ):
            total += 1 - float(row @ other) / (float(row.norm()) * float(other.norm()) + 1e-6)
    return total


def test_the_distance_is_one_less_the_cosine_of_every_output_s_weights():
    a, b = ([images(2, 3, 2, 3, 3, seed=seed), images(2, 4, 5, seed=seed + 1)] for seed in (1, 3))
    assert distance(a, b).item() == pytest.approx(slow_distance(a, b), rel=1e-12)


def test_the_distance_ignores_biases_and_norms_and_is_blind_to_scale():
    a, b = ([images(1, 3, 4, seed=seed), images(1, 3, seed=seed + 1)] for seed in (1, 3))
    changed = [b[0] * 7, b[1] + 100]
    # 1e-6 beside the norms is all that is not blind
    assert distance(a, changed).item() == pytest.approx(distance(a, b).item(), abs=1e-5)
    assert distance(a, a).item() == pytest.approx(0, abs=1e-5)
    assert distance(a, changed, "mse") > distance(a, b, "mse")


def test_the_other_metrics_take_all_parameters_as_one_vector():
    a, b = ([images(1, 3, 4, seed=seed), images(1, 3, seed=seed + 1)] for seed in (1, 3))
    flat_a, flat_b = (torch.cat([tensor.flatten() for tensor in part]) for part in (a, b))
    assert distance(a, b, "cos").item() == pytest.approx(
        1 - F.cosine_similarity(flat_a, flat_b, dim=0).item(), abs=1e-6
    )
    assert distance(a, b, "mse").item() == pytest.approx((flat_a - flat_b).square().sum().item())


def test_a_row_without_gradient_costs_one_and_can_still_learn():
    a = torch.zeros(1, 1, 4, dtype=torch.float64, requires_grad=True)
    found = distance([a + 0.0], [images(1, 1, 4)])
    assert found.item() == pytest.approx(1)
    assert torch.isfinite(torch.autograd.grad(found, a)[0]).all()


# Gradients of all classes
# -----------------------------------------------------------------------------


def naive(net, params, real, synthetic):
    """DC's loss and image gradient as the paper's pseudo-code, out of torch's own modules."""
    synthetic = synthetic.clone().requires_grad_()
    module = module_of(net, params)
    weights = list(module.parameters())
    total = 0.0
    for c in range(C):
        label = torch.full((real.shape[1],), c)
        target = torch.autograd.grad(F.cross_entropy(module(real[c]), label), weights)
        found = torch.autograd.grad(
            F.cross_entropy(module(synthetic[c]), label[: synthetic.shape[1]]),
            weights,
            create_graph=True,
        )
        for one, two in zip(found, target, strict=True):
            if one.dim() > 1:
                one, two = one.flatten(1), two.flatten(1)
                total = (
                    total
                    + (1 - (one * two).sum(1) / (one.norm(dim=1) * two.norm(dim=1) + 1e-6)).sum()
                )
    return total.detach(), torch.autograd.grad(total, synthetic)[0]


@pytest.mark.parametrize("ipc", [1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)], ids=["double", "single"]
)
def test_every_backend_gives_the_loss_and_image_gradient_of_the_plain_loop(
    backend, dtype, tolerance, ipc
):
    net, params = net_of(dtype)
    real, synthetic = (
        images(C, 4, 1, 8, 8, dtype=dtype),
        images(C, ipc, 1, 8, 8, seed=2, dtype=dtype),
    )
    loss, gradient = naive(net, params, real, synthetic)
    shown = synthetic.clone().requires_grad_()
    mine = class_loss(net, params, real, shown, backend)
    (found,) = torch.autograd.grad(mine, shown)
    assert mine.item() == pytest.approx(loss.item(), rel=tolerance)
    assert (found - gradient).abs().max() <= tolerance * gradient.abs().max()


def test_the_real_side_of_dcc_is_the_mean_of_the_class_gradients_however_it_is_cut(monkeypatch):
    net, params = net_of()
    real = images(C, 4, 1, 8, 8)
    expected = [
        tensor.mean(0, keepdim=True)
        for tensor in class_gradients(net, params, real, "loop", graph=False)
    ]
    for pixels in (1, 512, 64_000):  # a class a call, two, all
        monkeypatch.setattr(condensation_calls, "CACHED_PIXELS", pixels)
        for one, two in zip(
            balanced_gradient(net, params, real, graph=False), expected, strict=True
        ):
            torch.testing.assert_close(one, two)


def test_with_synthetic_gradients_swapped_between_classes_dcc_s_loss_is_zero_and_dc_s_is_not():
    # Swapping two classes' gradients leaves their mean as it is: the distance of the means is 0,
    # those class by class are not.
    net, params = net_of()
    gradients = class_gradients(net, params, images(C, 4, 1, 8, 8), "grouped", graph=False)
    swapped = [tensor[[1, 0, 2]] for tensor in gradients]
    means = [[tensor.mean(0, keepdim=True) for tensor in part] for part in (gradients, swapped)]
    # what 1e-6 beside the norms leaves
    assert distance(*means).item() == pytest.approx(0, abs=1e-2)
    assert distance(gradients, swapped).item() > 1


def test_the_losses_use_class_gradients_and_their_mean():
    net, params = net_of()
    real, synthetic = images(C, 4, 1, 8, 8), images(C, 2, 1, 8, 8, seed=2)
    a, b = (class_gradients(net, params, x, "loop", graph=False) for x in (synthetic, real))
    assert class_loss(net, params, real, synthetic).item() == pytest.approx(distance(a, b).item())
    means = [[tensor.mean(0, keepdim=True) for tensor in part] for part in (a, b)]
    assert sum_loss(net, params, real, synthetic).item() == pytest.approx(distance(*means).item())


def test_identical_sets_under_one_siamese_draw_have_no_distance():
    net, params = net_of()
    x = images(C, 2, 1, 8, 8)
    names = siamese.operations("color_crop_cutout_flip_scale_rotate")
    for seed in range(6):
        drawn = siamese.draw(names, C, (8, 8), torch.Generator().manual_seed(seed))
        a, b = siamese.apply(drawn, x), siamese.apply(drawn, x.clone())
        # what 1e-6 beside the norms leaves
        assert class_loss(net, params, a, b).item() == pytest.approx(0, abs=1e-2)
        assert sum_loss(net, params, a, b).item() == pytest.approx(0, abs=1e-2)
