"""Metadata archaeology, MAP-D (arXiv:2209.10015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.label_errors import out_of_fold
from bench.tracks.noisy_labels import (
    Batch,
    NoisyLabelMethod,
    Problem,
    Seeds,
    Solution,
    cross_entropy,
)

KINDS = ("typical", "atypical", "corrupted input", "random label")
RANDOM = KINDS.index("random label")


class Probes(msgspec.Struct, frozen=True):
    """Rows of known kind: ``rows`` (2, 4 p), for each net p of each kind in the order of ``KINDS``;
    ``labels`` (2, N + p) to train on.

    The corrupted inputs are p further rows behind the N of the problem.
    """

    rows: torch.Tensor
    labels: torch.Tensor
    x: torch.Tensor

    @property
    def kinds(self) -> torch.Tensor:
        """The kind of each of ``rows``' columns."""
        return torch.arange(len(KINDS), device=self.rows.device).repeat_interleave(
            self.rows.shape[1] // len(KINDS)
        )


def probes_of(
    problem: Problem, probabilities: torch.Tensor, generator: np.random.Generator, share: float
) -> Probes:
    """Choose the probes of a problem.

    Typical: the highest out-of-fold probability of the given label; atypical: the lowest among rows
    whose most likely label is the given one. Random label: other rows for each net, whose label is
    drawn anew among the other classes. Corrupted: copies of any rows with Gaussian noise of twice
    the inputs' standard deviation.
    """
    rows, device = len(problem.y), problem.x.device
    count = max(1, min(max(20, round(share * rows)), rows // 8))
    order = generator.permutation(rows)
    y, p = problem.y.cpu().numpy()[order], probabilities.cpu().numpy()[order]
    own = p[np.arange(rows), y]
    # rows the model agrees with first, the unlikeliest of them in front
    ranked = order[np.lexsort((own, p.argmax(1) != y))]
    atypical = ranked[:count]
    typical = order[np.lexsort((-own, np.isin(order, atypical)))][:count]
    free = generator.permutation(np.setdiff1d(np.arange(rows), np.concatenate([typical, atypical])))
    drawn = np.stack([free[:count], free[count : 2 * count]])
    copied = generator.integers(0, rows, count)
    labels = np.concatenate([problem.y.cpu().numpy(), problem.y.cpu().numpy()[copied]])[
        None
    ].repeat(2, 0)
    for net in (0, 1):
        labels[net, drawn[net]] = (
            labels[net, drawn[net]] + generator.integers(1, problem.n_classes, count)
        ) % problem.n_classes
    noise = generator.standard_normal((count, *problem.x.shape[1:])).astype(np.float32)
    corrupted = problem.x[
        torch.from_numpy(copied).to(device)
    ] + 2 * problem.x.std() * torch.from_numpy(noise).to(problem.x)
    extra = np.arange(rows, rows + count)
    chosen = np.stack([np.concatenate([typical, atypical, extra, drawn[net]]) for net in (0, 1)])
    return Probes(
        torch.from_numpy(chosen).to(device),
        torch.from_numpy(labels).to(device),
        torch.cat([problem.x, corrupted]),
    )


class _Probed(Problem, frozen=True, kw_only=True):
    """A problem with its probes among the rows."""

    probes: Probes


class _State:
    """The labels of both nets (2, K * N') and each row's loss in each epoch (2, K * N', E)."""

    def __init__(self, seeds: Seeds) -> None:
        self.probes: list[Probes] = [problem.probes for problem in seeds.problems]
        self.labels = torch.stack([own.labels for own in self.probes], 1).flatten(1)
        self.losses = seeds.zeros(2, seeds.members * seeds.n_rows, seeds.problem.epochs)


class MetadataArchaeology(NoisyLabelMethod):
    """Train with rows of known kind among the others; a row whose losses
    run like those of random labels has a wrong one.
    """

    card: ClassVar = MethodCard(
        name="mapd",
        title="Metadata archaeology (MAP-D)",
        track="label-errors",
        paper="arXiv:2209.10015",
        bibtex="""@inproceedings{siddiqui2023metadata,
  title = {Metadata Archaeology: Unearthing Data Subsets by Leveraging Training Dynamics},
  author = {Siddiqui, Shoaib Ahmed and Rajkumar, Nitarshan and Maharaj, Tegan and Krueger, David and
    Hooker, Sara},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2209.10015},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Probes are max(20, 2 %) rows a kind, at most an eighth, instead of 250; "
        "typical and atypical ones by out-of-fold probability, since the paper's scores are "
        "external files. Losses are noted when a row is trained on. Two nets, so that rows whose "
        "label was redrawn are judged too.",
        signal="dynamics",
        libraries=("sklearn",),
        stacked=True,
        defaults_from="here",
        trials=None,
    )
    nets: ClassVar[int] = 2
    k: Annotated[int, Meta(ge=1)] = 20
    """Neighbours among the probes, by Euclid's distance of the losses of all epochs."""
    share: Annotated[float, Meta(gt=0, le=0.125)] = 0.02
    """Probes of a kind as a share of the rows."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Put the probes among the rows, then train."""
        probed = []
        for problem, run in zip(problems, runs, strict=True):
            probes = probes_of(
                problem,
                out_of_fold(problem, run),
                run.numpy_generator("method", "probes"),
                self.share,
            )
            fields = {name: getattr(problem, name) for name in problem.__struct_fields__}
            probed.append(
                _Probed(**{**fields, "x": probes.x, "y": probes.labels[0]}, probes=probes)
            )
        return NoisyLabelMethod.solve_stacked(self, probed, runs)

    def start(self, seeds: Seeds) -> _State:
        """Make room for the losses."""
        return _State(seeds)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy on the net's own labels; noted."""
        losses = cross_entropy(logits, state.labels[:, batch.flat])
        state.losses[:, batch.flat, batch.epoch] = losses.detach()
        return losses

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Suspicion: the share of random labels among the nearest probes;
        flagged where no other kind has as many.
        """
        losses = state.losses.view(2, seeds.members, seeds.n_rows, -1)
        judged = [self.judge(losses[:, k], probes) for k, probes in enumerate(state.probes)]
        return [{"clean_score": -share, "kept": ~flags} for share, flags in judged]

    def judge(self, losses: torch.Tensor, probes: Probes) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the share of random labels among each row's nearest probes (N,), and whether they
        are the most frequent kind (N,).

        Args:
            losses: (2, N', E).
            probes: of the same problem.
        """
        rows = losses.shape[1] - probes.rows.shape[1] // len(KINDS)
        shares = []
        for net in (0, 1):
            own = probes.rows[net]
            curves = losses[net].double()
            # by differences: by a product of matrices, equal curves would lie apart by rounding
            distances = torch.cdist(
                curves[:rows], curves[own], compute_mode="donot_use_mm_for_euclid_dist"
            )
            columns = (own < rows).nonzero()[:, 0]
            distances[own[columns], columns] = torch.inf  # no row is its own neighbour
            shares.append(_shares(distances, probes.kinds, self.k))
        redrawn = torch.zeros(2, rows, 1, dtype=torch.float64, device=losses.device)
        for net in (0, 1):
            redrawn[net, probes.rows[net][probes.kinds == RANDOM]] = 1
        # rounded: .1 + .2 and .15 + .15 are one suspicion, and neither kind has more
        mean = ((torch.stack(shares) * (1 - redrawn)).sum(0) / (1 - redrawn).sum(0)).round(
            decimals=9
        )
        others = mean.clone()
        others[:, RANDOM] = -1
        return mean[:, RANDOM], mean[:, RANDOM] > others.amax(1)


def _shares(distances: torch.Tensor, kinds: torch.Tensor, k: int) -> torch.Tensor:
    """Return the share of each kind among the ``k`` nearest probes (n, kinds), float64; probes as
    far as the k-th share the places that are left, whatever their order.

    Args:
        distances: of n rows to the probes (n, m); infinite: not a neighbour.
        kinds: of the probes (m,).
        k: number of neighbours; of fewer probes, all.
    """
    sorted_distances = distances.sort(1).values
    count = distances.isfinite().sum(1, keepdim=True).clamp_max(k)
    limit = sorted_distances.gather(1, (count - 1).clamp_min(0))
    nearer = distances < limit
    level = (distances == limit) & distances.isfinite()
    left = (count - nearer.sum(1, keepdim=True)) / level.sum(1, keepdim=True).clamp_min(1)
    one_hot = torch.nn.functional.one_hot(kinds, len(KINDS)).double()
    found: torch.Tensor = (nearer.double() + level.double() * left) @ one_hot
    return found / count.clamp_min(1)
