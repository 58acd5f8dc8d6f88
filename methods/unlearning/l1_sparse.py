"""L1-sparse unlearning (arXiv:2304.04934): fine-tune towards a sparse model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Nets, UnlearningMethod, step


class L1Sparse(UnlearningMethod):
    """Fine-tuning on R with a penalty gamma_t |theta|_1 whose weight falls linearly to 0."""

    card: ClassVar = MethodCard(
        name="l1-sparse",
        title="L1-sparse unlearning",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2304.04934",
        bibtex="""@inproceedings{jia2023model,
  title = {Model Sparsity Can Simplify Machine Unlearning},
  author = {Jia, Jinghan and Liu, Jiancheng and Ram, Parikshit and Yao, Yuguang and Liu, Gaowen and
    Liu, Yang and Sharma, Pranay and Liu, Sijia},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2304.04934},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Defaults are this project's small-data values, with a falling rate; the official "
        "ones are in 'settings'.",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"alpha": (0.00005, 0.0002, 0.001), "lr": (0.04, 0.08, 0.16)},
    )
    settings: ClassVar = {
        "cifar10": {"alpha": 0.2, "lr": 0.01, "epochs": 10, "falling": False},
        "worst-case": {"alpha": 0.001, "lr": 0.01, "epochs": 10, "falling": False},
    }
    alpha: Annotated[float, Meta(ge=0)] = 0.0002
    """Weight of the penalty at the start; 0 is fine-tuning."""
    lr: Annotated[float, Meta(gt=0)] = 0.08
    """Learning rate at the start."""
    falling: bool = True
    """The rate falls to 0 along a half cosine; else it is constant."""
    epochs: Annotated[int, Meta(ge=0)] = 10
    """Passes over R."""

    def unlearn(self, group: Group) -> Nets:
        """Fine-tune with gamma_t = alpha (1 - t / epochs)."""
        nets = group.originals()
        rows, optimiser = group.rows(group.retain, "retain"), group.sgd(nets, self.lr)
        for epoch, batch in group.walk(rows, optimiser, self.epochs, self.falling):
            gamma = self.alpha * (1 - epoch / self.epochs)
            norm = sum(parameter.abs().flatten(1).sum(1) for parameter in nets.parameters())
            step(optimiser, group.loss(nets(batch.x), batch.y) + gamma * norm[:, None])
        return nets
