"""How the tasks of the track judge a small set: nets trained on it, and
the anchors that it is compared with.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch

from bench import InvalidRun, Run, Setup
from bench.declared import Array
from bench.tracks import condensation_nets
from bench.tracks.condensation import Problem, SmallSet, decode, real_rows
from bench.tracks.condensation_evaluation import (
    Protocol,
    accuracies,
    calibration_error,
    logits_of,
    masked_logits,
    mean_nll,
    quickest,
    temperatures,
    train,
)
from bench.training.convnet import Net, Params

from ._fields import CondensationFields

SYNTHESIS = frozenset({"updates", "inner", "net_epochs", "batch_real"})
"""Fields of a task that say how images are made."""
BUDGET = frozenset({"ipc", "epochs", "epochs_aug", "strategy", "nets_aug", "architectures"})
"""Fields that say what is asked of a small set, and nothing of nets trained on all data."""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: test images, and validation images held out of the training part."""

    x_test: Annotated[torch.Tensor, Array("T", "channels", "H", "W", dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    x_val: Annotated[torch.Tensor, Array("V", "channels", "H", "W", dtype="float32", empty=True)]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="C", empty=True)]
    """Of no image: the task was told to hold none out."""


class Judge:
    """Trains evaluation nets by the task's protocol; the nets of a seed have the same initial
    weights and orders for every method.

    Args:
        task: gives the protocol.
        problem: what methods saw.
        hidden: what they did not.
        run: of the evaluation; its streams give the nets' seeds, its cache keeps the anchors.
    """

    def __init__(
        self, task: CondensationFields, problem: Problem, hidden: Hidden, run: Setup
    ) -> None:
        self.task, self.problem, self.hidden, self.run = task, problem, hidden, run
        self.seeds = [
            int(seed)
            for seed in run.numpy_generator("eval", "nets").integers(2**62, size=task.nets)
        ]
        rows = real_rows(problem, run)
        self._random = SmallSet(x=problem.x[rows], y=problem.y[rows], indices=rows)

    def trained(
        self,
        small: SmallSet,
        lr: float,
        seeds: Sequence[int],
        *,
        augmented: bool = False,
        net: Net | None = None,
        optimiser: Literal["sgd", "adamw"] = "sgd",
        epochs: int | None = None,
        watch: Callable[[int, Params], None] | None = None,
    ) -> tuple[Net, Params]:
        """Train a net from each seed on a small set; return what they are and their parameters."""
        task, net = self.task, net or self.problem.net()
        x, y = self._decoded(small)
        strategy = task.strategy if augmented else ""
        protocol = Protocol(
            epochs=epochs or (task.epochs_augmented() if augmented else task.epochs),
            lr=lr,
            optimiser=optimiser,
            strategy=strategy,
            flips=task.flips,
        )
        start = [
            tensor.to(x.device)
            for tensor in net.init([torch.Generator().manual_seed(seed) for seed in seeds])
        ]
        orders = [torch.Generator().manual_seed(seed + 1) for seed in seeds]
        targets, form = (
            y if small.soft_y is None else small.soft_y,
            quickest(min(len(x), protocol.batch), net, len(seeds), x.device),
        )
        return net, train(net, start, x, targets, protocol, orders, form, watch)

    def _decoded(self, small: SmallSet) -> tuple[torch.Tensor, torch.Tensor]:
        return decode(small, (self.problem.x.shape[2], self.problem.x.shape[3]))

    def shown(self, net: Net, params: Params) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of K nets for test and validation images, (K, n, C) each."""
        test = logits_of(net, params, self.hidden.x_test)
        if not len(self.hidden.y_val):
            return test, test[:, :0]
        return test, logits_of(net, params, self.hidden.x_val)

    def logits(
        self, small: SmallSet, lr: float, seeds: Sequence[int], **options: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Train a net from each seed on a small set, with options of :meth:`trained`, and return
        their logits for test and validation images, (K, n, C) each.
        """
        return self.shown(*self.trained(small, lr, seeds, **options))

    def temper(
        self, small: SmallSet, net: Net, params: Params, val: torch.Tensor
    ) -> torch.Tensor | None:
        """Return the temperature (K,) of each of the nets that were trained on a small set, as the
        set asks for it; ``val`` are their logits for the validation images.
        """
        if small.temperature is None:
            return None
        if small.temperature == "validation":
            self.need_validation("a set whose temperature is fitted on validation images")
            return temperatures(val, self.hidden.y_val)
        x, y = self._decoded(small)
        masks = self.run.torch_generator("eval", "masks", device="cpu")
        return temperatures(masked_logits(net, params, x, small.masked, masks), y)

    def need_validation(self, what: str) -> None:
        """Raise InvalidRun where ``what`` is asked for and no validation image was held out."""
        if not len(self.hidden.y_val):
            raise InvalidRun(
                f"{what} wants validation images, and n_val is 0: none are held out; give n_val."
            )

    def accuracy(self, small: SmallSet, lr: float, seeds: Sequence[int], **options: Any) -> float:
        """Return the mean test accuracy in percent."""
        return float(
            accuracies(self.logits(small, lr, seeds, **options)[0], self.hidden.y_test).mean()
        )

    def across(self, small: SmallSet, names: Sequence[str]) -> dict[str, float | None]:
        """Return the accuracy of other architectures trained on the set:
        by its own learning rate, transformers by AdamW at 0.001.
        """
        shape = self.problem.net().shape
        found: dict[str, float | None] = {}
        for name in names:
            net = condensation_nets.build(name, shape, self.problem.n_classes, self.problem.width)
            lr, optimiser = (1e-3, "adamw") if name == "vit" else (small.lr or 0.01, "sgd")
            found[f"acc_{name}"] = self.accuracy(
                small, lr, self.seeds, net=net, optimiser=optimiser
            )
        return found

    # The anchors, built once and kept in the cache
    # ---------------------------------------------------------------------

    def _cached(
        self,
        recipe: dict[str, Any],
        build: Callable[[], tuple[torch.Tensor, torch.Tensor]],
        aside: frozenset[str] = SYNTHESIS,
    ) -> dict[str, torch.Tensor]:
        """Return what ``build`` gives under the task's fields but those ``aside``, on which it does
        not depend: variants share it.
        """
        own = {name: value for name, value in self.task.values().items() if name not in aside}
        whole = {"condensation anchor": recipe, "task": own}
        return self.run.cached(whole, functools.partial(_named, build))[0]

    def random(self, lr: float, augmented: bool = False) -> float:
        """Return the test accuracy, in percent, that the random images of
        this seed give with the same nets.
        """
        seeds = self.seeds[: self.task.nets_aug] if augmented else self.seeds
        recipe = {"random images of seed": self.run.seed, "lr": lr, "augmented": augmented}
        tensors = self._cached(
            recipe, functools.partial(self.logits, self._random, lr, seeds, augmented=augmented)
        )
        return float(accuracies(tensors["test"], self.hidden.y_test).mean())

    def full_logits(self) -> dict[str, torch.Tensor]:
        """Return the logits of nets trained on all the data of this seed,
        at most three of those that a small set is judged by.
        """
        everything, recipe = (
            SmallSet(x=self.problem.x, y=self.problem.y),
            {"all data of seed": self.run.seed},
        )
        return self._cached(
            recipe,
            functools.partial(
                self.logits,
                everything,
                self.task.lrs[0],
                self.seeds[:3],
                epochs=self.task.epochs_full,
            ),
            SYNTHESIS | BUDGET,
        )

    def full(self) -> float:
        """Return the mean test accuracy of these nets in percent."""
        return float(accuracies(self.full_logits()["test"], self.hidden.y_test).mean())


