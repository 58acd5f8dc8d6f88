"""The standard nets: a member of a stack is the plain net, in values,
gradients, training and bits.
"""

import contextlib
import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from bench.errors import BenchError
from bench.training.nets import BODIES, NETS, build, plain
from bench.training.stack import affine
from bench.training.state import streams

CPU = torch.device("cpu")
WIDTHS = {"cnn": (6, 8), "mlp": (12,)}
SHAPE = (3, 8, 8)
FORMS = ("sequence", "grouped", "vmap")  # those with channels innermost are for a GPU


def stack(net, seeds, form=None, shape=SHAPE):
    return build(
        net,
        shape,
        4,
        [streams(seed) for seed in seeds],
        CPU,
        widths=WIDTHS.get(net, (4, 6)),
        form=form,
    )


def plain_mlp(seed, widths=WIDTHS["mlp"]):
    """A perceptron of torch's own layers with He-uniform weights, drawn layer by layer."""
    sizes = (192, *widths, 4)
    layers = [nn.Linear(inner, out) for inner, out in itertools.pairwise(sizes)]
    with streams(seed):
        for layer in layers:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1])


def single(net, seed):
    if net == "mlp":
        return plain_mlp(seed)
    with streams(seed):
        return plain(net, SHAPE, 4, WIDTHS.get(net, (4, 6)))


def batches(count, members, dtype=torch.float32, rows=12):
    generator = torch.Generator().manual_seed(7)
    for _ in range(count):
        yield (
            torch.randn(members, rows, *SHAPE, generator=generator).to(dtype),
            torch.randint(4, (members, rows), generator=generator),
        )


def train(nets, steps, dtype=torch.float32, rate=0.02, seeds=None):
    """Train a stack; member k sees the batches of position ``seeds[k]`` of three."""
    seeds = range(nets.members) if seeds is None else seeds
    optimiser = torch.optim.SGD(nets.parameters(), lr=rate, momentum=0.9)
    for x, y in batches(steps, 3, dtype):
        optimiser.zero_grad()
        F.cross_entropy(
            nets(x[list(seeds)]).flatten(0, 1), y[list(seeds)].flatten(), reduction="none"
        ).view(nets.members, -1).mean(1).sum().backward()
        optimiser.step()
    return nets


def train_single(net, k, steps, dtype=torch.float32, rate=0.02):
    optimiser = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    for x, y in batches(steps, 3, dtype):
        optimiser.zero_grad()
        F.cross_entropy(net(x[k]), y[k], reduction="none").mean().backward()
        optimiser.step()
    return net.eval()


LOOK = torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(3))


# Stacked and plain ----------------------------------------------------------------


