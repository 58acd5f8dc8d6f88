"""Learning from a pool without constraints (arXiv:2306.01222)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy
from bench.training.stack import StackedNet

from ._contrast import contrastive
from ._mixing import Mixing, mixed, sharpened


class _State:
    """The mixtures, the running mean output (K, C), None before the first batch, the two further
    heads, and the turns.
    """

    def __init__(self, members: Members) -> None:
        self.mixing = Mixing(members)
        self.mean: torch.Tensor | None = None
        self.turning: StackedNet = members.head("turns", 4)
        with torch.no_grad():
            width = members.nets.features(members.x[:, :2]).shape[-1]
        self.projection: StackedNet = members.head("projection", width, 128)
        self.generators = [run.numpy_generator("method", "quarters") for run in members.runs]

    def quarters(self, size: int, device: torch.device) -> torch.Tensor:
        """Return turns in quarters (K, size)."""
        drawn = [torch.from_numpy(own.integers(0, 4, size)) for own in self.generators]
        return torch.stack(drawn).to(device)


class UnMixMatch(SemiSupervisedMethod):
    """Mix labelled rows with a pool of whatever kind, and learn from the pool by turns and by
    contrast, which need no class.
    """

    card: ClassVar = MethodCard(
        name="unmixmatch",
        title="UnMixMatch",
        track="semi-supervised",
        paper="arXiv:2306.01222",
        bibtex="""@inproceedings{roy2024scaling,
  title = {Scaling Up Semi-supervised Learning with Unconstrained Unlabelled Data},
  author = {Roy, Shuvendu and Etemad, Ali},
  booktitle = {AAAI},
  year = {2024},
  eprint = {2306.01222},
  archivePrefix = {arXiv}
}""",
        claim="With a pool of another kind, whose rows have none of the classes, it gains where "
        "others lose.",
        official_code="ok",
        deviates="Views, net and steps are the task's. The weight of turns is .5; the authors' "
        "configuration file has 10, and .1 for alpha. The weight of the contrast is that of "
        "NT-Xent; the authors' code multiplies it by .5 / .07 more.",
        inputs="pictures",
        stacked=True,
        defaults_from="here",
    )
    alpha: Annotated[float, Meta(gt=0)] = 0.75
    """Both parameters of the Beta distribution of a mixture's weight."""
    temperature: Annotated[float, Meta(ge=0.01)] = 0.5
    """Of the guessed labels, and of the contrast."""
    memory: Annotated[float, Meta(ge=0, lt=1)] = 0.999
    """Memory of the mean output."""
    turns: Annotated[float, Meta(ge=0)] = 0.5
    """Weight of telling by how many quarters a picture is turned."""
    contrast: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of telling two views of a row from those of other rows."""

    def start(self, members: Members) -> _State:
        """Build the heads."""
        return _State(members)

    def loss(self, state: _State, members: Members, batch: Batch) -> torch.Tensor:
        """H on the mixtures that begin with labelled rows, turns, and contrast."""
        size, many, classes = batch.x.shape[1], batch.u.shape[1], members.problem.n_classes
        own = members.strong(batch.x, "labelled")
        weak = members.weak(batch.u, "pool")
        one, two = (members.strong(batch.u, name) for name in ("pool", "pool again"))
        with torch.no_grad():
            p = members.nets(weak).softmax(-1)
            then = p.mean(1) if state.mean is None else state.mean
            state.mean = self.memory * then + (1 - self.memory) * p.mean(1)
            even = p / (classes * state.mean[:, None])
            q = sharpened(even / even.sum(-1, keepdim=True), self.temperature)
        x = torch.cat([own, one, two, weak], 1)
        target = torch.cat([F.one_hot(batch.y, classes).to(q.dtype), q, q, q], 1)
        share, partner = state.mixing.draw(self.alpha, x.shape[1], larger=True)
        # only mixtures that begin with a labelled row count
        inputs = mixed(x, share, partner)[:, :size]
        quarters = state.quarters(many, members.device)
        turned = _turned(one, quarters)
        features = members.nets.features(torch.cat([inputs, turned, one, two], 1))
        members.count(forward=features.shape[1] + many, backward=features.shape[1])
        members.note(batch, torch.ones_like(batch.rows))
        parts = features.split([size, many, 2 * many], 1)
        logits = members.nets.head(parts[0])
        found = soft_cross_entropy(logits, mixed(target, share, partner)[:, :size]).mean(1)
        found = found + self.turns * soft_cross_entropy(state.turning(parts[1]), quarters).mean(1)
        projected = state.projection(parts[2])
        return found + self.contrast * contrastive(projected, self.temperature)


def _turned(x: torch.Tensor, quarters: torch.Tensor) -> torch.Tensor:
    """Return pictures (K, n, channels, S, S) turned by so many quarters (K, n)."""
    every = torch.stack([x.rot90(k, (-2, -1)) for k in range(4)])
    wide = quarters[None, ..., None, None, None].expand(1, *x.shape)
    return every.gather(0, wide)[0]
