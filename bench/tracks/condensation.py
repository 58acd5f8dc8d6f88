"""Track ``condensation``: say a training set in a few images; nets trained on these alone are
judged on real ones.

What counts as budget is what is *stored*: a method may store an image as a mosaic and have it
decoded to several training images. Shapes: N real images, n stored ones, C classes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import torch
from msgspec import Meta
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training.convnet import ConvNet
from bench.training.fitting import Recipe

__all__ = [
    "ClassSampler",
    "Problem",
    "SmallSet",
    "decode",
    "labels_of",
    "real_rows",
    "stored",
]

TRACK = TrackCard(
    name="condensation",
    title="Condensation",
    about="Replace a training set by a few images, from which new nets learn.",
    field="less data",
    ranked="methods that make or choose the images, by the accuracy of nets trained on these alone",
)
CALIBRATION = TrackCard(
    name="condensation-calibration",
    title="Calibration",
    about="Learn from a few images with a confidence that matches the accuracy.",
    field="less data",
    ranked="ways to make a condensed set, and to temper confidence, by calibration error",
)


class SmallSet(msgspec.Struct, kw_only=True):
    """What a method returns, and all that it may say to the evaluation.

    Attributes:
        x: stored images (n, channels, height, width), normalised like the problem's.
        y: their labels (n,), int64.
        soft_y: class probabilities of the *decoded* images (n * factor^2, C); None: ``y``.
        targets: (n * factor^2, D), what a net is to regress on each decoded image when the task is
            label-free.
        lr: learning rate of the evaluation; None: the protocol's.
        factor: each stored image is a ``factor`` x ``factor`` mosaic, decoded to ``factor`` squared
            images of full size.
        indices: rows of the training set (n,), int64, where the images are real ones.
        temperature: what each net's temperature is fitted on, for use at test: the images of the
            ``set``, or real ``validation`` images that no method sees; None: there is none. It
            changes confidences, never a prediction.
        masked: share in [0, 1) of the set's pixels that is zero, the mean pixel, while the
            temperature is fitted, drawn once for each net; 0: plain temperature scaling.
    """

    x: Annotated[torch.Tensor, Array("n", "channels", "H", "W", dtype="float32")]
    y: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0, lt="C")]
    soft_y: Annotated[torch.Tensor | None, Array("decoded", "C", dtype="float32", ge=0)] = None
    targets: Annotated[torch.Tensor | None, Array("decoded", "D", dtype="float32")] = None
    lr: Annotated[float, Meta(gt=0, le=10)] | None = None
    factor: Annotated[int, Size("factor")] = 1
    indices: Annotated[
        torch.Tensor | None, Array("n", dtype="int64", ge=0, lt="N", distinct=True)
    ] = None
    temperature: Literal["set", "validation"] | None = None
    masked: Annotated[float, Meta(ge=0, lt=1)] = 0.0

    @property
    def decoded(self) -> int:
        """Training images that it stands for: n * factor^2."""
        return len(self.x) * self.factor**2

    def validate(self, problem: Problem) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: the set exceeds the budget, or a field contradicts another or the problem.
        """
        if len(self.x) > problem.budget:
            raise InvalidRun(
                f"the set holds {len(self.x)} stored images; the budget is {problem.ipc} a class, "
                f"{problem.budget} in all"
            )
        sides = self.x.shape[2:]
        if any(side % self.factor for side in sides):
            raise InvalidRun(
                f"factor is {self.factor}, and must divide the sides of the images, {sides[0]} "
                f"and {sides[1]}"
            )
        if self.soft_y is not None and bool(((self.soft_y.sum(1) - 1).abs() > 1e-3).any()):
            raise InvalidRun(
                f"soft_y holds rows that sum to {float(self.soft_y.sum(1).min()):.6g} and more, "
                "and must hold probabilities, each row of sum 1"
            )
        if self.masked and self.temperature != "set":
            raise InvalidRun(
                f"masked is {self.masked:g} and temperature is {self.temperature!r}; a mask hides "
                "pixels of the set's images, so it needs temperature='set'"
            )
        if self.indices is not None and not torch.equal(self.x, problem.x[self.indices]):
            raise InvalidRun(
                "indices names rows of the training set that the images are not; leave indices "
                "out for images that were changed"
            )


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: the training images, the budget, and the net that will be trained.

    Attributes:
        x: normalised images (N, channels, height, width), float32.
        y: labels (N,), int64 in [0, C).
        n_classes: C.
        ipc: stored images a class.
        mean: of the pixels in [0, 1] before normalisation, a channel, (channels,).
        std: likewise, (channels,).
        flips: whether a mirrored image keeps its class.
        width: of the ConvNet.
        depth: of the ConvNet.
        updates: changes of the images that a synthesis may make.
        inner: of these, changes at one net, for methods that train nets on the images: it takes
            ``updates // inner`` fresh nets.
        net_epochs: epochs that such a net is trained on the images between two changes.
        batch_real: real images a class in each of them.
        batch_size: rows of a batch where nets are trained on the real images.
        epochs: of such a training.
    """

    x: Annotated[torch.Tensor, Array("N", "channels", "H", "W", dtype="float32")]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C")]
    ipc: Annotated[int, Meta(ge=1)]
    mean: Annotated[torch.Tensor, Array("channels", dtype="float32")]
    std: Annotated[torch.Tensor, Array("channels", dtype="float32", gt=0)]
    flips: bool = False
    width: Annotated[int, Meta(ge=1)] = 32
    depth: Annotated[int, Meta(ge=1)] = 2
    updates: Annotated[int, Meta(ge=1)] = 120
    inner: Annotated[int, Meta(ge=1)] = 1
    net_epochs: Annotated[int, Meta(ge=1)] = 5
    batch_real: Annotated[int, Meta(ge=1)] = 32
    batch_size: Annotated[int, Meta(ge=1)] = 64
    epochs: Annotated[int, Meta(ge=1)] = 15

    @property
    def budget(self) -> int:
        """Most stored images."""
        return self.ipc * self.n_classes

    @property
    def budgets(self) -> tuple[int, ...]:
        """The budget, as selectors ask for it."""
        return (self.budget,)

    @property
    def balanced(self) -> bool:
        """Selectors give each class its equal share."""
        return True

    def net(self) -> ConvNet:
        """The net of the evaluation."""
        channels, height, width = self.x.shape[1:]
        return ConvNet(
            shape=(channels, height, width),
            classes=self.n_classes,
            width=self.width,
            depth=self.depth,
        )

    def recipe(self, steps: int) -> Recipe:
        """How a net is trained on the real images."""
        return Recipe(steps=steps, lr=0.02, schedule="cosine")

    def take(
        self,
        rows: list[torch.Tensor],
        weights: list[torch.Tensor] | None,
        scores: torch.Tensor | None,
    ) -> SmallSet:
        """The small set of the real rows (n,), one tensor of them.

        Weights have no place in it: every image counts once.
        """
        return SmallSet(x=self.x[rows[0]], y=self.y[rows[0]], indices=rows[0])

    def pixel_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return black and white as normalised values, (channels, 1, 1) each."""
        black, white = -self.mean / self.std, (1 - self.mean) / self.std
        return black.view(-1, 1, 1), white.view(-1, 1, 1)


