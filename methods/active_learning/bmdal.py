"""Batch-mode deep active learning by a kernel, its transforms and a selector (arXiv:2203.09410)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View
from bench.training.rows import taken

from ._geometry import farthest_first, k_means_plus_plus, nearest, to


class Bmdal(ActiveMethod):
    """Map rows to features whose products are the kernel, transform them, and select."""

    card: ClassVar = MethodCard(
        name="bmdal",
        title="Largest cluster, farthest row (LCMD) and its family",
        track="active-learning",
        paper="arXiv:2203.09410",
        bibtex="""@article{holzmuller2023framework,
  title = {A Framework and Benchmark for Deep Batch Active Learning for Regression},
  author = {Holzm{\\"u}ller, David and Zaverkin, Viktor and K{\\"a}stner, Johannes and Steinwart,
    Ingo},
  journal = {JMLR},
  volume = {24},
  number = {164},
  pages = {1--81},
  year = {2023},
  eprint = {2203.09410},
  archivePrefix = {arXiv}
}""",
        claim="Clusters around known rows, with sketched gradients of all layers, need fewer "
        "targets than random rows and than the other selectors.",
        official_code="ok",
        deviates="The paper's best kernel is kernel=gradient; the default is the last layer, "
        "which every net has. Nets are the task's. A net of several outputs has the gradient of "
        "its largest one. Weights have torch's parametrisation and not that of the neural "
        "tangent kernel. The authors' Frank-Wolfe and k-means++ fill a short batch with random "
        "rows; here the next best rows fill it.",
        stacked=True,
        defaults_from="here",
    )
    kernel: Literal["ll", "gradient"] = "ll"
    """``ll``: products of the last hidden layer; ``gradient``: of gradients to all parameters,
    sketched.
    """
    transform: Literal["none", "scale", "posterior"] = "scale"
    """``scale``: 1 on average over known rows; ``posterior``: scaled, then what a Gaussian process
    does not know after the known rows.
    """
    selector: Literal["maxdiag", "maxdet", "fw", "maxdist", "kmeanspp", "lcmd"] = "lcmd"
    """How rows are chosen by their features."""
    known: bool = True
    """Whether known rows count as chosen (the paper's mode TP), or not (P)."""
    sketch: Annotated[int, Meta(ge=1)] = 512
    """Length of a sketched gradient."""
    sigma: Annotated[float, Meta(ge=1e-5, le=1e5)] = 1e-3
    """Standard deviation of the noise of the Gaussian process."""

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return open rows (count,), algorithm 1."""
        rows = torch.cat([view.open, view.known])
        if self.kernel == "gradient":
            phi = gradients(view, rows, self.sketch, view.generator("sketch"))
        else:
            hidden = torch.cat([view.hidden, view.features(view.known)])
            phi = torch.cat([hidden, torch.ones_like(hidden[:, :1])], 1)
        phi = phi.double()
        pool, train = phi[: len(view.open)], phi[len(view.open) :]
        if self.transform != "none":
            factor = train.square().sum(1).mean().clamp_min(1e-30).rsqrt()
            pool, train = pool * factor, train * factor
        if self.transform == "posterior":
            pool, train = posterior(pool, train, self.sigma)
        centres = train if self.known else train[:0]
        if self.selector == "kmeanspp":
            best, _ = nearest(pool, centres)
            chosen = k_means_plus_plus(to(pool), best, view.count, view.generator("centres"))
        elif self.selector == "maxdet":
            chosen = max_det(pool, centres, view.count, self.sigma)
        else:
            chosen = _SELECTORS[self.selector](pool, centres, view.count)
        return view.open[chosen]


def gradients(view: View, rows: torch.Tensor, length: int, drawn: torch.Generator) -> torch.Tensor:
    """Return sketches (r, length) of the gradients of the largest output to all weights and biases
    of a perceptron, whose products are on average those of the gradients.

    The gradient of a layer is (h, 1) outer delta; its sketch is the product, number by number, of
    Gaussian sketches of both factors, and the layers' add up (section 3.2.2).
    """
    layers = view.layers
    inputs, h = [], taken(view.problem.x, rows).flatten(1)
    view.run.count(forward=len(rows), backward=len(rows))
    for weight, bias in layers:
        inputs.append(h)
        h = (h @ weight.T + bias).relu()
    z = inputs[-1] @ layers[-1][0].T + layers[-1][1]
    delta = torch.zeros_like(z).scatter_(1, z.argmax(1, keepdim=True), 1.0)
    found = z.new_zeros(len(rows), length)
    for place in range(len(layers) - 1, -1, -1):
        whole = torch.cat([inputs[place], torch.ones_like(inputs[place][:, :1])], 1)
        parts = [
            part @ torch.randn(part.shape[1], length, generator=drawn, device=drawn.device).to(z)
            for part in (whole, delta)
        ]
        found += parts[0] * parts[1] / length**0.5
        # of a ReLU, whose output is the next layer's input
        delta = (delta @ layers[place][0]) * (inputs[place] > 0)
    return found


def posterior(
    pool: torch.Tensor, train: torch.Tensor, sigma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features of open rows (m, d) and known rows (n, d) whose products are the posterior
    covariance of a Gaussian process after the known rows: sigma^2 phi (Phi^T Phi + sigma^2 I)^-1
    phi (eq. 7).
    """
    precision = train.T @ train + sigma**2 * torch.eye(train.shape[1]).to(train)
    factor = torch.linalg.cholesky(precision)
    moved = [
        sigma * torch.linalg.solve_triangular(factor, part.T, upper=False).T
        for part in (pool, train)
    ]
    return moved[0], moved[1]


def max_diag(pool: torch.Tensor, centres: torch.Tensor, count: int) -> torch.Tensor:
    """Return the places (count,) of the largest k(x, x)."""
    return pool.square().sum(1).sort(descending=True, stable=True).indices[:count]


def max_det(pool: torch.Tensor, centres: torch.Tensor, count: int, sigma: float) -> torch.Tensor:
    """Return places (count,), each of the largest k(x, x) given the centres and those before it:
    greedy for the largest determinant of K + sigma^2 I.
    """
    phi, _ = posterior(pool, centres, sigma)
    free = torch.ones(len(phi), dtype=torch.bool, device=phi.device)
    chosen = []
    for _ in range(count):
        lengths = phi.square().sum(1)
        place = int(lengths.masked_fill(~free, -1).argmax())
        chosen.append(place)
        free[place] = False
        own, length = phi[place].clone(), float(lengths[place])
        # the square root of I - v v^T / (sigma^2 + |v|^2), applied to all
        root = (sigma**2 + length) ** 0.5
        phi = phi - torch.outer(phi @ own, own) / (root * (root + sigma))
    return torch.tensor(chosen, device=phi.device)


def frank_wolfe(pool: torch.Tensor, centres: torch.Tensor, count: int) -> torch.Tensor:
    """Return places (count,) whose weighted features come closest to the sum of all, by steps of
    Frank and Wolfe (arXiv:1908.02144, algorithm 1); the centres' steps come first.
    """
    phi = torch.cat([pool, centres])
    lengths = phi.square().sum(1).sqrt()
    total, unit = lengths.sum(), phi / lengths.clamp_min(1e-30)[:, None]
    wanted, now = phi.sum(0), torch.zeros_like(phi[0])
    chosen = []
    for step in range(len(centres) + count):
        place = len(pool) + step
        if step >= len(centres):
            scores = unit[: len(pool)] @ (wanted - now)
            scores[chosen] = -torch.inf
            place = int(scores.argmax())
            chosen.append(place)
        away = total * unit[place] - now
        share = (away @ (wanted - now)) / away.square().sum().clamp_min(1e-30)
        now = now + share * away
    return torch.tensor(chosen, device=phi.device)


def max_dist(pool: torch.Tensor, centres: torch.Tensor, count: int) -> torch.Tensor:
    """Return places (count,), each the farthest from the centres and from those before it."""
    first = None if len(centres) else int(pool.square().sum(1).argmax())
    return farthest_first(to(pool), nearest(pool, centres)[0], count, first)


def largest_cluster(pool: torch.Tensor, centres: torch.Tensor, count: int) -> torch.Tensor:
    """Return places (count,), each the farthest from its centre in the cluster of the largest sum
    of squared distances; it becomes a centre (LCMD, section 4.2).
    """
    distances, (best, owner) = to(pool), nearest(pool, centres)
    chosen: list[int] = []
    for _ in range(count):
        if not len(centres) and not chosen:
            place = int(pool.square().sum(1).argmax())
        else:
            size = torch.zeros(len(centres) + len(chosen)).to(best).scatter_add_(0, owner, best)
            inside = (owner == size.argmax()) & (best >= 0)
            scores = torch.where(inside, best, -1.0)
            scores[chosen] = -2.0
            place = int(scores.argmax())
        apart = distances(place)
        closer = apart < best
        closer[place] = True
        owner = torch.where(closer, len(centres) + len(chosen), owner)
        best = torch.where(closer, apart, best)
        best[place] = 0.0
        chosen.append(place)
    return torch.tensor(chosen, device=pool.device)


_SELECTORS: dict[str, Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    "maxdiag": max_diag,
    "fw": frank_wolfe,
    "maxdist": max_dist,
    "lcmd": largest_cluster,
}
