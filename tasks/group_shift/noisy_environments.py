"""Two environments that agree on a colour, a third in which it is reversed, and wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Meta, Metric, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.group_shift import GroupMethod, Model, Problem, Solution
from bench.training.nets import StackedNet

from ._metrics import ERM, GROUPS, JUDGED, WGA_SHOWN
from ._spurious import flipped, split
from ._task import GroupTask, Hidden, Parts, Rows

FLIPS = (0.2, 0.1)
"""Share of rows whose colour is not that of their label, of each training environment."""
TEST_FLIP = 0.9
"""The same of the test environment."""


class NoisyEnvironments(GroupTask):
    """Every second pixel of MNIST digits, 5-9 against 0-4, in a colour that goes with the label in
    both training environments and against it in the test.
    """

    card: ClassVar = TaskCard(
        name="noisy-environments",
        title="MNIST (5,000 digits) in two environments with wrong labels, reversed in the test",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=(
            Metric(
                name="acc_test",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="accuracy in the environment with reversed colours",
            ),
            WGA_SHOWN,
            *GROUPS,
            *JUDGED,
        ),
        presets={
            "smoke": Preset(
                variants={"eta25": {"eta": 0.25}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"eta0": {"eta": 0.0}, "eta25": {"eta": 0.25}}, seeds=5, timeout=300
            ),
            "extended": Preset(variants={"eta10": {"eta": 0.1}}, seeds=5, timeout=300),
            "irm": Preset(
                variants={"eta25": {"eta": 0.25, "test_noise": True}}, seeds=5, timeout=300
            ),
        },
        budget="40 epochs of batch 1,000; what a method trains besides is its own cost",
        offers={"env": {}},
        tuning={"judged": "validation"},
        references=(
            ERM,
            Reference(
                name="grey",
                kind="high",
                title="The baseline on digits without their colour",
                solve="train_grey",
            ),
        ),
        paper="arXiv:1907.02893",
    )
    select: Literal["val-wga", "val-wca", "val-avg", "last"] = "last"
    """What chooses the epoch; validation rows are of the training environments, whose colours
    mislead.
    """
    epochs: Annotated[int, Meta(ge=1)] = 40
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 1000
    """Rows of a batch; penalties over environments are too noisy on smaller ones."""
    weight_decay: Annotated[float, Meta(ge=0)] = 4.0
    """Decoupled weight decay; with a weak one the nets memorise wrong labels."""
    eta: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """Share of labels that are wrong; the colour goes with the label as given."""
    test_noise: bool = False
    """Whether labels of the test environment are wrong too, as in the paper of IRM."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""

    def parts(self, run: Setup) -> Parts:
        """Split, give rows to environments, flip labels, draw colours."""
        data = run.dataset("mnist5k")
        x = data.x[:, :, ::2, ::2].float() / 255
        y = (data.y.cpu().numpy() >= 5).astype(np.int64)
        train, val, test = split(len(y), run.numpy_generator("split"))
        train = train[: self.n_train or None]

        def part(name: str, rows: np.ndarray, flips: Sequence[float], eta: float) -> Rows:
            generator = run.numpy_generator("corruption", name)
            # rows are in a random order: every other one is of the other environment
            env = np.arange(len(rows)) % len(flips)
            given = flipped(y[rows], 2, eta, generator)
            colour = given ^ (generator.random(len(rows)) < np.array(flips)[env])
            return Rows(
                x=in_channel(x[rows], torch.from_numpy(colour)),
                y=torch.from_numpy(given),
                attribute=torch.from_numpy(colour),
                env=torch.from_numpy(env),
            )

        return Parts(
            train=part("train", train, FLIPS, self.eta),
            val=part("val", val, FLIPS, self.eta),
            test=part("test", test, (TEST_FLIP,), self.eta if self.test_noise else 0.0),
        )

    def figures(
        self, model: Any, hidden: Hidden, problem: Problem, run: Setup
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return the figures of groups, and the accuracy on all test rows."""
        found, arrays = super().figures(model, hidden, problem, run)
        hits, sizes = arrays["groups"]
        return found | {"acc_test": 100 * float(hits.sum() / sizes.sum())}, arrays

    def train_grey(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline that sees no colours, in training and in the test."""
        grey = problem.x.sum(1, keepdim=True)
        found: Any = _Grey().solve(msgspec.structs.replace(problem, x=grey), run)
        return found


class _Grey(GroupMethod, frozen=True, kw_only=True):
    """The baseline on pictures of one channel, asked about pictures of several."""

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        return Greyed(nets.member(k))


class Greyed(torch.nn.Module):
    """A net that is fed the sum of the channels."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map pictures (n, channels, H, W) to logits (n, C)."""
        found: torch.Tensor = self.net(x.sum(1, keepdim=True))
        return found


def in_channel(x: torch.Tensor, channel: torch.Tensor) -> torch.Tensor:
    """Return pictures (n, 1, H, W) in the first or second channel (n,) of (n, 2, H, W)."""
    found = x.new_zeros(len(x), 2, *x.shape[2:])
    found[torch.arange(len(x)), channel] = x[:, 0]
    return found
