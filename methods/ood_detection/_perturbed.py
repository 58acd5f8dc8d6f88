"""The expected perturbation score of rows (arXiv:2305.16035), which two methods read.

Shapes: n rows, d numbers a row, T steps.
"""

from __future__ import annotations

import torch

from bench import Run
from bench.training.score_net import ScoreNet, scales

UNIT = 1000
"""Steps from time 0 to time 1."""


def drawn(steps: int, d: int, device: torch.device, run: Run) -> torch.Tensor:
    """Return the normal noise of every step (T, d), the same for all rows: so what is said of a row
    does not depend on the rows that it is shown with.
    """
    generator = run.torch_generator("method", "noise", device="cpu")
    return torch.randn(steps, d, generator=generator).to(device)


def expected_score(
    net: ScoreNet, x: torch.Tensor, z: torch.Tensor | None, steps: int
) -> torch.Tensor:
    """Return the mean over i = 1..T of s(a_t x + sigma_t z_i, t) with t = i / 1000 (n, d).

    Args:
        net: gives the scores s.
        x: rows (n, ...) on [0, 1].
        z: noise (T, d); None: the rows stay as they are.
        steps: T.
    """
    rows = net.centred(x)
    total = torch.zeros_like(rows)
    for step in range(steps):
        time = (step + 1) / UNIT
        if z is None:
            total += net(rows, time)
        else:
            signal, noise = scales(torch.tensor(time))
            total += net(float(signal) * rows + float(noise) * z[step], time)
    return total / steps
