"""The loops of condensation that match gradients or features, at 8x8 and at 28x28."""

from __future__ import annotations

import types

import torch
from bench.builtin.methods.condensation.dcc import ContrastiveMatching
from torch import nn
from torch.nn import functional as F

from bench.tracks import condensation_augment as siamese
from bench.tracks.condensation_calls import seen
from bench.tracks.condensation_gradients import class_loss
from bench.training import tuned
from bench.training.convnet import ConvNet
from official_loops.checkouts import Checkout, overlapping
from official_loops.pairs import Pair, loop

CPU, CLASSES, WIDTH, REAL = torch.device("cpu"), 10, 32, 32
STRATEGY = "color_cutout_scale_rotate"
"""Without crop: their nets refuse what it makes of pictures of one channel on today's torch."""


class Sides:
    """The same net and images on both sides."""

    def __init__(self, official: Checkout, side: int, ipc: int = 1) -> None:
        depth = 2 if side < 14 else 3
        self.net = ConvNet(shape=(1, side, side), classes=CLASSES, width=WIDTH, depth=depth)
        generator = torch.Generator().manual_seed(0)
        self.params = self.net.init([generator])
        self.real, self.images = (
            torch.randn(CLASSES, count, 1, side, side, generator=generator) for count in (REAL, ipc)
        )
        self.images.requires_grad_()
        shape = {"side": side, "channels": 1, "width": WIDTH, "ipc": ipc, "real": REAL}
        self.backend = tuned.choice("condensation/matching", CPU, **shape)
        self.utils = official.load("utils")
        self.arguments = types.SimpleNamespace(device="cpu", dis_metric="ours")
        self.theirs = official.load("networks").ConvNet(
            1, CLASSES, WIDTH, depth, "relu", "instancenorm", "avgpooling", (side, side)
        )
        if side == 8:  # they pad pictures of one channel for 28x28
            self.theirs.features[0].padding = (1, 1)
        self.copy(self.theirs, 0)

    def copy(self, net: nn.Module, member: int) -> None:
        with torch.no_grad():
            for parameter, tensor in zip(net.parameters(), self.params, strict=True):
                parameter.copy_(tensor[member])

    def gradient(self, x, label, graph=False):
        loss = F.cross_entropy(self.theirs(x), torch.full((len(x),), label))
        return torch.autograd.grad(loss, list(self.theirs.parameters()), create_graph=graph)

    def matched(self, real, images):
        """The loss of DC as their script adds it up, class by class."""
        total = torch.tensor(0.0)
        for label in range(CLASSES):
            target = [part.detach().clone() for part in self.gradient(real[label], label)]
            found = self.gradient(images[label], label, graph=True)
            total = total + self.utils.match_loss(found, target, self.arguments)
        return total

    def with_gradient(self, loss):
        return loss, torch.autograd.grad(loss, self.images)[0]


@loop("dc-8", "condensation", "dc", "networks.ConvNet, utils.match_loss", side=8)
@loop("dc-28", "condensation", "dc", "networks.ConvNet, utils.match_loss", side=28)
def dc(official, side):
    sides = Sides(official, side)
    return Pair(
        lambda: sides.with_gradient(
            class_loss(sides.net, sides.params, sides.real, sides.images, sides.backend)
        ),
        lambda: sides.with_gradient(sides.matched(sides.real, sides.images)),
        "loss and gradient of the images",
        1e-3,
    )


def drawn_as(seed: int, names: tuple[str, ...], size: tuple[int, int]) -> siamese.Draw:
    """Return one group's draw as their seeds make it, for the operations color, scale and rotate."""
    seeds = iter(range(seed, seed + 9))

    def number():
        torch.manual_seed(next(seeds))
        return torch.rand(1, 1, 1, 1)[0, 0, 0, 0]

    torch.manual_seed(next(seeds))
    name = names[torch.randint(0, len(names), size=(1,)).item()]
    identity = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    theta, colour = identity, torch.tensor([0.0, 1, 1])
    if name == "color":
        colour = torch.stack([number() - 0.5, 2 * number(), number() + 0.5])
    elif name == "scale":
        theta = (
            identity * torch.stack([number() * (1.2 - 1 / 1.2) + 1 / 1.2 for _ in "xy"])[:, None]
        )
    else:
        angle = (number() - 0.5) * 2 * 15 / 180 * torch.pi
        theta = torch.stack(
            [angle.cos(), -angle.sin(), 0 * angle, angle.sin(), angle.cos(), 0 * angle]
        )
    return siamese.Draw(
        theta.view(1, 1, 2, 3),
        torch.tensor([name != "color"]),
        torch.full((1, 1, 2), -2.0 * max(size)),
        colour.view(1, 1, 3),
    )


