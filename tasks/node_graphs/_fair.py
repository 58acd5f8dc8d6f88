"""What the tasks with a second label share: fairness on test nodes, and the step chosen by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from bench import Case, Metric, Outcome, Reference, Run, Score, Setup, Watched
from bench.tracks.node_graphs import Members, NodeMethod, Problem
from bench.training.node_mixers import Symmetric
from bench.training.node_nets import ResidualNet

from ._metrics import ACC, ADJUSTED, EDGE, INFORMATIVENESS, LEAK, STEP, accuracy, auroc
from ._task import Hidden, NodeTask, Whole, part, said

NEAR, LOST = 3.0, 8.0
"""Points of validation accuracy that a fairer step may lose to the best one, and of test accuracy
that a ranked row may lose to the graph net without a penalty.
"""

UNFAIR = Metric(
    name="unfair",
    primary=True,
    direction="min",
    unit="%",
    bounds=(0, 200),
    title="parity plus opportunity, on test nodes",
)
PARITY = Metric(
    name="parity",
    direction="min",
    unit="%",
    bounds=(0, 100),
    title="distance of the shares said to be of class 1, between the groups of the second label",
)
OPPORTUNITY = Metric(
    name="opportunity",
    direction="min",
    unit="%",
    bounds=(0, 100),
    title="the same among the nodes of class 1",
)
AUROC = Metric(name="auroc", unit="%", bounds=(0, 100), chance=50, title="area under the ROC curve")
S_ACC = Metric(
    name="s_acc",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title="accuracy of the estimated second label where it is not told",
)
FAIR = (UNFAIR, PARITY, OPPORTUNITY, ACC, AUROC, S_ACC, EDGE, ADJUSTED, INFORMATIVENESS, LEAK, STEP)
REFERENCES = (Reference(name="gcn", kind="low", title="the graph net without a penalty"),)


class FairHidden(Hidden, kw_only=True):
    """What no method sees, the steps that were reported, and the accuracy to hold.

    Attributes:
        seen: step -> accuracy and unfairness on validation nodes, in percent.
        said: step -> logits of all nodes (n, C).
        gcn: test accuracy of the graph net without a penalty; None before the evaluation.
    """

    seen: dict[int, tuple[float, float]] = msgspec.field(default_factory=dict)
    said: dict[int, torch.Tensor] = msgspec.field(default_factory=dict)
    gcn: float | None = None


class FairTask(NodeTask):
    """Two classes and a second label; ranked by how far predictions follow the latter."""

    def hidden_part(self, whole: Whole) -> Hidden:
        """Return what no method sees."""
        return FairHidden(whole=whole, labels=whole.y)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Keep what a model says, with its accuracy and unfairness on validation nodes."""
        hidden: FairHidden = case.hidden
        logits = said(model, case.problems[k])
        scores = figures(hidden, logits, 1)
        hidden.seen[step] = (scores["acc"], scores["unfair"])
        hidden.said[step] = logits
        test = figures(hidden, logits, 2)
        return Watched({"val": scores["acc"], "score": test["acc"], "unfair": test["unfair"]})

    def chosen(self, case: Case, outcome: Outcome) -> torch.Tensor:
        """Return the logits of the fairest step on validation nodes among those near the best
        accuracy; the first of equals.
        """
        hidden: FairHidden = case.hidden
        if not hidden.seen:
            return said(outcome.solution.model, case.problems[0])
        hidden.step = fairest(hidden.seen)
        return hidden.said[hidden.step]

    def reveal(self, case: Case, run: Setup) -> None:
        """Train the graph net without a penalty, as the method ``gcn`` does."""
        hidden = FairHidden(whole=case.hidden.whole, labels=case.hidden.labels)
        reference, task = Case(problems=case.problems, hidden=hidden), self

        class Watching(_Convolutions, frozen=True, kw_only=True):
            """The net, looked at by this task."""

            def report(self, run: Run, step: int, model: Any) -> None:
                task.watch(reference, 0, step, model)

        Watching().solve(case.problems[0], run)
        logits = hidden.said[fairest(hidden.seen)]
        case.hidden.gcn = figures(hidden, logits, 2)["acc"]

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the chosen step, and the estimates of the second label."""
        found = super().evaluate(case, outcomes, run)
        hidden: FairHidden = case.hidden
        logits = torch.from_numpy(found.arrays["logits"]).to(hidden.labels.device)
        metrics = figures(hidden, logits, 2)
        names = {metric.name for metric in FAIR}
        found.metrics = {
            **{name: value for name, value in found.metrics.items() if name in names},
            **metrics,
            "s_acc": _estimated(outcomes[0].solution.sensitive, case.problems[0], hidden.whole),
        }
        found.gates["accuracy"] = hidden.gcn is None or metrics["acc"] >= hidden.gcn - LOST
        return found


class _Convolutions(NodeMethod, frozen=True, kw_only=True):
    """The net of the method ``gcn``."""

    def net(self, members: Members) -> ResidualNet:
        problem = members.problem
        return ResidualNet(
            members.members,
            (members.x.shape[2], problem.hidden, problem.n_classes),
            [Symmetric() for _ in range(problem.layers)],
            problem.dropout,
        )


def fairest(seen: dict[int, tuple[float, float]]) -> int:
    """Return the step with the least unfairness among those whose accuracy is within three points
    of the best; ``seen`` holds both, by step.
    """
    best = max(accuracy for accuracy, _ in seen.values())
    near = {step: unfair for step, (own, unfair) in seen.items() if own >= best - NEAR}
    return min(near, key=lambda step: (near[step], step))


def figures(hidden: Hidden, logits: torch.Tensor, number: int) -> dict[str, float]:
    """Return accuracy, AUROC and fairness of logits (n, 2) on the nodes of a part, in percent."""
    assert hidden.whole.sensitive is not None
    chosen = part(hidden, number) & (hidden.whole.sensitive >= 0)
    y, s = hidden.labels[chosen].cpu().numpy(), hidden.whole.sensitive[chosen].cpu().numpy()
    positive = logits[chosen].argmax(1).cpu().numpy() == 1
    parity, opportunity = gap(positive, s), gap(positive[y == 1], s[y == 1])
    return {
        "acc": accuracy(logits[chosen], hidden.labels[chosen]),
        "auroc": auroc(logits[chosen], hidden.labels[chosen]),
        "parity": parity,
        "opportunity": opportunity,
        "unfair": parity + opportunity,
    }


def gap(positive: np.ndarray, s: np.ndarray) -> float:
    """Return the distance of the shares of positives (m,) between the groups s = 0 and s = 1 (m,),
    in points; 0 where a group is empty.
    """
    if not 0 < s.sum() < len(s):
        return 0.0
    return 100 * abs(float(positive[s == 0].mean()) - float(positive[s == 1].mean()))


def _estimated(estimate: torch.Tensor | None, problem: Problem, whole: Whole) -> float | None:
    if estimate is None or whole.sensitive is None or whole.told is None:
        return None
    asked = ~whole.told & (whole.sensitive >= 0)
    if not bool(asked.any()):
        return None
    right = (estimate.to(asked.device) > 0.5).long() == whole.sensitive
    return 100 * float(right[asked].float().mean())
