"""What the tasks of the track share: five splits, the choice of the epoch, scores, references that see the hidden part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Run, Score, Setup, Task, Watched
from bench.tracks.graph_ood import Batch, GraphMethod, Problem, Solution, Training, WeightLog, graph_losses
from bench.training.gnn import GNN, predict
from bench.training.graphs import GraphBatch, Graphs
from bench.training.state import evaluating

from . import _pictures as pictures

ACCURACIES = (
    Metric(name="ood_test", primary=True, unit="%", bounds=(0, 100), title="OOD test accuracy, epoch chosen by ID validation"),
    Metric(name="id_test", unit="%", bounds=(0, 100), title="ID test accuracy, same epoch"),
    Metric(name="gap", direction="min", unit="points", title="ID less OOD test accuracy"),
    Metric(name="ood_by_ood", unit="%", bounds=(0, 100), title="OOD test accuracy, epoch chosen by OOD validation"),
    Metric(name="ood_large", unit="%", bounds=(0, 100), title="accuracy on unbiased and much larger graphs, same epoch as ood_test"),
    Metric(name="worst_group", unit="%", bounds=(0, 100), title="lowest OOD test accuracy of a group of at least ten graphs"),
    Metric(name="epoch", direction="none", title="epoch chosen by ID validation"),
    Metric(name="ess", direction="none", bounds=(0, 1), title="effective sample size of the training weights, as a share; 1: all equal"),
    Metric(name="w_ratio", direction="none", title="mean weight of training graphs that contradict the bias over that of the others"),
    Metric(
        name="seen", direction="none", unit="%", bounds=(0, 100), title="OOD test graphs that look like a training graph to three rounds of Weisfeiler-Lehman"
    ),
)
ERRORS = (
    Metric(name="ood_test", primary=True, direction="min", title="OOD test RMSE in the target's unit, epoch chosen by ID validation"),
    Metric(name="id_test", direction="min", title="ID test RMSE, same epoch"),
    Metric(name="gap", direction="min", title="OOD less ID test RMSE"),
    Metric(name="ood_by_ood", direction="min", title="OOD test RMSE, epoch chosen by OOD validation"),
    Metric(name="ood_cliff", direction="min", title="OOD test RMSE of molecules that look like others and act differently"),
    Metric(name="mean_only", direction="none", title="OOD test RMSE of the training mean: what a trivial predictor reaches"),
    Metric(name="epoch", direction="none", title="epoch chosen by ID validation"),
    Metric(name="ess", direction="none", bounds=(0, 1), title="effective sample size of the training weights, as a share; 1: all equal"),
    Metric(name="dropped", direction="none", title="molecules left out: repeats across splits, contradicting repeats in training"),
)

EVALUATED = 512
"""Graphs of one batch in evaluation."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Graphs of one kind with their labels (G,) or targets (G, C), and what only the evaluation knows.

    Attributes:
        graphs: the G graphs.
        y: labels as given in training and validation, true ones in tests.
        env: environment (G,).
        group: number of the group whose worst accuracy counts (G,).
        conflict: whether the graph contradicts the bias of the training graphs (G,), bool.
        marked: how many nodes, the first ones of each graph, are the cause of its label; 0: not known.
        cliff: whether a molecule looks like another that acts differently (G,), bool.
    """

    graphs: Graphs
    y: torch.Tensor
    env: torch.Tensor | None = None
    group: torch.Tensor | None = None
    conflict: torch.Tensor | None = None
    cliff: torch.Tensor | None = None
    marked: int = 0


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees: every split but the training graphs, and what is known of these.

    ``scale`` (2, C) holds mean and standard deviation of the training targets; ``watched`` the validation batches; ``best``
    and ``chosen`` the best validation score so far, higher is better, and its epoch.
    """

    splits: dict[str, Split]
    scale: torch.Tensor
    watched: dict[str, list[GraphBatch]]
    dropped: int | None = None
    best: dict[str, float] = {}
    chosen: dict[str, int] = {}

    def score(self, name: str, logits: torch.Tensor) -> float:
        """Return accuracy in percent, or RMSE in the target's unit, on the split ``name``."""
        y = self.splits[name].y
        if y.dim() == 1:
            return 100 * int((logits.argmax(-1) == y).sum()) / len(y)
        return self.error(logits, y)

    def error(self, logits: torch.Tensor, y: torch.Tensor) -> float:
        """Return the RMSE over known targets, in their unit."""
        return float((logits * self.scale[1] + self.scale[0] - y).square().nanmean().sqrt())