# What methods share
# -------------------------------------------------------------------------------------------------


class ClassSampler:
    """Real images class by class: the rows lie sorted, and one gather serves all classes."""

    def __init__(self, problem: Problem, generator: torch.Generator) -> None:
        self.x = problem.x
        self.order = problem.y.argsort(stable=True)
        self.counts = problem.y.bincount(minlength=problem.n_classes)
        self.offsets = self.counts.cumsum(0) - self.counts
        self.generator = generator

    def rows(self, size: int) -> torch.Tensor:
        """Return ``size`` rows of each class, (C, size), drawn without
        replacement as far as the smallest class reaches.
        """
        size = min(size, int(self.counts.min()))
        longest = int(self.counts.max())
        keys = torch.rand(len(self.counts), longest, generator=self.generator).to(self.order.device)
        keys.masked_fill_(torch.arange(longest, device=keys.device) >= self.counts[:, None], 2.0)
        return self.order[
            self.offsets[:, None] + keys.topk(size, largest=False, sorted=False).indices
        ]

    def draw(self, size: int) -> torch.Tensor:
        """Return ``size`` images of each class, (C, size, channels, height, width)."""
        return self.x[self.rows(size)]


def real_rows(problem: Problem, run: Run) -> torch.Tensor:
    """Return ``ipc`` random rows of each class, sorted by class, (C * ipc,).

    The stream is the seed's alone, so every method that starts from real images starts from the
    same, and these are the rows that random selection keeps.
    """
    generator = run.torch_generator("order", "real rows", device="cpu")
    return ClassSampler(problem, generator).rows(problem.ipc).flatten()


def labels_of(problem: Problem) -> torch.Tensor:
    """Return the labels of ``ipc`` images a class, sorted by class, (C * ipc,)."""
    return torch.arange(problem.n_classes, device=problem.y.device).repeat_interleave(problem.ipc)


# What the task shares
# -------------------------------------------------------------------------------------------------


def decode(small: SmallSet, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the training images (m, channels, height, width) and labels (m,) that a small set
    stands for, m = n * factor^2.

    Each image is cut into ``factor`` x ``factor`` equal tiles, which are brought to full size
    bilinearly. Source: gszfwsb/NCFM and snu-mllab/Efficient-Dataset-Condensation, decode_zoom.
    """
    if small.factor == 1:
        return small.x, small.y
    count, channels, height, width = small.x.shape
    f = small.factor
    tiles = (
        small.x.view(count, channels, f, height // f, f, width // f)
        .permute(0, 2, 4, 1, 3, 5)
        .reshape(count * f * f, channels, height // f, width // f)
    )
    return F.interpolate(
        tiles, size=size, mode="bilinear", align_corners=False
    ), small.y.repeat_interleave(f * f)


def stored(small: SmallSet) -> dict[str, float]:
    """Return what a small set costs: stored and decoded images, and kilobytes of its float32
    numbers, soft labels and targets included.
    """
    numbers = sum(
        part.numel() for part in (small.x, small.soft_y, small.targets) if part is not None
    )
    return {
        "stored_images": len(small.x),
        "decoded_images": len(small.x) * small.factor**2,
        "stored_kb": numbers * 4 / 1000,
    }
