"""LEVI: layers of a trained net beside a small net (arXiv:2402.04644)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.group_shift import GroupMethod
from bench.training.nets import StackedNet
from bench.training.stack import MemberNet, affine


class _Views(StackedNet):
    """Frozen layers of trained nets, a small net g of one hidden layer, and linear heads: one of
    each layer beside g, and where there is a g one of g alone.

    Args:
        layers: weights (K, out, in) and biases (K, 1, out) of each hidden layer.
        small: units of g; 0: there is none.
        classes: C.
        inits: one context a member, inside which it is drawn.
    """

    def __init__(
        self,
        layers: Sequence[tuple[torch.Tensor, torch.Tensor]],
        small: int,
        classes: int,
        inits: Sequence[Any],
    ) -> None:
        super().__init__()
        self.members, self.layers, self.small = len(inits), list(layers), small
        inner = layers[0][0].shape[2]
        self.widths = [weight.shape[1] + small for weight, _ in layers] + [small] * (small > 0)
        shapes = [(small, inner)] * (small > 0) + [(classes, width) for width in self.widths]
        drawn: list[list[torch.Tensor]] = []
        for init in inits:
            with init:
                bounds = [inner**-0.5 for _, inner in shapes]
                pairs = zip(shapes, bounds, strict=True)
                drawn.append([torch.empty(shape).uniform_(-b, b) for shape, b in pairs])
        device = layers[0][0].device
        self.weights = nn.ParameterList(
            nn.Parameter(torch.stack(weight).to(device)) for weight in zip(*drawn, strict=True)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(self.members, 1, shape[0], device=device)) for shape in shapes
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return z^1, g(x), z^2, g(x), ..., g(x) of inputs (K, B, ...), side by side."""
        return _views(x.flatten(2), self.layers, self._small(), affine)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Return the mean of all heads' logits (K, B, C)."""
        return _mean_of_heads(features, self.widths, self._heads(), affine)

    def _small(self) -> list[torch.Tensor]:
        return [self.weights[0], self.biases[0]] if self.small else []

    def _heads(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        first = int(self.small > 0)
        return list(zip(self.weights, self.biases, strict=True))[first:]

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _Member(self, k)


class _Member(MemberNet):
    def __init__(self, views: _Views, k: int) -> None:
        super().__init__()
        self._layers = [(weight[k], bias[k, 0]) for weight, bias in views.layers]
        self._small = [tensor.detach()[k].squeeze(0) for tensor in views._small()]
        self._heads = [(w.detach()[k], b.detach()[k, 0]) for w, b in views._heads()]
        self._widths = views.widths
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return _views(x.flatten(1), self._layers, self._small, nn.functional.linear)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return _mean_of_heads(features, self._widths, self._heads, nn.functional.linear)


def _views(x: torch.Tensor, layers: Any, small: Any, linear: Any) -> torch.Tensor:
    beside = [linear(x, *small).relu()] if small else []
    found = []
    for weight, bias in layers:
        x = linear(x, weight, bias).relu()
        found += [x, *beside]
    return torch.cat(found + beside, -1)


def _mean_of_heads(features: torch.Tensor, widths: Any, heads: Any, linear: Any) -> torch.Tensor:
    parts = zip(features.split(widths, -1), heads, strict=True)
    return torch.stack([linear(part.contiguous(), *head) for part, head in parts]).mean(0)


class LayerwiseViews(GroupMethod):
    """Read every layer of a trained net beside a small net that is trained from scratch, and
    average what all heads say.
    """

    card: ClassVar = MethodCard(
        name="levi",
        title="Layer-wise ensemble of different views (LEVI)",
        track="group-shift",
        paper="arXiv:2402.04644",
        bibtex="""@inproceedings{roh2024levi,
  title = {LEVI: Generalizable Fine-tuning via Layer-wise Ensemble of Different Views},
  author = {Roh, Yuji and Liu, Qingyun and Gui, Huan and Yuan, Zhe and Tang, Yujin and
    Whang, Steven Euijong and Liu, Liang and Bi, Shuchao and Hong, Lichan and Chi, Ed H. and
    Zhao, Zhe},
  booktitle = {ICML},
  year = {2024},
  eprint = {2402.04644},
  archivePrefix = {arXiv}
}""",
        claim="Layers of a trained net ensembled with a small net of the task do better out of "
        "distribution than fine-tuning.",
        deviates="Only the abstract was read, the formulas are ours: heads are linear, and the "
        "cross entropy is that of their mean. At this size the small net carries the loss, so "
        "that it does as a net trained from scratch does.",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        defaults_from="here",
    )
    small: Annotated[int, Meta(ge=0)] = 32
    """Hidden units of the small net; 0: there is none."""

    def start(self, seeds: Any) -> None:
        """Freeze the trained layers and put the heads upon them.

        Raises:
            InvalidRun: there is no trained net.
        """
        trained = [problem.pretrained for problem in seeds.problems]
        if any(one is None for one in trained):
            raise InvalidRun(
                "the method reads layers of a trained net, and the problem has pretrained None; "
                "run it on a task that offers 'pretrained'"
            )
        layers = [
            (
                torch.stack([one.weights[layer] for one in trained]).to(seeds.device),
                torch.stack([one.biases[layer] for one in trained])[:, None].to(seeds.device),
            )
            for layer in range(len(seeds.problem.widths))
        ]
        inits = [run.seeded("init", "views") for run in seeds.runs]
        seeds.nets = _Views(layers, self.small, seeds.problem.n_classes, inits)
