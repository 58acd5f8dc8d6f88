"""The loops of noisy labels: an epoch of a perceptron on rows like digits."""

from __future__ import annotations

import types
from collections.abc import Callable

import numpy as np
import torch
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
from bench.builtin.methods.noisy_labels.gce import GeneralisedCrossEntropy
from bench.builtin.methods.noisy_labels.sop import SparseOverParameterisation
from torch import nn
from torch.nn import functional as F

from bench.tracks.noisy_labels import Problem, Seeds, sgd, train_step
from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, loader, loop, runs, taken

ROWS, FEATURES, CLASSES, BATCH, SEEDS = 1397, 64, 10, 128, 5


class Training:
    """A method at the start of an epoch, for some seeds, and the same net as an ordinary module."""

    def __init__(
        self,
        method,
        members: int = 1,
        net: str = "mlp",
        shape=(FEATURES,),
        widths=(256,),
        nets: int = 0,
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(ROWS, *shape, generator=generator)
        self.y = torch.randint(0, CLASSES, (ROWS,), generator=generator)
        problem = Problem(
            x=self.x, y=self.y, n_classes=CLASSES, epochs=60, noise_rate=0.4, net=net, widths=widths
        )
        self.method, self.seeds = method, Seeds([problem] * members, runs("noisy-labels", members))
        self.nets = nets or method.nets
        self.seeds.nets = self.seeds.build(self.nets)
        self.state, self.optimiser = method.start(self.seeds), sgd(self.seeds)
        self.order = torch.randperm(ROWS, generator=generator).expand(members, -1)
        tensors = (self.order[0].split(BATCH), torch.arange(ROWS), self.x, self.y)
        self.loader, self.taken = loader(*tensors), taken(*tensors)

    def epoch(self, number: int = 9) -> list[torch.Tensor]:
        """Take an epoch in a fixed order; return the parameters of the first seed's nets."""
        for batch in self.seeds.epoch(number, self.order):
            train_step(self.method, self.seeds.nets, self.optimiser, self.state, batch)
        self.method.after_epoch(self.state, number)
        return self.parameters()

    def parameters(self) -> list[torch.Tensor]:
        nets = self.seeds.nets
        return [
            tensor.detach()[k * self.seeds.members].clone()
            for k in range(self.nets)
            for pair in zip(nets.weights, nets.biases, strict=True)
            for tensor in pair
        ]

    def modules(self) -> list[nn.Module]:
        """Return the nets of the first seed as ordinary modules."""
        made = []
        for k in range(self.nets):
            net = nn.Sequential(nn.Linear(FEATURES, 256), nn.ReLU(), nn.Linear(256, CLASSES))
            with torch.no_grad():
                for layer, weight, bias in zip(
                    (net[0], net[2]), self.seeds.nets.weights, self.seeds.nets.biases, strict=True
                ):
                    layer.weight.copy_(weight[k * self.seeds.members])
                    layer.bias.copy_(bias[k * self.seeds.members, 0])
            made.append(net)
        return made


def optimisers(modules: list[nn.Module]) -> list[torch.optim.SGD]:
    return [torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9) for module in modules]


def epochs(method, losses: Callable, tolerance: float = 1e-4) -> Pair:
    """Return an epoch of the method beside one of official losses, for one seed and for five.

    Args:
        method: ours.
        losses: given our training and the modules, returns a function from a batch's rows, inputs
            and labels to one loss a module, and optimisers of what else it trains.
        tolerance: of the parameters after the epoch.
    """
    single, several = Training(method), Training(method, SEEDS)

    def beside(batches):
        modules = single.modules()
        own, more = losses(single, modules)
        steppers = [*optimisers(modules), *more]

        def epoch():
            for rows, x, y in batches:
                found = own(rows, x, y)
                for optimiser in steppers:
                    optimiser.zero_grad()
                sum(found).backward()
                for optimiser in steppers:
                    optimiser.step()
            return [parameter.clone() for module in modules for parameter in module.parameters()]

        return epoch

    return Pair(
        single.epoch,
        beside(single.loader),
        "weights after an epoch",
        tolerance,
        stacked=several.epoch,
        members=SEEDS,
        given=beside(single.taken),
    )


@loop(
    "elr",
    "noisy-labels",
    "elr",
    "ELR.model.loss.elr_loss",
    "The authors' configuration is passed as a dict.",
)
def elr(official: Checkout) -> Pair:
    module = official.load("model.loss", root="ELR")
    module.ConfigParser = types.SimpleNamespace(
        get_instance=lambda: {"train_loss": {"args": {"lambda": 3.0}}}
    )

    def losses(training, modules):
        criterion = module.elr_loss(ROWS, CLASSES, beta=0.7)
        return lambda rows, x, y: [criterion(rows, modules[0](x), y)], []

    return epochs(EarlyLearningRegularisation(lam=3.0, beta=0.7), losses)


@loop("sop", "noisy-labels", "sop", "model.loss.overparametrization_loss",
      "The authors' configuration is passed as a dict.")  # fmt: skip
def sop(official: Checkout) -> Pair:
    module = official.load("model.loss")
    module.ConfigParser = types.SimpleNamespace(
        get_instance=lambda: {
            "num_classes": CLASSES,
            "reparam_arch": {"args": {"mean": 0.0, "std": 1e-8}},
        }
    )

    def losses(training, modules):
        criterion = module.overparametrization_loss(ROWS, CLASSES)
        criterion.u.data.copy_(training.state.u)
        criterion.v.data.copy_(training.state.v)
        noise = torch.optim.SGD(
            [{"params": [criterion.u], "lr": 10.0}, {"params": [criterion.v], "lr": 100.0}], lr=1.0
        )
        given = F.one_hot(training.y, CLASSES).float()
        return lambda rows, x, y: [criterion(rows, modules[0](x), given[rows])], [noise]

    return epochs(SparseOverParameterisation(lr_u=10.0, lr_v=100.0), losses)


@loop("coteaching", "noisy-labels", "coteaching", "loss.loss_coteaching",
      "The authors' losses are multiplied by the number of rows kept, since their code divides "
      "by it twice.")  # fmt: skip
def coteaching(official: Checkout) -> Pair:
    criterion = official.load("loss").loss_coteaching

    def losses(training, modules):
        clean = np.zeros(ROWS, dtype=bool)

        def own(rows, x, y):
            kept = int((1 - 0.4) * len(rows))
            found = criterion(modules[0](x), modules[1](x), y, 0.4, rows.numpy(), clean)
            return [kept * loss for loss in found[:2]]

        return own, []

    return epochs(CoTeaching(ramp=10), losses)


@loop(
    "gce",
    "noisy-labels",
    "gce",
    "TruncatedLoss.TruncatedLoss",
    "An epoch before the first pruning.",
)
def gce(official: Checkout) -> Pair:
    module = official.load("TruncatedLoss")

    def losses(training, modules):
        criterion = module.TruncatedLoss(q=0.7, k=0.5, trainset_size=ROWS)
        return lambda rows, x, y: [criterion(modules[0](x), y, rows)], []

    return epochs(GeneralisedCrossEntropy(q=0.7), losses)
