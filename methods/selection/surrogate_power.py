"""Data selection by a power of a surrogate's uncertainty (arXiv:2309.14563)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, spread, trained
from bench.training.fitting import outputs


class SurrogatePower(Selector):
    """Keep rows at random, the likelier the less sure a surrogate is; the
    labels of the rows it was not trained on are not looked at.
    """

    card: ClassVar = MethodCard(
        name="surrogate-power",
        title="Sampling by a power of a surrogate's uncertainty",
        track=("condensation", "selection"),
        paper="arXiv:2309.14563",
        bibtex="""@inproceedings{kolossov2024towards,
  title = {Towards a statistical theory of data selection under weak supervision},
  author = {Kolossov, Germain and Montanari, Andrea and Tandon, Pulkit},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2309.14563},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Uncertainty for more than two classes is 1 - sum p^2. The sample has exactly the "
        "budget's size: systematic sampling in random order, with the paper's inclusion "
        "probabilities. The surrogate is the task's net, trained on a random tenth.",
        defaults_from="here",
        trials=None,
        tuning={"alpha": (-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0)},
    )
    alpha: float = 0.5
    """Power of the uncertainty: above 0 prefers hard rows, below 0 easy ones, 0 is uniform."""
    share: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """Share of the rows that the surrogate is trained on."""
    epochs: Annotated[float, Meta(gt=0)] = 30.0
    """Epochs of the surrogate over its rows."""
    rule: Literal["sample", "hard", "easy"] = "sample"
    """Sample, or take the least certain, or the most certain."""
    reweight: bool = False
    """Weight kept rows by one over their inclusion probability, which
    makes the loss unbiased; the paper finds that it can be worse.
    """

    def choose(self, problem: Selectable, run: Run) -> Any:
        """Return a sample for each budget."""
        generator = run.torch_generator("method", "sample", device="cpu")
        count = max(problem.n_classes, round(self.share * len(problem.y)))
        rows = torch.randperm(len(problem.y), generator=generator)[:count]
        net, params = trained(problem, run, "surrogate", nets=1, epochs=self.epochs, rows=rows)
        run.count(forward=len(problem.y))
        u = (
            1 - outputs(net, params, problem.x)[0].double().softmax(-1).square().sum(-1)
        ).clamp_min(1e-9)
        found, weights = [], []
        for budget in problem.budgets:
            kept, inverse = [], []
            for part, size in spread(problem, budget):
                if self.rule == "sample":
                    pi = inclusion(u[part] ** self.alpha, size)
                    chosen = systematic(pi, generator)
                else:
                    pi = torch.ones_like(u[part])
                    chosen = u[part].argsort(descending=self.rule == "hard", stable=True)[:size]
                kept.append(part[chosen])
                inverse.append((1 / pi[chosen]).float())
            found.append(torch.cat(kept))
            weights.append(torch.cat(inverse))
        return problem.take(
            found, [w / w.mean() for w in weights] if self.reweight else None, u.float()
        )


def inclusion(weights: torch.Tensor, size: int) -> torch.Tensor:
    """Return pi = min(1, c w) for weights (n,), with c such that they sum
    to ``size`` (at most n).
    """
    if size >= len(weights):
        return torch.ones_like(weights)
    ordered = weights.sort(descending=True).values
    rest = ordered.flip(0).cumsum(0).flip(0)
    certain = torch.arange(len(weights), device=weights.device)
    scale = (size - certain) / rest
    # the fewest certain rows for which no other exceeds 1
    first = int((scale * ordered <= 1).nonzero()[0])
    return (weights * scale[first]).clamp_max(1.0)


def systematic(pi: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return round(sum pi) distinct positions; each is included with its
    probability ``pi`` (n,), in an order that is random.
    """
    order = torch.randperm(len(pi), generator=generator).to(pi.device)
    size = round(float(pi.sum()))
    edges = pi[order].cumsum(0)
    edges = edges * (size / edges[-1])
    ticks = torch.arange(size, device=pi.device, dtype=pi.dtype) + float(
        torch.rand((), generator=generator, dtype=torch.float64)
    )
    return order[torch.searchsorted(edges, ticks, right=True).clamp_max(len(pi) - 1)]
