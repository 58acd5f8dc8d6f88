"""What the tasks of the track share: digits, and a net trained on them, which is explained."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import InvalidRun, Meta, Reference, Run, Setup, Task
from bench.runs.guard import fingerprint
from bench.tracks.input_attribution import Problem, Solution
from bench.training.data import Examples
from bench.training.tiles import grid

from ._nets import l2_pgd, trained

REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(
        name="oracle",
        kind="high",
        title="Knows where the label is",
        solve="tell_places",
    ),
)


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of one part.

    Attributes:
        x: (n, 1, height, width), float32, in [0, 1].
        y: (n,), int64.
    """

    x: torch.Tensor
    y: torch.Tensor


class AttributionTask(Task):
    """Draws digits, trains a net on them, and hands both out."""

    accepts: ClassVar = Solution
    classes: ClassVar[int]

    n_train: Annotated[int, Meta(ge=2)]
    """Rows that the net is trained on."""
    n_test: Annotated[int, Meta(ge=2)]
    """Rows that it is not."""
    radius: Annotated[float, Meta(ge=0)] = 0.0
    """Radius of the L2 ball of adversarial training, pixels in [0, 1]; 0: the net is trained as
    usual.
    """
    pgd_steps: Annotated[int, Meta(ge=1)] = 5
    """Steps of the attack of adversarial training."""
    width: Annotated[int, Meta(ge=1)] = 256
    """Width of the hidden layer."""
    epochs: Annotated[int, Meta(ge=1)] = 20
    """Passes of Adam over the training rows."""

    def drawn(self, run: Setup, digits: Sequence[int]) -> list[Rows]:
        """Return the training and test rows of these digits, labels from 0 on.

        Raises:
            InvalidRun: there are not so many.
        """
        data: Examples = run.dataset("mnist5k")
        y = data.y.cpu().numpy()
        own = np.flatnonzero(np.isin(y, digits))
        wanted = self.n_train + self.n_test
        if wanted > len(own):
            raise InvalidRun(
                f"n_train and n_test are {self.n_train} and {self.n_test}, {wanted} rows together, "
                f"and the task has {len(own)}; ask for fewer"
            )
        order = run.numpy_generator("split").permutation(own)[:wanted]
        places = {digit: place for place, digit in enumerate(digits)}
        labels = torch.tensor([places[digit] for digit in y[order].tolist()], device=data.y.device)
        x = data.x[torch.from_numpy(order).to(data.x.device)].float() / 255
        return [
            Rows(x=x[part], y=labels[part])
            for part in (slice(self.n_train), slice(self.n_train, wanted))
        ]

    def explained(self, train: Rows, shown: Rows, run: Setup) -> Problem:
        """Train the net, once for all methods of a seed, and return the problem."""
        recipe = {
            "explained": self.card.name,
            "seed": run.seed,
            "radius": str(self.radius),
            "steps": self.pgd_steps if self.radius else 0,
            "width": self.width,
            "epochs": self.epochs,
            "rows": fingerprint(train),
        }
        build = functools.partial(
            _net, train, (self.width, self.classes), self.epochs, self.radius, self.pgd_steps
        )
        layers, _ = run.cached(recipe, build)
        return Problem(
            x=shown.x,
            y=shown.y,
            n_classes=self.classes,
            mean=train.x.mean(0),
            weights=(layers["w0"], layers["w1"]),
            biases=(layers["b0"], layers["b1"]),
        )


def _net(
    train: Rows, widths: Sequence[int], epochs: int, radius: float, steps: int, run: Run
) -> dict[str, torch.Tensor]:
    nets = trained(
        train.x[None],
        train.y,
        widths,
        [run.seeded("init")],
        [run.torch_generator("order", device="cpu")],
        epochs=epochs,
        attack=l2_pgd(radius, steps) if radius else None,
    )
    layers = zip(nets.weights, nets.biases, strict=True)
    found = {}
    for place, (weight, bias) in enumerate(layers):
        found |= {f"w{place}": weight.detach()[0].clone(), f"b{place}": bias.detach()[0, 0].clone()}
    return found


def shown(problem: Problem, scores: torch.Tensor, count: int = 8) -> np.ndarray:
    """Return the first pictures, and below each its scores, bright where they are high."""
    x = problem.x[:count].cpu()
    tops = scores[:count].cpu()
    tops = tops / tops.flatten(1).amax(1).clamp_min(1e-12)[:, None, None, None]
    captions = [f"label {label}" for label in problem.y[:count].tolist()]
    return grid(
        torch.cat([x, tops]),
        captions + ["scores"] * len(x),
        columns=len(x),
        title="Pictures, and the scores of their pixels",
    )
