"""A net of two codes with squared units, in which a solution of modular arithmetic is a sum of
waves.

Shapes: K members, B rows, p codes, N units, q outputs.

Source: arXiv:2301.02679.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn

from bench.training.rows import beside
from bench.training.stack import MemberNet, StackedNet

__all__ = ["SquareNets"]


class SquareNets(StackedNet):
    """K nets h = (U_a + V_b)^2, z = W h, without biases; weights are normal with the standard
    deviation .5 / (2 N)^(1/3).

    Args:
        codes: p, values that each of the two codes takes.
        units: N.
        outputs: q.
        inits: one context a member, inside which it is drawn.
        device: where the parameters live.

    Attributes:
        first: U (K, p, N).
        second: V (K, p, N).
        out: W (K, q, N).
    """

    def __init__(
        self,
        codes: int,
        units: int,
        outputs: int,
        inits: Sequence[AbstractContextManager[None]],
        device: torch.device,
    ) -> None:
        super().__init__()
        self.members = len(inits)
        drawn = []
        for init in inits:
            with init:
                drawn.append([torch.randn(rows, units) for rows in (codes, codes, outputs)])
        scale = 0.5 / (2 * units) ** (1 / 3)
        self.first, self.second, self.out = (
            nn.Parameter(scale * torch.stack(layer).to(device))
            for layer in zip(*drawn, strict=True)
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map pairs of codes (K, B, 2) to squared units (K, B, N); rows are gathered, since
        one-hot products would cost p times as much.
        """
        return (beside(self.first, x[..., 0]) + beside(self.second, x[..., 1])).square()

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map units (K, B, N) to outputs (K, B, q)."""
        return features @ self.out.mT

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _Member(self, k)


class _Member(MemberNet):
    def __init__(self, nets: SquareNets, k: int) -> None:
        super().__init__()
        self._layers = [own.detach()[k] for own in (nets.first, nets.second, nets.out)]
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        first, second, _ = self._layers
        return (first[x[:, 0]] + second[x[:, 1]]).square()

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self._layers[2].T
