"""Holistic robust training (arXiv:2303.02251)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.poisoning import Batch, PoisoningMethod, Seeds, cross_entropy
from bench.training import attacks
from bench.training.attacks import Ball
from bench.training.nets import StackedNet

ROUNDS = 60
"""Halvings of a bisection, in float64."""
FINER, PLACES = 4, 33
"""Rounds of the search for the threshold of the order ``hr``, and places of each."""


class HolisticRobust(PoisoningMethod):
    """Minimise the worst mean loss over all distributions near a batch's: a share ``alpha`` of its
    rows may have been replaced by rows of its largest loss, what is left is a sample whose
    distribution lies within a divergence ``r``, and every row may be moved within a ball.
    """

    card: ClassVar = MethodCard(
        name="hr",
        title="Holistic robust training",
        track="poisoning",
        paper="arXiv:2303.02251",
        bibtex="""@inproceedings{bennouna2023certified,
  title = {Certified Robust Neural Networks: Generalization and Corruption Resistance},
  author = {Bennouna, Amine and Lucas, Ryan and Van Parys, Bart},
  booktitle = {ICML},
  year = {2023},
  eprint = {2303.02251},
  archivePrefix = {arXiv}
}""",
        claim="One loss protects against poisoned rows, moved inputs and small samples at once, "
        "and training on it generalises better than guarding against each alone.",
        official_code="ok",
        deviates="Inputs do not move by default (epsilon 0; the authors' code has an L2 ball of "
        ".5), since no test row is perturbed. An ascent begins at the row. A bisection finds the "
        "worst distribution, not a conic solver, with the same result. With r 0 it is the "
        "sample's own distribution; the authors' code takes r .001 there.",
        signal="loss",
        stacked=True,
        defaults_from="here",
        tuning={"alpha": (0.0, 0.05, 0.1, 0.25), "r": (0.001, 0.05, 0.1, 0.5)},
    )
    settings: ClassVar = {"authors": {"epsilon": 0.5}}
    alpha: Annotated[float, Meta(ge=0, lt=1)] = 0.05
    """Share of the rows that may have been replaced."""
    r: Annotated[float, Meta(ge=0)] = 0.1
    """Divergence of the distribution from the sample's, in nats."""
    epsilon: Annotated[float, Meta(ge=0)] = 0.0
    """Radius of the ball, in L2; 0: inputs stay."""
    steps: Annotated[int, Meta(ge=1)] = 10
    """Steps of the ascent within the ball."""
    step_size: Annotated[float, Meta(gt=0)] = 0.2
    """Length of one."""
    order: Literal["hd", "hr"] = "hd"
    """``hd``: rows are replaced first, and the divergence is from what they leave; ``hr``: the
    other way round.
    """

    def start(self, seeds: Seeds) -> Seeds:
        """Keep what counts the passes."""
        return seeds

    def forward(self, state: Seeds, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the batch (K, B, C), after the ascent."""
        x = batch.x
        if self.epsilon:
            ball, visits = Ball(eps=self.epsilon, norm="l2"), self.steps * x.shape[1]
            state.count(forward=visits, backward=visits)
            loss = attacks.cross_entropy(batch.y)
            with attacks.frozen(nets):
                x = attacks.pgd(nets, loss, x, ball, steps=self.steps, step=self.step_size, lead=2)
        logits: torch.Tensor = nets(x)
        return logits

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return losses (K, B) whose mean is that of the worst distribution p: its gradient is the
        sum of p times the rows' own.
        """
        losses = cross_entropy(logits, batch.y)
        p = worst(losses.detach(), self.alpha, self.r, self.order)
        return losses * p * losses.shape[-1]


def worst(losses: torch.Tensor, alpha: float, r: float, order: str = "hd") -> torch.Tensor:
    """Return the distribution over a batch's rows (..., B) that has the largest mean of the losses
    (..., B), of the type of ``losses``.

    Order ``hd``: max sum_i p_i l_i over q, the uniform distribution less a mass of ``alpha`` that
    moves to the largest loss, and p with KL(q || p) <= ``r``. The mass is taken from the *smallest*
    losses, and p_i = q_i / (eta - l_i) up to a factor. Order ``hr``: first KL(uniform || q) <= r,
    then the mass moves; the losses below a threshold nu count as nu, and nu is where a mass of
    alpha lies below. Source: arXiv:2303.02251; RyanLucas3/HR_Neural_Networks, HR.py.

    Args:
        losses: of the rows, any finite numbers.
        alpha: mass that moves, in [0, 1).
        r: most divergence, 0 or more.
        order: ``hd`` or ``hr``.
    """
    value, place = losses.double().sort(-1)
    uniform = torch.full_like(value, 1 / value.shape[-1])
    if order == "hd":
        p = tilted(value, moved(uniform, alpha), r)
    else:
        p = moved(tilted(value, uniform, r, _threshold(value, uniform, alpha, r)), alpha)
    return torch.zeros_like(value).scatter(-1, place, p).to(losses.dtype)


def moved(q: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return q (..., B), of rows sorted by their losses, less a mass of ``alpha`` of the first
    rows, which the last one gets.
    """
    left = (q.cumsum(-1) - alpha).clamp_min(0)
    kept = torch.minimum(q, left)
    last = torch.zeros_like(q)
    last[..., -1] = alpha
    return kept + last


def tilted(
    losses: torch.Tensor, q: torch.Tensor, r: float, floor: torch.Tensor | None = None
) -> torch.Tensor:
    """Return p (..., B) with the largest mean of losses (..., B), sorted, among those with
    KL(q || p) <= r, for q (..., B) whose last entry is above 0.

    p_i is q_i / (eta - l_i) up to a factor, and eta above the largest loss solves
    sum q_i log(eta - l_i) + log sum q_i / (eta - l_i) = r, whose left side falls: a bisection on
    the logarithm of eta minus the largest loss.

    Args:
        losses: sorted from the smallest.
        q: the distribution to start from.
        r: most divergence; at 0 q is the answer.
        floor: losses below it count as it (..., 1); None: none do.
    """
    if r == 0:
        return q
    losses = losses if floor is None else torch.maximum(losses, floor)
    gap = losses[..., -1:] - losses
    scale = gap[..., :1].clamp_min(1e-12)
    # no lower than what float64 holds the inverse of: there all mass is on the largest loss
    least = (-40 - r / (1 - q[..., -1:]).clamp_min(1e-2)).clamp_min(-650)
    low, high = scale.log() + least, scale.log() + 30
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        apart = middle.exp() + gap
        divergence = (q * apart.log()).sum(-1, keepdim=True)
        divergence += (q / apart).sum(-1, keepdim=True).log()
        above = divergence > r
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    p = q / (high.exp() + gap)
    return p / p.sum(-1, keepdim=True)


def _threshold(value: torch.Tensor, q: torch.Tensor, alpha: float, r: float) -> torch.Tensor:
    """Return nu (..., 1), which minimises max_p sum p_i max(l_i, nu) + alpha (W - nu) over nu <= W,
    W the largest of the losses (..., B): a convex function, looked up at places ever finer.
    """
    low, high = value[..., :1], value[..., -1:]
    places = torch.linspace(0, 1, PLACES, dtype=value.dtype, device=value.device)
    for _ in range(FINER):
        nu = low + (high - low) * places  # (..., P)
        clipped = torch.maximum(value[..., None, :], nu[..., None])
        p = tilted(clipped, q[..., None, :].expand_as(clipped), r)
        found = (p * clipped).sum(-1) + alpha * (value[..., -1:] - nu)
        best = found.argmin(-1, keepdim=True)
        low, high = (nu.gather(-1, (best + by).clamp(0, PLACES - 1)) for by in (-1, 1))
    return (low + high) / 2
