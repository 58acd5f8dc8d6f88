"""How predictions of nodes are judged. Percent where a card says so."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import f1_score

from bench import Metric, Reference
from bench.tracks.node_graphs import (
    adjusted_homophily,
    edge_homophily,
    label_informativeness,
)
from bench.training import calibration

LEAST_LEAK = 1.0
"""Percent of the test nodes that may have a twin among the training nodes."""

SCORE = Metric(
    name="score",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="on test nodes: AUROC where there are two classes, else accuracy",
)
ACC = Metric(name="acc", unit="%", bounds=(0, 100), title="accuracy on test nodes")
MACRO_F1 = Metric(
    name="macro_f1", unit="%", bounds=(0, 100), title="F1 on test nodes, the mean over classes"
)
EDGE = Metric(
    name="edge_homophily",
    direction="none",
    bounds=(0, 1),
    title="share of the edges whose ends are of one class",
)
ADJUSTED = Metric(
    name="adjusted_homophily",
    direction="none",
    bounds=(None, 1.000001),
    title="edge homophily above what degrees alone give, as a share of the rest to 1",
)
INFORMATIVENESS = Metric(
    name="label_informativeness",
    direction="none",
    bounds=(-1e-6, 1.000001),
    title="what a neighbour's class says of a node's class, as a share of its entropy",
)
LEAK = Metric(
    name="leak",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="share of the test nodes that have a twin among the training nodes: the same label and "
    "the same neighbours",
)
STEP = Metric(
    name="step", direction="none", bounds=(0, None), title="the step that validation nodes chose"
)
CLASSES = (SCORE, ACC, MACRO_F1, EDGE, ADJUSTED, INFORMATIVENESS, LEAK, STEP)

LOW = Reference(name="mlp", kind="low", title="the same net without the edges")
MAJORITY = Reference(
    name="majority", kind="control", title="the most frequent class", solve="majority"
)


def score(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the score of logits (m, C) of nodes with labels (m,), in percent."""
    return auroc(logits, y) if logits.shape[1] == 2 else accuracy(logits, y)


def auroc(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the area under the ROC curve of class 1 in percent; 50 where one class is absent."""
    if not 0 < int(y.sum()) < len(y):
        return 50.0
    margin = logits[:, 1].double() - logits[:, 0].double()
    return calibration.auroc(margin[y == 1], margin[y == 0])


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the accuracy of logits (m, C) in percent."""
    return 100 * float((logits.argmax(1) == y).double().mean())


def judged(logits: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """Return the figures of logits (m, C) of the test nodes, whose labels are (m,)."""
    said, true = logits.argmax(1).cpu().numpy(), y.cpu().numpy()
    return {
        "score": score(logits, y),
        "acc": accuracy(logits, y),
        "macro_f1": 100 * float(f1_score(true, said, average="macro", zero_division=0.0)),
    }


def described(edges: torch.Tensor, y: torch.Tensor) -> dict[str, float | None]:
    """Return what the edges (2, E) say of the labels (n,); None where that has no value."""
    both = (y[edges[0]] >= 0) & (y[edges[1]] >= 0)
    edges = edges[:, both]
    if not edges.shape[1]:
        return dict.fromkeys(("edge_homophily", "adjusted_homophily", "label_informativeness"))
    found = {
        "edge_homophily": edge_homophily(edges, y),
        "adjusted_homophily": adjusted_homophily(edges, y),
        "label_informativeness": label_informativeness(edges, y),
    }
    return {name: None if np.isnan(value) else value for name, value in found.items()}
