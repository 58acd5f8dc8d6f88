"""Blindspot unlearning (arXiv:2210.08196)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, step


class Blindspot(UnlearningMethod):
    """Follow on S a net that has seen R only briefly, in its outputs and
    in its layers; stay with the targets on R.
    """

    card: ClassVar = MethodCard(
        name="blindspot",
        title="Blindspot unlearning",
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
        deviates=(
            "Defaults are this project's small-data values; the official ones are in 'settings'. A "
            "layer of units instead of channels has one square a unit as its attention."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
    )
    settings: ClassVar = {
        "paper": {"lr": 0.001, "epochs": 1, "proxy_lr": 0.01, "proxy_epochs": 2, "attention": 50.0}
    }
    lr: Annotated[float, Meta(gt=0)] = 0.001
    """Adam's rate."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over all rows."""
    proxy_lr: Annotated[float, Meta(gt=0)] = 0.01
    """Adam's rate for the net that has not seen S."""
    proxy_epochs: Annotated[int, Meta(ge=0)] = 2
    """Its passes over R."""
    attention: Annotated[float, Meta(ge=0)] = 50.0
    """Weight of the distance between layers."""

    def unlearn(self, group: Group) -> Nets:
        """Train the proxy, then follow it on S: c [L1(proxy) + attention]
        + (1 - c) L1(targets), c the share of a batch that is in S.
        """
        proxy = group.fresh("method", "proxy")
        retain, optimiser = (
            group.rows(group.retain, "retain"),
            torch.optim.Adam(proxy.parameters(), self.proxy_lr),
        )
        for _ in range(self.proxy_epochs):
            for batch in retain.epoch():
                step(optimiser, (proxy(batch.x)[..., 0] - batch.y).abs())
        proxy.requires_grad_(False)
        nets = group.originals()
        forgotten = torch.zeros_like(group.y).scatter_(1, group.forget, 1.0)
        rows, optimiser = (
            group.rows(group.everything, "everything"),
            torch.optim.Adam(nets.parameters(), self.lr),
        )
        for _ in group.epochs(self.epochs):
            for batch in rows.epoch():
                inside = forgotten.gather(1, batch.rows)
                step(
                    optimiser,
                    self.losses(nets.layers(batch.x), proxy.layers(batch.x), batch.y, inside),
                )
                group.count(forward=batch.y.shape[1])
        return nets

    def losses(
        self,
        layers: list[torch.Tensor],
        guide: list[torch.Tensor],
        y: torch.Tensor,
        inside: torch.Tensor,
    ) -> torch.Tensor:
        """Return the loss of each member, (M, 1), for layers (M, B,
        width), those of the proxy, targets and what is in S (M, B).
        """
        share = inside.mean(-1, keepdim=True)
        count = inside.sum(-1, keepdim=True)
        near = (layers[-1][..., 0] - guide[-1][..., 0]).abs()
        for layer, other in zip(layers[:-1], guide[:-1], strict=True):
            near = near + self.attention * (attention(layer) - attention(other)).square().mean(-1)
        right = (layers[-1][..., 0] - y).abs()
        on_forgotten = (near * inside).sum(-1, keepdim=True) / count.clamp_min(1)
        on_retained = (right * (1 - inside)).sum(-1, keepdim=True) / (y.shape[1] - count).clamp_min(
            1
        )
        return share * on_forgotten + (1 - share) * on_retained


def attention(layer: torch.Tensor) -> torch.Tensor:
    """Return the squares of a layer's units (M, B, width), scaled to length 1 a row."""
    return torch.nn.functional.normalize(layer.square(), dim=-1)
