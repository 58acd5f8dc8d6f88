"""Track ``input-attribution``: score the inputs of a trained net by what they say of the label.

Shapes: N pictures, C classes; a score a pixel.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.runs.context import Run

__all__ = ["AttributionMethod", "Problem", "Solution", "gradients"]

TRACK = TrackCard(
    name="input-attribution",
    title="Input attribution",
    about="Score the inputs of a trained net by what they say of the label.",
    field="shift",
    ranked="methods that score pixels, by whether the highest scores lie where the label is, or "
    "where nets that see nothing else can tell it",
)

_PART = 2048
"""Pictures whose gradients are taken at once."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: a trained net, and pictures with the labels that are to be explained.

    Attributes:
        x: pictures (N, 1, height, width), float32, pixels in [0, 1].
        y: their labels (N,), int64.
        n_classes: C.
        mean: the mean picture (1, height, width) of the rows that the net was trained on.
        weights: of the net, a multilayer perceptron with ReLU between layers, from input to output,
            each (out, in).
        biases: of its layers, each (out,).
    """

    x: Annotated[torch.Tensor, Array("N", 1, "height", "width", dtype="float32", ge=0, le=1)]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    n_classes: Annotated[int, Size("C")]
    mean: Annotated[torch.Tensor, Array(1, "height", "width", dtype="float32", ge=0, le=1)]
    weights: Annotated[tuple[torch.Tensor, ...], Array(..., dtype="float32")]
    biases: Annotated[tuple[torch.Tensor, ...], Array(..., dtype="float32")]

    def model(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, C) of pictures (n, 1, height, width); gradients reach ``x``."""
        x = x.flatten(1)
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            x = F.linear(x, weight, bias).relu()
        return F.linear(x, *last)

    def validate(self) -> None:
        """Hold the layers against the pictures.

        Raises:
            InvalidRun: a layer does not read what the one before it puts out.
        """
        wanted = self.x[0].numel()
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if tuple(weight.shape[1:]) != (wanted,) or tuple(bias.shape) != (len(weight),):
                raise InvalidRun(
                    f"layer {place} has weights {tuple(weight.shape)} and biases "
                    f"{tuple(bias.shape)}; the layer before it puts out {wanted} numbers, so give "
                    f"weights (n, {wanted}) and biases (n,)"
                )
            wanted = len(weight)
        if wanted != self.n_classes:
            raise InvalidRun(
                f"the last layer puts out {wanted} numbers for {self.n_classes} classes; give one "
                "a class"
            )


class Solution(msgspec.Struct, kw_only=True):
    """What a method says of the pixels.

    Attributes:
        scores: of each picture's pixels (N, 1, height, width), 0 or more; higher says more of the
            label.
    """

    scores: Annotated[torch.Tensor, Array("N", 1, "height", "width", dtype="float32", ge=0)]


class AttributionMethod(Method, frozen=True, kw_only=True):
    """The shared form: a signed attribution of every pixel, whose size is the score."""

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return attributions of the pixels (N, 1, height, width), of either sign."""
        raise TypeError(f"{type(self).__name__} has no attribute; write one.")

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Attribute, and drop the sign."""
        return Solution(scores=self.attribute(problem, run).detach().abs())


def gradients(
    problem: Problem,
    x: torch.Tensor,
    run: Run,
    of: Literal["logit", "loss"] = "logit",
) -> torch.Tensor:
    """Return the gradient of the label's logit, or of its cross entropy, at each picture, of the
    shape of ``x``; it counts.

    Args:
        problem: holds the net and the labels.
        x: pictures (N, 1, height, width), at which the gradient is taken in place of the problem's.
        run: what counts the visits.
        of: what is derived.
    """
    run.count(forward=len(x), backward=len(x))
    found = []
    for part, y in zip(x.detach().split(_PART), problem.y.split(_PART), strict=True):
        part = part.clone().requires_grad_()
        with torch.enable_grad():
            logits = problem.model(part)
            total = (
                logits.gather(1, y[:, None]).sum()
                if of == "logit"
                else F.cross_entropy(logits, y, reduction="sum")
            )
        found.append(torch.autograd.grad(total, part)[0])
    return torch.cat(found)
