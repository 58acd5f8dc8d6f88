"""Adversarial vertex mixup (arXiv:2003.02484)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch, Seeds
from bench.training import attacks
from bench.training.nets import StackedNet


class _State(Attacks):
    """The attacks, and where between row and vertex each row of an epoch is taken."""

    def __init__(self, seeds: Seeds) -> None:
        super().__init__(seeds)
        self._places = [run.torch_generator("method", "w", device="cpu") for run in seeds.runs]

    def draw(self) -> None:
        """Draw an epoch: starting points, and the share of the clean row (K, B) for each step."""
        super().draw()
        drawn = [torch.rand(self.seeds.drawn, generator=own) for own in self._places]
        found = torch.stack(drawn).to(self.seeds.device)
        self.w = found.split(self.seeds.problem.batch_size, 1)


class VertexMixup(AdversarialMethod):
    """Train between each row and a vertex beyond its attack, with targets that get softer on the
    way (algorithm 1).
    """

    card: ClassVar = MethodCard(
        name="avmixup",
        title="Adversarial vertex mixup",
        track="adversarial",
        paper="arXiv:2003.02484",
        bibtex="""@inproceedings{lee2020adversarial,
  title = {Adversarial Vertex Mixup: Toward Better Adversarially Robust Generalization},
  author = {Lee, Saehyung and Lee, Hyungyu and Yoon, Sungroh},
  booktitle = {CVPR},
  year = {2020},
  eprint = {2003.02484},
  archivePrefix = {arXiv}
}""",
        claim="Rows between a row and its vertex, with soft targets, close the gap between "
        "training and test robustness, at no cost in clean accuracy.",
        official_code="ok",
        deviates="Steps, rate and schedule are the task's; the vertex is put into the unit cube.",
        stacked=True,
        defaults_from="paper",
        tuning={"gamma": (1.0, 1.5, 2.0, 3.0), "far": (0.1, 0.5, 0.8)},
    )
    gamma: Annotated[float, Meta(ge=1)] = 2.0
    """Where the vertex is: so many times the attack's change."""
    near: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Target of the label at the clean row; the other classes share the rest."""
    far: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """Target of the label at the vertex."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the streams."""
        return _State(seeds)

    def attack(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return w x + (1 - w) times the vertex."""
        loss = attacks.cross_entropy(batch.y)
        attacked = state.ascend(nets, loss, batch.x, state.start(batch))
        vertex = (batch.x + self.gamma * (attacked - batch.x)).clamp(0, 1)
        w = state.w[batch.step].view(*batch.y.shape, *[1] * (batch.x.dim() - 2))
        return w * batch.x + (1 - w) * vertex

    def targets(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return w s(near) + (1 - w) s(far), (K, B, C): s(l) is l at the label and (1 - l) / (C -
        1) elsewhere.
        """
        w, classes = state.w[batch.step], state.seeds.problem.n_classes
        own = (w * self.near + (1 - w) * self.far)[..., None]
        rest = (1 - own) / max(classes - 1, 1)
        return rest.repeat(1, 1, classes).scatter(-1, batch.y[..., None], own)
