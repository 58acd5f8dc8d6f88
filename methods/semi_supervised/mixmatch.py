"""Guessed labels, sharpened and mixed with labelled rows (arXiv:1905.02249)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy

from ._mixing import Mixing, mixed, sharpened


class MixMatch(SemiSupervisedMethod):
    """Guess the labels of the pool by two views, sharpen them, and mix all rows with each other."""

    card: ClassVar = MethodCard(
        name="mixmatch",
        title="MixMatch",
        track="semi-supervised",
        paper="arXiv:1905.02249",
        bibtex="""@inproceedings{berthelot2019mixmatch,
  title = {MixMatch: A Holistic Approach to Semi-Supervised Learning},
  author = {Berthelot, David and Carlini, Nicholas and Goodfellow, Ian and Papernot, Nicolas and
    Oliver,
    Avital and Raffel, Colin},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {1905.02249},
  archivePrefix = {arXiv}
}""",
        claim="Guessing, sharpening and mixing together need far fewer labels than each alone.",
        official_code="ok",
        deviates="Views, net and steps are the task's. The pool's part weighs 10, in the paper 75 "
        "to 100 over a million steps, and grows over .4 of the steps. A batch has one "
        "weight of its mixtures, in the paper each row has its own, and alpha is .5, there .75 "
        "for most data.",
        inputs="pictures",
        stacked=True,
        defaults_from="here",
    )
    temperature: Annotated[float, Meta(ge=0.01)] = 0.5
    """Of the guessed labels."""
    alpha: Annotated[float, Meta(gt=0)] = 0.5
    """Both parameters of the Beta distribution of a mixture's weight."""
    weight: Annotated[float, Meta(ge=0)] = 10.0
    """Weight of the pool's part."""
    ramp: Annotated[float, Meta(gt=0, le=1)] = 0.4
    """Share of the steps over which it grows."""

    def start(self, members: Members) -> Mixing:
        """Set up the private streams."""
        return Mixing(members)

    def loss(self, state: Mixing, members: Members, batch: Batch) -> torch.Tensor:
        """H on mixed labelled rows + lambda min(1, t / .4 T) mean |p - q|^2 / C on the pool's."""
        size, classes = batch.x.shape[1], members.problem.n_classes
        one, two = (members.weak(batch.u, name) for name in ("pool", "pool again"))
        with torch.no_grad():
            guess = members.nets(torch.cat([one, two], 1)).softmax(-1)
            q = sharpened(sum(guess.chunk(2, 1)) / 2, self.temperature)
        x = torch.cat([members.weak(batch.x, "labelled"), one, two], 1)
        target = torch.cat([F.one_hot(batch.y, classes).to(q.dtype), q, q], 1)
        share, partner = state.draw(self.alpha, x.shape[1], larger=True)
        logits = members.nets(mixed(x, share, partner))
        target = mixed(target, share, partner)
        members.count(forward=x.shape[1] + 2 * batch.u.shape[1], backward=x.shape[1])
        members.note(batch, torch.ones_like(batch.rows))
        own = soft_cross_entropy(logits[:, :size], target[:, :size]).mean(1)
        away = (logits[:, size:].softmax(-1) - target[:, size:]).square().mean((1, 2))
        return own + self.weight * min(1.0, batch.done / self.ramp) * away
