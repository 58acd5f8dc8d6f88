"""The floor of a loop: the time of its products alone, at the same shapes and in the same batches.

A loop is run once under a mode that notes every operator whose floating-point operations the
harness counts: matrix products, convolutions, attention. Then these are called again by themselves,
on numbers of the same shapes and strides, as often as the loop calls them. What a loop takes above
that is what it does besides: losses, updates, gathering, and torch's dispatcher.

``python tests/speed/floors.py`` prints the table.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import tabulate
import torch
from official_loops.pairs import medians, runs
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from bench.counts_formulas import FORMULAS
from bench.executors.connection import PINNED
from bench.runs.context import Run

CPU = torch.device("cpu")
DEFAULT, SMALL, POLICY = 3.0, 8.0, 2.5
"""How many times its floor a loop may take: any, unlearning of small nets, a step of a policy."""


class Products(TorchDispatchMode):
    """Notes the products that are computed while it is entered.

    Attributes:
        operations: counted by the harness's formulas.
        calls: of products.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.calls = 0, 0
        self._noted: dict[Any, list[Any]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        space, _, name = func._schema.name.partition("::")
        formula = FORMULAS.get(name.rstrip("_")) if space == "aten" else None
        before = tree_map(_signature, (args, kwargs)) if formula is not None else None
        out = func(*args, **kwargs)
        if formula is not None:
            names = [argument.name for argument in func._schema.arguments]
            self.operations += round(formula(dict(zip(names, args, strict=False)) | kwargs, out))
            self.calls += 1
            key = (func, repr(before))
            if key not in self._noted:
                self._noted[key] = [func, *tree_map(_like, (args, kwargs)), 0]
            self._noted[key][-1] += 1
        return out

    def again(self) -> None:
        """Compute the same products on other numbers."""
        with torch.no_grad():
            for func, args, kwargs, count in self._noted.values():
                for _ in range(count):
                    func(*args, **kwargs)


def _signature(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if value.layout is not torch.strided:
        return str(value.layout), tuple(value.shape), id(value)
    return str(value.dtype), tuple(value.shape), value.stride()


def _like(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if value.layout is not torch.strided or not value.is_floating_point():
        return value.detach()
    # expanded tensors, whose strides have zeros, take no more memory than they did
    last = sum(
        (size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True)
    )
    return torch.randn(max(0, last) + 1, dtype=value.dtype).as_strided(value.shape, value.stride())


class Floor(msgspec.Struct, frozen=True):
    """What was measured of a loop; seconds are CPU seconds of one call.

    Attributes:
        loop: its name.
        gflop: floating-point operations of its products, in units of 1e9.
        calls: of products.
        seconds: of the loop.
        floor: of its products alone.
        limit: how many floors it may take.
    """

    loop: str
    gflop: float
    calls: int
    seconds: float
    floor: float
    limit: float

    @property
    def ratio(self) -> float:
        """The loop's time as a multiple of its floor."""
        return self.seconds / self.floor


def measured(name: str, call: Callable[[], Any], limit: float, rounds: int = 7) -> Floor:
    """Run a loop beside its products."""
    call()
    with Products() as products:
        call()
    seconds, floor = medians([call, products.again], rounds)
    return Floor(name, products.operations / 1e9, products.calls, seconds, floor, limit)


def table(rows: list[Floor]) -> str:
    """Return the rows as Markdown; a limit that does not hold is marked."""
    lines = [
        [
            f"`{row.loop}`",
            f"{row.gflop:.3f}",
            str(row.calls),
            f"{1e3 * row.seconds:.1f}",
            f"{1e3 * row.floor:.1f}",
            f"{row.ratio:.2f}",
            f"{row.limit:g}{' (above)' if row.ratio > row.limit else ''}",
        ]
        for row in rows
    ]
    return tabulate.tabulate(
        lines,
        ["loop", "GFLOP in all", "calls", "loop, ms", "products, ms", "ratio", "limit"],
        tablefmt="github",
        colalign=["left", *["right"] * 6],
        disable_numparse=True,
    )


# The loops that the board runs by default
# -------------------------------------------------------------------------------------------------


def run_of(track: str, folder: Path) -> Run:
    """Return a run of seed 0."""
    (only,) = runs(track, workdir=folder)
    return only


def noisy_labels(method: Any) -> Callable[[], Any]:
    """An epoch of five seeds on rows like digits, as one stack."""
    from official_loops.noisy_labels import SEEDS, Training

    return Training(method, SEEDS).epoch


def condensation(name: str) -> Callable[[], Any]:
    """An update of one image a class at 8x8, or a training of five nets on a hundred."""
    from bench.tracks.condensation_calls import seen
    from bench.tracks.condensation_evaluation import Protocol, quickest, train
    from bench.tracks.condensation_gradients import class_loss, sum_loss
    from bench.tracks.condensation_matching import BACKENDS
    from bench.training import tuned
    from bench.training.convnet import ConvNet

    net = ConvNet(shape=(1, 8, 8), classes=10, width=32, depth=2)
    generator = torch.Generator().manual_seed(0)
    params = net.init([generator])
    real, images = (torch.randn(10, count, 1, 8, 8, generator=generator) for count in (32, 1))
    images.requires_grad_()
    shape = {"side": 8, "channels": 1, "width": 32, "ipc": 1, "real": 32}
    backend = tuned.choice("condensation/matching", CPU, **shape)
    assert backend in BACKENDS

    def dm() -> torch.Tensor:
        target = seen(net, params, real.flatten(0, 1), "features")[0].unflatten(0, (10, -1))
        found = net.features(params, images.flatten(0, 1)[None])[0].unflatten(0, (10, -1))
        return (target.mean(1) - found.mean(1)).square().sum()

    losses = {
        "dm": dm,
        "dc": lambda: class_loss(net, params, real, images, backend),
        "dcc": lambda: sum_loss(net, params, real, images),
    }
    if name in losses:
        return lambda: torch.autograd.grad(losses[name](), images)
    x, y = torch.randn(100, 1, 8, 8, generator=generator), torch.arange(10).repeat_interleave(10)
    starts, orders = net.init([generator] * 5), [generator] * 5
    way = quickest(len(x), net, 5, CPU)
    return lambda: train(net, starts, x, y, Protocol(epochs=10), orders, way)


def selection() -> Callable[[], Any]:
    """An epoch of the ten nets that score rows like digits."""
    from bench.training.convnet import Perceptron
    from bench.training.fitting import Recipe, epochs_of, fit

    net, generator = Perceptron(sizes=(64, 256, 10)), torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(1397, 64, generator=generator),
        torch.randint(10, (1397,), generator=generator),
    )
    starts, orders = net.init([generator] * 10), [generator] * 10
    recipe = Recipe(steps=11, lr=0.1, nesterov=True, schedule="cosine")
    return lambda: fit(net, starts, x, y, epochs_of(len(x), 128, 1, orders), recipe)


def unlearning(method: Any) -> Callable[[], Any]:
    """A method on eight small models at once."""
    from official_loops.unlearning import MODELS, Setting, unlearned

    setting = Setting()
    return lambda: unlearned(method, setting, MODELS)


def graphs(folder: Path) -> Callable[[], Any]:
    """Three epochs of the loop on 300 graphs like those of spmotif."""
    from test_graph_speed import plain_problem

    from bench.tracks.graph_ood import GraphMethod

    problem = plain_problem(300, 3)
    return lambda: GraphMethod().solve(problem, run_of("graph-ood", folder))


def policy(folder: Path) -> Callable[[], Any]:
    """A step of GRPO on the small decoder: rollouts, plan, update."""
    from bench.builtin.methods.policy_optimization.grpo import Grpo
    from test_policy_speed import problem

    from bench.tracks.policy_optimization.trainer import Trainer

    trainer = Trainer(problem(), Grpo(), run_of("policy-optimization", folder))
    steps = itertools.count()  # a step asks for the streams of its number once
    return lambda: trainer.step(next(steps))


def loops(folder: Path) -> dict[str, tuple[Callable[[], Any], float]]:
    """Return the loops by name, each with its limit."""
    from bench.builtin.methods.label_errors.aum import AreaUnderMargin
    from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
    from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
    from bench.builtin.methods.unlearning.ft import FineTune
    from bench.builtin.methods.unlearning.scrub import Scrub
    from bench.builtin.methods.unlearning.ssd import SelectiveSynapticDampening

    found = {
        "noisy-labels/elr, 5 seeds": (noisy_labels(EarlyLearningRegularisation()), DEFAULT),
        "noisy-labels/coteaching, 5 seeds": (noisy_labels(CoTeaching()), DEFAULT),
        "label-errors/aum, 5 seeds": (noisy_labels(AreaUnderMargin()), DEFAULT),
    }
    for name in ("dm", "dc", "dcc", "evaluation of 5 nets"):
        found[f"condensation/{name}"] = (condensation(name), DEFAULT)
    return found | {
        "selection, 10 nets": (selection(), DEFAULT),
        "unlearning/scrub, 8 models": (unlearning(Scrub(epochs=1, msteps=1)), SMALL),
        "unlearning/ssd, 8 models": (unlearning(SelectiveSynapticDampening(alpha=2.0)), SMALL),
        "unlearning/ft, 8 models": (unlearning(FineTune(epochs=1)), SMALL),
        "graph-ood/erm": (graphs(folder), DEFAULT),
        "policy-optimization/grpo": (policy(folder), POLICY),
    }


@click.command()
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(rounds: int, as_json: bool) -> None:
    """Measure the board's default loops beside their products."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, (call, limit) in loops(Path(scratch)).items():
            click.echo(name, err=True)
            rows.append(measured(name, call, limit, rounds))
    click.echo(msgspec.json.encode(rows).decode() if as_json else table(rows))


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in PINNED.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | PINNED)
    main()