class GraphTask(Task):
    """Five splits; the epoch is chosen by ID validation, and beside it by OOD validation."""

    backbone: Literal["gin", "gcn"] = "gin"
    """Layers of the net."""
    virtual_node: bool = False
    """Whether each graph gets a virtual node."""
    layers: Annotated[int, Meta(ge=1)] = 3
    """Number of layers."""
    hidden: Annotated[int, Meta(ge=1)] = 32
    """Hidden units."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of hidden units dropped."""
    epochs: Annotated[int, Meta(ge=1)] = 40
    """Passes over the training graphs."""
    batch_size: Annotated[int, Meta(ge=1)] = 128
    """Graphs of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.003
    """Learning rate of Adam."""
    decay_at: Annotated[int, Meta(ge=0)] = 0
    """Epoch from which on the learning rate is a tenth; 0: never."""

    def splits(self, run: Setup) -> dict[str, Split]:
        """Return the five splits and perhaps more tests; each drawn from a stream of its own."""
        raise NotImplementedError

    def outputs(self, train: Split) -> tuple[Literal["classes", "numbers"], int]:
        """Return the kind of the labels and how many outputs the net needs."""
        raise NotImplementedError

    def readout(self) -> Literal["mean", "add"]:
        """Return how nodes become a graph."""
        return "mean"

    def prepare(self, run: Setup) -> Case:
        """Draw the splits; hide all but the training graphs."""
        splits = {name: _on(split, run.device) for name, split in self.splits(run).items()}
        train = splits["train"]
        kind, outputs = self.outputs(train)
        y, scale = train.y, torch.tensor([[0.0], [1.0]], device=run.device)
        if kind == "numbers":
            centre = y.nanmean(0)
            scale = torch.stack([centre, (y - centre).square().nanmean(0).sqrt().clamp_min(1e-8)])
            y = (y - scale[0]) / scale[1]
        problem = Problem(graphs=train.graphs, y=y, kind=kind, outputs=outputs, env=train.env, readout=self.readout(), **self._protocol())
        watched = {name: list(splits[name].graphs.batches(EVALUATED)) for name in ("id_val", "ood_val")}
        return Case(problems=[problem], hidden=Hidden(splits=splits, scale=scale, watched=watched))

    def _protocol(self) -> dict[str, Any]:
        names = ("backbone", "virtual_node", "layers", "hidden", "dropout", "epochs", "batch_size", "lr", "decay_at")
        return {name: getattr(self, name) for name in names}

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch on both validation splits; the last of equals is kept."""
        hidden: Hidden = case.hidden
        scores = {name: hidden.score(name, predict(model, batches)) for name, batches in hidden.watched.items()}
        sign = 1 if case.problems[0].kind == "classes" else -1
        keep = tuple(name for name, score in scores.items() if sign * score >= hidden.best.get(name, -np.inf))
        for name in keep:
            hidden.best[name], hidden.chosen[name] = sign * scores[name], step
        return Watched(dict(scores), keep=keep)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the epochs that validation chose, and the weights."""
        outcome, hidden = outcomes[0], case.hidden
        by_id, by_ood = (outcome.kept.get(name, outcome.solution.model) for name in ("id_val", "ood_val"))
        logits = {name: _logits(by_id, split.graphs) for name, split in hidden.splits.items() if name.startswith(("id_test", "ood_test", "ood_large"))}
        scores = {name: hidden.score(name, found) for name, found in logits.items()}
        classes = case.problems[0].kind == "classes"
        scores["gap"] = (scores["id_test"] - scores["ood_test"]) * (1 if classes else -1)
        scores["ood_by_ood"] = hidden.score("ood_test", _logits(by_ood, hidden.splits["ood_test"].graphs))
        if "id_val" in hidden.chosen:
            scores["epoch"] = hidden.chosen["id_val"]
        test, train = hidden.splits["ood_test"], hidden.splits["train"]
        if classes:
            scores |= worst_group(logits["ood_test"], test) | {"seen": seen(train.graphs, test.graphs)}
        else:
            scores["mean_only"] = hidden.score("ood_test", torch.zeros_like(logits["ood_test"]))
            if test.cliff is not None and test.cliff.any():
                scores["ood_cliff"] = hidden.error(logits["ood_test"][test.cliff], test.y[test.cliff])
        if hidden.dropped is not None:
            scores["dropped"] = hidden.dropped
        arrays = {}
        if outcome.solution.weights is not None:
            scores |= weight_figures(outcome.solution, train.conflict)
            arrays["weights"] = outcome.solution.weights.cpu().numpy()
        return Score(metrics=scores, arrays=arrays, images=self._pictures(hidden, outcome))

    def _pictures(self, hidden: Hidden, outcome: Outcome) -> dict[str, np.ndarray]:
        train = hidden.splits["train"]
        parts = {name: (split.graphs, _captions(split)) for name, split in hidden.splits.items() if name in ("train", "ood_test")}
        images = {"graphs": pictures.examples(parts, train.marked), "epochs": pictures.progress(outcome.curve, "%" if train.y.dim() == 1 else "RMSE")}
        if outcome.solution.weights is not None:
            images["weights"] = pictures.weights(outcome.solution.weights, train.conflict)
        return images

    # References, which see the hidden part

    def train_with_group_weights(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The control: each training graph weighs 1 / (graphs of its true label and base), so that the base says nothing of the label."""
        group = hidden.splits["train"].group
        assert group is not None, "only tasks with known groups list this reference"
        return _Weighted(1.0 / group.bincount()[group]).train(problem, run)


