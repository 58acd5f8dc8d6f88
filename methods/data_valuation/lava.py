"""LAVA: values from the transport between training and validation rows (arXiv:2305.00054)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import squared_distances

STEPS, TOLERANCE = 2000, 1e-6
"""Steps of a transport, and the share of its weight that a row may be off at the end."""


class Lava(Method):
    """How much cheaper the transport of training to validation rows gets with more weight on a row;
    no model is fitted.
    """

    card: ClassVar = MethodCard(
        name="lava",
        title="LAVA (optimal transport)",
        track="data-valuation",
        paper="arXiv:2305.00054",
        bibtex="""@inproceedings{just2023lava,
  title = {LAVA: Data Valuation without Pre-Specified Learning Algorithms},
  author = {Just, Hoang Anh and Kang, Feiyang and Wang, Jiachen T. and Zeng, Yi and Ko, Myeongseob
    and Jin, Ming and Jia, Ruoxi},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2305.00054},
  archivePrefix = {arXiv}
}""",
        claim="A class-wise transport distance between training and validation rows tells harmful "
        "rows without any learner.",
        deviates="Distances are of the inputs, where the paper takes the features of a pretrained "
        "net; squared distances and distances of labels are each divided by their largest. The "
        "transport between two classes has the same entropy as the whole.",
        signal="features",
        needs=("classes",),
        defaults_from="here",
    )
    entropy: Annotated[float, Meta(gt=0, le=1000)] = 0.1
    """Weight of the entropy, of costs of at most 2."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Minus the calibrated gradient of the cost by the weight of each row."""
        cost = squared_distances(problem.x, problem.x_val)
        cost = cost / cost.max().clamp_min(1e-12)
        cost = cost + self._labels(cost, problem.y, problem.y_val, problem.n_classes)
        run.count(forward=len(problem.y))
        potential = potentials(cost[None], self.entropy)[0][0]
        return Solution(value=-calibrated(potential))

    def _labels(
        self, cost: torch.Tensor, y: torch.Tensor, y_val: torch.Tensor, classes: int
    ) -> torch.Tensor:
        """Return the distance (N, V) of the classes of each pair of rows, over the largest."""
        pairs = torch.zeros(classes, classes, dtype=cost.dtype, device=cost.device)
        for a in y.unique().tolist():
            for b in y_val.unique().tolist():
                part = cost[y == a][:, y_val == b]
                f, g = potentials(part[None], self.entropy)
                plan = ((f[0][:, None] + g[0] - part) / self.entropy).exp() / part.numel()
                pairs[a, b] = (plan * part).sum()
        return pairs[y][:, y_val] / pairs.max().clamp_min(1e-12)


def potentials(cost: torch.Tensor, entropy: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the dual potentials (B, n) and (B, m) of transports between uniform weights, such that
    exp((f + g - cost) / entropy) / (n m) is the plan.

    Source: arXiv:1306.0895, algorithm 1, in logarithms.

    Args:
        cost: of B problems (B, n, m).
        entropy: weight of the entropy relative to the product of the weights.

    Raises:
        InvalidRun: they have not settled when the steps are over.
    """
    n, m = cost.shape[1:]
    f = torch.zeros_like(cost[:, :, 0])
    scaled, log_n, log_m = -cost / entropy, torch.tensor(n).log(), torch.tensor(m).log()
    for _ in range(STEPS):
        g = -entropy * ((scaled + f[:, :, None] / entropy).logsumexp(1) - log_n)
        last, f = f, -entropy * ((scaled + g[:, None] / entropy).logsumexp(2) - log_m)
        moved = float((f - last).abs().max()) / entropy
        if moved < TOLERANCE:
            return f, g
    raise InvalidRun(
        f"the transport has not settled in {STEPS} steps: a row still has {100 * moved:.2g} % more "
        f"or less than its weight; raise entropy, which is {entropy:g}"
    )


def calibrated(potential: torch.Tensor) -> torch.Tensor:
    """Return each potential (n,) minus the mean of the others: the change of the cost where weight
    moves to a row from all others alike.

    Source: arXiv:2305.00054, equation 1.
    """
    n = len(potential)
    return potential - (potential.sum() - potential) / max(1, n - 1)
