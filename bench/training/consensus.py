"""How labels change, from how often neighbours share them: high-order consensus (HOC,
arXiv:2102.05291).
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def consensus_counts(
    labels: torch.Tensor, nearest: torch.Tensor, classes: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the shares of labels (C,), of pairs (C, C) and of triples (C, C, C), float64, where a
    row, its nearest and its second nearest row have them.

    Args:
        labels: given labels (N,), int64.
        nearest: numbers of the two nearest other rows, (N, 2).
        classes: C.
    """
    own, near = labels, labels[nearest]
    triple = (own * classes + near[:, 0]) * classes + near[:, 1]
    third = torch.bincount(triple, minlength=classes**3).double().view(classes, classes, classes)
    third = third / len(labels)
    return third.sum((1, 2)), third.sum(2), third


def transition_of(
    shares: tuple[torch.Tensor, torch.Tensor, torch.Tensor], steps: int = 501, lr: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrix (C, C) of P(given | true) and the shares of true classes (C,), float64,
    under which neighbours of one true class and labels of their own would come to ``shares``.

    They are sought by Adam from a matrix that mostly keeps labels, by the sum of the distances of
    all three orders, as in UCSC-REAL/SimiFeat, hoc.py; of all steps the best counts.

    Args:
        shares: of labels (C,), pairs (C, C) and triples (C, C, C), see :func:`consensus_counts`.
        steps: of Adam.
        lr: of Adam.
    """
    first, second, third = shares
    classes = len(first)
    kept = 5.0 * torch.eye(classes, dtype=torch.float64, device=first.device) - 1.0
    matrix = kept.requires_grad_()
    prior = torch.zeros(classes, dtype=torch.float64, device=first.device, requires_grad=True)
    optimiser = torch.optim.Adam([matrix, prior], lr)
    least, best = torch.inf, (matrix.detach().softmax(1), prior.detach().softmax(0))
    for _ in range(steps):
        t, p = matrix.softmax(1), prior.softmax(0)
        pairs = (t * p[:, None]).T @ t
        triples = torch.einsum("i,ia,ib,ic->abc", p, t, t, t)
        distance = (first - p @ t).norm() + (second - pairs).norm() + (third - triples).norm()
        if distance.item() < least:
            least, best = distance.item(), (t.detach(), p.detach())
        optimiser.zero_grad()
        distance.backward()
        optimiser.step()
    return best


def soft_labels(
    x: torch.Tensor, labels: torch.Tensor, k: int, classes: int, part: int = 2048
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the labels of each row and its neighbours, weighed by their cosine with the row,
    (N, C) float64 summing to 1, and the numbers of the two nearest other rows (N, 2).

    Args:
        x: rows (N, d), not all zero.
        labels: given labels (N,), int64.
        k: rows that are counted, the row itself among them; at least 3, or all there are.
        classes: C.
        part: rows compared at once.
    """
    x = F.normalize(x.double(), dim=1)
    k = min(k, len(x))
    found, nearest = [], []
    for rows in torch.arange(len(x), device=x.device).split(part):
        cosine = x[rows] @ x.T
        cosine[torch.arange(len(rows), device=x.device), rows] = torch.inf  # itself first
        values, numbers = cosine.topk(k)
        if k > 2:
            # the row itself: as much nearer as the nearest one is than the second
            values[:, 0] = 2 * values[:, 1] - values[:, 2]
        values = values.where(values.isfinite(), 1.0).clamp_min(0)
        votes = torch.zeros(len(rows), classes, dtype=x.dtype, device=x.device)
        votes.scatter_add_(1, labels[numbers], values)
        found.append(votes / votes.sum(1, keepdim=True).clamp_min(1e-12))
        nearest.append(numbers[:, 1:3])
    return torch.cat(found), torch.cat(nearest)
