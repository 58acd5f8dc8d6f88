"""Weights of classes by their size."""

from __future__ import annotations

import torch

from bench.training.recipe import Batch, cross_entropy


def effective(sizes: torch.Tensor, beta: float) -> torch.Tensor:
    """Return (1 - beta) / (1 - beta^n) for class sizes (K, C), scaled to the sum C of each member;
    the inverse of the effective number of rows (arXiv:1901.05555, equation 2).
    """
    weights = (1 - beta) / (1 - beta ** sizes.double())
    return (weights / weights.mean(-1, keepdim=True)).float()


def of_rows(weights: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the weights (K, B) of a batch's rows, of weights of classes (K, C)."""
    return weights.gather(1, batch.y)


def weighted(losses: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean (K, 1) of losses and weights (K, B)."""
    return (weights * losses).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)


def weighted_entropy(logits: torch.Tensor, batch: Batch, weights: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy (K, 1) under weights of classes (K, C)."""
    return weighted(cross_entropy(logits, batch.y), of_rows(weights, batch))
