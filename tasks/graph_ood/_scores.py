"""What the tasks of the track measure: metrics on their cards, and the figures themselves.

Shapes: G graphs, N training graphs, C classes or targets.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from bench import Metric
from bench.tracks.graph_ood import Solution, kind_of
from bench.training.graphs import Graphs

ACCURACIES = (
    Metric(
        name="ood_test",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="OOD test accuracy, epoch chosen by ID validation",
    ),
    Metric(name="id_test", unit="%", bounds=(0, 100), title="ID test accuracy, same epoch"),
    Metric(
        name="gap",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="ID less OOD test accuracy",
    ),
    Metric(
        name="ood_by_ood",
        unit="%",
        bounds=(0, 100),
        title="OOD test accuracy, epoch chosen by OOD validation",
    ),
    Metric(
        name="ood_large",
        unit="%",
        bounds=(0, 100),
        title="accuracy on unbiased and much larger graphs, same epoch as ood_test",
    ),
    Metric(
        name="worst_group",
        unit="%",
        bounds=(0, 100),
        title="lowest OOD test accuracy of a group of at least ten graphs",
    ),
    Metric(name="epoch", direction="none", bounds=(0, None), title="epoch chosen by ID validation"),
    Metric(
        name="ess",
        direction="none",
        bounds=(0, 1),
        title="effective sample size of the training weights, as a share; 1: all equal",
    ),
    Metric(
        name="w_ratio",
        direction="none",
        bounds=(None, None),
        title="mean weight of training graphs that contradict the bias over that of the others",
    ),
    Metric(
        name="seen",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="OOD test graphs that look like a training graph to three rounds of "
        "Weisfeiler-Lehman",
    ),
)
ERRORS = (
    Metric(
        name="ood_test",
        primary=True,
        direction="min",
        bounds=(0, None),
        title="OOD test RMSE in the target's unit, epoch chosen by ID validation",
    ),
    Metric(name="id_test", direction="min", bounds=(0, None), title="ID test RMSE, same epoch"),
    Metric(name="gap", direction="min", bounds=(None, None), title="OOD less ID test RMSE"),
    Metric(
        name="ood_by_ood",
        direction="min",
        bounds=(0, None),
        title="OOD test RMSE, epoch chosen by OOD validation",
    ),
    Metric(
        name="ood_cliff",
        direction="min",
        bounds=(0, None),
        title="OOD test RMSE of molecules that look like others and act differently",
    ),
    Metric(
        name="mean_only",
        direction="none",
        bounds=(0, None),
        title="OOD test RMSE of the training mean: what a trivial predictor reaches",
    ),
    Metric(name="epoch", direction="none", bounds=(0, None), title="epoch chosen by ID validation"),
    Metric(
        name="ess",
        direction="none",
        bounds=(0, 1),
        title="effective sample size of the training weights, as a share; 1: all equal",
    ),
    Metric(
        name="dropped",
        direction="none",
        bounds=(0, None),
        title="molecules left out: repeats across splits, contradicting repeats in training",
    ),
)
AUCS = (
    Metric(
        name="ood_test",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="OOD test ROC-AUC, mean over targets, epoch chosen by ID validation",
    ),
    Metric(name="id_test", unit="%", bounds=(0, 100), title="ID test ROC-AUC, same epoch"),
    Metric(
        name="gap",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="ID less OOD test ROC-AUC",
    ),
    Metric(
        name="ood_by_ood",
        unit="%",
        bounds=(0, 100),
        title="OOD test ROC-AUC, epoch chosen by OOD validation",
    ),
    Metric(name="epoch", direction="none", bounds=(0, None), title="epoch chosen by ID validation"),
    Metric(
        name="ess",
        direction="none",
        bounds=(0, 1),
        title="effective sample size of the training weights, as a share; 1: all equal",
    ),
)


def score(logits: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> float:
    """Return what counts for ``y``: accuracy in percent for labels (G,), mean ROC-AUC in percent
    for yes or no (G, C), else the RMSE in the target's unit.

    Args:
        logits: of the net (G, C).
        y: as in :class:`~bench.tracks.graph_ood.Problem`, not standardised.
        scale: mean and standard deviation of the training targets (2, C).
    """
    match kind_of(y):
        case "classes":
            return 100 * int((logits.argmax(-1) == y).sum()) / len(y)
        case "binary":
            return 100 * roc_auc(logits, y)
        case _:
            return rmse(logits * scale[1] + scale[0], y)


def rmse(guess: torch.Tensor, y: torch.Tensor) -> float:
    """Return the root mean square error over known values (G, C) of each
    target, averaged over targets.
    """
    return float((guess - y).square().nanmean(0).sqrt().nanmean())


def roc_auc(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the area under the ROC curve, averaged over the targets of which both answers occur;
    .5 where none is such a one, as for a constant guess.
    """
    guess, truth = logits.double().cpu().numpy(), y.cpu().numpy()
    known = truth >= 0
    both = [
        c for c in range(truth.shape[1]) if (truth[:, c] == 1).any() and (truth[:, c] == 0).any()
    ]
    return (
        float(np.mean([roc_auc_score(truth[known[:, c], c], guess[known[:, c], c]) for c in both]))
        if both
        else 0.5
    )


