"""A rejector for a fixed predictor (arXiv:2301.09044)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.selective_prediction import Problem, Solution
from bench.training.fixed_net import Recipe, descended, outputs


class FixedReject(Method):
    """Learn on the validation rows a function of the features that is above 0 where an answer is
    worth its risk.
    """

    card: ClassVar = MethodCard(
        name="fixed-reject",
        title="Rejector for a fixed predictor",
        track="selective-prediction",
        paper="arXiv:2301.09044",
        bibtex="""@article{mohri2023learning,
  title = {Learning to Reject with a Fixed Predictor: Application to Decontextualization},
  author = {Mohri, Christopher and Andor, Daniel and Choi, Eunsol and Collins, Michael and Mao,
    Anqi and Zhong, Yutao},
  journal = {arXiv preprint arXiv:2301.09044},
  year = {2023}
}""",
        claim="A rejector that is trained for a fixed predictor keeps more rows at the same error.",
        deviates="Only the abstract was read: the surrogate is exponential, e^r for a wrong answer "
        "and c e^-r for one that is left out, whose minimiser has the sign of Bayes' rule.",
        signal="held-out",
        defaults_from="here",
        trials=6,
    )
    hidden: Annotated[int, Meta(ge=1)] = 64
    """Width of the hidden layer."""
    steps: Annotated[int, Meta(ge=1)] = 300
    """Steps of AdamW, each on all validation rows."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """At the start."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.01
    """Of AdamW."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Minimise the surrogate; keep rows with r >= 0."""
        net = problem.model
        h = outputs(net.features, problem.x_val)
        wrong = (outputs(net.head, h).argmax(1) != problem.y_val).to(h)
        mean, scale = h.mean(0), h.std(0).clamp_min(1e-2)
        with run.seeded("init"):
            rejector = nn.Sequential(
                nn.Linear(h.shape[1], self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1)
            )
        rejector = rejector.to(h.device)
        inputs = (h - mean) / scale
        recipe = Recipe(lr=self.lr, weight_decay=self.weight_decay)
        descended(
            rejector,
            range(self.steps),
            recipe,
            lambda _: surrogate(rejector(inputs)[:, 0], wrong, problem.cost).mean(),
        )
        rejector.requires_grad_(False)
        run.count(forward=self.steps * len(h), backward=self.steps * len(h))
        return Solution(score=lambda x: rejector((net.features(x) - mean) / scale), threshold=0.0)


def surrogate(r: torch.Tensor, wrong: torch.Tensor, cost: float) -> torch.Tensor:
    """Return 1[wrong] e^r + c e^-r of each row (n,), least for an error of chance eta at
    r = log(c / eta) / 2.

    Args:
        r: what the rejector says (n,).
        wrong: 1 where the answer is wrong, else 0 (n,).
        cost: c, of an answer that is left out.
    """
    return wrong * r.exp() + cost * (-r).exp()
