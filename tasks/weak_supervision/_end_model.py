"""The classifier that is trained on the labels of every method: multinomial logistic regression on
soft labels.

Shapes: N rows, D inputs, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize, sparse, special

RIDGE = 1.0
"""Half of it times the squared weights stands beside the summed loss, as in scikit-learn; the
constants are free.
"""
STEPS, TOLERANCE = 200, 1e-5
"""Most steps of L-BFGS, and the largest gradient of the mean loss at which it ends."""
_DENSE = 0.1


class EndModel:
    """Weights (D, C) and constants (C,) that minimise the cross entropy of soft labels.

    A row with probabilities q counts like C copies of it, one a class, with the weights q.

    Args:
        x: inputs (N, D).
        q: soft labels (N, C).
    """

    def __init__(self, x: np.ndarray, q: np.ndarray) -> None:
        rows, (columns, classes) = _packed(x), (x.shape[1], q.shape[1])

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = flat.reshape(columns + 1, classes)
            z = rows @ weights[:-1] + weights[-1]
            loss = float((special.logsumexp(z, axis=1) * q.sum(1)).sum() - (q * z).sum())
            wrong = special.softmax(z, axis=1) * q.sum(1, keepdims=True) - q
            gradient = np.empty_like(weights)
            gradient[:-1] = rows.T @ wrong + RIDGE * weights[:-1]
            gradient[-1] = wrong.sum(0)
            return loss + 0.5 * RIDGE * float((weights[:-1] ** 2).sum()), gradient.ravel()

        found = optimize.minimize(
            objective,
            np.zeros((columns + 1) * classes),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "gtol": TOLERANCE * len(x)},
        )
        self.weights = found.x.reshape(columns + 1, classes)

    def classes(self, x: np.ndarray) -> np.ndarray:
        """Return the likeliest class of each row (n,) of inputs (n, D)."""
        z = _packed(x) @ self.weights[:-1] + self.weights[-1]
        likeliest: np.ndarray = z.argmax(1)
        return likeliest


def _packed(x: np.ndarray) -> Any:
    """Return rows that are mostly 0, such as words, without the zeros."""
    x = x.astype(np.float64)
    return sparse.csr_array(x) if np.count_nonzero(x) < _DENSE * x.size else x
