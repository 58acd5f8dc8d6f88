"""Mean losses of the environments of a batch, without a loop over them."""

from __future__ import annotations

import torch


def environment_means(
    values: torch.Tensor, env: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of ``values`` (B,) in each environment (E,), 0 where the batch has none of
    it, and which it has (E,), bool.

    Args:
        values: one figure a graph.
        env: environment of each (B,).
        count: E.
    """
    member = (env == torch.arange(count, device=env.device)[:, None]).to(values.dtype)
    sizes = member.sum(1)
    return (member @ values) / sizes.clamp_min(1), sizes > 0