def _named(
    build: Callable[[], tuple[torch.Tensor, torch.Tensor]], run: Run
) -> dict[str, torch.Tensor]:
    return dict(zip(("test", "val"), build(), strict=True))


class Looks:
    """Notes test accuracies during training: what a report of the best epoch would look at.

    Nothing is chosen by it.

    Args:
        net: what the parameters mean.
        hidden: the test images.
        every: steps between two looks.
    """

    def __init__(self, net: Net, hidden: Hidden, every: int) -> None:
        self.net, self.hidden, self.every = net, hidden, max(1, every)
        self.reached: dict[int, list[torch.Tensor]] = {}

    def __call__(self, step: int, params: Params) -> None:
        """Look, if it is time."""
        if (step + 1) % self.every == 0:
            logits = logits_of(self.net, [tensor.detach() for tensor in params], self.hidden.x_test)
            self.reached.setdefault(step, []).append(accuracies(logits, self.hidden.y_test))

    def best(self) -> float:
        """Return each net's best accuracy, in percent, averaged over nets."""
        return float(
            torch.stack([torch.cat(parts) for parts in self.reached.values()]).max(0).values.mean()
        )


def calibration(
    test: torch.Tensor,
    val: torch.Tensor,
    hidden: Hidden,
    scale: torch.Tensor | None = None,
) -> dict[str, float | None]:
    """Return ece and nll of test logits (K, n, C), over temperatures (K,) where they are given, and
    ece after temperatures fitted on validation images, where there are some.
    """
    shown = test if scale is None else test / scale[:, None, None]
    found: dict[str, float | None] = {
        "ece": float(calibration_error(shown, hidden.y_test).mean()),
        "nll": float(mean_nll(shown, hidden.y_test).mean()),
    }
    if len(hidden.y_val):
        plain = test / temperatures(val, hidden.y_val)[:, None, None]
        found["ece_ts"] = float(calibration_error(plain, hidden.y_test).mean())
    return found
