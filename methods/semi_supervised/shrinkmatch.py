"""Uncertain rows in a smaller class space (arXiv:2308.06777)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy
from bench.training.stack import StackedNet


class _State:
    """The last batch means of the outputs (K, window, C), the share of sure rows (K,), None before
    the first batch, and the head.
    """

    def __init__(self, members: Members, window: int) -> None:
        self.means = torch.zeros(members.members, 0, members.problem.n_classes)
        self.means = self.means.to(members.x)
        self.window = window
        self.sure: torch.Tensor | None = None
        with torch.no_grad():
            width = members.nets.features(members.x[:, :2]).shape[-1]
        narrow = max(1, width // 4)
        self.head: StackedNet = members.head("auxiliary", narrow, narrow, members.problem.n_classes)

    def aligned(self, p: torch.Tensor) -> torch.Tensor:
        """Return outputs (K, n, C) over the mean of the last batches, normalised again."""
        self.means = torch.cat([self.means, p.mean(1, keepdim=True)], 1)[:, -self.window :]
        found = p / self.means.mean(1, keepdim=True).clamp_min(1e-6)
        return found / found.sum(-1, keepdim=True)


class ShrinkMatch(SemiSupervisedMethod):
    """Use rows whose class is unsure as well: leave out the classes that they are confused with,
    until the rest makes the best one sure.
    """

    card: ClassVar = MethodCard(
        name="shrinkmatch",
        title="ShrinkMatch",
        track="semi-supervised",
        paper="arXiv:2308.06777",
        bibtex="""@inproceedings{yang2023shrinking,
  title = {Shrinking Class Space for Enhanced Certainty in Semi-Supervised Learning},
  author = {Yang, Lihe and Zhao, Zhen and Qi, Lei and Qiao, Yu and Shi, Yinghuan and Zhao,
    Hengshuang},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2308.06777},
  archivePrefix = {arXiv}
}""",
        claim="Rows below the cutoff are useful once the classes they are confused with are "
        "removed.",
        official_code="ok",
        deviates="Views, net and steps are the task's. The share of sure rows has a memory of .99, "
        "in the authors' code .999 over many more steps. The hidden layer of the auxiliary head "
        "has ReLU, in their code a batch normalisation and a leaky one.",
        inputs="pictures",
        stacked=True,
        defaults_from="here",
    )
    cutoff: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    """What is sure."""
    window: Annotated[int, Meta(ge=1)] = 32
    """Batches over which outputs are aligned."""
    memory: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    """Memory of the share of sure rows."""
    weight: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the term of unsure rows; 0: FixMatch with aligned soft targets."""

    def start(self, members: Members) -> _State:
        """Build the auxiliary head."""
        return _State(members, self.window)

    def loss(self, state: _State, members: Members, batch: Batch) -> torch.Tensor:
        """FixMatch with aligned soft targets, and the shrunk term times the share of sure rows."""
        size, many = batch.x.shape[1], batch.u.shape[1]
        views = (
            members.weak(batch.x, "labelled"),
            members.weak(batch.u, "pool"),
            members.strong(batch.u, "pool"),
        )
        features = members.nets.features(torch.cat(views, 1))
        logits = members.nets.head(features)
        members.count(forward=logits.shape[1], backward=size + many)
        own, weak, strong = logits.split([size, many, many], 1)
        p = state.aligned(weak.detach().softmax(-1))
        sure = (p.amax(-1) >= self.cutoff).to(own.dtype)
        found = soft_cross_entropy(own, batch.y).mean(1)
        found = found + (sure * soft_cross_entropy(strong, p)).mean(1)
        then = sure.mean(1) if state.sure is None else state.sure
        state.sure = self.memory * then + (1 - self.memory) * sure.mean(1)
        if not self.weight:
            members.note(batch, sure)
            return found
        rows, used = shrunk(p, state.head(features[:, size + many :]), self.cutoff)
        members.note(batch, torch.maximum(sure, used))
        return found + self.weight * state.sure * rows.mean(1)


def shrunk(
    p: torch.Tensor, logits: torch.Tensor, cutoff: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of unsure rows in their shrunk class space (..., n), and which rows have one.

    With p sorted, p_0 the largest: c is the least rank from 2 on for which p_0 over p_0 and all
    from rank c on reaches the cutoff. The classes of the ranks 1 to c - 1 are left out, and the
    loss is p_0 times the cross entropy of the best class among the rest. (Leaving out none, c = 1,
    is what makes a row unsure.)

    Args:
        p: outputs on weak views (..., n, C).
        logits: of the auxiliary head on strong views (..., n, C).
        cutoff: what is sure, in (0, 1).
    """
    ordered, ranks = p.sort(dim=-1, descending=True, stable=True)
    best = ordered[..., :1]
    tail = ordered.flip(-1).cumsum(-1).flip(-1)  # of the ranks from c on
    enough = best / (best + tail) >= cutoff
    enough[..., :2] = False
    has = enough.any(-1) & (ordered[..., 0] < cutoff)
    first = enough.int().argmax(-1, keepdim=True)
    place = torch.arange(p.shape[-1], device=p.device)
    out = (place > 0) & (place < first)
    of_rank = logits.gather(-1, ranks).masked_fill(out, -torch.inf)
    loss = best[..., 0] * (of_rank.logsumexp(-1) - of_rank[..., 0])
    return torch.where(has, loss, 0.0), has.to(p.dtype)
