"""Bad teaching (arXiv:2205.08096): learn from an ignorant teacher on S, from the original on R."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, beside, divergence, step


class BadTeacher(UnlearningMethod):
    """Distil a net with random weights on S, and the original on a share
    of R, batch by batch together.
    """

    card: ClassVar = MethodCard(
        name="bad-teacher",
        title="Bad teaching induces forgetting",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2205.08096",
        bibtex="""@inproceedings{chundawat2023can,
  title = {Can Bad Teaching Induce Forgetting? Unlearning in Deep Networks Using an Incompetent
    Teacher},
  author = {Chundawat, Vikram S and Tarun, Ayush K and Mandal, Murari and Kankanhalli, Mohan},
  booktitle = {AAAI},
  year = {2023},
  eprint = {2205.08096},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="SGD instead of Adam. The official code averages the divergence over classes too, "
        "which only scales the learning rate.",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.0002, 0.0005, 0.001, 0.002), "epochs": (2, 5)},
    )
    settings: ClassVar = {"cifar10": {"lr": 0.0001, "epochs": 1, "temperature": 1.0, "share": 0.3}}
    lr: Annotated[float, Meta(gt=0)] = 0.0005
    """Learning rate, constant."""
    epochs: Annotated[int, Meta(ge=0)] = 2
    """Passes over S and the share of R."""
    share: Annotated[float, Meta(ge=0, le=1)] = 0.3
    """Share of R that is used."""
    temperature: Annotated[float, Meta(gt=0)] = 1.0
    """T of the divergence."""

    def unlearn(self, group: Group) -> Nets:
        """Distil KL(teacher || student)."""
        nets = group.originals()
        count = round(self.share * group.retain.shape[1])
        chosen = torch.stack(
            [
                torch.randperm(group.retain.shape[1], generator=generator)[:count]
                for generator in group.generators("method", "share")
            ]
        )
        stays = group.retain.gather(1, chosen.to(group.device))
        used = torch.cat([group.forget, stays], 1)
        # each is 0 where the other speaks
        taught = group.known(group.originals(), stays)
        taught += group.known(group.fresh("method", "teacher"), group.forget)
        rows, optimiser = group.rows(used, "used"), group.sgd(nets, self.lr)
        for _ in group.epochs(self.epochs):
            for batch in rows.epoch():
                step(
                    optimiser,
                    divergence(beside(taught, batch.rows), nets(batch.x), self.temperature),
                )
        return nets
