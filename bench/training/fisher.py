"""The exact diagonal Fisher matrix of a perceptron by matrix products, without a backward pass a
row.

Shapes: K members, N rows, C classes; a layer reads ``inner`` numbers and gives ``out``.
"""

from __future__ import annotations

import torch

from bench.training.stack import StackedMLP, affine

__all__ = ["diagonal_fisher"]


@torch.no_grad()
def diagonal_fisher(nets: StackedMLP, x: torch.Tensor) -> list[torch.Tensor]:
    """Return mean_x sum_c p_c(x) (d log p_c(x) / d theta)^2 for every parameter, in the order and
    of the shapes of ``nets.parameters()``.

    For a class c, the gradient of log p_c in a weight is delta a: of a row's error signal and what
    the layer reads. So the sum over rows of its square is a product of squares,
    sum_n p_nc delta_nco^2 a_ni^2, one matrix product a class and layer.

    Args:
        nets: K perceptrons.
        x: rows (K, N, ...).

    Source: arXiv:1612.00796, equation 3; the expectation over labels is exact, as arXiv:1412.1193,
    section 5, defines it.
    """
    reads = [x.flatten(2)]
    *hidden, (last, last_bias) = zip(nets.weights, nets.biases, strict=True)
    for weight, bias in hidden:
        reads.append(affine(reads[-1], weight, bias).relu_())
    p = affine(reads[-1], last, last_bias).softmax(2)
    squares = [read.square() for read in reads]
    weights = [torch.zeros_like(weight) for weight in nets.weights]
    biases = [torch.zeros_like(bias) for bias in nets.biases]
    for c in range(p.shape[2]):
        delta = -p
        delta[..., c] += 1  # d log p_c / d logits
        for layer in reversed(range(len(weights))):
            seen = delta.square().mul_(p[..., c, None])
            weights[layer] += seen.mT @ squares[layer]
            biases[layer] += seen.sum(1, keepdim=True)
            if layer:
                delta = (delta @ nets.weights[layer]).mul_(reads[layer] > 0)
    return [total.div_(x.shape[1]) for total in (*weights, *biases)]
