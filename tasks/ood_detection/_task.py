"""What the tasks of the track share: classes that a net is trained on, kinds of rows that it never
saw, and how scores of both are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task
from bench.declared import Array
from bench.tracks.ood_detection import Problem, Solution, told_apart
from bench.training.data import Examples
from bench.training.fixed_net import Recipe, fixed_net, trained
from bench.training.pictures import histograms
from bench.training.state import predict

from ._metrics import flags, judged, together

KNOWN = 6
"""Classes that the net is trained on."""
SINGLY = 24
"""Rows that are scored by themselves as well."""
_ORACLE_STEPS = 300
"""Fewest steps of the upper reference."""
_LEAST = 20
"""Fewest rows of a part."""


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees. Of every kind out of the distribution one half is judged by; references
    may train on the other.

    Attributes:
        x_test: test rows of the net's classes (T, ...).
        y_test: their labels (T,).
        out: kind -> rows to judge by (n, ...).
        seen: kind -> rows of the other half (m, ...).
        order: in which the test rows and then all kinds are shown (T + all n,).
        wild: the unlabelled rows (W, ...), which a reference's problem does not hold.
        wild_out: which unlabelled rows are out of the distribution (W,), bool.
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    out: Annotated[dict[str, torch.Tensor], Array(..., dtype="float32")]
    seen: Annotated[dict[str, torch.Tensor], Array(..., dtype="float32")]
    order: Annotated[torch.Tensor, Array("M", dtype="int64", ge=0, distinct=True)]
    wild: Annotated[torch.Tensor | None, Array("W", ..., dtype="float32")] = None
    wild_out: Annotated[torch.Tensor | None, Array("W", dtype="bool")] = None


class OodTask(Task):
    """Draws the net's classes, trains the net, and judges scores of all kinds in one go."""

    near: ClassVar[tuple[str, ...]] = ("classes",)
    split: ClassVar[tuple[float, ...]] = (0.6, 0.1, 0.3)
    """Shares of the training, validation and test rows."""

    net: Literal["mlp", "cnn"] = "mlp"
    """The net that is trained and handed out."""
    widths: tuple[int, ...] = ()
    """Widths of its hidden layers, or channels of its stages; (): the task's own."""
    epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of its training."""
    n_known: Annotated[int, Meta(ge=0)] = 0
    """Rows of the net's classes, all parts together; 0: all there are."""
    n_out: Annotated[int, Meta(ge=40)] = 2000
    """Most rows of a kind out of the distribution, half of which are judged by."""

    @property
    def recipe(self) -> Recipe:
        """How the net is built and trained."""
        own = {"mlp": (256, 256), "cnn": (16, 32, 128)}[self.net]
        return Recipe(net=self.net, widths=self.widths or own, epochs=self.epochs)

    def parts(
        self, data: Examples, run: Setup, most: float = 255.0
    ) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], torch.Tensor, np.ndarray]:
        """Return the parts of the net's classes (x, y), rows of the other classes, and which
        classes are the net's.

        Args:
            data: pictures of ten classes, uint8.
            run: draws the classes and the parts.
            most: the brightest value of a pixel.

        Raises:
            InvalidRun: a part would have too few rows.
        """
        order = run.numpy_generator("corruption", "classes").permutation(data.classes)
        known = np.sort(order[:KNOWN])
        y = data.y.cpu().numpy()
        inside = np.isin(y, known)
        rows = run.numpy_generator("split").permutation(np.flatnonzero(inside))
        rows = rows[: self.n_known or len(rows)]
        if len(rows) * min(self.split) < _LEAST:
            raise InvalidRun(
                f"n_known is {self.n_known}, and the smallest part would have "
                f"{len(rows) * min(self.split):g} rows; ask for at least "
                f"{round(_LEAST / min(self.split))}"
            )
        ends = np.round(np.cumsum(self.split) * len(rows)).astype(int)
        label = torch.from_numpy(np.searchsorted(known, y))
        found = []
        for own in np.split(rows, ends[:-1]):
            at = torch.from_numpy(own)
            found.append((scaled(data.x[at.to(data.x.device)], most), label[at].to(run.device)))
        others = run.numpy_generator("corruption", "others").permutation(np.flatnonzero(~inside))
        at = torch.from_numpy(others).to(data.x.device)
        return found, scaled(data.x[at], most), known

    def halves(
        self, kinds: dict[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Return the rows of every kind to judge by, and the other half."""
        cut = {kind: rows[: self.n_out] for kind, rows in kinds.items()}
        return (
            {kind: rows[: len(rows) // 2] for kind, rows in cut.items()},
            {kind: rows[len(rows) // 2 :] for kind, rows in cut.items()},
        )

    def case(
        self,
        parts: Sequence[tuple[torch.Tensor, torch.Tensor]],
        kinds: dict[str, torch.Tensor],
        run: Setup,
        wild_out: torch.Tensor | None = None,
        **told: torch.Tensor | None,
    ) -> Case:
        """Train the net, and put the case together.

        Args:
            parts: training, validation and test rows (x, y).
            kinds: kind -> rows out of the distribution, of which half are judged by.
            run: of the task.
            wild_out: which rows of ``wild`` are out of the distribution.
            told: what methods may ask for.
        """
        (x, y), (x_val, y_val), (x_test, y_test) = parts[:3]
        out, seen = self.halves(kinds)
        total = len(x_test) + sum(map(len, out.values()))
        order = torch.from_numpy(run.numpy_generator("eval", "order").permutation(total))
        problem = Problem(
            model=fixed_net(x, y, KNOWN, self.recipe, run),
            x=x,
            y=y,
            x_val=x_val,
            y_val=y_val,
            n_classes=KNOWN,
            **told,
        )
        hidden = Hidden(
            x_test=x_test,
            y_test=y_test,
            out=out,
            seen=seen,
            order=order.to(x.device),
            wild=told.get("wild"),
            wild_out=wild_out,
        )
        return Case(problems=[problem], hidden=hidden)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score all rows in one mixed order, kind by kind."""
        hidden: Hidden = case.hidden
        problem: Problem = case.problems[0]
        solution = outcomes[0].solution
        scores = scores_of(solution.score, hidden)
        inside = scores.pop("known")
        found = {kind: judged(inside, own) for kind, own in scores.items()}
        model = getattr(solution, "model", None)
        before, after = (
            accuracy(one, hidden.x_test, hidden.y_test)
            for one in (problem.model, model or problem.model)
        )
        said = (getattr(solution, name, None) for name in ("flagged", "suspicion"))
        about_wild = flags(*map(plain, said), plain(hidden.wild_out))
        named = {metric.name for metric in self.card.metrics}
        figures = together(found, self.near) | about_wild | {"id_acc": after}
        return Score(
            metrics={name: figures.get(name) for name in named},
            gates={"id-acc": after >= before - 2},
            images={
                "scores": histograms(
                    {"net's classes": inside, **scores}, "Scores of test rows", "score"
                )
            },
        )

    def told_kinds(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: a classifier of the net's rows against half of every kind."""
        out = torch.cat(list(hidden.seen.values()))
        # rows of either side are equally common in a pass
        known = problem.x.repeat(-(-len(out) // len(problem.x)), *[1] * (problem.x.dim() - 1))
        x = torch.cat([known[: len(out)], out])
        y = (torch.arange(len(x), device=x.device) < len(x) - len(out)).long()
        epochs = max(5, -(-_ORACLE_STEPS * self.recipe.batch_size // len(x)))
        net = trained(x, y, 2, msgspec.structs.replace(self.recipe, epochs=epochs), run, "oracle")
        return Solution(score=lambda x: (net(x)[:, 1] - net(x)[:, 0])[:, None])

    def told_wild(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """An upper reference where there are unlabelled rows: it is told which of them are out."""
        assert hidden.wild is not None
        assert hidden.wild_out is not None
        recipe = msgspec.structs.replace(self.recipe, epochs=5)
        return told_apart(problem, hidden.wild[hidden.wild_out], 10.0, recipe, run)


def scaled(x: torch.Tensor, most: float = 255.0) -> torch.Tensor:
    """Return pictures (n, ...) on [0, 1], float32."""
    return x.float() / most


def shuffled(x: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Return pictures (n, ...) whose pixels are each in an order of its own."""
    size = x[0].numel()
    order = generator.permuted(np.tile(np.arange(size), (len(x), 1)), axis=1)
    return x.flatten(1).gather(1, torch.from_numpy(order).to(x.device)).view_as(x)


def noise(like: torch.Tensor, count: int, generator: np.random.Generator) -> torch.Tensor:
    """Return ``count`` pictures of uniform pixels, of the shape of those in ``like``."""
    drawn = generator.random((count, *like.shape[1:]), dtype=np.float32)
    return torch.from_numpy(drawn).to(like.device)


def plain(tensor: torch.Tensor | None) -> np.ndarray | None:
    """Return a tensor as an array."""
    return None if tensor is None else tensor.detach().cpu().numpy()


def accuracy(model: Any, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the accuracy of logits on rows (n, ...) with labels (n,), in percent."""
    return 100 * float((predict(model, x).argmax(1) == y).double().mean())


def scores_of(score: Any, hidden: Hidden) -> dict[str, np.ndarray]:
    """Return the scores of the test rows, as ``known``, and of every kind.

    All are shown at once and in an order of their own, so that their place says nothing.

    Raises:
        InvalidRun: the score of a row depends on the rows that it is shown with.
    """
    rows = torch.cat([hidden.x_test, *hidden.out.values()])
    mixed = rows[hidden.order]
    found = predict(score, mixed)[:, 0].double()
    some = mixed[:: max(1, len(mixed) // SINGLY)]
    alone = torch.cat([predict(score, row[None])[:, 0].double() for row in some])
    spread = found.std().clamp_min(1e-12)
    # kernels of other sizes round otherwise, which for some scores is a thousandth of their spread
    if bool(((alone - found[:: max(1, len(mixed) // SINGLY)]).abs() > 1e-2 * spread).any()):
        raise InvalidRun(
            "the score of a row depends on the rows that it is shown together with, which are test "
            "rows; return a score that judges each row by itself"
        )
    back = torch.empty_like(found)
    back[hidden.order] = found
    sizes = [len(hidden.x_test), *map(len, hidden.out.values())]
    parts = back.cpu().split(sizes)
    return {name: part.numpy() for name, part in zip(("known", *hidden.out), parts, strict=True)}
