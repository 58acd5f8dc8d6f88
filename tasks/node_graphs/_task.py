"""What the tasks of the track share: splits, the choice of the step, scores, leakage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.node_graphs import Fixed, Problem, Solution, leak
from bench.training.node_graph import NodeGraph
from bench.training.pictures import curves
from bench.training.state import evaluating

from ._metrics import LEAST_LEAK, described, judged, score
from ._pictures import neighbourhood


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A graph before anything is hidden.

    Attributes:
        x: node features (n, f), float32.
        edges: (2, E), int64, both directions, no loops, none twice.
        y: labels (n,), int64; -1 where a node has none.
        parts: which part each node belongs to (n,), int64: 0 training, 1 validation, 2 test, -1
            none.
        arcs: the edges in the direction that the data gives, from a node's neighbour to the node
            (2, A); None: they have none.
        sensitive: the second label of all nodes (n,), int64, -1 where there is none.
        told: which of these methods are told (n,), bool.
    """

    x: torch.Tensor
    edges: torch.Tensor
    y: torch.Tensor
    parts: torch.Tensor
    arcs: torch.Tensor | None = None
    sensitive: torch.Tensor | None = None
    told: torch.Tensor | None = None


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees, and the step that validation chose so far.

    Attributes:
        whole: the graph with all labels.
        best: the best validation score so far; -1 before the first.
        step: its step; None: nothing was reported.
        logits: of all nodes at that step (n, C).
        labels: of all nodes (n,), -1 where there is none.
    """

    whole: Whole
    labels: Annotated[torch.Tensor, Array("n", dtype="int64", ge=-1, lt="C")]
    best: float = -1.0
    step: int | None = None
    logits: torch.Tensor | None = None


class NodeTask(Task):
    """Labels of some nodes are given; the step is chosen on others, and judged on the rest."""

    steps: Annotated[int, Meta(ge=1)] = 200
    """Updates, each of all nodes."""
    lr: Annotated[float, Meta(gt=0)] = 1e-2
    """Of Adam."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Of Adam, added to the gradient."""
    hidden: Annotated[int, Meta(ge=1)] = 64
    """Hidden units."""
    layers: Annotated[int, Meta(ge=1)] = 2
    """Layers that pass messages."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of hidden units dropped in training."""

    def whole(self, run: Setup) -> Whole:
        """Return the graph with its parts."""
        raise TypeError(f"{type(self).__name__} has no whole; write it.")

    def prepare(self, run: Setup) -> Case:
        """Hide all labels but those of the training nodes."""
        whole = self.whole(run)
        moved = {name: getattr(whole, name) for name in whole.__struct_fields__}
        whole = Whole(
            **{name: part if part is None else part.to(run.device) for name, part in moved.items()}
        )
        train = (whole.parts == 0) & (whole.y >= 0)
        for number, name in enumerate(("training", "validation", "test")):
            if not bool(((whole.parts == number) & (whole.y >= 0)).any()):
                raise InvalidRun(f"no node with a label is a {name} node; take a larger graph")
        told = None
        if whole.sensitive is not None and whole.told is not None:
            told = torch.where(whole.told, whole.sensitive, -1)
        problem = Problem(
            x=whole.x,
            edges=whole.edges,
            y=torch.where(train, whole.y, -1),
            train=train,
            n_classes=int(whole.y.max()) + 1,
            sensitive=told,
            **self._protocol(),
        )
        return Case(problems=[problem], hidden=self.hidden_part(whole))

    def hidden_part(self, whole: Whole) -> Hidden:
        """Return what no method sees."""
        return Hidden(whole=whole, labels=whole.y)

    def _protocol(self) -> dict[str, Any]:
        names = ("steps", "lr", "weight_decay", "hidden", "layers", "dropout")
        return {name: getattr(self, name) for name in names}

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score validation and test nodes; the first of the best on validation is kept."""
        hidden: Hidden = case.hidden
        logits = said(model, case.problems[k])
        scores = {
            name: score(logits[chosen], hidden.labels[chosen])
            for name, chosen in (("val", part(hidden, 1)), ("score", part(hidden, 2)))
        }
        if scores["val"] > hidden.best:
            hidden.best, hidden.step, hidden.logits = scores["val"], step, logits
        return Watched(dict(scores))

    def chosen(self, case: Case, outcome: Outcome) -> torch.Tensor:
        """Return the logits (n, C) of the step that validation chose."""
        found = case.hidden.logits
        return said(outcome.solution.model, case.problems[0]) if found is None else found

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the step that validation chose, and say what the graph is like."""
        hidden, outcome = case.hidden, outcomes[0]
        said(outcome.solution.model, case.problems[0])  # the last model must be a model, too
        logits, test = self.chosen(case, outcome), part(hidden, 2)
        leaked = leaked_of(hidden.whole)
        metrics: dict[str, float | None] = {
            **judged(logits[test], hidden.labels[test]),
            **described(hidden.whole.edges, hidden.labels),
            "leak": leaked,
            "step": hidden.step,
        }
        return Score(
            metrics=metrics,
            gates={"no-leak": leaked <= LEAST_LEAK},
            arrays={"logits": logits.cpu().numpy()},
            images=self.pictures(hidden, outcome, logits),
        )

    def pictures(
        self, hidden: Hidden, outcome: Outcome, logits: torch.Tensor
    ) -> dict[str, np.ndarray]:
        """Draw a part of the graph with its errors, and the scores over the steps."""
        return {
            "graph": neighbourhood(
                hidden.whole.edges.cpu().numpy(),
                hidden.labels.cpu().numpy(),
                logits.argmax(1).cpu().numpy(),
                part(hidden, 2).cpu().numpy(),
            ),
            "curves": curves(
                {
                    "validation": [(one["step"], one.get("val")) for one in outcome.curve],
                    "test": [(one["step"], one.get("score")) for one in outcome.curve],
                },
                "Scores over the steps",
                "steps",
                "%",
            ),
        }

    def majority(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The control: the most frequent class of the training nodes, for all."""
        counts = problem.y[problem.train].bincount(minlength=problem.n_classes).float()
        return Solution(model=Fixed(counts.expand(len(problem.x), -1)))


def said(model: Any, problem: Problem) -> torch.Tensor:
    """Return a model's logits of all nodes (n, C); it is shown a copy that is wiped afterwards."""
    shown = NodeGraph(problem.x.clone(), problem.edges.clone())
    with evaluating(model):
        logits: torch.Tensor = model(shown).detach().clone()
    shown.wipe()
    return logits


def part(hidden: Hidden, number: int) -> torch.Tensor:
    """Return which nodes belong to a part and have a label (n,), bool."""
    return (hidden.whole.parts == number) & (hidden.labels >= 0)


def leaked_of(whole: Whole) -> float:
    """Return the leak of a graph in percent, by the direction of its edges where they have one."""
    arcs = whole.edges if whole.arcs is None else whole.arcs
    labelled = whole.y >= 0
    return leak(arcs, whole.y, (whole.parts == 0) & labelled, (whole.parts == 2) & labelled)


def drawn_parts(
    nodes: int, shares: tuple[float, float], generator: np.random.Generator
) -> torch.Tensor:
    """Return the parts of nodes (n,), int64, drawn at random: shares of training and validation
    nodes, the rest test nodes.
    """
    first, second = round(shares[0] * nodes), round((shares[0] + shares[1]) * nodes)
    parts = np.full(nodes, 2, dtype=np.int64)
    order = generator.permutation(nodes)
    parts[order[:first]], parts[order[first:second]] = 0, 1
    return torch.from_numpy(parts)


def undirected(pairs: np.ndarray, nodes: int) -> torch.Tensor:
    """Return the edges of pairs of nodes (2, m) in both directions (2, E), int64, without loops,
    none twice.
    """
    first, second = pairs[:, pairs[0] != pairs[1]].astype(np.int64)
    codes = np.unique(np.concatenate([second * nodes + first, first * nodes + second]))
    return torch.from_numpy(np.stack([codes % nodes, codes // nodes]))
