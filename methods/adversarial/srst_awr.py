"""SRST-AWR: adversarial training with few labels (arXiv:2308.04061)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.errors import BenchError
from bench.tracks.adversarial import (
    AdversarialMethod,
    Attacks,
    Batch,
    Problem,
    Seeds,
    divergence,
    smoothed,
)
from bench.training import attacks
from bench.training.nets import StackedNet
from bench.training.rows import beside


class _State(Attacks):
    """The attacks on unlabelled rows: these (K, M, ...), the teacher's probabilities (K, M, C), and
    which of them each step of an epoch takes.
    """

    def __init__(self, seeds: Seeds, neighbours: int) -> None:
        super().__init__(seeds)
        problems: Any = seeds.problems
        self.x = torch.stack([problem.unlabelled for problem in problems]).to(seeds.device)
        if self.x.shape[1] < seeds.steps:
            raise BenchError(
                f"srst-awr takes unlabelled rows in each of the {seeds.steps} steps of an epoch, "
                f"but there are {self.x.shape[1]}; take a larger batch, or more unlabelled rows."
            )
        teacher = torch.stack([_propagated(problem, neighbours) for problem in problems])
        self.teacher = teacher.to(seeds.device)
        self._orders = [run.torch_generator("method", "rows", device="cpu") for run in seeds.runs]

    def draw(self) -> None:
        """Draw an epoch: an order of the unlabelled rows, cut into as many parts as there are
        steps, and starting points.
        """
        rows = self.x.shape[1]
        order = torch.stack([torch.randperm(rows, generator=own) for own in self._orders])
        self.parts = order.to(self.x.device).tensor_split(self.seeds.steps, 1)
        shape = (rows, *self.x.shape[2:])
        drawn = torch.stack([torch.rand(shape, generator=own) for own in self._generators])
        self.noise = (2 * drawn - 1).to(self.x.device).tensor_split(self.seeds.steps, 1)


class SemiSupervised(AdversarialMethod):
    """Fit the labelled rows, follow a teacher on unlabelled ones, and regularise those that the
    teacher and the net are sure of, or that an attack moves (algorithm 1).
    """

    card: ClassVar = MethodCard(
        name="srst-awr",
        title="SRST-AWR",
        track="adversarial",
        paper="arXiv:2308.04061",
        bibtex="""@inproceedings{yang2023enhancing,
  title = {Enhancing Adversarial Robustness in Low-Label Regime via Adaptively Weighted
    Regularization and Knowledge Distillation},
  author = {Yang, Dongyoon and Kong, Insung and Kim, Yongdai},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2308.04061},
  archivePrefix = {arXiv}
}""",
        claim="With a semi-supervised teacher and a tenth of the labels, nets are nearly as "
        "robust as with all of them.",
        official_code="ok",
        deviates="The teacher is label propagation along nearest neighbours, not FixMatch. Steps, "
        "rate and schedule are the task's; a step takes an equal part of the unlabelled rows. "
        "The attack raises the cross entropy of the teacher's label, as the authors' settings for "
        "CIFAR-100 and STL-10 do; those for CIFAR-10, which the weights are from, raise the "
        "divergence. The authors average weights; here no method does.",
        needs=("unlabelled",),
        libraries=("sklearn",),
        stacked=True,
        defaults_from="paper",
        tuning={"lam": (5.0, 10.0, 20.0), "gamma": (1.0, 4.0)},
    )
    lam: Annotated[float, Meta(ge=0)] = 20.0
    """Weight of the divergence under attack."""
    gamma: Annotated[float, Meta(ge=0)] = 4.0
    """Weight of the distance from the teacher."""
    temperature: Annotated[float, Meta(gt=0)] = 1.2
    """What teacher and net are softened by where they are compared."""
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of the labels that is spread over all classes."""
    balance: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the weight that agreement with the teacher has; the rest is the attack's success."""
    neighbours: Annotated[int, Meta(ge=1)] = 7
    """Neighbours along which labels are propagated."""

    def start(self, seeds: Seeds) -> _State:
        """Label the unlabelled rows."""
        return _State(seeds, self.neighbours)

    def forward(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the labelled rows, of the step's unlabelled ones and of these
        attacked, one after the other (K, B + 2 b, C).
        """
        assert isinstance(state, _State)
        rows = state.parts[batch.step]
        x, teacher = beside(state.x, rows), beside(state.teacher, rows)
        start = (x + state.ball.eps * state.noise[batch.step]).clamp(0, 1)
        attacked = state.ascend(nets, attacks.cross_entropy(teacher.argmax(-1)), x, start)
        state.seeds.count(forward=2 * rows.shape[1], backward=2 * rows.shape[1])
        logits: torch.Tensor = nets(torch.cat([batch.x, x, attacked], 1))
        return logits

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Smoothed CE of the labelled rows + gamma KL(teacher || p) + lam KL(p || p_adv) w, means
        of each, (K, 1).
        """
        assert isinstance(state, _State)
        rows = state.parts[batch.step]
        sizes = (batch.y.shape[1], rows.shape[1], rows.shape[1])
        labelled, clean, attacked = logits.split(sizes, 1)
        teacher = beside(state.teacher, rows)
        soft = (teacher.clamp_min(1e-8).log() / self.temperature).log_softmax(-1)
        follow = divergence(soft, clean / self.temperature)
        agree = (teacher * clean.softmax(-1)).sum(-1)
        moved = 1 - (teacher * attacked.softmax(-1)).sum(-1)
        weight = self.balance * agree + (1 - self.balance) * moved
        known = smoothed(labelled, batch.y, self.smoothing).mean(1, keepdim=True)
        regular = divergence(clean, attacked) * weight
        return known + (self.gamma * follow + self.lam * regular).mean(1, keepdim=True)


def _propagated(problem: Problem, neighbours: int) -> torch.Tensor:
    """Return the probabilities (M, C) that label propagation gives the unlabelled rows."""
    from sklearn.semi_supervised import LabelSpreading

    assert problem.unlabelled is not None, "the card's need is met"
    x = torch.cat([problem.x, problem.unlabelled]).flatten(1).double().cpu().numpy()
    known, rows = problem.y.cpu().numpy(), len(problem.unlabelled)
    given = np.concatenate([known, np.full(rows, -1)])
    spread = LabelSpreading(
        kernel="knn", n_neighbors=min(neighbours, len(x) - 1), alpha=0.2, max_iter=200, tol=1e-4
    ).fit(x, given)
    found = torch.full((rows, problem.n_classes), 0.0)
    found[:, torch.from_numpy(spread.classes_)] = torch.from_numpy(
        np.nan_to_num(spread.label_distributions_[len(known) :])
    ).float()
    # a row that no label reached belongs to every class alike
    found = found + (found.sum(1, keepdim=True) == 0) / problem.n_classes
    return found / found.sum(1, keepdim=True)
