"""The loops of selection, on features of digits and of 784 columns."""

from __future__ import annotations

import types

import numpy as np
import torch
from bench.builtin.methods.selection.forgetting import Counter
from bench.builtin.methods.selection.grand import last_layer_norms, perceptron_norms
from bench.builtin.methods.selection.herding import Herding
from bench.builtin.methods.selection.k_center import KCenter
from bench.builtin.methods.selection.margin import uncertainty
from torch import nn

from bench.runs.context import Run
from bench.tracks.selection import Problem
from bench.training.convnet import Perceptron
from bench.training.fitting import outputs
from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, loop, runs

CLASSES = 10


def rows_of(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(rows, columns, generator=generator),
        torch.randint(CLASSES, (rows,), generator=generator),
    )


class Recorder(nn.Module):
    """A perceptron as their nets are: it keeps what its last layer reads, when asked."""

    def __init__(self, params: list[torch.Tensor]) -> None:
        super().__init__()
        layers = [nn.Linear(weight.shape[2], weight.shape[1]) for weight in params[::2]]
        with torch.no_grad():
            for layer, weight, bias in zip(layers, params[::2], params[1::2], strict=True):
                layer.weight.copy_(weight[0])
                layer.bias.copy_(bias[0])
        self.first, self.last = layers
        self.embedding_recorder = types.SimpleNamespace(record_embedding=False, embedding=None)

    def get_last_layer(self) -> nn.Linear:
        return self.last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x).relu()
        if self.embedding_recorder.record_embedding:
            self.embedding_recorder.embedding = hidden
        return self.last(hidden)


def arguments() -> types.SimpleNamespace:
    return types.SimpleNamespace(
        device="cpu", selection_batch=256, workers=0, num_classes=CLASSES, print_freq=10**9
    )


def grand(official: Checkout, rows: int, columns: int, layers: str) -> Pair:
    x, y = rows_of(rows, columns)
    net = Perceptron(sizes=(columns, 256, CLASSES))
    params = net.init([torch.Generator().manual_seed(1)])
    theirs = object.__new__(official.load("deepcore.methods.grand").GraNd)
    theirs.model, theirs.args, theirs.n_train, theirs.cur_repeat = (
        Recorder(params),
        arguments(),
        rows,
        0,
    )
    theirs.dst_train = torch.utils.data.TensorDataset(x, y)
    theirs.criterion = nn.CrossEntropyLoss(reduction="none")
    theirs.model_optimizer = torch.optim.SGD(theirs.model.parameters(), 0.1)
    theirs.norm_matrix = torch.zeros(rows, 1)
    norms = {
        "last": last_layer_norms,
        "all": lambda net, params, x, y: perceptron_norms(params, x, y)[0],
    }[layers]

    def official_scores():
        theirs.finish_run()
        return theirs.norm_matrix[:, 0].clone()

    return Pair(
        lambda: norms(net, params, x, y),
        official_scores,
        "norms with respect to the last layer",
        1e-3,
        lambda: (last_layer_norms(net, params, x, y), official_scores()),
    )


for _name, _shape in (("grand-digits", (1397, 64)), ("grand-784", (256, 784))):
    for _layers in ("last", "all"):
        loop(
            f"{_name}-{_layers}",
            "selection",
            "deepcore",
            "deepcore.methods.grand.GraNd.finish_run",
            "bench takes the gradient of all layers, the reference that of the last."
            if _layers == "all"
            else "",
            rows=_shape[0],
            columns=_shape[1],
            layers=_layers,
        )(grand)


def problem_of(x: torch.Tensor, y: torch.Tensor, share: float) -> Problem:
    return Problem(x=x, y=y, n_classes=CLASSES, fractions=(share,))


def run() -> Run:
    (only,) = runs("selection")
    return only


