"""Print the loss and the gradient that the public code of arXiv:1703.00593 gives for some scores.

``PYTHON tests/methods/positive_unlabeled/against_nnpu.py FOLDER`` calls ``pu_loss.py`` of FOLDER, a
checkout of github.com/kiryor/nnPUlearning; nothing of it is copied. The code is written for the
library chainer, whose last version, 7.8.1, needs NumPy below 1.24: PYTHON is that of an environment
with both, and bench is not imported here. ``test_against_nnpu.py`` compares ours with what it prints.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

PRIOR, KNOWN, OTHERS = 0.4, 6, 20
LOSSES = ("sigmoid", "logistic")
SEEDS = range(5)
BETAS = ((0.0, 1.0), (0.02, 0.5))
"""How far below 0 the negative part may be, and the size of a step back."""


def scores(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 scores of known rows (6,) and of others (20,); those of a larger seed fit the
    known rows better, so that the negative part of the risk falls below 0.
    """
    drawn = np.random.RandomState(seed)
    return (
        (drawn.randn(KNOWN) + seed).astype(np.float32),
        (drawn.randn(OTHERS) - 1.5 * seed).astype(np.float32),
    )


def public(seed: int, kind: str, nnpu: bool, beta: float, gamma: float) -> dict:
    """Return the loss and the gradient (26,), of the known rows first."""
    import chainer
    import chainer.functions as F
    from pu_loss import PULoss

    losses = {"sigmoid": lambda x: F.sigmoid(-x), "logistic": lambda x: F.softplus(-x)}
    z = chainer.Variable(np.concatenate(scores(seed))[:, None])
    marks = np.array([1] * KNOWN + [-1] * OTHERS, dtype=np.int32)
    loss = PULoss(PRIOR, losses[kind], gamma=gamma, beta=beta, nnpu=nnpu)(z, marks)
    loss.backward()
    return {"loss": float(loss.data), "slope": z.grad[:, 0].tolist()}


def cases() -> list[tuple[int, str, bool, float, float]]:
    """Return what is compared."""
    return [
        (seed, kind, nnpu, beta, gamma)
        for seed in SEEDS
        for kind in LOSSES
        for nnpu in (True, False)
        for beta, gamma in BETAS
    ]


def main() -> None:
    """Print one JSON list, in the order of the cases."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "pu_loss.py").is_file():
        sys.exit(
            "against_nnpu: name a checkout of github.com/kiryor/nnPUlearning, the folder of "
            "pu_loss.py."
        )
    sys.path.insert(0, sys.argv[1])
    sys.stdout.write(json.dumps([public(*case) for case in cases()]))


if __name__ == "__main__":
    main()
