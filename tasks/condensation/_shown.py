"""What is kept and shown of a small set."""

from __future__ import annotations

import numpy as np
import torch

from bench.tracks.condensation import Problem, SmallSet
from bench.training.tiles import grid as tiled


def arrays_of(small: SmallSet, problem: Problem) -> dict[str, np.ndarray]:
    """Return all that is needed to use a set elsewhere."""
    found = {
        "x": small.x,
        "y": small.y,
        "mean": problem.mean,
        "std": problem.std,
        "factor": torch.tensor(small.factor),
    }
    found |= {
        name: part
        for name, part in (
            ("soft_y", small.soft_y),
            ("targets", small.targets),
            ("indices", small.indices),
        )
        if part is not None
    }
    if small.lr is not None:
        found["lr"] = torch.tensor(small.lr)
    return {name: part.detach().cpu().numpy() for name, part in found.items()}


def grid(small: SmallSet, problem: Problem, most: int = 10) -> np.ndarray:
    """Return the stored images as one picture, a row a class, at most
    ``most`` of each; clipped to black and white.
    """
    pixels = (small.x * problem.std.view(-1, 1, 1) + problem.mean.view(-1, 1, 1)).clamp(0, 1)
    shown = [
        row
        for c in range(problem.n_classes)
        for row in (small.y == c).nonzero().flatten()[:most].tolist()
    ]
    columns = min(most, problem.ipc) if problem.ipc > 1 else min(10, problem.n_classes)
    return tiled(
        (pixels[shown] * 255).round().to(torch.uint8).cpu().numpy(),
        columns=columns,
        title=f"{len(small.x)} stored images, by class",
    )
