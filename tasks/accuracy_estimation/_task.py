"""What the tasks of the track share: a net, sets of corrupted rows, and scores of estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import torch

from bench import Case, Meta, Metric, Outcome, Reference, Run, Score, Setup, Task
from bench.declared import Array
from bench.errors import InvalidRun
from bench.tracks.accuracy_estimation import Problem, Solution, agreement
from bench.training.corruptions import KINDS, SEVERITIES, corrupt
from bench.training.data import Examples
from bench.training.fixed_net import Recipe, fixed_net, outputs
from bench.training.pictures import scatter

CORRUPTIONS = tuple(kind for kind in KINDS if kind != "occlude")
METRICS = (
    Metric(
        name="mae",
        primary=True,
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="distance of estimated and true accuracy, mean over the sets",
    ),
    Metric(
        name="mae_id",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="distance on rows that are not shifted",
    ),
    Metric(
        name="mae_real",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="distance on rows of another source, where the task has them",
    ),
    Metric(
        name="bias",
        direction="none",
        unit="%",
        bounds=(-100, 100),
        title="estimated minus true accuracy, mean over the sets",
    ),
    Metric(
        name="spearman",
        bounds=(-1, 1),
        title="rank correlation of estimates and truth over the sets; none where all estimates are "
        "equal",
    ),
)
REFERENCES = (
    Reference(name="source-acc", kind="low"),
    Reference(
        name="labelled-100",
        kind="high",
        title="Accuracy on 100 labelled rows of each set",
        solve="ask_hundred",
    ),
)
ASKED = 100
"""Rows whose labels the upper reference sees."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        right: whether the net is right on each row of each set (S, n).
        kinds: what became of the rows of each set: a corruption, ``clean`` or ``real``.
    """

    right: Annotated[torch.Tensor, Array("S", "n", dtype="bool")]
    kinds: tuple[str, ...]


class EstimationTask(Task):
    """Trains a net, and shows what it meets."""

    source: ClassVar[str]
    brightest: ClassVar[float]

    n_train: Annotated[int, Meta(ge=10)]
    """Rows that the net is trained on."""
    n_val: Annotated[int, Meta(ge=10)]
    """Labelled rows that it is not."""
    n_test: Annotated[int, Meta(ge=10)]
    """Rows that each set is made of."""
    net: Literal["mlp", "cnn"] = "mlp"
    """The net that is judged."""
    widths: tuple[int, ...] = (256, 256)
    """Widths of its hidden layers, or channels of its stages."""
    epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of its training."""
    severities: tuple[int, ...] = SEVERITIES
    """Severities of the corruptions, 1 to 5."""

    def real(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return rows (n, 1, H, W) of another source, on [0, 1], and their labels; None: none."""
        return None

    def prepare(self, run: Setup) -> Case:
        """Split, train the net, and corrupt the test rows.

        Raises:
            InvalidRun: there are not so many rows, or a severity is none.
        """
        data: Examples = run.dataset(self.source)
        sizes = (self.n_train, self.n_val, self.n_test)
        if sum(sizes) > len(data.y):
            raise InvalidRun(
                f"n_train, n_val and n_test are {', '.join(map(str, sizes))}, {sum(sizes)} rows "
                f"together, and there are {len(data.y)}; ask for fewer"
            )
        if not self.severities or not set(self.severities) <= set(SEVERITIES):
            raise InvalidRun(
                f"severities is {list(self.severities)}; give one or more of 1, 2, 3, 4, 5"
            )
        order = torch.from_numpy(run.numpy_generator("split").permutation(len(data.y)))
        rows = order[: sum(sizes)].to(data.y.device)
        x, y = data.x[rows].float() / self.brightest, data.y[rows]
        (train, val, test), (y_train, y_val, y_test) = x.split(sizes), y.split(sizes)
        recipe = Recipe(net=self.net, widths=self.widths, epochs=self.epochs)
        model, second = (
            fixed_net(train, y_train, data.classes, recipe, run, which) for which in (0, 1)
        )
        sets = self.sets(test, y_test, run)
        logits = tuple(outputs(model, part) for _, part, _ in sets)
        problem = Problem(
            model=model,
            x_val=val,
            y_val=y_val,
            n_classes=data.classes,
            targets=tuple(part for _, part, _ in sets),
            logits_val=outputs(model, val),
            logits=logits,
            second_model=second,
        )
        right = [found.argmax(1) == own for found, (_, _, own) in zip(logits, sets, strict=True)]
        hidden = Hidden(right=torch.stack(right), kinds=tuple(kind for kind, _, _ in sets))
        return Case(problems=[problem], hidden=hidden)

    def sets(
        self, x: torch.Tensor, y: torch.Tensor, run: Setup
    ) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
        """Return kind, rows and labels of each set, in an order of the seed's, so that a place says
        nothing of a set; and each set's rows in an order of its own, so that what the net says of a
        clean row is no label of its corrupted copies.
        """
        found = [("clean", x, y)]
        for kind in CORRUPTIONS:
            for severity in self.severities:
                generator = run.numpy_generator("corruption", kind, severity)
                found.append((kind, corrupt(x, kind, severity, generator), y))
        other = self.real(run)
        if other is not None:
            found.append(("real", *other))
        order = run.numpy_generator("corruption", "sets").permutation(len(found))
        orders = [
            torch.from_numpy(run.numpy_generator("corruption", "rows", place).permutation(len(own)))
            for place, (_, own, _) in enumerate(found)
        ]
        mixed = [
            (kind, rows[own.to(rows.device)], labels[own.to(rows.device)])
            for (kind, rows, labels), own in zip(found, orders, strict=True)
        ]
        return [mixed[place] for place in order]

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Compare estimates with the truth."""
        hidden: Hidden = case.hidden
        solution: Solution = outcomes[0].solution
        truth = 100 * hidden.right.double().mean(1).cpu()
        said = solution.accuracy.double().cpu()
        off = said - truth

        def over(*kinds: str) -> float | None:
            chosen = [place for place, kind in enumerate(hidden.kinds) if kind in kinds]
            return float(off[chosen].abs().mean()) if chosen else None

        metrics = {
            "mae": float(off.abs().mean()),
            "mae_id": over("clean"),
            "mae_real": over("real"),
            "bias": float(off.mean()),
            "spearman": rank_correlation(said, truth),
        }
        named = [kind if kind in ("clean", "real") else "corrupted" for kind in hidden.kinds]
        groups = {}
        for kind in sorted(set(named)):
            own = [place for place, name in enumerate(named) if name == kind]
            groups[kind] = (truth[own].numpy(), said[own].numpy())
        picture = scatter(
            groups, "Estimated against true accuracy", "true accuracy, %", "estimated, %"
        )
        return Score(metrics=metrics, images={"estimates": picture})

    def ask_hundred(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: sees the labels of a hundred rows of each set."""
        found = []
        for place, right in enumerate(hidden.right):
            order = run.numpy_generator("method", place).permutation(len(right))[:ASKED]
            own = right[torch.from_numpy(order).to(right.device)]
            found.append(agreement(own, torch.ones_like(own)))
        return Solution(accuracy=torch.tensor(found, dtype=torch.float64))


def rank_correlation(one: torch.Tensor, other: torch.Tensor) -> float | None:
    """Return Spearman's correlation of numbers (n,); None where one has no order."""
    from scipy import stats

    if one.unique().numel() < 2 or other.unique().numel() < 2:
        return None
    return float(stats.spearmanr(one.numpy(), other.numpy()).statistic)