class _Weighted:
    """The null method with a fixed weight for each training graph, normalised within a batch."""

    def __init__(self, weights: torch.Tensor) -> None:
        self.weights = weights

    def train(self, problem: Problem, run: Run) -> Solution:
        """Train."""
        weights = self.weights

        class Fixed(GraphMethod, frozen=True, kw_only=True):
            def start(self, training: Training) -> WeightLog:
                return WeightLog(training)

            def loss(self, state: WeightLog, batch: Batch, net: GNN) -> torch.Tensor:
                w = weights[batch.rows] / weights[batch.rows].mean()
                state.add(batch.rows, w)
                return (w * graph_losses(net(batch.graphs).logits, batch.y)).mean()

            def finish(self, state: WeightLog) -> dict[str, Any]:
                return dict(state.fields())

        return Fixed().solve(problem, run)


def weight_figures(solution: Solution, conflict: torch.Tensor | None) -> dict[str, float]:
    """Return ``ess``, (sum w)^2 / (n sum w^2) over all visits, and ``w_ratio`` where it is known which graphs contradict the bias."""
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


def worst_group(logits: torch.Tensor, split: Split) -> dict[str, float]:
    """Return the lowest accuracy in percent of the groups with at least ten graphs, if there are groups."""
    if split.group is None:
        return {}
    right = (logits.argmax(-1) == split.y).double()
    counts = split.group.bincount()
    sums = torch.zeros_like(counts, dtype=torch.float64).index_add_(0, split.group, right)
    large = counts >= 10
    return {"worst_group": 100 * float((sums[large] / counts[large]).min())} if large.any() else {}


def seen(train: Graphs, test: Graphs, rounds: int = 3) -> float:
    """Return the share in percent of test graphs that ``rounds`` of Weisfeiler-Lehman colouring can't tell from a training graph."""
    return 100 * float(torch.isin(colour(test, rounds), colour(train, rounds)).double().mean())


def colour(graphs: Graphs, rounds: int) -> torch.Tensor:
    """Return a 63-bit number of each graph (G,), equal for isomorphic graphs with equal features; collisions are as good as impossible."""
    batch = graphs.batch()
    powers = torch.tensor([pow(1_000_003, k, 2**61) for k in range(batch.x.shape[1])], device=batch.x.device)
    node = _mixed(((batch.x.double() * 1e6).round().long() * powers).sum(1))
    for _ in range(rounds):
        node = _mixed(3 * node + torch.zeros_like(node).index_add_(0, batch.edge_index[1], _mixed(node[batch.edge_index[0]])))
    return torch.zeros(batch.size, dtype=torch.int64, device=node.device).index_add_(0, batch.graph, _mixed(node))


def _mixed(code: torch.Tensor) -> torch.Tensor:
    """Scramble integers so that their sums stand for multisets: two rounds of multiply and shift, wrapping around."""
    for factor in (-0x61C8864680B583EB, -0x40A7B892E31B1A47):
        code = (code ^ (code >> 29)) * factor
    return code ^ (code >> 32)


def _logits(model: Any, graphs: Graphs) -> torch.Tensor:
    with evaluating(model):
        return predict(model, list(graphs.batches(EVALUATED)))


def _captions(split: Split) -> list[str]:
    return [f"{value:.3g}" for value in split.y[: pictures.SHOWN].flatten().tolist()]


def _on(split: Split, device: torch.device) -> Split:
    moved = {name: value.to(device) for name in split.__struct_fields__ if hasattr(value := getattr(split, name), "to")}
    return msgspec.structs.replace(split, **moved)
