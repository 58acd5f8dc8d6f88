"""The clipped surrogate and its parts, from log-probabilities to one number.

Shapes: M rows, T completion columns.
"""

from __future__ import annotations

import torch

from bench.tracks.policy_optimization.method import PolicyMethod


def ratio_of(
    log_p: torch.Tensor, old: torch.Tensor, mask: torch.Tensor, level: str
) -> torch.Tensor:
    """Return the importance ratio, (M, T).

    ``token``: exp(log p - log p_old) at each token. ``sequence``: exp of its mean over the
    sequence's tokens, the same at each (arXiv:2507.18071, eq. 6).
    """
    change = torch.where(mask, log_p - old, 0.0)
    if level == "token":
        return change.exp()
    return (
        (change.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp_min(1))
        .exp()
        .expand_as(change)
    )


def clipped_loss(
    log_p: torch.Tensor,
    old: torch.Tensor,
    mask: torch.Tensor,
    advantages: torch.Tensor,
    weight: torch.Tensor,
    method: PolicyMethod,
    longest: int,
    silent: float = 0.0,
) -> torch.Tensor:
    """Return -min(ratio A, clip(ratio) A), weighted and aggregated.

    Args:
        log_p: of the tokens taken, (M, T).
        old: the same under the policy that generated them, no gradient.
        mask: completion tokens (M, T).
        advantages: (M,) or (M, T).
        weight: of each token (M, T), 0 outside ``mask``.
        method: says ratio, clip and aggregation.
        longest: most tokens a rollout may have.
        silent: completion tokens of rows without a kept one, which are not among the rows here.
    """
    ratio = ratio_of(log_p, old, mask, method.level)
    advantages = advantages if advantages.dim() == 2 else advantages[:, None]
    terms = -torch.minimum(
        ratio * advantages, ratio.clamp(1 - method.clip_low, 1 + method.clip_high) * advantages
    )
    terms = torch.where(weight > 0, terms, 0.0)
    return aggregate(terms, weight, mask, method.aggregation, longest, silent)


def aggregate(
    terms: torch.Tensor,
    weight: torch.Tensor,
    mask: torch.Tensor,
    how: str,
    longest: int,
    silent: float = 0.0,
) -> torch.Tensor:
    """Return one number from terms (M, T): over all kept tokens, over all completion tokens (those
    of ``mask`` and the ``silent`` ones), over sequences of the means of their kept tokens, or over
    rows times the longest length.
    """
    summed = (terms * weight).sum(-1)
    if how == "token":
        return summed.sum() / weight.sum().clamp_min(1e-9)
    if how == "completion":
        return summed.sum() / (mask.sum() + silent).clamp_min(1)
    if how == "sequence":
        return (summed / weight.sum(-1).clamp_min(1e-9)).sum() / len(terms)
    return summed.sum() / (len(terms) * longest)


def divergence(log_p: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return exp(q) - q - 1 with q = log p_ref - log p at each token: an
    unbiased, never negative estimate of KL(p | p_ref).
    """
    q = reference - log_p
    return q.exp() - q - 1
