"""The loops of unlearning: a small perceptron on rows like digits, one model and eight at once."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
from bench.builtin.methods.unlearning.bad_teacher import BadTeacher
from bench.builtin.methods.unlearning.l1_sparse import L1Sparse
from bench.builtin.methods.unlearning.neggrad_plus import NegGradPlus
from bench.builtin.methods.unlearning.scrub import Scrub
from bench.builtin.methods.unlearning.ssd import SelectiveSynapticDampening
from torch import nn

from bench.tracks.unlearning import Group, Problem
from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, fed, loader, loop, runs, taken

ROWS, GONE, FEATURES, HIDDEN, CLASSES, BATCH, MODELS = 1000, 100, 64, 64, 10, 32, 8


Feeds = dict[str, Any]
"""The same batches through torch's DataLoader (``official``) and taken beforehand (``given``)."""


class Model(nn.Sequential):
    """The original as an ordinary module."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
        with torch.no_grad():
            for layer, name in ((self[0], "0"), (self[2], "1")):
                layer.weight.copy_(weights[f"{name}.weight"])
                layer.bias.copy_(weights[f"{name}.bias"])

    def parts(self) -> list[torch.Tensor]:
        return [self[0].weight, self[0].bias, self[2].weight, self[2].bias]


class Setting:
    """The problem, and the orders in which both sides walk through its rows."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(ROWS, FEATURES, generator=generator)
        self.y = torch.randint(CLASSES, (ROWS,), generator=generator)
        shapes = {
            "0.weight": (HIDDEN, FEATURES), "0.bias": (HIDDEN,),
            "1.weight": (CLASSES, HIDDEN), "1.bias": (CLASSES,),
        }  # fmt: skip
        self.weights = {
            name: 0.2 * torch.randn(*shape, generator=generator) for name, shape in shapes.items()
        }
        self.forget = torch.arange(ROWS) < GONE
        self.problem = Problem(
            weights=self.weights,
            x=self.x,
            y=self.y,
            forget=self.forget,
            x_val=self.x[:200],
            y_val=self.y[:200],
            n_classes=CLASSES,
            widths=(HIDDEN,),
            batch_size=BATCH,
        )

    def group(self, members: int = 1) -> Group:
        return Group([self.problem] * members, runs("unlearning-privacy", members))

    def model(self) -> Model:
        return Model(self.weights)

    def walk(self, axis: str, index: torch.Tensor, epochs: int = 1) -> list[torch.Tensor]:
        """Return the rows of the batches that our first model sees, in its order."""
        (generator,) = self.group().generators("order", axis)
        return [
            rows
            for _ in range(epochs)
            for rows in index[torch.randperm(len(index), generator=generator)].split(BATCH)
        ]

    def feeds(self, batches: list[torch.Tensor], *tensors: torch.Tensor) -> Feeds:
        """Return batches of inputs and labels, or of other tensors, as theirs get them."""
        tensors = tensors or (self.x, self.y)
        return {"official": loader(batches, *tensors), "given": taken(batches, *tensors)}

    @property
    def gone(self) -> torch.Tensor:
        return self.forget.nonzero()[:, 0]

    @property
    def stays(self) -> torch.Tensor:
        return (~self.forget).nonzero()[:, 0]


def unlearned(method, setting: Setting, members: int) -> list[torch.Tensor]:
    """Return the weights of the first of several models after our method."""
    found = method.unlearn(setting.group(members))
    table = found.net(0) if isinstance(found, nn.Module) else found[0].weights
    return [table[name] for name in ("0.weight", "0.bias", "1.weight", "1.bias")]


def whole(
    method, setting: Setting, theirs: Callable[[str], Model], tolerance: float = 1e-3
) -> Pair:
    """Return the whole of our method beside theirs, for one model and for eight."""
    return fed(
        lambda members: unlearned(method, setting, members),
        lambda kind: theirs(kind).parts(),
        "weights after unlearning",
        tolerance,
        MODELS,
    )


def sgd(model: nn.Module, lr: float) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


@loop("scrub", "unlearning", "scrub", "thirdparty.repdistiller: train_distill, DistillKL",
      "An epoch on the rows to forget, then one on the others. The authors' progress is not printed.")  # fmt: skip
