"""What models say of every row of a task, in the parts that metrics are about."""

from __future__ import annotations

import numpy as np
import torch

from bench.tracks.unlearning import Problem, confidence

from ._attacks import Attacked, evenly, mia_svc
from ._data import Data


def places(forget: np.ndarray, held: int, test: int) -> dict[str, np.ndarray]:
    """Return where each part lies among training, held-out and test rows, and neighbours of the
    forgotten ones, in this order.

    As many held-out rows, and rows that stay, are attacked as there are forgotten ones, at most all
    of them; both are taken evenly.

    Args:
        forget: which training rows are forgotten (N,), bool.
        held: held-out rows.
        test: test rows.
    """
    n, size = len(forget), int(forget.sum())
    rows = np.arange(n + held + test + size)
    kept, attacked = rows[:n][~forget], evenly(held, size)
    return {
        "forget": rows[:n][forget],
        "retain": kept,
        "held": n + attacked,
        "some": kept[evenly(len(kept), len(attacked))],
        "test": rows[n + held : n + held + test],
        "near": rows[n + held + test :],
    }


class Views:
    """What K models say of every row, and the parts of it that metrics are about.

    Args:
        outputs: logits (K, n, C) of training, pool and test rows, and of rows near the forgotten
            ones, in this order.
        problem: says which training rows are forgotten.
        data: the labels.
    """

    def __init__(self, outputs: torch.Tensor, problem: Problem, data: Data) -> None:
        self.outputs = outputs.cpu()
        found = places(problem.forget.cpu().numpy(), len(data.y_pool), len(data.y_test))
        self.parts = {part: torch.from_numpy(rows) for part, rows in found.items()}
        self.y = torch.cat(
            [data.y, data.y_pool, data.y_test, data.y[problem.forget.to(data.y.device)]]
        ).cpu()
        self.classes = data.classes
        self.fa, self.ra, self.ta = (self.accuracy(part) for part in ("forget", "retain", "test"))

    def accuracy(self, part: str) -> float:
        """Return the mean accuracy (%) of the models on a part."""
        rows = self.parts[part]
        return 100 * float((self.outputs[:, rows].argmax(-1) == self.y[rows]).double().mean())

    def phi(self, part: str) -> np.ndarray:
        """Return the log odds of the labels (K, n_part)."""
        rows = self.parts[part]
        found: np.ndarray = confidence(
            self.outputs[:, rows], self.y[rows].expand(len(self.outputs), -1)
        ).numpy()
        return found

    def others(self, part: str) -> np.ndarray:
        """Return how sure the models are among the labels that a row does not bear: the log odds of
        the likeliest, given that it is none of its own (K, n_part).
        """
        logits = self.outputs[:, self.parts[part]]
        labels = self.y[self.parts[part]].expand(len(logits), -1)
        rest = torch.arange(self.classes).expand_as(logits) != labels[..., None]
        logits = logits[rest].view(*labels.shape, self.classes - 1)
        found: np.ndarray = confidence(logits, logits.argmax(-1)).numpy()
        return found

    def attacked(self) -> Attacked:
        """Return what models are told apart by: of forgotten rows and neighbours phi and, of three
        classes or more, how sure the models are among the other labels; of held-out and of rows
        that stay phi.
        """
        found = {part: [self.phi(part)] for part in ("forget", "near", "held", "some")}
        for part in ("forget", "near") if self.classes > 2 else ():
            found[part].append(self.others(part))
        return found

    def probabilities(self, part: str) -> np.ndarray:
        """Return the softmax (K, n_part, C) in float64."""
        found: np.ndarray = self.outputs[:, self.parts[part]].double().softmax(-1).numpy()
        return found

    def svc(self) -> float:
        """Return the mean legacy MIA (%)."""
        of_label = {
            part: 1 / (1 + np.exp(-self.phi(part))) for part in ("retain", "test", "forget")
        }
        return float(
            np.mean(
                [
                    mia_svc(of_label["retain"][k], of_label["test"][k], of_label["forget"][k])
                    for k in range(len(self.outputs))
                ]
            )
        )
