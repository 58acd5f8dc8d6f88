"""k-means in pixels, class by class (doi:10.1109/TIT.1982.1056489): a
selector, and a condensed set, that needs no net.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.condensation import Problem, SmallSet, labels_of, real_rows
from bench.tracks.selection import Selectable, Selector


class KMeans(Selector):
    """Cluster the rows of each class in pixels; keep the row nearest to each centre, or where
    images may be made the centres themselves.
    """

    card: ClassVar = MethodCard(
        name="k-means",
        title="k-means in pixels: the centres of each class, or the rows nearest to them",
        track=("condensation", "selection"),
        paper="doi:10.1109/TIT.1982.1056489",
        bibtex="""@article{lloyd1982least,
  title = {Least Squares Quantization in PCM},
  author = {Lloyd, Stuart P.},
  journal = {IEEE Transactions on Information Theory},
  volume = {28},
  number = {2},
  pages = {129--137},
  year = {1982}
}""",
        claim="Alternating between nearest centres and means never raises the mean square "
        "distance to the nearest centre; no claim about what nets learn.",
        deviates="Starts at random rows; a class gets centres in proportion to its rows.",
        plain=True,
        defaults_from="here",
    )
    rounds: Annotated[int, Meta(ge=0)] = 20
    """Most rounds of Lloyd's algorithm. 0: the random rows that it starts from."""

    def choose(self, problem: Selectable, run: Run) -> Any:
        """Return the centres of a condensation problem as images, else the
        rows nearest to them for each budget.
        """
        x = problem.x.flatten(1)
        if isinstance(problem, Problem):
            start = real_rows(problem, run).view(problem.n_classes, problem.ipc)
            centres = torch.cat(
                [self.centres(x[problem.y == c], x[start[c]]) for c in range(problem.n_classes)]
            )
            run.count(forward=len(problem.y))
            return SmallSet(x=centres.view(-1, *problem.x.shape[1:]), y=labels_of(problem))
        keys = torch.rand(len(x), generator=run.torch_generator("order", "rows", device="cpu")).to(
            x.device
        )
        kept = []
        for budget in problem.budgets:
            parts = []
            for own, count in shares(problem.y, problem.n_classes, budget, problem.balanced):
                start = own[keys[own].argsort()[:count]]
                parts.append(own[nearest(x[own], self.centres(x[own], x[start]))])
            run.count(forward=len(x))
            kept.append(torch.cat(parts))
        return problem.take(kept, None, None)

    def centres(self, x: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        """Return the centres (k, d) that Lloyd's algorithm makes of rows (n, d) from where it
        starts (k, d).

        A centre that no row is nearest to stays.
        """
        of = torch.full((len(x),), -1, device=x.device)
        for _ in range(self.rounds):
            before, of = of, torch.cdist(x, centres).argmin(1)
            if torch.equal(before, of):
                break
            sums = torch.zeros_like(centres).index_add_(0, of, x)
            sizes = of.bincount(minlength=len(centres))[:, None]
            centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
        return centres


def shares(
    y: torch.Tensor, classes: int, budget: int, balanced: bool
) -> list[tuple[torch.Tensor, int]]:
    """Return the rows of each class that has some (n,), and how many of them to keep: in proportion
    by largest remainder, or as evenly as they allow.
    """
    parts = [(y == c).nonzero().flatten() for c in range(classes)]
    exact = [budget / classes if balanced else len(part) * budget / len(y) for part in parts]
    take = [min(len(part), int(wanted)) for part, wanted in zip(parts, exact, strict=True)]
    while sum(take) < min(budget, len(y)):
        open_ = [c for c in range(classes) if take[c] < len(parts[c])]
        take[max(open_, key=lambda c: (exact[c] - take[c], -c))] += 1
    return [(part, count) for part, count in zip(parts, take, strict=True) if count]


def nearest(x: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Return for each centre (k, d), one after the other, the nearest row
    (n, d) that none before it took, (k,).
    """
    distances = torch.cdist(centres, x)
    taken = torch.empty(len(centres), dtype=torch.int64, device=x.device)
    for place in range(len(centres)):
        taken[place] = distances[place].argmin()
        distances[:, taken[place]] = torch.inf
    return taken