def weight_figures(solution: Solution, conflict: torch.Tensor | None) -> dict[str, float]:
    """Return ``ess``, (sum w)^2 / (n sum w^2) over all visits, and
    ``w_ratio`` where it is known which graphs contradict the bias.
    """
    assert solution.weights is not None
    used = ~solution.weights.isnan()
    weights = solution.weights[used].double()
    if not len(weights):
        return {}
    figures = {}
    if solution.squares is not None:
        figures["ess"] = float(weights.mean().square() / solution.squares[used].double().mean())
    if conflict is not None and (against := conflict[used]).any() and not against.all():
        figures["w_ratio"] = float(weights[against].mean() / weights[~against].mean())
    return figures


def worst_group(
    logits: torch.Tensor, y: torch.Tensor, group: torch.Tensor | None
) -> dict[str, float]:
    """Return the lowest accuracy in percent of the groups with at least
    ten graphs, if there are groups.
    """
    if group is None:
        return {}
    right = (logits.argmax(-1) == y).double()
    counts = group.bincount()
    sums = torch.zeros_like(counts, dtype=torch.float64).index_add_(0, group, right)
    large = counts >= 10
    return {"worst_group": 100 * float((sums[large] / counts[large]).min())} if large.any() else {}


def seen(train: Graphs, test: Graphs, rounds: int = 3) -> float:
    """Return the share in percent of test graphs that ``rounds`` of
    Weisfeiler-Lehman colouring can't tell from a training graph.
    """
    return 100 * float(torch.isin(colour(test, rounds), colour(train, rounds)).double().mean())


def colour(graphs: Graphs, rounds: int) -> torch.Tensor:
    """Return a 63-bit number of each graph (G,), equal for isomorphic graphs with equal features;
    collisions are as good as impossible.
    """
    batch = graphs.batch()
    powers = torch.tensor(
        [pow(1_000_003, k, 2**61) for k in range(batch.x.shape[1])], device=batch.x.device
    )
    node = _mixed(((batch.x.double() * 1e6).round().long() * powers).sum(1))
    for _ in range(rounds):
        node = _mixed(
            3 * node
            + torch.zeros_like(node).index_add_(
                0, batch.edge_index[1], _mixed(node[batch.edge_index[0]])
            )
        )
    return torch.zeros(batch.size, dtype=torch.int64, device=node.device).index_add_(
        0, batch.graph, _mixed(node)
    )


def _mixed(code: torch.Tensor) -> torch.Tensor:
    """Scramble integers so that their sums stand for multisets: two rounds
    of multiply and shift, wrapping around.
    """
    for factor in (-0x61C8864680B583EB, -0x40A7B892E31B1A47):
        code = (code ^ (code >> 29)) * factor
    return code ^ (code >> 32)
