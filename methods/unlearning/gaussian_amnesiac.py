"""Gaussian amnesiac learning (arXiv:2210.08196)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, step


class GaussianAmnesiac(UnlearningMethod):
    """Give the rows to forget random targets with the mean and spread of
    all, and fine-tune on everything.
    """

    card: ClassVar = MethodCard(
        name="gaussian-amnesiac",
        title="Gaussian amnesiac learning",
        track="unlearning-regression",
        paper="arXiv:2210.08196",
        bibtex="""@inproceedings{tarun2023deep,
  title = {Deep Regression Unlearning},
  author = {Tarun, Ayush K and Chundawat, Vikram S and Mandal, Murari and Kankanhalli, Mohan},
  booktitle = {ICML},
  year = {2023},
  eprint = {2210.08196},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Defaults are this project's small-data values; the official ones are in "
        "'settings'.",
        stacked=True,
        defaults_from="here",
        trials=None,
    )
    settings: ClassVar = {"paper": {"lr": 0.001, "epochs": 1}}
    lr: Annotated[float, Meta(gt=0)] = 0.001
    """Adam's rate."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over all rows."""

    def unlearn(self, group: Group) -> Nets:
        """Redraw the targets, fine-tune on |error|."""
        nets = group.originals()
        mean, spread = group.y.mean(1, keepdim=True), group.y.std(1, keepdim=True)
        drawn = torch.stack(
            [
                torch.randn(group.forget.shape[1], generator=generator)
                for generator in group.generators("method", "targets")
            ]
        )
        y = group.y.scatter(1, group.forget, mean + spread * drawn.to(group.device))
        rows, optimiser = (
            group.rows(group.everything, "everything"),
            torch.optim.Adam(nets.parameters(), self.lr),
        )
        for _ in group.epochs(self.epochs):
            for batch in rows.epoch():
                step(optimiser, (nets(batch.x)[..., 0] - y.gather(1, batch.rows)).abs())
        return nets
