"""SupReMix: contrast with mixtures of the own rows (arXiv:2309.16633)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import torch
from torch.nn import functional as F

from bench import Meta, MethodCard, Run
from bench.tracks.regression import Batch, Problem, Recipe, Seeds
from bench.training.nets import StackedNet
from bench.training.recipe import streams, train


class SupReMix(Recipe):
    """Order the features by the targets first, with mixtures as positives and negatives; then
    train as always.
    """

    card: ClassVar = MethodCard(
        name="supremix",
        title="SupReMix",
        track="regression",
        paper="arXiv:2309.16633",
        bibtex="""@article{wu2023mixup,
  title = {Mixup Your Own Pairs},
  author = {Wu, Yilei and Dong, Zijian and Chen, Chongyao and Zhou, Wangchunshu and Zhou, Juan
    Helen},
  journal = {arXiv preprint},
  year = {2023},
  eprint = {2309.16633},
  archivePrefix = {arXiv}
}""",
        claim="Contrasting a row with mixtures, of its own features with others as hard negatives "
        "and of two rows around its target as positives, gives features that follow the target, "
        "and better regression.",
        official_code="none",
        deviates="Abstract and figure were read, and the authors' repository holds no code. The "
        "weights of the negatives are their distances in the target; mixtures with the anchor "
        "have the weight lam of the step. Two rows around the anchor are drawn from its batch.",
        signal="labels",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"temperature": (0.1, 0.3, 1.0), "epochs_share": (0.25, 0.5, 1.0)},
    )
    temperature: Annotated[float, Meta(gt=0)] = 0.3
    """What the cosines are divided by."""
    epochs_share: Annotated[float, Meta(gt=0)] = 0.5
    """Epochs of the first stage, as a share of the task's."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Train the features, then the net."""
        seeds = Seeds(problems, runs)
        seeds.nets = seeds.build()
        epochs = max(1, round(self.epochs_share * problems[0].epochs))
        first = seeds.part(None, "first")
        first.problem = msgspec.structs.replace(seeds.problem, epochs=epochs)
        stage = _Contrast(temperature=self.temperature)
        train(stage, first, _State(first), report=False)
        train(self, seeds, None)
        return self.solutions(None, seeds)


class _State:
    """Each member's streams, and the weights and the random keys of an epoch."""

    def __init__(self, seeds: Seeds) -> None:
        self.seeds = seeds
        self.weights, self.keys = streams(seeds.runs, "lam"), streams(seeds.runs, "keys")


class _Contrast(Recipe):
    """The first stage."""

    temperature: float = 0.3

    def draw(self, state: _State, epoch: int) -> None:
        """Draw a weight a step, and for every row two numbers by which its positive is drawn."""
        seeds = state.seeds
        lam = [torch.from_numpy(own.beta(2.0, 2.0, seeds.steps)) for own in state.weights]
        keys = [torch.from_numpy(own.random((seeds.drawn, 2))) for own in state.keys]
        state.lam = torch.stack(lam).float().to(seeds.device)  # type: ignore[attr-defined]
        every = torch.stack(keys).float().to(seeds.device)
        state.places = every.split(seeds.problem.batch_size, 1)  # type: ignore[attr-defined]

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the normalised features (K, B, D)."""
        return F.normalize(nets.features(batch.x), dim=-1)

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Contrast of each anchor; 0 of one whose target no two others of the batch bracket."""
        found = contrast(
            logits,
            batch.y,
            state.lam[:, batch.step],
            state.places[batch.step],
            self.temperature,
        )
        return found


def contrast(
    features: torch.Tensor,
    y: torch.Tensor,
    lam: torch.Tensor,
    places: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Return -log( e^(s+ / T) / (e^(s+ / T) + sum_j w_ij e^(s_ij / T)) ) of every anchor (K, B).

    The positive of anchor i is the mixture of a row whose target is at most y_i and one whose is
    at least y_i, neither being i, with the weight that interpolates to y_i. Negatives are all
    other rows j, and the mixtures lam z_i + (1 - lam) z_j, whose target lies between;
    w is the distance of the targets.

    Args:
        features: of length 1 (K, B, D).
        y: targets (K, B).
        lam: the anchor's share in its negatives (K,), in [0, 1].
        places: two numbers in [0, 1) a row, by which the two rows are drawn (K, B, 2).
        temperature: T.
    """
    rows = y.shape[1]
    other = ~torch.eye(rows, dtype=torch.bool, device=y.device)
    apart = y[:, None] - y[:, :, None]  # (i, j): y_j - y_i
    below, above = (apart <= 0) & other, (apart >= 0) & other
    low, high = (_pick(side, places[..., n]) for n, side in enumerate((below, above)))
    y_low, y_high = y.gather(1, low), y.gather(1, high)
    span = (y_high - y_low).clamp_min(1e-12)
    share = torch.where(y_high > y_low, (y - y_low) / span, torch.zeros_like(y))[..., None]
    wide = features.shape[-1]
    z_low, z_high = (
        features.gather(1, side[..., None].expand(-1, -1, wide)) for side in (low, high)
    )
    positive = F.normalize((1 - share) * z_low + share * z_high, dim=-1)
    scale = 1 / temperature
    s_positive = (features * positive).sum(-1) * scale
    cosines = features @ features.mT
    own = lam[:, None, None]
    # the cosine of z_i with lam z_i + (1 - lam) z_j, from that of z_i with z_j
    length = (own**2 + (1 - own) ** 2 + 2 * own * (1 - own) * cosines).clamp_min(1e-12).sqrt()
    hard = (own + (1 - own) * cosines) / length
    distance = apart.abs()
    weights = torch.cat([distance, (1 - own) * distance], -1).clamp_min(1e-12)
    negatives = torch.cat([cosines, hard], -1) * scale + weights.log()
    negatives = negatives.masked_fill(~other.repeat(1, 2), -torch.inf)
    every = torch.cat([s_positive[..., None], negatives], -1)
    losses = every.logsumexp(-1) - s_positive
    return losses * (below.any(-1) & above.any(-1))


def _pick(rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return one of the rows (K, B, B), bool, for each anchor (K, B), as the numbers (K, B) say."""
    sums = rows.to(places).cumsum(-1)
    wanted = (places * sums[..., -1]).floor()[..., None] + 0.5
    return torch.searchsorted(sums, wanted)[..., 0].clamp_max(rows.shape[-1] - 1)
