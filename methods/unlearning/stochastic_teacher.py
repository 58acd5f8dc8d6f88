"""Erase by a stochastic teacher, then rebuild (arXiv:2308.14322)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Group,
    Nets,
    UnlearningMethod,
    beside,
    cross_entropy,
    divergence,
    step,
)


class StochasticTeacher(UnlearningMethod):
    """First imitate a net with random weights on S; then learn R again,
    from its labels and from the original.
    """

    card: ClassVar = MethodCard(
        name="stochastic-teacher",
        title="Fast unlearning with a stochastic teacher",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2308.14322",
        bibtex="""@article{zhang2023machine,
  title = {Machine Unlearning Methodology base on Stochastic Teacher Network},
  author = {Zhang, Xulong and Wang, Jianzong and Cheng, Ning and Sun, Yifu and Zhang, Chuanyao and
    Xiao, Jing},
  journal = {arXiv:2308.14322},
  year = {2023}
}""",
        deviates="No official code was found. How stage 2 mixes its two losses is not certain: "
        "here (1 - alpha) CE + alpha KL to the original. The second stage's rate falls.",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.02, 0.05, 0.1), "alpha": (0.05, 0.1, 0.3)},
    )
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start of both stages."""
    falling: bool = True
    """In the second stage the rate falls to 0 along a half cosine; else it is constant."""
    erase: Annotated[int, Meta(ge=0)] = 1
    """Passes over S."""
    rebuild: Annotated[int, Meta(ge=0)] = 10
    """Passes over R."""
    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Weight of the original's outputs in the second stage."""

    def unlearn(self, group: Group) -> Nets:
        """Erase, rebuild."""
        nets = group.originals()
        random = group.known(group.fresh("method", "teacher"), group.forget)
        original = group.known(group.originals(), group.retain)
        forget, retain = group.rows(group.forget, "forget"), group.rows(group.retain, "retain")
        optimiser = group.sgd(nets, self.lr)
        for _ in group.epochs(self.erase):
            for batch in forget.epoch():
                step(optimiser, divergence(beside(random, batch.rows), nets(batch.x)))
        optimiser = group.sgd(nets, self.lr)
        for _, batch in group.walk(retain, optimiser, self.rebuild, self.falling):
            logits = nets(batch.x)
            step(
                optimiser,
                (1 - self.alpha) * cross_entropy(logits, batch.y)
                + self.alpha * divergence(beside(original, batch.rows), logits),
            )
        return nets