@loop("dsa-8", "condensation", "dc", "networks.ConvNet, utils.match_loss, utils.DiffAugment",
      "Results are compared for colour, scale and rotation with the authors' draws, without crop.", side=8)  # fmt: skip
@loop("dsa-28", "condensation", "dc", "networks.ConvNet, utils.match_loss, utils.DiffAugment",
      "Results are compared for colour, scale and rotation with the authors' draws, without crop.", side=28)  # fmt: skip
def dsa(official, side):
    sides, draws = Sides(official, side), torch.Generator().manual_seed(0)
    names, parameters = siamese.operations(STRATEGY), sides.utils.ParamDiffAug()

    def ours(drawn=None):
        drawn = drawn or siamese.draw(names, CLASSES, (side, side), draws)
        real, images = siamese.apply(drawn, sides.real), siamese.apply(drawn, sides.images)
        return sides.with_gradient(class_loss(sides.net, sides.params, real, images, sides.backend))

    def theirs(strategy=STRATEGY):
        with overlapping():
            pairs = [
                [
                    sides.utils.DiffAugment(
                        part[label], strategy, seed=100 * label, param=parameters
                    )
                    for part in (sides.real, sides.images)
                ]
                for label in range(CLASSES)
            ]
        return sides.with_gradient(
            sides.matched([real for real, _ in pairs], [images for _, images in pairs])
        )

    def agree():
        strategy = ("color", "scale", "rotate")
        parts = [drawn_as(100 * label, strategy, (side, side)) for label in range(CLASSES)]
        together = siamese.Draw(
            *(
                torch.cat([getattr(part, name) for part in parts])
                for name in parts[0].__struct_fields__
            )
        )
        return ours(together), theirs("_".join(strategy))

    return Pair(ours, theirs, "loss and gradient of the images", 1e-3, agree)


@loop("dcc-8", "condensation", "dcc", "networks.ConvNet, utils.match_loss", side=8)
@loop("dcc-28", "condensation", "dcc", "networks.ConvNet, utils.match_loss", side=28)
def dcc(official, side):
    sides, method = Sides(official, side), ContrastiveMatching()

    def theirs():
        target = [0.0] * len(sides.params)
        for label in range(CLASSES):
            found = sides.gradient(sides.real[label], label)
            target = [
                part.detach().clone() / CLASSES + total
                for part, total in zip(found, target, strict=True)
            ]
        labels = torch.arange(CLASSES).repeat_interleave(sides.images.shape[1])
        loss = F.cross_entropy(sides.theirs(sides.images.flatten(0, 1)), labels)
        found = torch.autograd.grad(loss, list(sides.theirs.parameters()), create_graph=True)
        return sides.with_gradient(sides.utils.match_loss(found, target, sides.arguments))

    return Pair(
        lambda: sides.with_gradient(
            method.loss(sides.net, sides.params, sides.real, sides.images, (1.0, 0), sides.backend)
        ),
        theirs,
        "loss and gradient of the images",
        1e-3,
    )


@loop("dm-8", "condensation", "dc", "networks.ConvNet.embed", side=8)
@loop("dm-28", "condensation", "dc", "networks.ConvNet.embed", side=28)
def dm(official, side):
    sides = Sides(official, side)
    sides.theirs.requires_grad_(False)

    def ours():
        target = seen(sides.net, sides.params, sides.real.flatten(0, 1), "features")[0]
        found = sides.net.features(sides.params, sides.images.flatten(0, 1)[None])[0]
        apart = target.unflatten(0, (CLASSES, -1)).mean(1) - found.unflatten(0, (CLASSES, -1)).mean(
            1
        )
        return sides.with_gradient(apart.square().sum())

    def theirs():
        total = torch.tensor(0.0)
        for label in range(CLASSES):
            target = sides.theirs.embed(sides.real[label]).detach()
            found = sides.theirs.embed(sides.images[label])
            total = total + ((target.mean(0) - found.mean(0)) ** 2).sum()
        return sides.with_gradient(total)

    return Pair(ours, theirs, "loss and gradient of the images", 1e-3)