def first_of(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Return the rows of the highest scores, ascending."""
    return scores.topk(count).indices.sort().values


@loop("k-center-digits", "selection", "deepcore", "deepcore.methods.kcentergreedy.k_center_greedy",
      "Distances between pixels.", rows=1397, columns=64, share=0.2)  # fmt: skip
@loop("k-center-784", "selection", "deepcore", "deepcore.methods.kcentergreedy.k_center_greedy",
      "Distances between pixels.", rows=2000, columns=784, share=0.1)  # fmt: skip
def k_center(official: Checkout, rows: int, columns: int, share: float) -> Pair:
    module, (x, y) = official.load("deepcore.methods.kcentergreedy"), rows_of(rows, columns)
    problem, method = problem_of(x, y, share), KCenter(features="pixels")
    count = problem.budgets[0]
    start = int((x - x.mean(0)).square().sum(1).argmin())

    def theirs():
        found = module.k_center_greedy(
            x,
            count - 1,
            module.euclidean_dist,
            "cpu",
            0,
            already_selected=[start],
            print_freq=10**9,
        )
        return torch.from_numpy(found)

    return Pair(
        lambda: first_of(method.scores(problem, run()), count), theirs, "rows selected", 0.0
    )


@loop("herding", "selection", "deepcore", "deepcore.methods.herding.Herding.herding",
      "The reference code takes the farthest row, the paper the nearest: its metric is passed with "
      "the sign turned.")  # fmt: skip
def herding(official: Checkout) -> Pair:
    module, (x, y) = official.load("deepcore.methods.herding"), rows_of(1397, 64)
    theirs = object.__new__(module.Herding)
    theirs.args, theirs.metric = arguments(), lambda one, two: -module.euclidean_dist(one, two)
    problem, method = problem_of(x, y, 0.2), Herding(features="pixels")
    count = problem.budgets[0]
    return Pair(
        lambda: first_of(method.scores(problem, run()), count),
        lambda: torch.from_numpy(theirs.herding(x, count)),
        "rows selected",
        0.0,
    )


@loop("forgetting", "selection", "deepcore", "deepcore.methods.forgetting.Forgetting.after_loss",
      "The counting of ten epochs of 1,397 rows, without their training.")  # fmt: skip
def forgetting(official: Checkout, nets: int = 5) -> Pair:
    module = official.load("deepcore.methods.forgetting")
    rows, epochs = 1397, 10
    y = rows_of(rows, 1)[1]
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(epochs, rows, CLASSES, generator=generator)
    logits.scatter_add_(2, y.expand(epochs, rows)[..., None], torch.full((epochs, rows, 1), 2.0))
    batches = [
        (logits[epoch, part], part)
        for epoch in range(epochs)
        for part in torch.randperm(rows, generator=generator).split(128)
    ]
    several = [(part.expand(nets, *part.shape), own.expand(nets, -1)) for part, own in batches]
    single = [(part[None], own[None]) for part, own in batches]

    def ours(steps, count):
        counter = Counter(count, y)
        for step, (said, own) in enumerate(steps):
            counter(step, own, said)
        return counter.forgotten

    def theirs():
        counter = object.__new__(module.Forgetting)
        counter.args, counter.n_train = arguments(), rows
        counter.before_run()
        for said, own in batches:
            counter.after_loss(said, None, y[own], own.numpy(), 0)
        return counter.forgetting_events

    return Pair(
        lambda: ours(single, 1),
        theirs,
        "counts",
        0.0,
        stacked=lambda: ours(several, nets),
        members=nets,
    )


@loop("margin", "selection", "deepcore", "deepcore.methods.uncertainty.Uncertainty.rank_uncertainty",
      "The scores by a trained net, without its training.")  # fmt: skip
def margin(official: Checkout) -> Pair:
    module, (x, y) = official.load("deepcore.methods.uncertainty"), rows_of(1397, 64)
    net = Perceptron(sizes=(64, 256, CLASSES))
    params = net.init([torch.Generator().manual_seed(1)])
    theirs = object.__new__(module.Uncertainty)
    theirs.model, theirs.args, theirs.selection_method = Recorder(params), arguments(), "Margin"
    theirs.dst_train = torch.utils.data.TensorDataset(x, y)
    return Pair(
        lambda: uncertainty(outputs(net, params, x).softmax(-1).mean(0), "margin"),
        lambda: torch.from_numpy(1 - np.asarray(theirs.rank_uncertainty())),
        "scores",
        1e-4,
    )
