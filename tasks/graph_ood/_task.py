"""What the tasks of the track share: five splits, the choice of the epoch,
scores, references that see the hidden part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.graph_ood import (
    Batch,
    GraphMethod,
    Kind,
    Problem,
    Solution,
    Training,
    WeightLog,
    graph_losses,
    kind_of,
)
from bench.training.gnn import GNN, predict
from bench.training.graphs import GraphBatch, Graphs
from bench.training.state import evaluating

from . import _pictures as pictures
from ._scores import score, seen, weight_figures, worst_group

EVALUATED = 512
"""Graphs of one batch in evaluation."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Graphs of one kind with their labels (G,) or targets (G, C), and what only the evaluation
    knows.

    Attributes:
        graphs: the G graphs.
        y: labels or targets as in a problem, as given in training and validation, true ones in
            tests.
        env: environment (G,).
        group: number of the group whose worst accuracy counts (G,).
        conflict: whether the graph contradicts the bias of the training graphs (G,), bool.
        marked: how many nodes, the first ones of each graph, are the cause of its label; 0: not
            known.
        cliff: whether a molecule looks like another that acts differently (G,), bool.
    """

    graphs: Graphs
    y: Annotated[
        torch.Tensor,
        Array("G", dtype="int64", ge=0, lt="C"),
        Array("G", "C", dtype="int8", ge=-1, le=1),
        Array("G", "C", dtype="float32", nan=True),
    ]
    env: Annotated[torch.Tensor | None, Array("G", dtype="int64", ge=0)] = None
    group: Annotated[torch.Tensor | None, Array("G", dtype="int64", ge=0)] = None
    conflict: Annotated[torch.Tensor | None, Array("G", dtype="bool")] = None
    cliff: Annotated[torch.Tensor | None, Array("G", dtype="bool")] = None
    marked: Annotated[int, Meta(ge=0)] = 0

    def validate(self) -> None:
        """Raise InvalidRun unless there is a label a graph."""
        if len(self.y) != len(self.graphs):
            raise InvalidRun(f"y has {len(self.y)} rows for {len(self.graphs)} graphs")


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees: every split but the training graphs, and what is known of these.

    ``scale`` (2, C) holds mean and standard deviation of the training targets; ``watched`` the
    validation batches; ``best`` and ``chosen`` the best validation score so far, higher is better,
    and its epoch.
    """

    splits: dict[str, Split]
    scale: Annotated[torch.Tensor, Array(2, "targets", dtype="float32")]
    watched: dict[str, list[GraphBatch]] = {}
    dropped: int | None = None
    best: dict[str, float] = {}
    chosen: dict[str, int] = {}

    def watch(self, name: str, split: Split) -> None:
        """Let ``split`` be the validation graphs ``name``."""
        self.splits[name], self.watched[name] = split, list(split.graphs.batches(EVALUATED))

    def score(self, name: str, logits: torch.Tensor) -> float:
        """Return the :func:`~._scores.score` on the split ``name``."""
        return score(logits, self.splits[name].y, self.scale)


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

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Return the kind of the labels and how many outputs the net needs."""
        raise NotImplementedError

    def readout(self) -> Literal["mean", "add"]:
        """Return how nodes become a graph."""
        return "mean"

    def prepare(self, run: Setup) -> Case:
        """Draw the splits; hide all but the training graphs."""
        splits = {name: moved(split, run.device) for name, split in self.splits(run).items()}
        train = splits["train"]
        kind, outputs = self.outputs(train)
        y, scale = train.y, torch.tensor([[0.0], [1.0]], device=run.device)
        if kind == "numbers":
            centre = y.nanmean(0)
            scale = torch.stack([centre, (y - centre).square().nanmean(0).sqrt().clamp_min(1e-8)])
            y = (y - scale[0]) / scale[1]
        problem = Problem(
            graphs=train.graphs,
            y=y,
            kind=kind,
            outputs=outputs,
            env=train.env,
            readout=self.readout(),
            **self._protocol(),
        )
        hidden = Hidden(splits=splits, scale=scale)
        for name in ("id_val", "ood_val"):
            hidden.watch(name, splits[name])
        return Case(problems=[problem], hidden=hidden)

    def _protocol(self) -> dict[str, Any]:
        names = (
            "backbone",
            "virtual_node",
            "layers",
            "hidden",
            "dropout",
            "epochs",
            "batch_size",
            "lr",
            "decay_at",
        )
        return {name: getattr(self, name) for name in names}

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch on both validation splits; the last of equals is kept."""
        hidden: Hidden = case.hidden
        scores = {
            name: hidden.score(name, predict(model, batches))
            for name, batches in hidden.watched.items()
        }
        sign = -1 if case.problems[0].kind == "numbers" else 1
        keep = tuple(
            name for name, score in scores.items() if sign * score >= hidden.best.get(name, -np.inf)
        )
        for name in keep:
            hidden.best[name], hidden.chosen[name] = sign * scores[name], step
        return Watched(dict(scores), keep=keep)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the epochs that validation chose, and the weights."""
        outcome, hidden = outcomes[0], case.hidden
        by_id, by_ood = (
            outcome.kept.get(name, outcome.solution.model) for name in ("id_val", "ood_val")
        )
        logits = {
            name: _logits(by_id, split.graphs)
            for name, split in hidden.splits.items()
            if name.startswith(("id_test", "ood_test", "ood_large"))
        }
        scores = {name: hidden.score(name, found) for name, found in logits.items()}
        kind = case.problems[0].kind
        scores["gap"] = (scores["id_test"] - scores["ood_test"]) * (-1 if kind == "numbers" else 1)
        scores["ood_by_ood"] = hidden.score(
            "ood_test", _logits(by_ood, hidden.splits["ood_test"].graphs)
        )
        if "id_val" in hidden.chosen:
            scores["epoch"] = hidden.chosen["id_val"]
        test, train = hidden.splits["ood_test"], hidden.splits["train"]
        if kind == "classes":
            scores |= worst_group(logits["ood_test"], test.y, test.group) | {
                "seen": seen(train.graphs, test.graphs)
            }
        if kind == "numbers":
            scores["mean_only"] = hidden.score("ood_test", torch.zeros_like(logits["ood_test"]))
            if test.cliff is not None and test.cliff.any():
                scores["ood_cliff"] = score(
                    logits["ood_test"][test.cliff], test.y[test.cliff], hidden.scale
                )
        if hidden.dropped is not None:
            scores["dropped"] = hidden.dropped
        arrays = {}
        if outcome.solution.weights is not None:
            scores |= weight_figures(outcome.solution, train.conflict)
            arrays = {
                name: found.cpu().numpy()
                for name in ("weights", "squares")
                if (found := getattr(outcome.solution, name)) is not None
            }
        return Score(metrics=scores, arrays=arrays, images=self._pictures(hidden, outcome))

    def _pictures(self, hidden: Hidden, outcome: Outcome) -> dict[str, np.ndarray]:
        train = hidden.splits["train"]
        parts = {
            name: (split.graphs, _captions(split))
            for name, split in hidden.splits.items()
            if name in ("train", "ood_test")
        }
        images = {
            "graphs": pictures.examples(parts, train.marked),
            "epochs": pictures.progress(
                outcome.curve, "RMSE" if kind_of(train.y) == "numbers" else "%"
            ),
        }
        if outcome.solution.weights is not None:
            images["weights"] = pictures.weights(outcome.solution.weights, train.conflict)
        return images

    # References, which see the hidden part

    def train_with_group_weights(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The control: each training graph weighs 1 / (graphs of its true label and base), so that
        the base says nothing of the label.
        """
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


def _logits(model: Any, graphs: Graphs) -> torch.Tensor:
    with evaluating(model):
        return predict(model, list(graphs.batches(EVALUATED)))


def _captions(split: Split) -> list[str]:
    return [
        f"{value:.3g}"
        for value in split.y[: pictures.SHOWN].reshape(-1, split.y[0].numel())[:, 0].tolist()
    ]


def moved(split: Split, device: torch.device) -> Split:
    """Return the split on a device."""
    there = {
        name: value.to(device)
        for name in split.__struct_fields__
        if hasattr(value := getattr(split, name), "to")
    }
    return msgspec.structs.replace(split, **there)
