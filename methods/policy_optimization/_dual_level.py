"""The two levels of D3S (arXiv:2509.22115): rollouts by the variance of
their advantages, tokens by advantage times entropy.
"""

from __future__ import annotations

import torch

from bench.tracks.policy_optimization import (
    RolloutBatch,
    UpdatePlan,
    count_of,
    max_variance_subset,
    rows_of,
    top_tokens,
)

BIBTEX = """@misc{d3s2025,
  title = {Learning More with Less: A Dynamic Dual-Level Down-Sampling Framework for Efficient
    Policy Optimization},
  year = {2025},
  eprint = {2509.22115},
  archivePrefix = {arXiv}
}"""
UNREAD = (
    "Known from the abstract, the reviews and published notes; the paper's values of shares "
    "and schedule, and what the loss divides by, could not be read. Ours are shown."
)

ON_GSPO = (
    f"{UNREAD} The clip is GSPO's here, .02 on both sides. The ratio of a sequence is over all of "
    "its tokens; the mean over a sequence is over those that are kept."
)


def sample_level(
    batch: RolloutBatch, advantages: torch.Tensor, share: float, cross: float | None
) -> torch.Tensor:
    """Return the rows kept: of each group the share whose advantages vary most, then of all of them
    together the share ``cross`` (None: all).

    The advantages are those of the whole groups, (N,), and stay so: their scale is what makes rare
    successes and rare failures stand out in the pool.
    """
    grouped = batch.by_group(advantages)
    rows = rows_of(batch, max_variance_subset(grouped, count_of(share, grouped.shape[1])))
    return (
        rows
        if cross is None
        else rows[max_variance_subset(advantages[rows], count_of(cross, len(rows)))]
    )


def token_level(
    batch: RolloutBatch, rows: torch.Tensor, advantages: torch.Tensor, share: float
) -> UpdatePlan:
    """Keep of the rows' tokens the share of largest |A| H, over the batch."""
    kept = advantages[rows]
    scores = kept.abs()[:, None] * batch.entropy(rows)
    return UpdatePlan(
        rows=rows,
        advantages=kept,
        token_weight=top_tokens(scores, batch.completion_mask[rows], share).float(),
    )