@pytest.mark.parametrize("net", NETS)
def test_a_member_of_a_stack_is_the_plain_net_to_a_hundred_thousandth_after_fifty_steps(net):
    nets = train(stack(net, [5, 6, 7]), 50)
    for k in range(3):
        alone = train_single(single(net, 5 + k), k, 50)
        torch.testing.assert_close(
            nets.member(k)(LOOK), alone(LOOK).detach(), rtol=0, atol=1e-5 if net == "mlp" else 0
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("net", BODIES)
def test_in_double_precision_every_form_trains_as_the_plain_net_does(net, form):
    nets = train(stack(net, [5, 6], form).double(), 8, torch.float64)
    for k in range(2):
        alone = train_single(single(net, 5 + k).double(), k, 8, torch.float64)
        torch.testing.assert_close(
            nets.member(k)(LOOK.double()), alone(LOOK.double()).detach(), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("net", NETS)
def test_each_member_starts_from_what_the_plain_net_draws_inside_the_same_context(net):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    nets = stack(net, [5, 6])
    assert torch.equal(torch.get_rng_state(), before)
    nets.eval()
    for k in range(2):
        torch.testing.assert_close(
            nets.member(k)(LOOK), single(net, 5 + k).eval()(LOOK).detach(), rtol=1e-5, atol=1e-6
        )
    assert not torch.equal(nets.member(0)(LOOK), nets.member(1)(LOOK))


@pytest.mark.parametrize("net", NETS)
def test_on_a_cpu_a_member_s_bits_do_not_depend_on_its_neighbours(net):
    three = train(stack(net, [5, 6, 7]), 6)
    two = train(stack(net, [7, 5]), 6, seeds=[2, 0])
    assert torch.equal(three.member(0)(LOOK), two.member(1)(LOOK))
    assert torch.equal(three.member(2)(LOOK), two.member(0)(LOOK))


@pytest.mark.parametrize("form", FORMS)
def test_gradients_do_not_mix(form):
    nets = stack("resnet18", [5, 6, 7], form)
    x, y = next(batches(1, 3))
    F.cross_entropy(nets(x)[1], y[1]).backward()
    for name, parameter in nets.named_parameters():
        assert parameter.grad[1].abs().max() > 0, name
        assert parameter.grad[0].abs().max() == parameter.grad[2].abs().max() == 0, name


@pytest.mark.parametrize("form", FORMS)
def test_batch_norm_is_each_member_s_own(form):
    nets = stack("cnn", [5, 5], form)  # twins, so what differs comes from the inputs
    x, _ = next(batches(1, 2))
    shifted = torch.stack([x[0], 3 * x[0] + 1])
    nets(shifted)
    alone = stack("cnn", [5, 5], form)
    alone(torch.stack([x[0], x[0]]))
    buffers = dict(nets.named_buffers())
    for name, buffer in alone.named_buffers():
        torch.testing.assert_close(buffers[name][0], buffer[0])
        assert not torch.allclose(buffers[name][1], buffer[1]), name
    own = F.batch_norm(x[0], torch.zeros(3), torch.ones(3), training=True)
    # the layer's definition: rows of this member alone are averaged over
    assert own.mean((0, 2, 3)).abs().max() < 1e-5
    conv = F.conv2d(x[0], nets.body_convs_0_weight[0], padding=1)
    torch.testing.assert_close(
        buffers["body_norms_0_running_mean"][0], 0.1 * conv.mean((0, 2, 3)), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        buffers["body_norms_0_running_var"][0],
        0.9 + 0.1 * conv.var((0, 2, 3)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_frozen_batch_norm_uses_its_statistics_and_leaves_them():
    nets = train(stack("cnn", [5, 6]), 3)
    before = {name: buffer.clone() for name, buffer in nets.named_buffers()}
    x, _ = next(batches(1, 2))
    nets.norm_frozen = True
    frozen = nets(x)
    assert all(torch.equal(buffer, before[name]) for name, buffer in nets.named_buffers())
    torch.testing.assert_close(frozen, nets.eval()(x))


# Members --------------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS)
def test_a_member_follows_training_holds_no_parameters_and_passes_gradients_to_inputs_alone(net):
    nets = stack(net, [5, 6])
    member = nets.member(1)
    before = member(LOOK)
    assert not before.requires_grad
    assert list(member.parameters()) == []
    train(nets, 2)
    assert not torch.equal(member(LOOK), before)
    x = LOOK.clone().requires_grad_()
    member(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert torch.equal(member.head(member.features(LOOK)), member(LOOK))


def test_a_member_in_training_mode_normalises_by_its_batch_and_one_in_eval_mode_by_its_statistics():
    nets = stack("cnn", [5, 6])
    member = nets.member(0)
    assert not member.training
    still = member(LOOK)
    assert torch.equal(member(LOOK), still)
    member.train()
    moved = member(LOOK)
    assert not torch.allclose(moved, still)
    member.eval()
    # its statistics moved, as those of a net of its own would
    assert not torch.equal(member(LOOK), still)


@pytest.mark.parametrize("net", ["mlp", "resnet18"])
def test_a_snapshot_of_a_member_stays_and_holds_that_member_alone(net):
    nets = stack(net, [5, 6, 7])
    kept, before = copy.deepcopy(nets.member(1)), nets.member(1)(LOOK)
    train(nets, 2)
    assert torch.equal(kept(LOOK), before)
    if net != "mlp":
        assert all(
            tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in kept._tensors.values()
        )


@pytest.mark.parametrize("net", NETS)
def test_features_and_head_make_up_the_net(net):
    nets = stack(net, [5, 6]).eval()
    x, _ = next(batches(1, 2))
    features = nets.features(x)
    assert features.shape == (2, 12, WIDTHS.get(net, (6,))[-1])
    assert torch.equal(nets.head(features), nets(x))
    torch.testing.assert_close(features[1], nets.member(1).features(x[1]), rtol=1e-4, atol=1e-5)


def test_a_copy_of_a_stack_is_a_stack_of_its_own():
    nets = stack("preactresnet18", [5, 6])
    twin, before = copy.deepcopy(nets), nets.member(0)(LOOK)
    train(nets, 2)
    assert torch.equal(twin.member(0)(LOOK), before)
    assert not torch.equal(nets.member(0)(LOOK), before)


@pytest.mark.parametrize("net", NETS)
def test_second_derivatives_pass_through_a_stack(net):
    nets = stack(net, [5, 6]).double()
    x, y = next(batches(1, 2, torch.float64, rows=6))
    x.requires_grad_()
    first = torch.autograd.grad(
        F.cross_entropy(nets(x).flatten(0, 1), y.flatten()),
        list(nets.parameters()),
        create_graph=True,
    )
    second = torch.autograd.grad(sum(gradient.pow(2).sum() for gradient in first), x)[0]
    direction = torch.randn(
        x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    nets.train()

    def norm(at):
        found = torch.autograd.grad(
            F.cross_entropy(nets(at).flatten(0, 1), y.flatten()), list(nets.parameters())
        )
        return sum(gradient.pow(2).sum() for gradient in found)

    step = 1e-6
    numerical = (norm(x.detach() + step * direction) - norm(x.detach() - step * direction)) / (
        2 * step
    )
    torch.testing.assert_close((second * direction).sum(), numerical, rtol=1e-4, atol=1e-7)


# Architecture ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "count"),
    [
        # the CIFAR ResNet-18 with ten classes as commonly counted: 11.17 million
        ("resnet18", 11_173_962),
        ("resnet34", 21_282_122),
        ("preactresnet18", 11_172_170),
    ],
)
def test_the_residual_nets_have_the_published_number_of_parameters(net, count):
    with streams(0):
        found = plain(net, (3, 32, 32), 10)
    assert sum(parameter.numel() for parameter in found.parameters()) == count


def test_a_stage_halves_the_side_from_the_second_on():
    with streams(0):
        body = plain("resnet34", (3, 32, 32), 10, (4, 4, 4, 4)).body
    x, sides = torch.zeros(1, 4, 32, 32), []
    for block in body.blocks:
        x = block(x)
        sides.append(x.shape[-1])
    assert sides == [32] * 3 + [16] * 4 + [8] * 6 + [4] * 3


# Bad input ------------------------------------------------------------------------


def test_an_unknown_net_a_wrong_shape_too_many_widths_and_an_unknown_form_are_told_in_a_sentence():
    with pytest.raises(BenchError, match=r"no net 'resnet19'\. Did you mean 'resnet18'"):
        stack("resnet19", [0])
    with pytest.raises(
        BenchError,
        match=r"reads pictures \(channels, height, width\), but an input has the shape \(64,\)",
    ):
        stack("cnn", [0], shape=(64,))
    with pytest.raises(BenchError, match="has 4 stages, but 5 widths"):
        build("resnet18", SHAPE, 4, [contextlib.nullcontext()], CPU, widths=(4,) * 5)
    with pytest.raises(BenchError, match="'grouped-last' is not safe on a CPU"):
        stack("cnn", [0], "grouped-last")
    with pytest.raises(BenchError, match="no form 'stacked'"):
        stack("cnn", [0], "stacked")


class _Products(TorchDispatchMode):
    """Counts batched products."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "bmm" in func._schema.name
        return func(*args, **kwargs or {})


def test_layers_held_fixed_pass_gradients_on_and_cost_no_product_for_their_weights():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, generator=generator, requires_grad=True)
        for shape in ((2, 5, 4), (2, 3, 4), (2, 1, 3))
    )
    counts, found = [], []
    for held in (False, True):
        weight.requires_grad_(not held)
        bias.requires_grad_(not held)
        x.grad = weight.grad = bias.grad = None
        loss = affine(x, weight, bias).square().sum()
        with _Products() as products:
            loss.backward()
        counts.append(products.count)
        found.append(x.grad)
        assert (weight.grad is None) == (bias.grad is None) == held
    assert counts == [2, 1]
    assert torch.equal(*found)
