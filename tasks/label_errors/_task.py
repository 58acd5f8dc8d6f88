"""What the tasks of the track share: the problem of noisy labels, judged
by what is said of the training rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from bench import Case, Outcome, Run, Score, Setup, Watched
from bench.runs.guard import fingerprint
from bench.tracks.label_errors import Solution, judgement, out_of_fold
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem
from bench.training.pictures import heat_map, histograms
from bench.training.state import finite, predict
from bench.training.tiles import grid

from ..noisy_labels._noise import transitions
from ..noisy_labels._task import Hidden, NoisyLabelTask
from ._metrics import classification, flagging, ranking

_STEPS = 10
"""Random removal is trained once for each tenth of the rows."""


class LabelErrorTask(NoisyLabelTask):
    """Say which training labels are wrong.

    Problem and hidden part are those of the noisy-label task.
    """

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score nothing: a judgement is scored once, when it is made."""
        return Watched({})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the order, the flags, and what training without the flagged rows is worth."""
        problem, hidden = case.problems[0], case.hidden
        judged = judgement(outcomes[0].solution, problem)
        bad = problem.y != hidden.y_true
        assert judged.suspicion is not None
        suspicion, errors = judged.suspicion.detach().double().cpu().numpy(), bad.cpu().numpy()
        metrics = ranking(suspicion, errors)
        arrays = {"suspicion": suspicion}
        if judged.flags is not None:
            flags = judged.flags.to(bad.device)
            metrics |= flagging(flags.cpu().numpy(), errors) | self._downstream(
                problem, hidden, flags, run
            )
            arrays["flags"] = flags.cpu().numpy()
        reason = (
            None
            if 0 < errors.sum() < len(errors)
            else (
                f"{'no' if not errors.any() else 'every'} label is wrong, so there is nothing "
                "to tell apart"
            )
        )
        return Score(
            metrics=metrics,
            arrays=arrays,
            images=_pictures(problem, hidden, suspicion, errors),
            not_rankable=reason,
        )

    def flag_true_errors(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: knows which labels are wrong."""
        return Solution(flags=problem.y != hidden.y_true)

    def _downstream(
        self, problem: Problem, hidden: Hidden, flags: torch.Tensor, run: Setup
    ) -> dict[str, float | None]:
        """Train the standard net, from the same initial weights each time, on what the flags leave
        and on relabelled rows, and on the anchors.
        """
        rows, number = len(problem.y), int(flags.sum())
        bad = problem.y != hidden.y_true
        anchors: dict[str, dict[str, float]] = {}
        share = round(_STEPS * number / rows)
        leave = {
            "noisy": torch.zeros_like(bad),
            "oracle": bad,
            "random": _random_rows(rows, share, run.seed).to(bad.device),
        }
        for name, out in leave.items():
            if not out.all():
                recipe = {
                    "anchor": name,
                    "share": share if name == "random" else 0,
                    "seed": run.seed,
                    "hidden": fingerprint(hidden),
                }
                built, _ = run.cached(
                    recipe,
                    lambda _, out=out: _tensors(_train(problem, hidden, ~out, problem.y, run)),
                )
                anchors[name] = {key: float(value) for key, value in built.items()}
        found = {name: anchors.get(name, {}) for name in leave}
        if number == 0:
            found |= {"drop": anchors["noisy"], "relabel": anchors["noisy"]}
        else:
            found["drop"] = (
                {} if number == rows else _train(problem, hidden, ~flags, problem.y, run)
            )
            found["relabel"] = _train(
                problem,
                hidden,
                torch.ones_like(bad),
                torch.where(flags, out_of_fold(problem, run).argmax(1), problem.y),
                run,
            )
        return {
            f"{key}_{name}": values.get(key)
            for name, values in found.items()
            for key in ("acc", "f1")
        }


def _random_rows(rows: int, share: int, seed: int) -> torch.Tensor:
    """Return which rows are left out (N,) at ``share`` tenths."""
    order = np.random.Generator(np.random.PCG64([seed, share])).permutation(rows)
    out = torch.zeros(rows, dtype=torch.bool)
    out[order[: round(share * rows / _STEPS)]] = True
    return out


def _train(
    problem: Problem, hidden: Hidden, rows: torch.Tensor, labels: torch.Tensor, run: Run
) -> dict[str, float]:
    """Train the null method on some rows and score it on the clean test;
    every training of one seed has the same streams.
    """
    fresh = Run(
        seed=run.seed,
        task="label-errors/downstream",
        method="label-errors/downstream",
        device=run.device,
        workdir=run.workdir,
    )
    model = (
        NoisyLabelMethod()
        .solve(msgspec.structs.replace(problem, x=problem.x[rows], y=labels[rows]), fresh)
        .model
    )
    return classification(
        finite(predict(model, hidden.x_test), "a fresh model").argmax(-1).cpu().numpy(),
        hidden.y_test.cpu().numpy(),
    )


def _tensors(figures: dict[str, float]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in figures.items()}


def _pictures(
    problem: Problem, hidden: Hidden, suspicion: np.ndarray, bad: np.ndarray
) -> dict[str, np.ndarray]:
    """Return how suspicious right and wrong labels are, what was given for what, and the most
    suspicious rows where they are images.
    """
    classes = range(problem.n_classes)
    given, true = problem.y.cpu().numpy(), hidden.y_true.cpu().numpy()
    pictures = {
        "suspicion": histograms(
            {"right label": suspicion[~bad], "wrong label": suspicion[bad]},
            "How suspicious the rows are",
            "suspicion",
        ),
        "transitions": heat_map(
            transitions(true, given, problem.n_classes),
            classes,
            classes,
            "Labels given to the training rows",
            "given",
            "true",
        ),
    }
    if problem.x.dim() == 4 and problem.x.shape[1] in (1, 3):
        worst = np.argsort(-suspicion, kind="stable")[:24]
        captions = [f"{given[row]} (is {true[row]})" for row in worst]
        pictures["suspicious"] = grid(
            problem.x[torch.from_numpy(worst)].cpu(),
            captions,
            columns=8,
            title="Most suspicious rows: given label (true label)",
        )
    return pictures