def scrub(official: Checkout) -> Pair:
    loops = official.load("thirdparty.repdistiller.helper.loops")
    distance = official.load("thirdparty.repdistiller.distiller_zoo.KD").DistillKL(4.0)
    setting = Setting()
    method = Scrub(
        epochs=1, msteps=1, falling=False, lr=0.02, temperature=4.0, alpha=0.1, gamma=0.9
    )
    given = types.SimpleNamespace(distill="kd", gamma=0.9, alpha=0.1, beta=0.0, print_freq=10**9)
    forget, retain = (
        setting.feeds(setting.walk("forget", setting.gone)),
        setting.feeds(setting.walk("retain", setting.stays)),
    )
    criteria = [nn.CrossEntropyLoss(), distance, distance]

    def theirs(kind):
        student, teacher = setting.model(), setting.model()
        optimiser, modules = sgd(student, 0.02), nn.ModuleList([student, teacher])
        for feed, split in ((forget, "maximize"), (retain, "minimize")):
            loops.train_distill(
                1, feed[kind], modules, None, criteria, optimiser, given, split, quiet=True
            )
        return student

    return whole(method, setting, theirs)


@loop("neggrad-plus", "unlearning", "scrub", "thirdparty.repdistiller.helper.loops.train_negrad",
      "An epoch. bench clips gradients, and none reaches the limit.")  # fmt: skip
def neggrad_plus(official: Checkout) -> Pair:
    loops, setting = official.load("thirdparty.repdistiller.helper.loops"), Setting()
    method = NegGradPlus(alpha=0.95, lr=0.02, falling=False, epochs=1, clip=1e6)
    retain, forget = (
        setting.feeds(setting.walk("retain", setting.stays)),
        setting.feeds(setting.walk("forget", setting.gone, epochs=9)),
    )
    given = types.SimpleNamespace(print_freq=10**9)

    def theirs(kind):
        model = setting.model()
        loops.train_negrad(
            1, retain[kind], forget[kind], model, nn.CrossEntropyLoss(), sgd(model, 0.02), 0.95,
            given, quiet=True,
        )  # fmt: skip
        return model

    return whole(method, setting, theirs)


@loop("ssd", "unlearning", "ssd", "ssd.ParameterPerturber.calc_importance, modify_weight",
      "bench also evaluates the validation rows.")  # fmt: skip
def ssd(official: Checkout) -> Pair:
    module, setting = official.load("ssd", root="src"), Setting()
    given = {
        "lower_bound": 1, "exponent": 1, "magnitude_diff": None, "min_layer": -1, "max_layer": -1,
        "forget_threshold": 1, "dampening_constant": 1.0, "selection_weighting": 2.0,
    }  # fmt: skip
    feeds = [
        setting.feeds(list(index.split(BATCH)), setting.x, setting.y, setting.y)
        for index in (torch.arange(ROWS), setting.gone)
    ]

    def theirs(kind):
        model = setting.model().eval()
        perturber = module.ParameterPerturber(model, sgd(model, 0.1), "cpu", given)
        importances = [perturber.calc_importance(feed[kind]) for feed in feeds]
        perturber.modify_weight(*importances)
        return model

    return whole(SelectiveSynapticDampening(alpha=2.0, lam=1.0), setting, theirs)


@loop("bad-teacher", "unlearning", "bad-teacher", "unlearn.unlearning_step",
      "The authors' loss is also divided by the number of classes, and their rate multiplied by it.")  # fmt: skip
def bad_teacher(official: Checkout) -> Pair:
    module, setting = official.load("unlearn"), Setting()
    method = BadTeacher(lr=0.02, epochs=1, share=1.0)
    group = setting.group()
    worse = Model(group.fresh("method", "teacher").net(0)).eval()
    (share,) = group.generators("method", "share")
    kept = setting.stays[torch.randperm(len(setting.stays), generator=share)]
    used = torch.cat([setting.gone, kept])
    feed = setting.feeds(setting.walk("used", used), setting.x, setting.forget.float())

    def theirs(kind):
        model, better = setting.model(), setting.model().eval()
        module.unlearning_step(
            model, worse, better, feed[kind], sgd(model, 0.02 * CLASSES), "cpu", 1.0
        )
        return model

    return whole(method, setting, theirs)


@loop("l1-sparse", "unlearning", "sparse", "unlearn.FT.FT_iter", "An epoch on the rows that stay.")
def l1_sparse(official: Checkout) -> Pair:
    module, setting = official.load("unlearn.FT"), Setting()
    method = L1Sparse(alpha=0.0002, lr=0.02, falling=False, epochs=1)
    given = types.SimpleNamespace(
        imagenet_arch=False, warmup=0, unlearn_epochs=1, no_l1_epochs=0, alpha=0.0002,
        print_freq=10**9,
    )  # fmt: skip
    feed = setting.feeds(setting.walk("retain", setting.stays))

    def theirs(kind):
        model = setting.model()
        module.FT_iter(
            {"retain": feed[kind]},
            model,
            nn.CrossEntropyLoss(),
            sgd(model, 0.02),
            0,
            given,
            with_l1=True,
        )
        return model

    return whole(method, setting, theirs)
