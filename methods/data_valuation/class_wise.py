"""Class-wise Shapley values (arXiv:2211.06800)."""

from __future__ import annotations

import functools
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_games import game_of


class ClassWise(Method):
    """Average what a row adds to earlier rows of its class beside random rows of the others, where
    right answers on its own class count more than those on others.
    """

    card: ClassVar = MethodCard(
        name="class-wise",
        title="Class-wise Shapley",
        track="data-valuation",
        paper="arXiv:2211.06800",
        bibtex="""@inproceedings{schoch2022cs,
  title = {CS-Shapley: Class-wise Shapley Values for Data Valuation in Classification},
  author = {Schoch, Stephanie and Xu, Haifeng and Ji, Yangfeng},
  booktitle = {NeurIPS},
  year = {2022},
  eprint = {2211.06800},
  archivePrefix = {arXiv}
}""",
        claim="Counting right answers on a row's own class apart from those on other classes finds "
        "wrong labels, and rows of high value, better than Shapley values of the accuracy.",
        deviates="A fixed number of orders, none cut short, where the authors' code makes 200 and "
        "cuts them. Values of a class that sum to 0 or less are left as they are, where the "
        "authors' code divides by the sum.",
        signal="utility",
        needs=("utility", "classes"),
        defaults_from="here",
    )
    permutations: Annotated[int, Meta(ge=1)] = 30
    """Orders of every class, each beside other random rows of the other classes; together they take
    as many fits as there are rows.
    """

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Average over orders, class by class, and scale each class to its accuracy."""
        n, count = len(problem.y), self.permutations
        labels = problem.y.cpu().numpy()
        classes = np.unique(labels)
        if problem.max_fits is not None:
            count = min(count, (problem.max_fits - len(classes)) // n)
            if count < 1:
                raise InvalidRun(
                    f"max_fits is {problem.max_fits}, fewer than the {n + len(classes)} that one "
                    f"order of {n} rows and the model of all for each of {len(classes)} classes "
                    "take; allow more fits"
                )
        generator = run.numpy_generator("method")
        orders = [[_order(labels, c, generator) for c in classes] for _ in range(count)]
        rows = torch.zeros(count, n, dtype=torch.float64, device=problem.y.device)
        whole = torch.zeros(n, dtype=torch.float64, device=rows.device)
        fits = visits = 0
        for place, c in enumerate(classes):
            game = game_of(problem, scored=functools.partial(class_score, of=int(c)))
            mine = [order[place] for order in orders]
            masks = torch.from_numpy(np.concatenate([one for _, one in mine]))
            values = game.values(masks.to(game.device))
            added = values.view(count, -1).diff(dim=1, prepend=values.new_zeros(count, 1))
            for row, (order, _) in enumerate(mine):
                rows[row, torch.from_numpy(order).to(rows.device)] = added[row]
            inside = functools.partial(class_score, of=int(c), inside=True)
            whole[problem.y == int(c)] = game_of(problem, scored=inside).whole()
            fits, visits = fits + game.fits, visits + game.visits
        run.count(forward=visits + n * len(classes))
        half = count // 2
        parts = [rows[:half], rows[half:]]
        halves = [scaled(part.mean(0), whole, problem.y) for part in parts] if half else None
        return Solution(
            value=scaled(rows.mean(0), whole, problem.y),
            n_fits=fits + len(classes),
            halves=torch.stack(halves) if halves else None,
        )


def _order(
    labels: np.ndarray, c: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a class in random order (k,), and who is in the set that ends with each
    (k, n), bool: the first rows of the order, and of every other class a part of a random size.
    """
    order = generator.permutation(np.flatnonzero(labels == c))
    masks = np.zeros((len(order), len(labels)), dtype=bool)
    for other in np.unique(labels[labels != c]):
        rows = np.flatnonzero(labels == other)
        masks[:, generator.permutation(rows)[: generator.integers(1, len(rows) + 1)]] = True
    masks[:, order] = np.tri(len(order), dtype=bool)
    return order, masks


def class_score(
    outputs: torch.Tensor, y: torch.Tensor, of: int, inside: bool = False
) -> torch.Tensor:
    """Return a exp(b) of the leading shape (...), or a alone: the shares of all rows that are of
    the class and answered rightly, and that are not and answered rightly.

    Source: arXiv:2211.06800, equation 2.

    Args:
        outputs: of models on rows (..., V, C).
        y: labels (V,).
        of: the class.
        inside: whether to return a alone.
    """
    right, mine = outputs.argmax(-1) == y, y == of
    own = (right & mine).double().mean(-1)
    return own if inside else own * (right & ~mine).double().mean(-1).exp()


def scaled(value: torch.Tensor, whole: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return values (n,) that sum, class by class, to the share of all rows that the model of all
    rows answers rightly and that are of the class.

    Args:
        value: (n,).
        whole: that share, of the class of each row (n,).
        y: labels (n,).
    """
    total = torch.zeros(int(y.max()) + 1, dtype=value.dtype, device=value.device)
    sums = total.index_add(0, y, value)[y]
    # gains that cancel leave a sum of rounding errors, which is no scale
    return torch.where(sums > 1e-9, value * whole / sums.clamp_min(1e-9), value)
