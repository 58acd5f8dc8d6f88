"""Area under the margin (arXiv:2001.10528)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import (
    Batch,
    NoisyLabelMethod,
    Problem,
    Seeds,
    Solution,
    cross_entropy,
)


class _State:
    """For each of the two nets the labels it is trained on, which of them are fake, and the sum of
    each row's margins; all (2, K * N).
    """

    def __init__(self, seeds: Seeds) -> None:
        fake = seeds.problem.n_classes - 1
        count = seeds.n_rows // (fake + 1)
        orders = [
            torch.from_numpy(run.numpy_generator("method", "fake").permutation(seeds.n_rows))
            for run in seeds.runs
        ]
        self.fake = seeds.zeros(2, seeds.members, seeds.n_rows, dtype=torch.bool)
        for k, order in enumerate(orders):
            self.fake[0, k, order[:count]] = True
            self.fake[1, k, order[count : 2 * count]] = True
        self.labels = seeds.y.expand(2, -1, -1).masked_fill(self.fake, fake).flatten(1)
        self.margins = seeds.zeros(2, seeds.members * seeds.n_rows)


class AreaUnderMargin(NoisyLabelMethod):
    """Two nets, each with an extra class given to rows of its own; a row
    is wrong whose margin is no better than theirs.
    """

    card: ClassVar = MethodCard(
        name="aum",
        title="Area under the margin",
        track="label-errors",
        paper="arXiv:2001.10528",
        bibtex="""@inproceedings{pleiss2020identifying,
  title = {Identifying Mislabeled Data using the Area Under the Margin Ranking},
  author = {Pleiss, Geoff and Zhang, Tianyi and Elenberg, Ethan and Weinberger, Kilian Q.},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2001.10528},
  archivePrefix = {arXiv}
}""",
        deviates="Margins are averaged over all epochs of the task's schedule; the paper stops "
        "where the learning rate first drops. The two passes run side by side, and the ranking "
        "takes the mean of both where a row is real in both. N / (C + 1) rows are fake; the "
        "authors' code takes N / C.",
        official_code="ok",
        signal="dynamics",
        stacked=True,
        defaults_from="paper",
    )
    nets: ClassVar[int] = 2
    percentile: Annotated[float, Meta(ge=0, le=100)] = 99.0
    """A row is flagged whose margin is below this percentile of those of the fake class."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train with one class more."""
        wider = [
            msgspec.structs.replace(problem, n_classes=problem.n_classes + 1)
            for problem in problems
        ]
        return NoisyLabelMethod.solve_stacked(self, wider, runs)

    def start(self, seeds: Seeds) -> _State:
        """Give N / (C + 1) rows to the fake class, other ones in each net."""
        return _State(seeds)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy on the net's own labels; the margins z_y - max_{c != y} z_c are noted."""
        labels = state.labels[:, batch.flat]
        z, own = logits.detach(), labels[..., None]
        state.margins[:, batch.flat] += z.gather(-1, own)[..., 0] - z.scatter(
            -1, own, -torch.inf
        ).amax(-1)
        return cross_entropy(logits, labels)

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Judge each row once: by the first net, and the rows that were
        fake there by the second.
        """
        aum = (state.margins / seeds.problem.epochs).view(2, seeds.members, -1)
        real = (~state.fake).float()
        score = (aum * real).sum(0) / real.sum(0)
        found = []
        for k in range(seeds.members):
            limits = (
                [
                    torch.quantile(aum[net, k][state.fake[net, k]], self.percentile / 100)
                    for net in (0, 1)
                ]
                if state.fake.any()
                else [-torch.inf, -torch.inf]
            )
            flags = torch.where(state.fake[0, k], aum[1, k] < limits[1], aum[0, k] < limits[0])
            found.append({"clean_score": score[k], "kept": ~flags})
        return found
