"""How weights are judged."""

from __future__ import annotations

import torch

from bench import Metric, Reference

REFERENCES = (
    Reference(name="none", kind="low"),
    Reference(
        name="true-weights",
        kind="high",
        title="The true weights",
        solve="tell_weights",
    ),
)
MSE_W = Metric(
    name="mse_w",
    direction="min",
    bounds=(0, None),
    title="mean squared error of the weights",
)


def size(weights: torch.Tensor) -> float:
    """Return (sum w)^2 / (n sum w^2): the share of rows that the weights are as good as."""
    return float(weights.sum().square() / (len(weights) * weights.square().sum()))
