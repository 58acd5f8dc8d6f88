"""What a condensed set of some digits teaches about others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import torch
from torch.nn import functional as F

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Score, Setup, TaskCard
from bench.declared import Array
from bench.tracks.condensation import Problem, SmallSet, decode, stored
from bench.tracks.condensation_calls import seen
from bench.tracks.condensation_evaluation import quickest
from bench.training.convnet import ConvNet
from bench.training.fitting import Recipe, cross_entropy, epochs_of, fit
from bench.training.state import finite

from ._parts import split
from ._shown import arrays_of, grid
from ._task import CondensationTask


class _Hidden(msgspec.Struct, frozen=True):
    """The other classes: a few images to fit a linear probe on, and images to judge it by."""

    x_probe: Annotated[torch.Tensor, Array("P", "channels", "H", "W", dtype="float32")]
    y_probe: Annotated[torch.Tensor, Array("P", dtype="int64", ge=0)]
    x_test: Annotated[torch.Tensor, Array("T", "channels", "H", "W", dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0)]


class CondenseTransfer(CondensationTask):
    """Condense the digits 0 to 4; nets trained on the set are frozen, and a linear probe on their
    features tells 5 to 9 apart.

    A set with ``targets`` is learnt by regression (rate 0.1, weight decay 1e-3, constant), one
    without by its labels (0.01, 5e-4, a tenth after half of the epochs). Source: arXiv:2310.06511;
    db-Lee/selfsup_dd, test.py, which probes by SGD where this solves a ridge regression.
    """

    card: ClassVar = TaskCard(
        name="condense-transfer",
        title="From condensed digits 0 to 4 (8x8) to a linear probe on 5 to 9",
        track="condensation",
        datasets=("digits",),
        metrics=(
            Metric(
                name="acc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=20,
                title="test accuracy of a linear probe on classes never seen",
            ),
            Metric(
                name="acc_untrained",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="the same on nets that were not trained at all",
            ),
            Metric(name="gain", unit="points", bounds=(-100, 100), title="acc less acc_untrained"),
            Metric(
                name="stored_images",
                direction="none",
                bounds=(0, None),
                title="images stored: the budget",
            ),
            Metric(
                name="decoded_images",
                direction="none",
                bounds=(0, None),
                title="training images they are decoded to",
            ),
            Metric(
                name="stored_kb",
                direction="min",
                bounds=(0, None),
                title="kilobytes stored as float32, targets included",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"ipc2": {"ipc": 2}},
                params={"updates": 5, "inner": 2, "epochs": 10, "nets": 2, "width": 8},
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={"ipc1": {"ipc": 1}, "ipc10": {"ipc": 10}}, seeds=5, timeout=600
            ),
        },
        budget="ipc stored images a class; 120 changes of the images; 32 real images a class in "
        "each",
        references=(Reference(name="random", kind="low"),),
        paper="arXiv:2310.06511",
    )
    source: ClassVar = "digits"
    epochs: Annotated[int, Meta(ge=1)] = 1000
    """Passes of a net over the set."""
    known: Annotated[int, Meta(ge=1)] = 5
    """Classes that are condensed; the others are probed."""
    probe_rows: Annotated[int, Meta(ge=1)] = 10
    """Images a class that the probe is fitted on."""

    def prepare(self, run: Setup) -> Case:
        """Part the classes."""
        self.refuse_holdout()
        images, y, classes = self.images(run)
        train_rows, _, test_rows = split(
            y.cpu().numpy(), self.n_train, run.numpy_generator("split")
        )
        own, other = (
            train_rows[(y[train_rows] < self.known).cpu()],
            train_rows[(y[train_rows] >= self.known).cpu()],
        )
        probe = torch.cat(
            [other[(y[other] == c).cpu()][: self.probe_rows] for c in range(self.known, classes)]
        )
        test = test_rows[(y[test_rows] >= self.known).cpu()]
        problem, (x_probe, x_test) = self.problem(
            images[own], y[own], self.known, (images[probe], images[test])
        )
        return Case(
            problems=[problem],
            hidden=_Hidden(x_probe, y[probe] - self.known, x_test, y[test] - self.known),
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train nets on the set, probe their features, and those of the
        same nets before training.
        """
        small, problem, hidden = outcomes[0].solution, case.problems[0], case.hidden
        seeds = [
            int(seed)
            for seed in run.numpy_generator("eval", "nets").integers(2**62, size=self.nets)
        ]
        trained, untrained = self._probed(small, problem, hidden, seeds)
        metrics: dict[str, float | None] = {
            "acc": trained,
            "acc_untrained": untrained,
            "gain": trained - untrained,
            **stored(small),
        }
        return Score(
            metrics=metrics,
            arrays=arrays_of(small, problem),
            images={"images": grid(small, problem)},
        )

    def _probed(
        self, small: SmallSet, problem: Problem, hidden: _Hidden, seeds: Sequence[int]
    ) -> tuple[float, float]:
        x, y = decode(small, (problem.x.shape[2], problem.x.shape[3]))
        regress = small.targets is not None
        aims = (
            small.targets
            if small.targets is not None
            else y
            if small.soft_y is None
            else small.soft_y
        )
        net = ConvNet(
            shape=problem.net().shape,
            classes=aims.shape[1] if regress else problem.n_classes,
            width=self.width,
            depth=self.depth,
        )
        start = [
            tensor.to(x.device)
            for tensor in net.init([torch.Generator().manual_seed(seed) for seed in seeds])
        ]
        orders = [torch.Generator().manual_seed(seed + 1) for seed in seeds]
        steps = self.epochs * -(-len(x) // 256)
        recipe = (
            Recipe(steps=steps, lr=small.lr or 0.1, weight_decay=1e-3)
            if regress
            else Recipe(steps=steps, lr=small.lr or self.lrs[0], schedule="step")
        )
        form = quickest(min(len(x), 256), net, len(seeds), x.device)
        groups = (
            [range(k, k + 1) for k in range(len(seeds))]
            if form == "sequential"
            else [range(len(seeds))]
        )
        parts = [
            fit(
                net,
                [tensor[group.start : group.stop] for tensor in start],
                x,
                aims,
                epochs_of(len(x), 256, self.epochs, [orders[k] for k in group]),
                recipe,
                loss=squared if regress else cross_entropy,
            )
            for group in groups
        ]
        params = [torch.cat(tensors) for tensors in zip(*parts, strict=True)]
        return self._probe(net, params, hidden), self._probe(net, start, hidden)

    def _probe(self, net: ConvNet, params: list[torch.Tensor], hidden: _Hidden) -> float:
        known, test = (
            finite(seen(net, params, part.clone(), "features"), "nets trained on the set").double()
            for part in (hidden.x_probe, hidden.x_test)
        )
        return float(
            (probe(known, hidden.y_probe, test).argmax(-1) == hidden.y_test).double().mean() * 100
        )


def squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each net, (K,)."""
    return (outputs - targets).square().mean((1, 2))


def probe(
    known: torch.Tensor, y: torch.Tensor, test: torch.Tensor, ridge: float = 1e-2
) -> torch.Tensor:
    """Return the scores (K, m, C) of ridge classifiers on standardised features, fitted on (K, n,
    F) with labels (n,).

    Args:
        known: features to fit on.
        y: their labels.
        test: features (K, m, F).
        ridge: penalty, as a share of the mean of the Gram matrix's diagonal.
    """
    mean, std = known.mean(1, keepdim=True), known.std(1, keepdim=True).clamp_min(1e-6)
    known, test = (known - mean) / std, (test - mean) / std
    gram = known @ known.mT
    level = ridge * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    targets = F.one_hot(y).to(known) - 1 / (int(y.max()) + 1)
    weights = torch.linalg.solve(
        gram + level * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device),
        targets.expand(len(gram), -1, -1),
    )
    found: torch.Tensor = test @ known.mT @ weights
    return found
