"""A net of the score of noisy rows, grad log p_t, that a task trains once for a seed and hands out.

Rows on [0, 1] are put on [-1, 1] and then get noise by the variance preserving process, whose rate
rises from 0.1 to 20: at time t a row is a_t x + sigma_t z with normal z, and the score of the noisy
rows is -E[z | row] / sigma_t. The net predicts z (arXiv:2006.11239; the process in continuous time
is that of arXiv:2011.13456, equation 11).

Shapes: n rows, d numbers a row.
"""

from __future__ import annotations

import functools
import math
from typing import Annotated

import msgspec
import torch
from torch import nn
from torch.nn import functional as F

from bench.declared import Meta
from bench.runs.context import Run
from bench.runs.guard import fingerprint

__all__ = ["ScoreNet", "ScoreRecipe", "scales", "score_net"]

_SLOW, _FAST = 0.1, 20.0
"""Rate of the process at the times 0 and 1."""
_WAVES = 8
"""Frequencies of the time's sines and cosines."""
_FIRST, _LAST = 0.001, 0.15
"""Times that the net is trained on."""


class ScoreRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """How the net is built and trained, by Adam.

    Attributes:
        width: of both hidden layers.
        steps: updates.
        batch_size: rows of a step.
        lr: learning rate.
    """

    width: Annotated[int, Meta(ge=1)] = 512
    steps: Annotated[int, Meta(ge=1)] = 1200
    batch_size: Annotated[int, Meta(ge=1)] = 128
    lr: Annotated[float, Meta(gt=0)] = 1e-3


class ScoreNet(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A trained net of scores. Calling it gives those of rows at a time.

    Attributes:
        width: of both hidden layers.
        shape: of one row.
        weights: of the layers, by name: tensors of any shape.
    """

    width: int
    shape: tuple[int, ...]
    weights: dict[str, torch.Tensor]

    @functools.cached_property
    def _net(self) -> _Noise:
        device = next(iter(self.weights.values())).device
        net = _Noise(math.prod(self.shape), self.width).to(device)
        net.load_state_dict(self.weights)
        return net.eval().requires_grad_(False)

    def __call__(self, rows: torch.Tensor, time: float) -> torch.Tensor:
        """Return the scores of rows (n, d) on the scale of [-1, 1], as they are at a time in (0, 1]
        of the process; (n, d).
        """
        at = torch.full((len(rows),), time, device=rows.device)
        found: torch.Tensor = self._net(rows, at)
        return -found / scales(at)[1][:, None]

    def centred(self, x: torch.Tensor) -> torch.Tensor:
        """Return rows (n, ...) on [0, 1] as the net reads them, (n, d) on [-1, 1]."""
        return 2 * x.flatten(1) - 1


class _Noise(nn.Module):
    """From rows and times to the noise in them; the second hidden layer is a residual one."""

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(d + 2 * _WAVES, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, d)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map rows (n, d) and times (n,) to noise (n, d)."""
        turns = time[:, None] * 2.0 ** torch.arange(_WAVES, device=x.device) * torch.pi
        h = F.silu(self.first(torch.cat([x, turns.sin(), turns.cos()], 1)))
        h = h + F.silu(self.second(h))
        found: torch.Tensor = self.last(h)
        return found


def scales(time: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a_t, in (0, 1], and sigma_t, in [0, 1), of times in [0, 1], each of the shape of
    ``time`` (...,): a_t^2 is exp of minus the integral of the rate, and a_t^2 + sigma_t^2 = 1.
    """
    passed = _SLOW * time + 0.5 * (_FAST - _SLOW) * time**2
    return (-0.5 * passed).exp(), (-torch.expm1(-passed)).sqrt()


def score_net(x: torch.Tensor, recipe: ScoreRecipe, run: Run) -> ScoreNet:
    """Return a net of the scores of these rows, as an artifact that is built once for a seed.

    A task calls it in ``prepare``, where no method is charged.

    Args:
        x: rows (n, ...) on [0, 1], float32.
        recipe: the net and its training.
        run: of the task.
    """
    key = {
        "score-net": recipe.width,
        "seed": run.seed,
        "rows": fingerprint({"x": x}),
        "steps": recipe.steps,
        "batch": recipe.batch_size,
        "lr": str(recipe.lr),
    }
    weights, _ = run.cached(key, functools.partial(_trained, x, recipe))
    return ScoreNet(width=recipe.width, shape=tuple(x.shape[1:]), weights=weights)


def _trained(x: torch.Tensor, recipe: ScoreRecipe, run: Run) -> dict[str, torch.Tensor]:
    """Descend the squared error of the predicted noise, at times drawn evenly."""
    rows = 2 * x.flatten(1) - 1
    with run.seeded("init"):
        net = _Noise(rows.shape[1], recipe.width)
    net = net.to(x.device)
    draw = run.torch_generator("order", device="cpu")
    optimiser = torch.optim.Adam(net.parameters(), lr=recipe.lr)
    for _ in range(recipe.steps):
        picked = torch.randint(len(rows), (recipe.batch_size,), generator=draw)
        time = _FIRST + (_LAST - _FIRST) * torch.rand(recipe.batch_size, generator=draw)
        z = torch.randn(recipe.batch_size, rows.shape[1], generator=draw).to(rows.device)
        time, picked = time.to(rows.device), picked.to(rows.device)
        signal, noise = scales(time)
        noisy = signal[:, None] * rows[picked] + noise[:, None] * z
        loss = (net(noisy, time) - z).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
