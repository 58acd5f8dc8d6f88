"""A net that was trained on corrupted digits, to be tuned on clean ones of a task of its own."""

from __future__ import annotations

import functools
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.group_shift import GroupMethod, Pretrained, Problem, train
from bench.training.corruptions import corrupt
from bench.training.nets import StackedNet
from bench.training.schedules import Schedule

from ._corrupted import KINDS, METRICS, RANKED, CorruptedTask
from ._metrics import ERM
from ._spurious import split
from ._task import Parts, Rows

SEEN = tuple(kind for kind in KINDS if kind != "impulse")
"""Corruptions that the trained net saw."""
PRETRAIN_EPOCHS = 5


class FinetuneMnist(CorruptedTask):
    """MNIST digits, 0-4 against 5-9, with a net that told ten digits apart under corruptions."""

    card: ClassVar = TaskCard(
        name="finetune-mnist",
        title="MNIST (5,000 digits): tune a trained net on clean digits, corrupted in the test",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"plain": {}},
                params={"n_pretrain": 100, "n_train": 200, "epochs": 2, "widths": [32, 32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"plain": {}}, seeds=5, timeout=300),
        },
        budget="20 epochs of batch 128; what a method trains besides is its own cost",
        offers={"pretrained": {}},
        tuning={"judged": "validation"},
        references=(
            ERM,
            Reference(
                name="augmented",
                kind="high",
                title="The baseline trained on clean and corrupted pictures",
                solve="train_augmented",
            ),
        ),
    )
    net: Literal["mlp"] = "mlp"
    """The net that was trained and is tuned."""
    epochs: Annotated[int, Meta(ge=1)] = 20
    """Passes over the training rows."""
    n_pretrain: Annotated[int, Meta(ge=10)] = 1500
    """Pictures that the net was trained on, each clean and under ten corruptions."""
    n_train: Annotated[int, Meta(ge=10)] = 1000
    """Clean pictures to tune on, none of which the net was trained on."""

    def _rows(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, list[np.ndarray]]:
        data = run.dataset("mnist5k")
        train, val, test = split(len(data.y), run.numpy_generator("split"))
        first, rest = train[: self.n_pretrain], train[self.n_pretrain :][: self.n_train]
        return data.x.float() / 255, data.y, [first, rest, val, test]

    def prepare(self, run: Setup) -> Case:
        """Draw the parts, and train the net or take it from the cache."""
        x, digit, (first, *others) = self._rows(run)

        def part(rows: np.ndarray) -> Rows:
            own = torch.from_numpy(rows)
            y = (digit[own] >= 5).long()
            return Rows(x=x[own], y=y, attribute=torch.zeros_like(y))

        train, val, test = map(part, others)
        case = self.corrupted_case(Parts(train=train, val=val, test=test), run)
        own = torch.from_numpy(first)
        recipe = {
            "net": "finetune-mnist",
            "seed": run.seed,
            "widths": list(self.widths),
            "rows": [self.n_pretrain, self.n_train],
        }
        build = functools.partial(
            pretrain, x=x[own], y=digit[own], widths=self.widths, scale=case.hidden.scale
        )
        found, _ = run.cached(recipe, build)
        layers = range(len(self.widths) + 1)
        net = Pretrained(
            weights=tuple(found[f"weight{layer}"].to(run.device) for layer in layers),
            biases=tuple(found[f"bias{layer}"].to(run.device) for layer in layers),
            n_classes=10,
        )
        problem = msgspec.structs.replace(case.problems[0], pretrained=net)
        return Case(problems=[problem], hidden=case.hidden)


def pretrain(
    run: Run,
    *,
    x: torch.Tensor,
    y: torch.Tensor,
    widths: tuple[int, ...],
    scale: tuple[float, float],
) -> dict[str, torch.Tensor]:
    """Return the layers of a net that was trained on pictures (n, 1, H, W) on [0, 1] with labels
    (n,), clean and under five corruptions at severities 2 and 4.
    """
    generator = run.numpy_generator("corruption")
    copies = [x, *(corrupt(x, kind, severity, generator) for kind in SEEN for severity in RANKED)]
    mean, std = scale
    problem = Problem(
        x=((torch.cat(copies) - mean) / std).to(run.device),
        y=y.repeat(len(copies)).to(run.device),
        n_classes=10,
        widths=widths,
        epochs=PRETRAIN_EPOCHS,
        schedule=Schedule("steps"),
    )
    method = GroupMethod()
    seeds = method.gather([problem], [run])
    seeds.nets = seeds.build()
    train(method, seeds, None, report=False)
    return layers_of(seeds.nets)


def layers_of(nets: StackedNet) -> dict[str, torch.Tensor]:
    """Return the layers of a stack of one multilayer perceptron by name."""
    stack: Any = nets
    pairs = zip(stack.weights, stack.biases, strict=True)
    found = {}
    for layer, (weight, bias) in enumerate(pairs):
        found[f"weight{layer}"] = weight.detach()[0].clone()
        found[f"bias{layer}"] = bias.detach()[0, 0].clone()
    return found
